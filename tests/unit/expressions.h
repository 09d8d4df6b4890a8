/* SPDX-License-Identifier: BSD-3-Clause */
/* The primitives of pcap-filter(7), alone and in a few combinations, some of which only certain link types compile. For tests. */
#ifndef NETRING_TEST_EXPRESSIONS_H
#define NETRING_TEST_EXPRESSIONS_H

static const char *const expressions[] = {
	"host 10.0.0.1", "src host 10.0.0.1", "dst host 10.0.0.2", "src or dst host 10.0.0.1", "src and dst host 10.0.0.1", "ip host 10.0.0.1", "arp host 10.0.0.1", "rarp host 10.0.0.1",
	"ip6 host 2001:db8::1", "host 2001:db8::2", "src host fe80::9", "ether host 02:00:00:00:00:01", "ether src 02:00:00:00:00:01",
	"ether dst ff:ff:ff:ff:ff:ff", "ether src or dst 02:00:00:00:00:02", "net 10.0.0.0/8", "src net 192.168", "dst net 10.0.0.0 mask 255.255.255.0", "net 10.0.0",
	"ip6 net 2001:db8::/32", "src net fe80::/10", "net 0.0.0.0/0", "port 53", "src port 80", "dst port 443", "tcp port 22", "udp port 53", "sctp port 80",
	"src or dst port 1024", "portrange 1-1024", "tcp src portrange 20-80", "dst portrange 1024-65535", "udp portrange 53-53", "src and dst port 80", "less 60", "greater 100", "len > 200",
	"len = 60", "len <= 1", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "igrp", "pim", "ah", "esp", "vrrp", "ip proto 89",
	"ip proto \\tcp", "ip proto \\udp", "ip6 proto 17", "ip6 proto 58", "ip protochain 6", "ip6 protochain 17", "ip6 protochain \\tcp", "protochain 58", "proto 17", "proto 132",
	"ether proto 0x0800", "ether proto \\arp", "ether proto \\ip6", "ether proto 0x88cc", "ether proto \\stp", "ether proto \\netbeui", "ether proto \\ipx", "ether proto \\iso",
	"atalk", "aarp", "decnet", "lat", "moprc", "mopdl", "iso", "stp", "ipx", "netbeui", "sca", "clnp", "esis", "isis", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp", "iso proto 0x82",
	"ether broadcast", "ether multicast", "broadcast", "multicast", "ip broadcast", "ip multicast", "ip6 multicast", "vlan", "vlan 42", "vlan 42 and ip", "vlan and vlan", "vlan 42 && vlan 42 && ip",
	"vlan and arp", "vlan and tcp port 80", "not vlan", "mpls", "mpls 100000", "mpls 100000 and mpls 1024", "mpls 1024 and ip", "mpls && host 10.0.0.1", "pppoed", "pppoes", "pppoes 7", "pppoes and ip", "pppoes 7 and tcp port 80",
	"pppoes and ip6", "llc", "llc i", "llc s", "llc u", "llc rr", "llc rnr", "llc rej", "llc ui", "llc ua", "llc disc", "llc sabme", "llc test", "llc xid", "llc frmr", "geneve", "geneve 0xb",
	"ip[0] & 0xf != 5", "ip[6:2] & 0x1fff = 0", "ip[8] < 2", "ip[2:2] > 576", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[13] = 2", "tcp[tcpflags] & tcp-rst != 0", "tcp[12:1] & 0xf0 > 0x50",
	"icmp[icmptype] = icmp-echo", "icmp[icmptype] != icmp-echoreply", "icmp[icmpcode] = 0", "icmp6[icmp6type] = icmp6-echo", "udp[4:2] > 40", "udp[0:4] = 0x00350050", "ether[0] & 1 = 0", "ether[0] & 1 != 0", "ether[12:2] = 0x0800",
	"ip6[6] = 17", "ip6[40] = 0", "arp[6:2] = 1", "arp[6:2] = 2", "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", "ip[ip[0] & 0xf] > 100", "ip[(ip[0]&0xf)<<2:2] = 80", "len - 14 > 40", "len * 2 < 200",
	"ip[8] / 2 = 1", "ip[8] % 2 = 0", "len % 3 = 1", "len / 7 = 9", "len & 4 != 0", "len | 1 = 61", "len ^ 3 < 60", "len << 1 > 150", "len >> 3 = 8", "-len < 0xffffff00", "ether[len-1] = 0", "ether[len-4:4] > 0x80000000",
	"ip[8] << ip[9] != 0", "ip[8] << (ip[9] & 7) != 0", "ip[4:4] >> (ip[8] & 3) > 5", "ip[4:4] / ip[8] > 1000", "ip[4:4] % ip[8] = 0", "ip[ip[8]] & ip[9] = 1", "ip[2:2] - ip[8] > ip[4:2]", "ip[4:4] >> ip[8] > 5", "inbound or not ip", "ip and (tcp or udp) and not port 53",
	"gateway 10.0.0.1 or ip", "tcp or udp port 53", "host 10.0.0.1 or 10.0.0.2", "port 22 or 80 or 443", "tcp and (port 80 or port 443) and not (src net 10 or dst net 10)", "(ip or ip6) and not (tcp or udp)",
	"ether[100] = 0", "ether[500] = 0", "ether[60:4] != 0", "ip[60:2] = 0", "1 = 1", "1 = 2", "0x10 & 0x30 = 0x10", "link[0] = 2", "radio[0] = 0", "wlan addr1 02:00:00:00:00:01", "wlan addr2 02:00:00:00:00:02",
	"type mgt", "type ctl", "type data", "type mgt subtype beacon", "subtype ack", "dir fromds", "dir 1", "type data subtype qos-data", "wlan host 02:00:00:00:00:01", "ifindex 2", "ifindex 1", "inbound", "outbound",
	"tcp[0:2] > tcp[2:2]", "vlan and ip6", "vlan or mpls", "ip and ip[1] = 3 or arp", "not ip and not ip6", "not tcp", "not (host 10.0.0.1 and port 80)", "dst host 224.0.0.1", "src host 255.255.255.255", "",
};

#endif
