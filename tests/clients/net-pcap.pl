#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# What net-pcap.sh has Net::Pcap do on cap0; the argument is the way.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Net::Pcap;

$| = 1;
my $way   = shift @ARGV;
my $count = 0;

sub show {
	my ($user, $header, $packet) = @_;
	$count++;
	printf "%d: %d of %d %s\n", $count, $header->{caplen}, $header->{len},
	    sha256_hex($packet);
}

sub opened {
	my ($err);
	my $pcap = pcap_open_live('cap0', 2000, 1, 100, \$err) or die "open: $err\n";
	return $pcap;
}

sub filtered {
	my $pcap = opened();
	my $filter;
	pcap_compile($pcap, \$filter, $_[0], 1, 0) == 0 or die pcap_geterr($pcap);
	pcap_setfilter($pcap, $filter) == 0 or die pcap_geterr($pcap);
	return $pcap;
}

# ps_recv is what the kernel let through; the last block may hold more of it
# than was taken, but for these filters everything is.
sub print_stats {
	my %stats;
	pcap_stats($_[0], \%stats);
	print join(' ', map { "$_=$stats{$_}" } sort keys %stats), "\n";
}

# The 35 small datagrams, 30 of which have a payload from "small 0000" on again.
my $expression = 'udp port 5000 and udp[4:2] = 18';
my %ways = (
	loop => sub {
		my $pcap = filtered($expression);
		print 'returned ', pcap_loop($pcap, 35, \&show, ''), "\n";
		print_stats($pcap);
		pcap_close($pcap);
	},
	dispatch => sub {
		my $pcap = filtered($expression);
		my $err;
		pcap_setnonblock($pcap, 1, \$err);
		my $fd = pcap_get_selectable_fd($pcap);
		while ($count < 35) {
			my $bits = '';
			vec($bits, $fd, 1) = 1;
			select($bits, undef, undef, 20) or die "nothing to read\n";
			pcap_dispatch($pcap, -1, \&show, '') >= 0 or die pcap_geterr($pcap);
		}
		print 'then ', pcap_dispatch($pcap, -1, \&show, ''), "\n";
		print_stats($pcap);
		pcap_close($pcap);
	},
	next_ex => sub {
		my $pcap = filtered($expression);
		while ($count < 35) {
			my (%header, $packet);
			my $got = pcap_next_ex($pcap, \%header, \$packet);
			$got == 1 ? show('', \%header, $packet) : $got < 0 && die pcap_geterr($pcap);
		}
		print_stats($pcap);
		pcap_close($pcap);
	},
	breakloop => sub {
		my $pcap = filtered($expression);
		my $got = pcap_loop($pcap, -1, sub {
			show(@_);
			pcap_breakloop($pcap) if $count == 10;
		}, '');
		print "returned $got\n";
		print 'and on: ', pcap_loop($pcap, 25, \&show, ''), "\n";
		pcap_close($pcap);
	},
	dump => sub {
		my $pcap = filtered($expression);
		my $file = pcap_dump_open($pcap, 'out.pcap') or die pcap_geterr($pcap);
		pcap_loop($pcap, 35, sub { pcap_dump($file, $_[1], $_[2]) }, '');
		pcap_dump_flush($file);
		pcap_dump_close($file);
		pcap_close($pcap);
	},
	sendpacket => sub {
		my $pcap = opened();
		for my $i (0 .. 19) {
			my $udp  = pack('nnnn', 4000, 5000, 30, 0) . sprintf('from Net::Pcap %07d', $i);
			my $ip   = pack('CCnnnCCnNN', 0x45, 0, 50, $i, 0x4000, 64, 17, 0, 0x0a4d0002, 0x0a4d0066);
			my $head = pack('H12H12n', '020000007766', '020000007702', 0x0800);
			print pcap_sendpacket($pcap, $head . $ip . $udp), ' ';
		}
		print "\n";
		pcap_close($pcap);
	},
	errors => sub {
		my ($err, $filter) = ('');
		print defined pcap_open_live('nosuch0', 100, 1, 100, \$err) ? 'opened' : $err, "\n";
		my $pcap = opened();
		print pcap_compile($pcap, \$filter, 'udp port', 1, 0), ' ', pcap_geterr($pcap), "\n";
		print pcap_sendpacket($pcap, ''), ' ', pcap_geterr($pcap), "\n";
		print pcap_set_datalink($pcap, 113), ' ', pcap_geterr($pcap), "\n";
		pcap_close($pcap);
	},
	facts => sub {
		my ($err, %info) = ('');
		print join(' ', sort(pcap_findalldevs(\%info, \$err))), "\n";
		my ($net, $mask);
		print pcap_lookupnet('cap0', \$net, \$mask, \$err), " $net $mask\n";
		my $pcap = opened();
		print join(' ', pcap_datalink($pcap), pcap_snapshot($pcap), pcap_is_swapped($pcap),
		    pcap_major_version($pcap), pcap_minor_version($pcap), pcap_getnonblock($pcap, \$err),
		    pcap_fileno($pcap) == pcap_get_selectable_fd($pcap)), "\n";
		print pcap_lib_version(), "\n";
		pcap_close($pcap);
	},
);
$ways{$way}->();
