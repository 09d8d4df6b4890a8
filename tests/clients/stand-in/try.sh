#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Test the tests: with the system's libpcap in netring's place all client tests
# must pass, and with each faulty one the tests named with it must fail.
#
# usage: try.sh DIRECTORY [MUTANT]...
set -u

here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
failed=0

# Which tests are expected to see which fault.
declare -A seen_by=(
	[none]=""
	[drop]="tcpdump tcpdump-files wireshark ngrep tcpflow darkstat argus pmacctd net-pcap npm-cap scapy"
	[payload]="tcpdump-files wireshark net-pcap npm-cap"
	[length]="tcpdump-files wireshark npm-cap sniffglue"
	[untagged]="tcpdump wireshark"
	[time]="tcpdump-files wireshark net-pcap"
	[stats]="tcpdump wireshark arp-scan darkstat net-pcap"
	[nofilter]="tcpdump wireshark scapy ngrep"
	[direction]="tcpdump"
	[send]="arp-scan tcpreplay net-pcap npm-cap scapy"
	[dump]="tcpdump-files savefiles ngrep"
	[text]="tcpdump net-pcap"
	[notloaded]="tcpdump wireshark scapy npm-cap masscan"
)

run_test() { # MUTANT TEST: prints the points that failed
	abs_top_builddir=$dir/$1 SHIM_DIR=$dir/$1/shim "$here/../$2.sh" >"$dir/$1/$2.log" 2>&1
	local status=$?
	grep -E '^(not ok|Bail)' "$dir/$1/$2.log"
	return $status
}

for mutant in "${@:-none}"; do
	# A capture that waits for lost packets need not be waited for long.
	if [ "$mutant" = none ]; then unset CLIENT_TESTS_PATIENCE; else export CLIENT_TESTS_PATIENCE=5; fi
	"$here/make.sh" "$dir/$mutant" "$mutant" || exit 1
	tests=${seen_by[$mutant]:-$(cd "$here/.." && printf '%s\n' *.sh | sed 's/\.sh$//; /^lib$/d')}
	for test in $tests; do
		if run_test "$mutant" "$test" >"$dir/$mutant/points"; then result=passes; else result=fails; fi
		expected=fails
		[ "$mutant" != none ] || expected=passes
		[ "$result" = "$expected" ] || failed=1
		echo "$mutant: $test $result, $(wc -l <"$dir/$mutant/points") points failed (expected: $expected)"
	done
done
exit $failed
