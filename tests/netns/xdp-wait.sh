#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# How a reader of AF_XDP waits: polling the driver where the kernel lets it, sleeping a moment after packets, and for half as long after many.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=flows.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/flows.sh"
# shellcheck source-path=SCRIPTDIR source=xdp-lib.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/xdp-lib.sh"

flows_setup
command -v strace >/dev/null || skip_all "no strace"

# traced CALLS SETTING… -- OPTION…: the reader under strace, which writes to $NR_TMP/strace. Signals go to the reader.
traced() {
	local calls=$1
	shift
	order_start strace -D -f -o "$NR_TMP/strace" -e "trace=$calls" "${XDP[@]}" NETRING_LOG=info "$@"
}

sends() {
	send_start 0 0 nr0 "$@"
	send_end
}

# ---- busy polling ----

# napi_settings IF: what the kernel has of it. /sys is that of the namespace outside, so another one is mounted.
napi_settings() {
	# shellcheck disable=SC2016 # expanded inside
	in_rx unshare -m sh -c 'mount -t sysfs none /sys && cat "/sys/class/net/$1/napi_defer_hard_irqs" "/sys/class/net/$1/gro_flush_timeout"' sh "$1"
}

before=$(napi_settings nr1)
traced recvfrom,getsockopt NETRING_BUSY_POLL_US=200000 -- -i nr1
ok $? "busy polling: captures" "$(cat "$NR_TMP/order.err")"
sends -c 100 -r 1000 -f 16
order_end
all_once
ok $? "busy polling: every packet, once" "sent $SENT; $ORDERED"
[ -n "$before" ] && [ "$(napi_settings nr1)" = "$before" ]
ok $? "busy polling: the interface's settings are as they were" "before: $before; after: $(napi_settings nr1)"

# Whether the kernel knows what to poll is the kernel's to say.
queue=$(sed -n 's/.*SO_INCOMING_NAPI_ID, \[\([0-9]*\)\].*/\1/p' "$NR_TMP/strace" | tail -n 1)
since=$(sed '0,/SO_INCOMING_NAPI_ID, \[[1-9]/d' "$NR_TMP/strace" | grep -c recvfrom)
after=$(tac "$NR_TMP/strace" | sed '/SO_INCOMING_NAPI_ID/,$d' | grep -c recvfrom)
said=$(grep -c 'does not let its driver be polled for receive queue' "$NR_TMP/order.err")
if [ "$queue" = 0 ]; then
	[ "$after" = 0 ] && [ "$said" -ge 1 ]
	ok $? "busy polling: no system call where the kernel knows of no driver, which is said" "$after calls; $(cat "$NR_TMP/order.err")"
else
	[ "$since" -gt 100 ] && [ "$said" = 0 ]
	ok $? "busy polling: the driver is polled" "queue $queue, $since calls; $(cat "$NR_TMP/order.err")"
fi
echo "# busy polling: the kernel says queue ${queue:-unknown}"

# ---- sleeping ----

traced poll,ppoll -- -i nr1
sends -c 200 -r 500
order_end
all_once && ! grep -q ppoll "$NR_TMP/strace"
ok $? "few packets: sleeps by poll alone" "$(grep -c ppoll "$NR_TMP/strace") of ppoll; $ORDERED"

# The reader is stopped for as long as it takes that many have come, whatever the machine makes in a millisecond.
traced poll,ppoll -- -i nr1
kill -s STOP "$ORDER_PID"
sends -c 20000 -r 1000000
kill -s CONT "$ORDER_PID"
order_end
all_once && grep -q 'ppoll(.*tv_nsec=500000' "$NR_TMP/strace"
ok $? "many packets: sleeps for half as long" "$(grep -c ppoll "$NR_TMP/strace") of ppoll; sent $SENT; $ORDERED"

finish
