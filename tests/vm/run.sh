#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs a command as root in a virtual machine with another kernel and with emulated network cards, prints what it prints, and exits with its status:
#
#	tests/vm/run.sh --kernel KERNEL [OPTION…] COMMAND [ARGUMENT…]
#
#	--kernel KERNEL    a Debian kernel package's name, or its .deb files (blank-separated), or a directory that they were unpacked into
#	                   (dpkg-deb -x: saves the time for that). A name is looked up by apt-get download, which installs nothing.
#	--nic MODEL        two network cards of that kind, one wire between them: e1000e, igb (QEMU 8), vmxnet3, virtio-net-pci, …
#	                   With ,NAME=VALUE… as QEMU's -device takes them. Again: two more. AF_XDP on virtio needs its offloads off, zero copy
#	                   (Linux 6.11) direct memory access: virtio-net-pci,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,iommu_platform=on
#	--queues NUMBER    of each of those virtio cards: needs /dev/net/tun here, as QEMU's own wire has one queue
#	--cpus NUMBER      (2), --memory MEGABYTES (2048), --numa: two nodes, memory and CPUs halved between them, the cards at the
#	                   second one
#	--seconds NUMBER   the time limit from power-on (600). Status 124 if it is reached, 125 if the machine did not get to the end.
#	--console FILE     keeps what the kernel said
#
# The machine is emulated in software (no /dev/kvm): ten to thirty times as slow as this one, so timings mean nothing. It sees this machine's files,
# programs and libraries by 9p, read-only; what it writes goes to its own memory and is gone with it. The command runs in the current
# directory, with abs_top_srcdir, abs_top_builddir, SHIM_DIR and TMPDIR of the caller's environment and nothing else of it. For instance, after make check TESTS=:
#
#	export abs_top_srcdir=$PWD/.. abs_top_builddir=$PWD SHIM_DIR=$PWD/shim
#	../tests/vm/run.sh --kernel linux-image-amd64 ../tests/netns/xdp.sh
#
# Needs root (9p then gives the files with their owners), the Debian packages qemu-system-x86, busybox-static, cpio, kmod, xz-utils; ethtool and iproute2
# for the tests. QEMU (qemu-system-x86_64) names another emulator. Leaves nothing behind. Not part of make check: too slow.
set -u -o pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
kernel='' cpus=2 memory=2048 seconds=600 console='' queues=1 numa=''
nics=()
work=''
machine=''
PATH=$PATH:/usr/sbin:/sbin

give_up() {
	echo "$0: $*" >&2
	exit 125
}

parse() {
	while [ $# -gt 0 ]; do
		case $1 in
			--kernel) kernel=${2-} ;;
			--nic) nics+=("${2-}") ;;
			--queues) queues=${2-} ;;
			--cpus) cpus=${2-} ;;
			--memory) memory=${2-} ;;
			--seconds) seconds=${2-} ;;
			--console) console=${2-} ;;
			--numa)
				numa=yes
				shift
				continue
				;;
			-*) give_up "unknown option $1" ;;
			*) break ;;
		esac
		[ $# -gt 1 ] || give_up "$1 needs a value"
		shift 2
	done
	command=("$@")
	[ ${#command[@]} -gt 0 ] || give_up "no command"
	[ -n "$kernel" ] || give_up "no --kernel"
	[ "$(id -u)" = 0 ] || give_up "needs root"
}

clean_up() {
	if [ -n "$machine" ]; then
		kill -s KILL "$machine" 2>/dev/null
		wait "$machine" 2>/dev/null
	fi
	ip netns del "nr-vm-$$" 2>/dev/null
	[ -z "$work" ] || rm -rf "$work"
}

# A package and those of its dependencies that hold its kernel and modules (newer packages are split), as .deb files in the current directory.
download() {
	local more
	apt-get -qq -o APT::Sandbox::User=root download "$@" >&2 || return 1
	more=$(for deb in ./*.deb; do dpkg-deb -f "$deb" Depends; done | tr ',' '\n' | grep -oE 'linux-(image|binary|modules)-[0-9][^ ]*' | sort -u |
		while read -r name; do ls "${name}"_* >/dev/null 2>&1 || echo "$name"; done)
	# shellcheck disable=SC2086 # several names
	[ -z "$more" ] || download $more
}

# Sets vmlinuz, modules, version; kernel_dir is where they are.
find_kernel() {
	local deb
	kernel_dir=$kernel
	if [ ! -d "$kernel" ]; then
		kernel_dir=$work/kernel
		mkdir "$kernel_dir" "$work/debs"
		case $kernel in
			*.deb*) ;;
			*) kernel=$(cd "$work/debs" && download "$kernel" && ls "$PWD"/*.deb) || give_up "cannot download $kernel" ;;
		esac
		for deb in $kernel; do dpkg-deb -x "$deb" "$kernel_dir" || give_up "cannot unpack $deb"; done
	fi
	kernel_dir=$(realpath "$kernel_dir")
	vmlinuz=$(find "$kernel_dir" \( -name 'vmlinuz-*' -o -name vmlinuz \) -type f | head -n 1)
	modules=$(find "$kernel_dir" -path '*lib/modules/*' -name modules.builtin | head -n 1)
	modules=${modules%/*}
	if [ -z "$vmlinuz" ] || [ -z "$modules" ]; then give_up "no vmlinuz or no modules in $kernel_dir"; fi
	version=${modules##*/}
	# modprobe wants DIRECTORY/lib/modules; the dependencies are made by a package's postinst, so not yet.
	mkdir -p "$work/base/lib/modules/$version"
	ln -s "$modules/kernel" "$work/base/lib/modules/$version/kernel"
	cp "$modules"/modules.{order,builtin} "$modules"/modules.builtin.modinfo "$work/base/lib/modules/$version/"
	depmod -b "$work/base" "$version" || give_up "depmod fails"
}

# What is needed until this machine's files are there.
make_initramfs() {
	local root=$work/initramfs name
	mkdir -p "$root"/{bin,proc,sys,dev,host,tmp,new} "$root/modules"
	cp "$(command -v busybox)" "$root/bin/busybox" || give_up "no busybox"
	install "$HERE/init" "$root/init" || give_up "no init"
	for name in virtio_pci 9p 9pnet_virtio overlay; do
		modprobe -d "$work/base" -S "$version" --show-depends "$name" || give_up "no module $name"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/insmod"
	while read -r name; do
		case $name in
			*.xz) xz -dc "$name" ;;
			*.zst) zstd -dc "$name" ;;
			*) cat "$name" ;;
		esac >"$root/modules/$(basename "$name" | sed 's/\.ko.*/.ko/')"
		basename "$name" | sed 's/\.ko.*/.ko/' >>"$root/modules/order"
	done <"$work/insmod"
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initramfs.cpio" || give_up "cpio fails"
}

# What the machine reads at the start (tests/vm/guest.sh), and where it puts what comes out.
make_share() {
	local name
	mkdir "$work/share"
	: >"$work/share/output"
	{
		for name in abs_top_srcdir abs_top_builddir SHIM_DIR TMPDIR; do
			[ -z "${!name-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
		done
		printf 'cd %q\n' "$PWD"
		printf '%q ' "${command[@]}"
		echo
	} >"$work/share/command"
}

# A wire with as many queues as the cards: two taps and a bridge, in a network namespace.
make_taps() {
	local net=nr-vm-$$ i
	ip netns add "$net" || give_up "cannot make a network namespace"
	for ((i = 0; i < 2 * ${#nics[@]}; i++)); do
		nsenter --net="/run/netns/$net" ip tuntap add "tap$i" mode tap multi_queue vnet_hdr || give_up "cannot make a tap"
		[ $((i % 2)) = 1 ] || ip -n "$net" link add "br$((i / 2 + 1))" type bridge
		ip -n "$net" link set "tap$i" master "br$((i / 2 + 1))" up
		ip -n "$net" link set "br$((i / 2 + 1))" up
	done
	prefix=(nsenter --net="/run/netns/$net")
}

add_nics() {
	local nic i=0 end mac port
	[ "$queues" = 1 ] || make_taps
	for nic in "${nics[@]}"; do
		for end in 0 1; do
			mac=$(printf '52:54:00:00:%02x:%02x' "$i" "$end")
			port=port$i$end # each has a bus of its own: igb's virtual functions would get into the other's way
			arguments+=(-device "pcie-root-port,id=$port,chassis=$((2 * i + end + 1))${numa:+,bus=far}")
			if [ "$queues" = 1 ]; then
				arguments+=(-netdev "hubport,hubid=$((i + 1)),id=net$i$end" -device "$nic,bus=$port,netdev=net$i$end,mac=$mac")
			else
				arguments+=(-netdev "tap,id=net$i$end,ifname=tap$((2 * i + end)),script=no,downscript=no,vhost=off,queues=$queues"
					-device "$nic,bus=$port,netdev=net$i$end,mac=$mac,mq=on,vectors=$((2 * queues + 2))")
			fi
		done
		i=$((i + 1))
	done
}

add_nodes() {
	local half=$((memory / 2)) middle=$((cpus / 2))
	[ "$cpus" -gt 1 ] || give_up "--numa needs two CPUs"
	arguments+=(-object "memory-backend-ram,id=m0,size=${half}M" -object "memory-backend-ram,id=m1,size=${half}M"
		-numa "node,nodeid=0,memdev=m0,cpus=0-$((middle - 1))" -numa "node,nodeid=1,memdev=m1,cpus=$middle-$((cpus - 1))"
		-device "pxb-pcie,id=far,bus=pcie.0,bus_nr=128,numa_node=1")
}

boot() {
	prefix=()
	# shellcheck disable=SC2054 # the commas are QEMU's
	arguments=(-nodefaults -no-user-config -display none -no-reboot -accel tcg,thread=multi -M q35 -cpu max,la57=off -smp "$cpus${numa:+,sockets=2}" -m "$memory"
		-kernel "$vmlinuz" -initrd "$work/initramfs.cpio" -serial "file:$work/console"
		-append "console=ttyS0 quiet loglevel=5 panic=-1 net.ifnames=0 mitigations=off nokaslr tsc=reliable nowatchdog vm_share=$work vm_modules=$modules vm_guest=$HERE/guest.sh"
		-virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
		-virtfs "local,path=$work/share,mount_tag=share,security_model=none,multidevs=remap" -object rng-random,id=rng,filename=/dev/urandom
		-device virtio-rng-pci,rng=rng)
	[ -z "$numa" ] || add_nodes
	add_nics
	# The child is the emulator itself: timeout would have to be killed as well.
	"${prefix[@]}" "${QEMU:-qemu-system-x86_64}" "${arguments[@]}" </dev/null >"$work/qemu" 2>&1 &
	machine=$!
}

# Its output as it comes, until it is off; its exit status.
follow() {
	local deadline=$((SECONDS + seconds)) status=125 output
	tail -n +1 -s 0.2 -f --pid="$machine" "$work/share/output" &
	output=$!
	while kill -s 0 "$machine" 2>/dev/null; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			status=124
			kill -s KILL "$machine"
			break
		fi
		sleep 0.2
	done
	wait "$machine" 2>/dev/null
	machine=''
	wait "$output"
	[ -z "$console" ] || cp "$work/console" "$console"
	[ ! -s "$work/share/status" ] || status=$(cat "$work/share/status")
	case $status in
		124) echo "$0: not finished after $seconds seconds" >&2 ;;
		125) { cat "$work/qemu" && tail -n 30 "$work/console"; } >&2 ;;
	esac
	# A kernel that complains is a result, even if the command did not notice.
	grep -aE 'WARNING:|BUG:|Oops|general protection|hung task|Call Trace' "$work/console" | sed 's/^/# kernel: /' >&2
	return "$status"
}

parse "$@"
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
work=$(mktemp -d "${TMPDIR:-/tmp}/nr-vm-XXXXXX") || exit 125
find_kernel
make_initramfs
make_share
boot
follow
