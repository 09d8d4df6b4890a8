#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# netring env: every variable with its value and where that came from; bad values as errors; --json that parses.
# Needs abs_top_srcdir and abs_top_builddir.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"

netring=${abs_top_builddir:?}/netring

for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

# with NAME=VALUE...: netring env in that environment; what follows -- goes to netring env.
with() {
	env "$@" "$netring" env
}

expect "default" 0 '^NETRING_BLOCK_COUNT +64 +default +number of ring blocks$' "$netring" env
expect "unset, in words" 0 '^NETRING_SNAPLEN +as the program asks +default ' "$netring" env
[ "$("$netring" env | grep -c '^NETRING_')" -eq 25 ]
ok $? "all 25 variables"
expect "environment" 0 '^NETRING_BLOCK_COUNT +8 +environment ' with NETRING_BLOCK_COUNT=8
expect "environment, a size" 0 '^NETRING_BLOCK_SIZE +1M +environment ' with NETRING_BLOCK_SIZE=1048576
expect "profile" 0 '^NETRING_BLOCK_COUNT +16 +profile low_memory ' with NETRING_PROFILE=low_memory
expect "environment over profile" 0 '^NETRING_BLOCK_COUNT +3 +environment ' with NETRING_PROFILE=low_memory NETRING_BLOCK_COUNT=3
expect "what netring run -o sets" 0 '^NETRING_BLOCK_COUNT +5 +environment ' "$netring" run -f -L "${SHIM_DIR:?}" -o BLOCK_COUNT=5 "$netring" env

expect "a bad value" 1 '^NETRING_BLOCK_COUNT +error +environment +NETRING_BLOCK_COUNT=0: must be a number, 1..65536$' with NETRING_BLOCK_COUNT=0
expect "another good one beside it" 1 '^NETRING_SNAPLEN +96 +environment ' with NETRING_BLOCK_COUNT=0 NETRING_SNAPLEN=96
expect "the profile beside it" 1 '^NETRING_BLOCK_SIZE +1M +profile low_memory' with NETRING_BLOCK_COUNT=0 NETRING_PROFILE=low_memory
[ "$(with NETRING_BLOCK_COUNT=0 NETRING_LOG=loud NETRING_LOG_FILE= | grep -c ' error  ')" -eq 3 ]
ok $? "every bad value is shown, not only the first"
expect "values that do not go together" 1 '^error: NETRING_FRAME_SIZE=1M: must not be larger' with NETRING_FRAME_SIZE=1M NETRING_BLOCK_SIZE=64K
expect "and they are shown" 1 '^NETRING_FRAME_SIZE +1M +environment' with NETRING_FRAME_SIZE=1M NETRING_BLOCK_SIZE=64K
expect "ring size and block count" 1 '^error: NETRING_RING_SIZE=8M: not allowed together with NETRING_BLOCK_COUNT=8' with NETRING_RING_SIZE=8M NETRING_BLOCK_COUNT=8
expect "a number that is a word" 0 '^NETRING_RINGS +auto +environment ' with NETRING_RINGS=AUTO
expect "a number that is a word by default" 0 '^NETRING_NUMA +auto +default ' "$netring" env
expect "no CPU" 0 '^NETRING_CPU +not pinned +default ' "$netring" env
expect "a fanout group" 0 '^NETRING_FANOUT +hash:@a +environment ' with NETRING_FANOUT=hash:@a
expect "a bad fanout group" 1 '^NETRING_FANOUT +error +environment +NETRING_FANOUT=hash:@: a group.s name must be ' with NETRING_FANOUT=hash:@
expect "flags without a group" 1 '^error: NETRING_FANOUT_FLAGS=defrag: needs a group, NETRING_FANOUT$' with NETRING_FANOUT_FLAGS=defrag
with NETRING_FANOUT=hsah NETRING_FANOUT_FLAGS=defrag | grep -q '^error: '
[ $? -eq 1 ]
ok $? "flags without a group that is misspelt are no second error"
expect "a misspelt name is a warning" 0 '^netring: warn: unknown variable NETRING_PROMISK, did you mean NETRING_PROMISC\?$' with NETRING_PROMISK=1
expect "but an error under NETRING_STRICT" 1 '^error: unknown variable NETRING_PROMISK' with NETRING_PROMISK=1 NETRING_STRICT=yes
expect "wrong option" 2 'unknown option --yaml' "$netring" env --yaml
expect "wrong argument" 2 'unexpected argument BLOCK_SIZE' "$netring" env BLOCK_SIZE

if command -v python3 >/dev/null; then
	json() {
		env "$1" "$netring" env --json | python3 -c '
import json, sys
report = json.load(sys.stdin)
v = {each["name"]: each for each in report["variables"]}
print(eval(sys.argv[1]))' "$2"
	}
	expect "json: value" 0 '^8 environment 64 1\.\.65536$' json NETRING_BLOCK_COUNT=8 '" ".join(v["NETRING_BLOCK_COUNT"][k] for k in ("value", "from", "default", "allowed"))'
	expect "json: quotes, controls and backslashes" 0 '^True$' json "NETRING_LOG_FILE=$(printf 'a"b\\c\td')" 'v["NETRING_LOG_FILE"]["value"] == "a\"b\\c\td"'
	expect "json: error" 0 '^True$' json NETRING_LOG=loud '"value" not in v["NETRING_LOG"] and v["NETRING_LOG"]["error"].startswith("NETRING_LOG=loud: must be")'
	expect "json: no error" 0 '^None 25$' json NETRING_LOG=info 'str(report["error"]) + " " + str(len(v))'
else
	skip "json" "python3 is not installed"
fi

finish
