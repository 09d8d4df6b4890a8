#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# darkstat: pcap_open_live twice, non-blocking dispatch after select with HTTP
# sockets in the same loop, pcap_stats each time; chroot and setuid.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up darkstat

page() { # PATH
	ip netns exec "$cap_ns" "$python" -c '
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen("http://127.0.0.1:667" + sys.argv[1]).read().decode())' "$1" |
		sed -e 's/<[^>]*>/ /g' -e 's/^ *//' -e 's/ *$//' | grep -v '^$'
}

# The count in darkstat's own words: "Seen N bytes, in 43 packets. (53 captured".
has_seen() { # PACKETS
	page / >front 2>/dev/null && grep -qE "in +$1 +packets" front
}

accounted() { # USER DARKSTAT_ARG...
	local user=$1
	shift
	start darkstat -i cap0 --no-daemon --no-dns -p 667 --chroot "$PWD" --user "$user" "$@"
	wait_capturing cap0
	wait_for 20 is_listening "$cap_ns" 667
	send mix
	wait_for 20 has_seen 43
	grep -E '^Seen' front
	page /hosts/ | grep -v ' secs\?$'
	page /hosts/10.77.0.102/ | grep -v 'Last seen'
	awk '/^(Uid|CapEff)/' "/proc/$pid/status"
	stop INT
	cat out err
}

compare "darkstat counts hosts, ports, packets" -e '^Seen +4,3' -e '53 +captured, +0 +dropped' \
	-e '^Uid:.65534' accounted nobody
compare "darkstat, promiscuous off" -e '53 +captured' accounted nobody --no-promisc
check_library darkstat
done_testing
