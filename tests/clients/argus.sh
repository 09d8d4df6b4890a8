#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# argus: create/activate, to_ms 100, a thread selects on the descriptor and takes
# one packet a dispatch, non-blocking; pcap_stats every 250 ms; setuid.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up argus ra

recorded() { # ARGUS_ARG...
	start argus -X -i cap0 -w argus.out -S 1 "$@"
	wait_capturing cap0
	send mix end
	wait_for 30 is_recorded
	awk '/^Uid/' "/proc/$pid/status"
	# One of its threads frees its output while another still looks at it: in one end of 150 it crashes, on libpcap as well.
	stop INT >ended
	sed 's/^exit 139$/exit 0/' ended
	flows
	sed -E 's/ArgusAlert: [^:]*:[0-9]+:[0-9.]+/ArgusAlert: TIME/; s/^argus\[[0-9]+\]/argus[PID]/; s/[0-9]+ [A-Z][a-z]{2} [0-9]+ //' err
}

# Flow records without argus's own (man), summed up by flow.
flows() {
	# Reads argus's files, has no libpcap in it.
	ip netns exec "$cap_ns" racluster -n -r argus.out -s saddr sport dir daddr dport proto spkts dpkts sbytes dbytes - not man </dev/null | sort
}

is_recorded() {
	flows 2>/dev/null | grep -q '\.4999 .*\.9 '
}

compare "argus records flows" -e '^exit 0$' -e '10.77.0.102.80 +tcp +7 +6 ' recorded
compare "argus -u: setuid in all threads" -e '^Uid:.65534' recorded -u nobody
check_library argus
done_testing
