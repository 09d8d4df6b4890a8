#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# netring env: every variable with its value and where that came from; bad values as errors; --json that parses.
# Needs abs_top_srcdir and abs_top_builddir.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"

netring=${abs_top_builddir:?}/netring

for name in $(env | sed -n 's/^\(\(NETRING\|PCAP\|SNF\)_[A-Z0-9_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

# with NAME=VALUE...: netring env in that environment; what follows -- goes to netring env.
with() {
	env "$@" "$netring" env
}

expect "default" 0 '^NETRING_BLOCK_COUNT +64 +default +number of ring blocks$' "$netring" env
expect "unset, in words" 0 '^NETRING_SNAPLEN +as the program asks +default ' "$netring" env
[ "$("$netring" env | grep -c '^NETRING_')" -eq 33 ]
ok $? "all 33 variables"
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
expect "an alias" 0 '^NETRING_FANOUT +hash:7 +alias PCAP_PF_RING_CLUSTER_ID ' with PCAP_PF_RING_CLUSTER_ID=7
expect "an alias over a profile" 0 '^NETRING_RING_SIZE +64M +alias PCAP_FRAMES ' with PCAP_FRAMES=32768 NETRING_PROFILE=low_memory
expect "the environment over an alias" 0 '^NETRING_FANOUT +lb +environment ' with PCAP_PF_RING_CLUSTER_ID=7 NETRING_FANOUT=lb
expect "flags by alias" 0 '^NETRING_FANOUT_FLAGS +defrag +alias PCAP_FANOUT ' with PCAP_FANOUT=hash+defrag
expect "a bad alias" 1 '^error: SNF_APP_ID=0: must be a number, 1\.\.65535, or -1 for none$' with SNF_APP_ID=0
expect "what netring run -o sets, over an alias" 0 '^NETRING_RINGS +2 +environment ' env SNF_NUM_RINGS=4 "$netring" run -f -L "${SHIM_DIR:?}" -o RINGS=2 "$netring" env
expect "what netring run does not set" 0 '^NETRING_RINGS +4 +alias SNF_NUM_RINGS ' env SNF_NUM_RINGS=4 "$netring" run -f -L "${SHIM_DIR:?}" -o RING_SIZE=8M "$netring" env
expect "a misspelt name is a warning" 0 '^netring: warn: unknown variable NETRING_PROMISK, did you mean NETRING_PROMISC\?$' with NETRING_PROMISK=1
expect "but an error under NETRING_STRICT" 1 '^error: unknown variable NETRING_PROMISK' with NETRING_PROMISK=1 NETRING_STRICT=yes
expect "wrong option" 2 'unknown option --yaml' "$netring" env --yaml
expect "wrong argument" 2 'unexpected argument BLOCK_SIZE' "$netring" env BLOCK_SIZE

# A set-uid program looks at no variable, ours or another's.
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cp "$netring" "$folder/netring" && chown 65533 "$folder/netring" 2>/dev/null && chmod 4755 "$folder/netring" && chmod 755 "$folder"
if [ "$(stat -c %u%a "$folder/netring")" = 655334755 ] && ! findmnt -no OPTIONS -T "$folder" | grep -q nosuid; then
	expect "set-uid: variables" 0 '^NETRING_RINGS +1 +default ' env NETRING_RINGS=4 "$folder/netring" env
	expect "set-uid: aliases" 0 '^NETRING_FANOUT +none +default ' env PCAP_PF_RING_CLUSTER_ID=7 "$folder/netring" env
	chmod 755 "$folder/netring"
	expect "not set-uid: aliases" 0 '^NETRING_FANOUT +hash:7 +alias ' env PCAP_PF_RING_CLUSTER_ID=7 "$folder/netring" env
else
	skip "set-uid" "needs root, and a file system that knows set-uid"
fi

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
	expect "json: an alias" 0 '^hash:7 alias SNF_APP_ID$' json SNF_APP_ID=7 '" ".join(v["NETRING_FANOUT"][k] for k in ("value", "from"))'
	expect "json: all aliases" 0 '^21 NETRING_RINGS$' json NETRING_LOG=info 'str(len(report["aliases"])) + " " + [a["variable"] for a in report["aliases"] if a["name"] == "SNF_NUM_RINGS"][0]'
	expect "json: no error" 0 '^None 33$' json NETRING_LOG=info 'str(report["error"]) + " " + str(len(v))'
else
	skip "json" "python3 is not installed"
fi

finish
