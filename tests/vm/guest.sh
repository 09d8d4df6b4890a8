#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Process 1 of the virtual machine of tests/vm/run.sh, when the host's files are there: what a system has to run tests, then the command.
share=$1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root VM_GUEST=yes LC_ALL=C.UTF-8 TERM=dumb

mount -t tmpfs tmpfs /run
mkdir -p /run/lock /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
ln -sf /proc/self/fd /dev/fd
hostname vm
ip link set lo up
modprobe -a tun 2>/dev/null
# Nobody does it here when a device is found. The devices of virtio's own bus are found only then.
for bus in pci virtio; do
	for alias in /sys/bus/"$bus"/devices/*/modalias; do
		modprobe -q "$(cat "$alias")"
	done
done

(
	# shellcheck disable=SC1091 # made by run.sh
	. "$share/command"
) </dev/null >"$share/output" 2>&1
echo $? >"$share/status"
sync
echo b >/proc/sysrq-trigger
