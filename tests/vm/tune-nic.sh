#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netring tune and doctor on the driver of a network card: run.sh --nic MODEL tests/vm/tune-nic.sh. All that --apply says it has done is to be found
# with ethtool and in /proc, a second look proposes nothing any more, and after --undo everything is as it was.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}"
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=nics.sh disable=SC1091
. "$abs_top_srcdir/tests/vm/nics.sh"
NETRING=$abs_top_builddir/netring

# In a network namespace most sysctls and all of sysfs are missing: the receiving card goes back.
nics_up
in_rx ip link set eth0 netns 1 && ip link set eth0 up
link_is_up() { [[ $(ip link show eth0) == *LOWER_UP* ]]; }
nr_wait 30 link_is_up

state() {
	local irq file
	for option in -g -l -c -k -x -a; do
		echo "ethtool $option"
		ethtool $option eth0 2>&1
	done
	ip link show eth0 | grep -o 'mtu [0-9]*'
	for irq in /sys/class/net/eth0/device/msi_irqs/*; do
		echo "irq ${irq##*/} $(cat "/proc/irq/${irq##*/}/smp_affinity_list")"
	done
	for file in /sys/class/net/eth0/{napi_defer_hard_irqs,gro_flush_timeout,threaded} /sys/class/net/eth0/queues/*/rps_cpus /proc/sys/net/core/*; do
		[ ! -r "$file" ] || echo "$file $(cat "$file" 2>/dev/null)"
	done
}

# how many rows of a report were done, on standard input
rows_done() { grep -c ' done$'; }

state >"$NR_TMP/before"
"$NETRING" doctor eth0 >"$NR_TMP/doctor" 2>&1
status=$?
[ $status -le 1 ] && grep -q "^eth0: $DRIVER" "$NR_TMP/doctor"
ok $? "doctor judges the card" "status $status: $(cat "$NR_TMP/doctor")"
sed 's/^/# /' "$NR_TMP/doctor"

for profile in high_throughput low_latency low_memory jumbo; do
	"$NETRING" tune eth0 --profile $profile --apply --state "$NR_TMP/state" >"$NR_TMP/apply" 2>&1
	ok $? "$profile: all is set" "$(cat "$NR_TMP/apply")"
	sed 's/^/# /' "$NR_TMP/apply"
	nr_wait 30 link_is_up
	ok $? "$profile: the link is up"
	state >"$NR_TMP/after"
	changed=$(diff "$NR_TMP/before" "$NR_TMP/after" | grep -c '^>')
	[ "$changed" = "$(rows_done <"$NR_TMP/apply")" ]
	ok $? "$profile: as many settings have changed as it says ($changed)" "$(diff "$NR_TMP/before" "$NR_TMP/after")"
	"$NETRING" tune eth0 --profile $profile >"$NR_TMP/again" 2>&1
	grep -q '^Nothing to change' "$NR_TMP/again"
	ok $? "$profile: a second look proposes nothing" "$(cat "$NR_TMP/again")"
	"$NETRING" tune eth0 --undo --state "$NR_TMP/state" >"$NR_TMP/undo" 2>&1
	ok $? "$profile: all is restored" "$(cat "$NR_TMP/undo")"
	nr_wait 30 link_is_up
	state >"$NR_TMP/after"
	cmp -s "$NR_TMP/before" "$NR_TMP/after"
	ok $? "$profile: everything is as it was" "$(diff "$NR_TMP/before" "$NR_TMP/after")"
done
finish
