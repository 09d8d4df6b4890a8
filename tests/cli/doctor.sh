#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netring doctor: recorded hosts (facts/, judged by doctor.py), and the machine that the test runs on: interfaces of several kinds, no permission, no
# /sys, programs that netring gets into and others. Interfaces of the host are looked at, never changed.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"

LOOK=$abs_top_srcdir/tests/cli/doctor.py
FACTS=$abs_top_srcdir/tests/cli/facts
CC=${CC:-gcc}

for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done
unset LD_PRELOAD LD_LIBRARY_PATH

obstacle=$(nr_obstacle)
[ -z "$obstacle" ] || skip_all "$obstacle"
python3 -c 'import jsonschema' 2>/dev/null || skip_all "no python3-jsonschema"
trap nr_cleanup EXIT
trap 'exit 1' INT TERM HUP
nr_pair_up || {
	echo "Bail out! cannot set up the namespaces"
	exit 1
}
# Other users are to run it, too.
chmod 755 "$NR_TMP"
cp "$abs_top_builddir/netring" "$NR_TMP/netring"
mkdir "$NR_TMP/shim"
cp -L "$SHIM_DIR/libpcap.so.0.8" "$NR_TMP/shim/"
NETRING=$NR_TMP/netring
DOCTOR=("$NETRING" doctor --json)

# doctor COMMAND…: its exit status is $status, its output in $NR_TMP/json.
doctor() {
	"$@" >"$NR_TMP/json" 2>"$NR_TMP/err" </dev/null
	status=$?
}

# says NAME STATUS EXPRESSION COMMAND…: of the JSON, which keeps its schema. STATUS any: where the load of the machine counts, 0 or 1. It counts where there
# is a sample.
says() {
	says_name=$1 says_status=$2 says_expression=$3
	shift 3
	doctor "$@"
	value=$(python3 "$LOOK" look "$says_expression" <"$NR_TMP/json" 2>"$NR_TMP/look")
	[ "$says_status" = any ] && [ "$status" -le 1 ] && says_status=$status
	[ "$status" = "$says_status" ] && [ "$value" = True ]
	ok $? "$says_name" "status $status, value '$value' of $says_expression; $(tail -n 3 "$NR_TMP/look" "$NR_TMP/err"; head -c 1500 "$NR_TMP/json")"
}

# Words

expect "help" 0 'netring doctor \[--json\]' "$NETRING" doctor --help
expect "unknown option" 2 'unknown option --yaml' "$NETRING" doctor --yaml
expect "two interfaces" 2 'unexpected argument b' "$NETRING" doctor a b
expect "seconds that are no number" 2 'must be a number, 0..3600' "$NETRING" doctor --seconds 1s
expect "too many seconds" 2 'must be a number' "$NETRING" doctor --seconds 3601
expect "recorded and present" 2 '--facts judges a recording' "$NETRING" doctor --facts "$FACTS/tuned.facts" lo
expect "recorded, and seconds" 2 'no --seconds with it' "$NETRING" doctor -f "$FACTS/tuned.facts" -s 1
expect "recorded, and a library" 2 'goes with -- PROGRAM only' "$NETRING" doctor -f "$FACTS/tuned.facts" -L /tmp
expect "a library without a program" 2 '--library-dir says what a program is to load' "$NETRING" doctor -s 0 -L /tmp lo
expect "any" 2 'any: one interface at a time' "$NETRING" doctor any
expect "a list" 2 'one interface at a time' "$NETRING" doctor lo,eth0
expect "nothing behind --" 2 'the program is missing' "$NETRING" doctor lo --
expect "no such recording" 2 'cannot open /nonexistent' "$NETRING" doctor --facts /nonexistent
echo 'if.name' >"$NR_TMP/bad.facts"
expect "a recording that is none" 2 'bad.facts:1: if.name: must be NAME = VALUE' "$NETRING" doctor --facts "$NR_TMP/bad.facts"
expect "a report that cannot be written" 1 'cannot write to standard output' sh -c "'$NETRING' doctor --facts '$FACTS/tuned.facts' >/dev/full"

# Recorded hosts

python3 "$LOOK" rules "$NETRING" >"$NR_TMP/rules" 2>&1
while IFS= read -r line; do
	case $line in
	"ok "*) ok 0 "${line#ok }" ;;
	"not ok "*) ok 1 "${line#not ok }" ;;
	*) ok 1 "doctor.py" "$line" ;;
	esac
done <"$NR_TMP/rules"
[ "$(wc -l <"$NR_TMP/rules")" -gt 300 ]
ok $? "they were all judged" "$(tail -n 5 "$NR_TMP/rules")"

in_terminal() { python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@"; }
TERM=xterm in_terminal "$NETRING" doctor --facts "$FACTS/ixgbe.facts" </dev/null >"$NR_TMP/out"
grep -q "$(printf '\033')" "$NR_TMP/out"
ok $? "colours on a terminal" "$(head -n 5 "$NR_TMP/out")"
NO_COLOR=1 TERM=xterm in_terminal "$NETRING" doctor --facts "$FACTS/ixgbe.facts" </dev/null >"$NR_TMP/out"
! grep -q "$(printf '\033')" "$NR_TMP/out" && grep -q 'COSTS PACKETS' "$NR_TMP/out"
ok $? "none with NO_COLOR"

# Interfaces of several kinds

says "veth" any 'f["driver"]["seen"].startswith("veth") and "permission" in f and "rate" in f and d["interface"] == "nr1"' in_rx "${DOCTOR[@]}" nr1
says "the receiving end has GRO on" 0 '"ethtool -K nr1 gro off" in f["gro"]["mend"]' in_rx "${DOCTOR[@]}" -s 0 nr1
says "no sample: no rate" 0 'd["packets_per_second"] is None and "rate" not in f' in_rx "${DOCTOR[@]}" nr1 --seconds 0
says "lo" 0 '"position" in f and "xdp" not in "".join(x for x in f if f[x]["group"] != "fine")' in_rx "${DOCTOR[@]}" lo -s 0
in_rx ip link add br7 type bridge && in_rx ip link add nr8 type veth peer name nr9 && in_rx ip link set nr9 master br7
in_rx ip link set br7 up && in_rx ip link set nr8 up && in_rx ip link set nr9 up
says "bridge" 0 '"nr9" in f["lower"]["seen"]' in_rx "${DOCTOR[@]}" br7 -s 0
says "bridge port" 0 '"br7" in f["master"]["seen"]' in_rx "${DOCTOR[@]}" nr9 -s 0
says "it is guarded against AF_XDP" 2 '"br7" in f["xdp-guard"]["seen"]' in_rx env NETRING_BACKEND=xdp "${DOCTOR[@]}" nr9 -s 0
if in_rx ip tuntap add dev nrtap mode tap 2>/dev/null; then
	says "tap, down" 2 '"ip link set nrtap up" in f["down"]["mend"]' in_rx "${DOCTOR[@]}" nrtap -s 0
	in_rx ip link set nrtap up
	says "tap, up: nobody at the other end" 1 'f["carrier"]["group"] == "costs_packets" and "down" not in f' in_rx "${DOCTOR[@]}" nrtap -s 0
else
	skip "tap" "no /dev/net/tun"
fi
host=$(ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
if [ -n "$host" ]; then
	before=$(ip -d link show "$host"; ethtool -k "$host"; ethtool -g "$host") 2>/dev/null
	doctor "${DOCTOR[@]}" "$host"
	[ "$status" -le 1 ] && [ "$(python3 "$LOOK" look '"path" in f and "driver" in f' <"$NR_TMP/json")" = True ]
	ok $? "the interface of the default route" "status $status; $(cat "$NR_TMP/err")"
	after=$(ip -d link show "$host"; ethtool -k "$host"; ethtool -g "$host") 2>/dev/null
	[ "$before" = "$after" ]
	ok $? "it is as it was"
else
	skip "the interface of the default route" "there is none"
fi
says "the host, and each interface" 1 'set(i) >= {"lo", "nr1", "br7", "nr8", "nr9"} and d["interface"] is None and "rmem" in f and d["verdict"] == "costs_packets"' \
	in_rx env NETRING_BACKEND=libpcap "${DOCTOR[@]}"
expect "a line for each" 1 '^  nr8 +costs packets  NETRING_BACKEND=libpcap' in_rx env NETRING_BACKEND=libpcap "$NETRING" doctor
in_rx ip link set nr8 down
says "one that is down does not make the host unfit" 1 'i["nr8"]["verdict"] == "broken" and "down" in i["nr8"]["why"] and "carrier" in i["nr9"]["why"] and i["nr1"]["verdict"] == "fine"' in_rx "${DOCTOR[@]}" -s 0
nr_start pid "$NR_RX" tcpdump -i nr1 -w /dev/null 2>"$NR_TMP/tcpdump"
nr_wait 10 grep -q listening "$NR_TMP/tcpdump"
says "another capture is seen" 0 '"1 packet socket" in f["sockets"]["seen"]' in_rx "${DOCTOR[@]}" -s 0 nr1
nr_stop "$pid"
in_rx "$NETRING" doctor --record nr1 -s 0 >"$NR_TMP/recorded.facts"
in_rx "$NETRING" doctor nr1 -s 0 >"$NR_TMP/present"
"$NETRING" doctor --facts "$NR_TMP/recorded.facts" >"$NR_TMP/later"
[ -s "$NR_TMP/later" ] && [ "$(grep -c . "$NR_TMP/later")" = "$(grep -c . "$NR_TMP/present")" ]
ok $? "a recording is judged as what was recorded" "$(diff "$NR_TMP/present" "$NR_TMP/later")"

nr_start pid "$NR_TX" "$abs_top_builddir/bench/blast" -i nr0 -c 10000000 -r 40000 >"$NR_TMP/blast"
counted() { in_rx cat /proc/net/dev | sed -n 's/^ *nr1: *[0-9]* *\([0-9]*\) .*/\1/p'; }
received() { [ "$(counted)" -gt 2000 ]; }
nr_wait 10 received
# However slowly they come where the CPU is away: no more in the sample of a second than from before doctor began until it has ended.
before=$(counted)
doctor in_rx "${DOCTOR[@]}" nr1
after=$(counted)
value=$(python3 "$LOOK" look "1000 < d['packets_per_second'] <= $((after - before)) and 'packets/s' in f['rate']['seen'] and f['stall']['group'] == 'fine'" <"$NR_TMP/json")
[ "$status" -le 1 ] && [ "$value" = True ]
ok $? "the rate is that of now" "status $status; from $before to $after; $(cat "$NR_TMP/json")"
nr_stop "$pid"

# with BACKEND NAME STATUS EXPRESSION: what is said of another capture of that kind.
with() {
	nr_start pid "$NR_RX" env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$SHIM_DIR/libpcap.so.0.8" NETRING_BACKEND="$1" NETRING_STRICT=1 NETRING_LOG=error NETRING_XDP_FRAMES=1024 \
		"$abs_top_builddir/bench/count" -i nr1 -t 10 -q >"$NR_TMP/count"
	if nr_wait 20 grep -q ready "$NR_TMP/count"; then
		says "$2" "$3" "$4" in_rx "${DOCTOR[@]}" -s 0 nr1
	else
		ok 1 "$2" "$(cat "$NR_TMP/count")"
	fi
	nr_stop "$pid"
}
with xdp "a capture with AF_XDP" 1 '"netring_xdp" in f["attached"]["seen"] and "netring stats" in f["attached"]["mend"] and "AF_XDP" in f["attached"]["what"]'
with xdp-tap "a capture with copies in XDP takes nothing" 0 'f["attached"]["group"] == "fine" and "copies in XDP" in f["attached"]["what"]'

# The same settings, and what a capture makes of them: doctor is to know it before. asked BACKEND NAME STATUS EXPRESSION: what doctor says; then whether
# a capture begins, and on what.
without_bpf() { exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps -all,+net_raw,+net_admin --ambient-caps -all,+net_raw,+net_admin "$@"; }
export -f without_bpf
asked() {
	asked_backend=$1 asked_name=$2 asked_status=$3 asked_expression=$4 asked_log=$5
	shift 5
	says "$asked_name" "$asked_status" "$asked_expression" in_rx env NETRING_BACKEND="$asked_backend" "$@" bash -c 'without_bpf "$@"' sh "${DOCTOR[@]}" -s 0 nr1
	# shellcheck disable=SC2016 # expanded by the inner shell
	nr_start pid "$NR_RX" env NETRING_BACKEND="$asked_backend" NETRING_LOG=info "$@" bash -c 'without_bpf env LD_LIBRARY_PATH="$0" LD_PRELOAD="$0/libpcap.so.0.8" "$@"' "$NR_TMP/shim" \
		"$NR_TMP/count-program" -i nr1 -t 10 -q >"$NR_TMP/count" 2>&1
	nr_wait 20 grep -Eq "ready|count" "$NR_TMP/count"
	nr_stop "$pid"
	grep -Eq -- "$asked_log" "$NR_TMP/count"
	ok $? "$asked_name: so it is" "$(cat "$NR_TMP/count")"
}
cp "$abs_top_builddir/bench/count" "$NR_TMP/count-program"
for backend in xdp xdp-tap; do
	asked $backend "$backend without CAP_BPF: the packet ring" 1 'f["xdp-capabilities"]["group"] == "costs_packets" and "packet ring" in f["path"]["seen"]' 'captured through the packet ring' LANG=C
	asked $backend "$backend without CAP_BPF and strict: nothing" 2 'f["xdp-capabilities"]["group"] == "broken"' 'needs CAP_BPF' NETRING_STRICT=1
done
says "xdp-tap on loopback" 1 'f["xdp-generic"]["group"] == "costs_packets" and "xdp-loopback" not in f' in_rx env NETRING_BACKEND=xdp-tap "${DOCTOR[@]}" -s 0 lo
says "AF_XDP on loopback" 1 '"packet ring" in f["path"]["seen"] and f["xdp-loopback"]["group"] == "costs_packets"' in_rx env NETRING_BACKEND=xdp "${DOCTOR[@]}" -s 0 lo

# A capture that reads nothing: what the ring cannot hold is lost there, and doctor says whose it is.
nr_start pid "$NR_RX" env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$SHIM_DIR/libpcap.so.0.8" NETRING_RING_SIZE=64K NETRING_BLOCK_SIZE=4K "$abs_top_builddir/bench/count" -i nr1 -t 30 -q >"$NR_TMP/count"
nr_wait 20 grep -q ready "$NR_TMP/count"
says "a capture that runs" any 'f["capture"]["group"] == "fine" and "count (process " in f["capture"]["what"] and "ring of 64 KiB" in f["capture"]["seen"]' in_rx "${DOCTOR[@]}" nr1
kill -STOP "$pid"
says "a capture that is stopped" 1 'f["capture"]["group"] == "costs_packets" and f["capture"]["mend"] == ["kill -CONT '"$pid"'"]' in_rx "${DOCTOR[@]}" nr1
says "which the line of its interface says, too" 1 'i["nr1"]["verdict"] == "costs_packets" and "is stopped" in i["nr1"]["why"] and (i["lo"]["verdict"] == "fine" or "limit with receiving" in i["lo"]["why"])' in_rx "${DOCTOR[@]}"
kill -CONT "$pid"
nr_stop "$pid"

nr_start pid "$NR_RX" env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$SHIM_DIR/libpcap.so.0.8" NETRING_BACKEND=libpcap "$abs_top_builddir/bench/count" -i nr1 -t 30 -q >"$NR_TMP/count"
nr_wait 20 grep -q ready "$NR_TMP/count"
says "a capture that libpcap makes itself" any '"0 of 0 lost when its program last asked, " in f["capture"]["seen"] and "engine libpcap" in f["capture"]["seen"]' in_rx "${DOCTOR[@]}" nr1
nr_stop "$pid"

# Bad circumstances

says "no such interface" 2 '"did you mean nr1?" in f["missing"]["seen"] and f["missing"]["group"] == "broken"' in_rx "${DOCTOR[@]}" nr1x
says "a name that no interface has" 2 '"missing" in f' "${DOCTOR[@]}" 'a-name-that-is-too-long; reboot'
as_nobody() { in_rx setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@"; }
says "no permission" 2 '"not permitted" in f["permission"]["seen"] and len(f["permission"]["mend"]) == 2' as_nobody "${DOCTOR[@]}" nr1
[ ! -s "$NR_TMP/err" ]
ok $? "without complaints besides" "$(cat "$NR_TMP/err")"
says "without /sys" 0 '"permission" in f and "path" in f' in_rx unshare -m sh -c 'mount -t tmpfs none /sys && exec "$@"' sh "${DOCTOR[@]}" -s 0 nr1
says "without /sys and /proc" 0 '"permission" in f' in_rx unshare -m sh -c 'mount -t tmpfs none /sys && mount -t tmpfs none /proc && exec "$@"' sh "${DOCTOR[@]}" -s 0 nr1
says "settings that no capture accepts" 2 '"NETRING_RINGS=x" in f["settings"]["seen"]' in_rx env NETRING_RINGS=x "${DOCTOR[@]}" -s 0 nr1

# Programs

build() {
	"$CC" -o "$@" || ok 1 "build $1"
}
about=(-s 0 -L "$NR_TMP/shim" nr1 --)
echo 'int main(void) { return 0; }' >"$NR_TMP/plain.c"
echo 'extern const char *pcap_lib_version(void); int main(void) { return !pcap_lib_version(); }' >"$NR_TMP/capture.c"
build "$NR_TMP/static" -static "$NR_TMP/plain.c"
build "$NR_TMP/plain" "$NR_TMP/plain.c"
build "$NR_TMP/capture" "$NR_TMP/capture.c" -lpcap
cp "$NR_TMP/capture" "$NR_TMP/setuid" && chmod u+s "$NR_TMP/setuid"
cp "$NR_TMP/capture" "$NR_TMP/caps" && setcap cap_net_raw+ep "$NR_TMP/caps"
printf '#!/bin/sh\nexec %s\n' "$NR_TMP/capture" >"$NR_TMP/script" && chmod +x "$NR_TMP/script"
says "a program that captures" 0 'f["program"]["group"] == "fine" and f["program"]["about"] == "capture" and "libpcap.so.0.8" in f["libpcap"]["seen"]' \
	in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/capture" -i --json
says "static" 2 '"statically linked" in f["program"]["seen"] and f["program"]["group"] == "broken"' in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/static"
says "without libpcap" 2 '"no libpcap in it" in f["program"]["seen"]' in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/plain"
says "script" 0 '"script" in f["program"]["what"] and "libpcap" not in f' in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/script"
says "set-uid, by root" 0 '"set-uid" in f["program"]["cost"] and "other users" in f["program"]["cost"]' in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/setuid"
says "set-uid, by another" 2 '"set-uid" in f["program"]["seen"] and f["program"]["group"] == "broken"' as_nobody "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/setuid"
says "file capabilities, by root" 0 '"file capabilities" in f["program"]["cost"]' in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/caps"
says "file capabilities, by another" 2 '"file capabilities" in f["program"]["seen"]' as_nobody "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/caps"
in_rx ip link del br7 && in_rx ip link del nr8
ip link show nrtap >/dev/null 2>&1 || in_rx ip link del nrtap 2>/dev/null
says "the host and a program" 0 '"program" in f and "nr1" in i' in_rx "${DOCTOR[@]}" -s 0 -L "$NR_TMP/shim" -- "$NR_TMP/capture"
expect "no such program" 2 'cannot start no-such-program' in_rx "$NETRING" doctor "${about[@]}" no-such-program
expect "no library" 2 'cannot use the library folder /nonexistent' in_rx "$NETRING" doctor -s 0 -L /nonexistent nr1 -- "$NR_TMP/capture"

# AppArmor, as it would look: the kernel here need not have it. MODE, and what stands in the profile's local part.
# shellcheck disable=SC2016 # expanded by the inner shell
apparmor() {
	in_rx unshare -m sh -c '
		mode=$1 rule=$2 top=$3
		shift 3
		mount -t tmpfs none /sys/module && mount -t tmpfs none /sys/kernel/security && mount -t tmpfs none /etc/apparmor.d || exit 99
		mkdir -p /sys/module/apparmor/parameters /sys/kernel/security/apparmor /etc/apparmor.d/local
		echo Y >/sys/module/apparmor/parameters/enabled
		printf "%s\n" "other (enforce)" "cap-profile ($mode)" >/sys/kernel/security/apparmor/profiles
		printf "%s\n" "# $top/capture {" "profile cap-profile $top/capture {" "}" >/etc/apparmor.d/usr.bin.cap
		echo "$rule" >/etc/apparmor.d/local/usr.bin.cap
		exec "$@"' sh "$1" "$2" "$(realpath "$NR_TMP")" "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/capture"
}
if [ -d /sys/kernel/security ] && [ -d /etc/apparmor.d ]; then
	says "AppArmor keeps the library out" 2 'f["apparmor"]["group"] == "broken" and "apparmor_parser -r /etc/apparmor.d/usr.bin.cap" in f["apparmor"]["mend"]' apparmor enforce ''
	says "AppArmor lets it in" 0 'f["apparmor"]["group"] == "fine"' apparmor enforce "$(realpath "$NR_TMP/shim")/** mr,"
	says "a comment does not" 2 'f["apparmor"]["group"] == "broken"' apparmor enforce "# $(realpath "$NR_TMP/shim")/** mr,"
	says "AppArmor complains only" 0 '"complain" in f["apparmor"]["seen"]' apparmor complain ''
	says "another program's profile" 0 '"apparmor" not in f' in_rx "${DOCTOR[@]}" "${about[@]}" "$NR_TMP/script"
else
	skip "AppArmor" "no /etc/apparmor.d or /sys/kernel/security"
fi

finish
