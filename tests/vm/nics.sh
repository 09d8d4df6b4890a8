# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # variables for those who source it
#
# For the scripts that run in the virtual machine of run.sh, after tests/cli/tap.sh and tests/netns/flows.sh: its cards in two network namespaces. Those
# with even numbers (eth0, eth2) are in $NR_RX, the other ends of their wires (eth1, eth3) in $NR_TX. Nothing else sends there.

nics_up() {
	local card
	[ "${VM_GUEST-}" = yes ] || {
		echo "Bail out! for the virtual machine of tests/vm/run.sh only"
		exit 1
	}
	trap nr_cleanup EXIT
	NR_TMP=$(mktemp -d) || exit 1
	nr_namespace_up "$NR_TX" && nr_namespace_up "$NR_RX" || exit 1
	for card in eth0 eth1 eth2 eth3; do
		[ -e "/sys/class/net/$card" ] || continue
		case $card in
			eth[02]) ip link set "$card" netns "$NR_RX" && in_rx ip link set "$card" up ;;
			*) ip link set "$card" netns "$NR_TX" && in_tx ip link set "$card" up ;;
		esac
	done
	nr_wait 30 nics_are_up eth0 eth1 || {
		echo "Bail out! no two cards with a link: run.sh --nic"
		exit 1
	}
	DRIVER=$(in_rx ethtool -i eth0 | sed -n 's/^driver: //p')
	echo "# Linux $(uname -r), $DRIVER"
}

# Drivers take the link down when a program is attached or a ring resized.
nics_are_up() { [[ $(in_rx ip link show "$1") == *LOWER_UP* ]] && [[ $(in_tx ip link show "$2") == *LOWER_UP* ]]; }
