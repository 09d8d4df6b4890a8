#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netring top in a terminal, which is tmux's: two captures with different rates, one of which loses, and the screen names it; other sizes; the terminal
# is given back on every way out; pages that lie. And --once for scripts. tests/unit/test-top is about the figures.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"

NETRING=$abs_top_builddir/netring
BLAST=$abs_top_builddir/bench/blast
SHIM=(env "LD_LIBRARY_PATH=$SHIM_DIR" "LD_PRELOAD=$SHIM_DIR/libpcap.so.0.8")
SMALL=(NETRING_RING_SIZE=1M NETRING_BLOCK_SIZE=64K)
NAME=top$$ # of the programs that capture here: other captures of this machine are not our business

for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done
unset TMUX COLUMNS LINES NO_COLOR

# start VARIABLE HOW INTERFACE [HANDLES]: a program that captures.
start() {
	: >"$NR_TMP/out"
	nr_start "$1" "$NR_RX" "${SHIM[@]}" "${SMALL[@]}" "$NR_TMP/$NAME" "${@:2}" >"$NR_TMP/out"
	nr_wait 20 grep -q ready "$NR_TMP/out" || ok 1 "$* gets ready" "$(cat "$NR_TMP/out")"
}

# of SCREEN PID: the capture's row and the words under it, as one line.
of() { awk -v pid="$2" '$1 ~ /^[0-9]+$/ { on = $1 == pid } /^q quit/ { on = 0 } on' "$1" | tr -s '\n ' ' '; }

# figure NUMBER LINE: of the row: 5 packets/s, 7 lost/s; without its unit.
figure() {
	awk -v n="$1" '{ value = $n; factor = 1 }
		value ~ /k$/ { factor = 1e3 } value ~ /M$/ { factor = 1e6 } value ~ /G$/ { factor = 1e9 }
		{ printf "%d\n", value * factor }' <<<"$2"
}

# between FROM VALUE TO
between() { [ -n "$2" ] && [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; }

# The slow one loses most of 10,000 packets in a second, the quick one gets its 1000.
tells_them_apart() {
	local slow quick
	slow=$(of "$1" "$slow_pid") quick=$(of "$1" "$quick_pid")
	between 3000 "$(figure 7 "$slow")" 20000 && between 100 "$(figure 5 "$slow")" 2500 && [[ $slow == *"the program reads too slowly: ring "*" % full"* ]] &&
		between 400 "$(figure 5 "$quick")" 2500 && between 0 "$(figure 7 "$quick")" 0 && [[ $quick != *slowly* ]]
}

# The terminal

TMUX_SERVER=(tmux -L "nr-$$" -f /dev/null)

screen() { "${TMUX_SERVER[@]}" capture-pane -p >"$NR_TMP/screen" 2>/dev/null; }
keys() { "${TMUX_SERVER[@]}" send-keys "$@"; }
of_pane() { "${TMUX_SERVER[@]}" display-message -p "#{$1}"; }

# shows PATTERN [SECONDS]: the screen, soon.
has() { screen && grep -Eq -e "$1" "$NR_TMP/screen"; }
shows() { nr_wait "${2:-10}" has "$1"; }
screen_tells_them_apart() { screen && tells_them_apart "$NR_TMP/screen"; }
# has_size WIDTH HEIGHT: the keys are in the last line, the titles reach to the side, nothing is beyond.
has_size() {
	screen && [ "$(tail -n 1 "$NR_TMP/screen" | cut -c 1-6)" = "q quit" ] && [ "$(wc -l <"$NR_TMP/screen")" = "$2" ] &&
		[ "$(wc -L <"$NR_TMP/screen")" -le "$1" ] && [ "$(grep -Ec '^ *([0-9]+ )?top' "$NR_TMP/screen")" -ge 1 ]
}

# takes_size WIDTH HEIGHT: asked for again where tmux has not done it.
takes_size() {
	[ "$(of_pane pane_width)x$(of_pane pane_height)" = "$1x$2" ] || "${TMUX_SERVER[@]}" resize-window -x "$1" -y "$2"
	has_size "$1" "$2"
}

# What the terminal is like now; a shell in it writes that.
settings() {
	rm -f "$NR_TMP/settings"
	keys "stty -a >'$NR_TMP/settings.new'; mv '$NR_TMP/settings.new' '$NR_TMP/settings'" Enter
	nr_wait 10 test -e "$NR_TMP/settings" && cat "$NR_TMP/settings"
}

shell_is_back() { ! pgrep -P "$shell_pid" -x netring >/dev/null; }

# top_in_terminal ARGUMENT…: its process id is in $top_pid.
top_in_terminal() {
	keys "clear; '$NETRING' top ${*@Q}" Enter
	shows '^netring top +[0-9:]+' || ok 1 "netring top starts" "$(cat "$NR_TMP/screen")"
	top_pid=$(pgrep -P "$shell_pid" -x netring)
}

# given_back NAME STATUS
given_back() {
	nr_wait 10 shell_is_back
	keys "echo status=\$?" Enter
	shows "^status=$2\$"
	ok $? "$1: it ends with $2" "$(cat "$NR_TMP/screen")"
	[ "$(settings)" = "$before" ] && [ "$(of_pane alternate_on)$(of_pane cursor_flag)" = 01 ]
	ok $? "$1: the terminal is what it was" "$(diff <(echo "$before") "$NR_TMP/settings"; of_pane alternate_on; of_pane cursor_flag)"
}

clean_up() {
	"${TMUX_SERVER[@]}" kill-server 2>/dev/null
	nr_cleanup
}

# Words

expect "wrong option" 2 'unknown option --yaml' "$NETRING" top --yaml
expect "too many words" 2 'unexpected argument b' "$NETRING" top a b
for interval in 0 -1 0.01 3601 nan 1x '' 0x10 1e1; do
	expect "no interval: '$interval'" 2 'must be a number of seconds, 0.1 to 3600' "$NETRING" top --interval "$interval"
done
expect "no number" 2 'needs a value' "$NETRING" top --interval
expect "help" 0 'netring top \[--once' "$NETRING" top --help
expect "no terminal" 1 'standard input is no terminal: netring top --once' "$NETRING" top
expect "no capture" 1 'No capture on netring by nobody-has-this-name' "$NETRING" top --once -i 0.1 nobody-has-this-name
expect "nowhere to write" 1 'cannot write to standard output' sh -c "'$NETRING' top --once -i 0.1 >/dev/full"

obstacle=$(nr_obstacle)
[ -z "$obstacle" ] || skip_all "$obstacle"
command -v tmux >/dev/null || skip_all "no tmux program (package tmux)"
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
if ! nr_pair_up || ! nr_wide_pair nr2 nr3 || ! cp "$abs_top_builddir/tests/cli/captures" "$NR_TMP/$NAME"; then
	echo "Bail out! cannot set up the namespaces"
	exit 1
fi
slow_pid='' quick_pid='' one='' many='' blast1='' blast2=''

start slow_pid slow nr1
start quick_pid plain nr3
nr_start blast1 "$NR_TX" "$BLAST" -i nr0 -c 10000000 -r 10000 >/dev/null
nr_start blast2 "$NR_TX" "$BLAST" -i nr2 -c 10000000 -r 1000 >/dev/null

# For scripts

once_tells_them_apart() { "$NETRING" top --once "$NAME" >"$NR_TMP/once" 2>"$NR_TMP/err" && tells_them_apart "$NR_TMP/once"; }
nr_wait 20 once_tells_them_apart
ok $? "--once: both rates, and who loses" "$(cat "$NR_TMP/once" "$NR_TMP/err")"
! LC_ALL=C grep -q '[^ -~]' "$NR_TMP/once"
ok $? "--once: plain text"
[ ! -s "$NR_TMP/err" ]
ok $? "--once: nothing on standard error" "$(cat "$NR_TMP/err")"
[[ $(of "$NR_TMP/once" "$slow_pid") == *"Next: nsenter -nt $slow_pid netring doctor nr1"* ]]
ok $? "--once: what to do" "$(of "$NR_TMP/once" "$slow_pid")"
env COLUMNS=80 "$NETRING" top --once "$quick_pid" >"$NR_TMP/once"
[ "$(wc -L <"$NR_TMP/once")" -le 80 ] && [ "$(grep -Ec "^ *[0-9]+ $NAME" "$NR_TMP/once")" = 1 ] && [ -n "$(of "$NR_TMP/once" "$quick_pid")" ]
ok $? "--once: one process, in COLUMNS" "$(cat "$NR_TMP/once")"

# Live

"${TMUX_SERVER[@]}" new-session -d -x 80 -y 24 "exec env PS1='\$ ' bash --norc --noprofile -i"
"${TMUX_SERVER[@]}" set-option -g window-size manual
shell_pid=$(of_pane pane_pid)
before=$(settings)
[ -n "$before" ]
ok $? "a terminal"
top_in_terminal "$NAME"
nr_wait 20 screen_tells_them_apart
ok $? "80 x 24: both rates, and who loses" "$(cat "$NR_TMP/screen")"
row=$(grep -En "^ *$slow_pid " "$NR_TMP/screen" | cut -d : -f 1)
[ "$row" = 3 ] && has_size 80 24
ok $? "the worst comes first" "$(cat "$NR_TMP/screen")"
for size in 60x10 200x50 20x5 300x24 80x24; do
	nr_wait 10 takes_size "${size%x*}" "${size#*x}"
	ok $? "resized to $size" "$(cat "$NR_TMP/screen")"
	[ "$size" = 20x5 ] || nr_wait 15 has 'the program reads too slowly'
	ok $? "$size says who loses" "$(cat "$NR_TMP/screen")"
done
keys s
shows 'sort: packets' && keys s && shows 'sort: name'
ok $? "s sorts" "$(cat "$NR_TMP/screen")"
keys Space
shows '  PAUSED  '
ok $? "space pauses" "$(cat "$NR_TMP/screen")"
kill -STOP "$slow_pid"
keys Space s
stopped_is_said() { screen && [[ $(of "$NR_TMP/screen" "$slow_pid") == *"the program is STOPPED"*"kill -CONT $slow_pid lets it go on"* ]]; }
nr_wait 15 stopped_is_said
ok $? "a stopped program, and what comes in meanwhile" "$(cat "$NR_TMP/screen")"
kill -CONT "$slow_pid"
nr_wait 15 screen_tells_them_apart
ok $? "and how it goes on" "$(cat "$NR_TMP/screen")"
keys h
shows '^q +quit$' && keys x && shows 'q quit'
ok $? "help, and back" "$(cat "$NR_TMP/screen")"
keys C-z
nr_wait 10 grep -q '^State:.T' "/proc/$top_pid/status" && shows 'Stopped'
ok $? "Ctrl-Z stops it" "$(cat "$NR_TMP/screen")"
[ "$(settings)" = "$before" ] && [ "$(of_pane alternate_on)$(of_pane cursor_flag)" = 01 ]
ok $? "and the shell has its terminal" "$(diff <(echo "$before") "$NR_TMP/settings")"
keys fg Enter
nr_wait 10 has_size 80 24
ok $? "fg shows it again" "$(cat "$NR_TMP/screen")"
keys q
nr_wait 10 shell_is_back
ok $? "q ends it behind fg"

top_in_terminal "$NAME"
keys q
given_back "q" 0
for signal in INT:130 TERM:143 HUP:129 QUIT:131; do
	top_in_terminal "$NAME"
	kill -s "${signal%:*}" "$top_pid"
	given_back "SIG${signal%:*}" "${signal#*:}"
done
top_in_terminal "$NAME"
keys C-s
keys Space # what comes of it stays in the line
kill -s TERM "$top_pid"
nr_wait 10 shell_is_back
ok $? "Ctrl-S does not keep it from ending"
keys C-q
given_back "SIGTERM behind Ctrl-S" 143
for term in xterm xterm-256color screen tmux linux vt100; do
	keys "export TERM=$term" Enter
	top_in_terminal -i 0.2 "$NAME"
	nr_wait 10 has_size 80 24
	ok $? "TERM=$term" "$(cat "$NR_TMP/screen")"
	keys q
	nr_wait 10 shell_is_back
done
for term in dumb unknown ''; do
	keys "clear; TERM=$term '$NETRING' top | cat; TERM=$term '$NETRING' top" Enter
	shows "output is no terminal: netring top --once" && shows "of type \"$term\" \(TERM\) cannot"
	ok $? "TERM=$term: it says what to do" "$(cat "$NR_TMP/screen")"
done
keys "export TERM=screen" Enter

# colours NAME: what it writes, until it has shown a screen or two.
colours() {
	"${TMUX_SERVER[@]}" pipe-pane "cat >'$NR_TMP/written'"
	top_in_terminal -i 0.2 "$NAME"
	nr_wait 10 has 'reads too slowly'
	keys q
	nr_wait 10 shell_is_back
	# What the screen shows may still be on its way to the file.
	nr_wait 10 grep -q 'reads too slowly' "$NR_TMP/written"
	"${TMUX_SERVER[@]}" pipe-pane
	grep -q 'reads too slowly' "$NR_TMP/written" && grep -c $'\033\[[0-9;]*3[0-9]m' "$NR_TMP/written"
}
[ "$(colours)" -gt 0 ]
ok $? "who loses is red"
keys "export NO_COLOR=1" Enter
[ "$(colours)" = 0 ]
ok $? "but not with NO_COLOR" "$(cat -v "$NR_TMP/written" | head -n 5)"

# Many, and none

nr_stop "$slow_pid"
nr_stop "$quick_pid"
nr_stop "$blast1"
nr_stop "$blast2"
nr_start many "$NR_RX" "${SHIM[@]}" NETRING_RING_SIZE=64K NETRING_BLOCK_SIZE=4K "$NR_TMP/$NAME" plain nr1 200 >"$NR_TMP/out"
nr_wait 20 grep -q ready "$NR_TMP/out"
top_in_terminal -i 0.5 "$NAME"
shows '200 captures' && shows ' 1-21 of 200$'
ok $? "200 captures" "$(cat "$NR_TMP/screen")"
keys NPage
shows ' 21-41 of 200$'
ok $? "page down" "$(tail -n 1 "$NR_TMP/screen")"
keys Down
shows ' 22-42 of 200$' && keys Up && shows ' 21-41 of 200$' && keys PPage && shows ' 1-21 of 200$'
ok $? "up and down" "$(tail -n 1 "$NR_TMP/screen")"
keys End
shows ' 180-200 of 200$' && keys Home && shows ' 1-21 of 200$'
ok $? "home and end" "$(tail -n 1 "$NR_TMP/screen")"
keys End
shows ' 180-200 of 200$'
nr_stop "$many"
shows "No capture on netring by $NAME"
ok $? "when they are closed, they are gone" "$(cat "$NR_TMP/screen")"
start one plain nr1
shows "^ *$one $NAME"
ok $? "and a new one comes" "$(cat "$NR_TMP/screen")"
nr_stop "$one"
keys q
nr_wait 10 shell_is_back

# Pages that lie: names of control characters and halves of UTF-8, figures that jump about.

cat >"$NR_TMP/liar.py" <<'END'
import fcntl, os, random, struct, sys, time
random.seed(int(sys.argv[2]))
text = b"\x1b[2J\x1b[31m\x07\r\n\xff\xc3\x28\xe2\x82%s%n\t\x9b1m"
ring = lambda: struct.pack("<Ii64sQQIIII9QIIIIQ", 2, random.randrange(-1, 3), text, *[random.getrandbits(random.randrange(1, 65)) for _ in range(2)],
    *[random.getrandbits(32) for _ in range(4)], *[random.getrandbits(random.randrange(1, 65)) for _ in range(9)], 1, random.getrandbits(1),
    random.getrandbits(2), 0, random.getrandbits(random.randrange(1, 65)))
capture = lambda: struct.pack("<6IQQQ128s", 1, 2, random.getrandbits(2), random.getrandbits(1), random.choice((4, random.getrandbits(32))), random.randrange(4),
    1, random.getrandbits(random.randrange(1, 65)), random.getrandbits(64), text)
head = struct.pack("<Q6IQQ64s64s", 0x737461747352740a, 2, 256 * 8192, 256, 91, os.getpid(), 0, 2 ** 64 - 1, 2 ** 63, text, text)
fd = os.memfd_create("netring-stats", os.MFD_ALLOW_SEALING)
os.ftruncate(fd, 256 * 8192)
fcntl.fcntl(fd, 1033, 2 | 4)
os.pwrite(fd, head, 0)
open("/proc/self/comm", "wb").write(text)
print("ready", flush=True)
while os.getppid() == int(sys.argv[1]):
    for i in range(30):
        os.pwrite(fd, capture(), 256 * (1 + 3 * i))
        for n in range(2):
            os.pwrite(fd, ring(), 256 * (2 + 3 * i + n))
    time.sleep(0.03)
END
seed=$RANDOM
echo "# the seed of the pages that lie: $seed"
python3 "$NR_TMP/liar.py" $$ "$seed" >"$NR_TMP/out" &
liar=$!
NR_PIDS+=("$liar")
nr_wait 10 grep -q ready "$NR_TMP/out"
for width in 20 80 300; do
	for _ in 1 2 3; do
		env COLUMNS=$width "$NETRING" top --once -i 0.2 "$liar" >"$NR_TMP/once" 2>"$NR_TMP/err"
		status=$?
		[ $status -le 1 ] && ! LC_ALL=C grep -q '[^ -~]' "$NR_TMP/once" && [ "$(wc -L <"$NR_TMP/once")" -le $width ]
		lied=$?
		[ $lied = 0 ] || break
	done
	ok "$lied" "pages that lie, on $width columns" "$(cat "$NR_TMP/once" "$NR_TMP/err")"
done
top_in_terminal -i 0.2 "$liar"
shows ' of [23][0-9]$' && has_size_of_liar() { screen && [ "$(wc -L <"$NR_TMP/screen")" -le 80 ] && [ "$(tail -n 1 "$NR_TMP/screen" | cut -c 1-6)" = "q quit" ]; } &&
	has_size_of_liar
ok $? "they do not break the screen" "$(cat "$NR_TMP/screen")"
[ "$(grep -Ec "^ *$liar \?\[2J\?\[31m" "$NR_TMP/screen")" -ge 2 ]
ok $? "what cannot be printed is not" "$(cat "$NR_TMP/screen")"
keys q
nr_wait 10 shell_is_back
nr_stop "$liar"

if command -v setpriv >/dev/null; then
	expect "another user is told what may not be looked into" 1 '[0-9]+ processes may not be looked into: root may' setpriv --reuid 65534 --regid 65534 \
		--clear-groups "$NETRING" top --once -i 0.1 "$NAME"
fi

# The terminal goes away

top_in_terminal "$NAME"
"${TMUX_SERVER[@]}" kill-server
nr_wait 10 nr_ended "$top_pid"
ok $? "without a terminal it ends"

finish
