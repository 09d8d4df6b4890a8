#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The same files on other file systems, in small loop-back mounts: ext4 whose disk takes no write that is not aligned to 4096, ext4 that
# journals data (it takes O_DIRECT and does without), xfs, an overlay; and full ones. Each is a run of some cases of the probe.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
dump_set_up losetup mount tcpdump
trap 'file_systems_clean_up' EXIT

MOUNTED=()
LOOPS=()

file_systems_clean_up() {
	local one
	for one in "${MOUNTED[@]}"; do
		umount "$one"
	done
	for one in "${LOOPS[@]}"; do
		losetup -d "$one"
	done
	dump_clean_up
}

# loop NAME MB SECTOR: leaves a loop-back device in LOOP.
loop() {
	truncate -s "$2M" "$FOLDER/$1.image" && LOOP=$(losetup --find --show --sector-size "$3" "$FOLDER/$1.image" 2>"$NR_TMP/why") &&
		LOOPS+=("$LOOP")
}

mounted() { # NAME OPTION…
	local name=$1
	shift
	mkdir -p "$FOLDER/$name"
	mount "$@" "$FOLDER/$name" 2>"$NR_TMP/why" && MOUNTED=("$FOLDER/$name" "${MOUNTED[@]}")
}

# file_system NAME SECTOR MOUNT_OPTIONS MKFS…: made and mounted on $FOLDER/NAME, or skipped with the reason.
file_system() {
	local name=$1 sector=$2 options=$3
	shift 3
	if ! command -v "$1" >/dev/null; then
		skip "$name" "no $1"
	elif ! loop "$name" 1000 "$sector"; then
		skip "$name" "no loop-back device: $(cat "$NR_TMP/why")"
	elif ! "$@" "$LOOP" >"$NR_TMP/why" 2>&1 || ! mounted "$name" -o "$options" "$LOOP"; then
		skip "$name" "cannot be mounted: $(tail -n 1 "$NR_TMP/why")"
	else
		return 0
	fi
	return 1
}

# probe NAME TEXT…: cases of the probe in that file system, the library's own choice, then forced.
probe() {
	local name=$1 mode output
	shift
	for mode in auto direct; do
		output=$(NETRING_DUMP=$mode DUMP_DISK_ALONE=1 DUMP_FOLDER=$FOLDER/$name "$DUMP_HERE/probe.sh" "$@")
		ok $? "$name, NETRING_DUMP=$mode" "$(printf '%s\n' "$output" | grep -A 2 '^not ok' | cut -c 1-400)"
	done
}

CASES=("file: fflush shows" "write(2)" "file: fseek" "packets: file sizes" "append: twelve" "append: beside" "fopen: in the middle" "walk 1"
	"error: too large, 3333333")

! file_system ext4-4096 4096 defaults mkfs.ext4 -q -b 4096 || probe ext4-4096 "${CASES[@]}"
! file_system ext4-1024 512 defaults mkfs.ext4 -q -b 1024 || probe ext4-1024 "${CASES[@]}"
! file_system ext4-journal 512 data=journal mkfs.ext4 -q || probe ext4-journal "${CASES[@]}"
! file_system xfs 512 defaults mkfs.xfs -q || probe xfs "${CASES[@]}"
mkdir "$FOLDER/lower" "$FOLDER/upper" "$FOLDER/work"
if mounted overlay -t overlay -o "lowerdir=$FOLDER/lower,upperdir=$FOLDER/upper,workdir=$FOLDER/work" overlay; then
	probe overlay "${CASES[@]}"
else
	skip overlay "cannot be mounted: $(cat "$NR_TMP/why")"
fi

# full NAME: tcpdump copies a savefile to a file system that is nearly full.
full() {
	local name=$1 line room_kb
	room_kb=$(df --output=avail -k "$FOLDER/$name" | tail -n 1)
	fallocate -l $(((room_kb - 30000) * 1024)) "$FOLDER/$name/filler"
	on netring
	"${ON[@]}" tcpdump -Z root -r "$FOLDER/big.pcap" -w "$FOLDER/$name/full.pcap" >"$NR_TMP/out" 2>&1
	line=$(contents "$FOLDER/$name/full.pcap")
	[ "$(field packets "$line")" -gt 100 ] && [ "$(field broken "$line")" = 0 ] && [ "$(field partial "$line")" = 0 ] &&
		[ "$(field gaps "$line")" = 0 ] && [ "$(grep -c "netring: error: .*$name/full.pcap" "$NR_TMP/out")" = 1 ]
	ok $? "$name, full: whole packets and one line in the log" "$line; $(cat "$NR_TMP/out")"
	rm "$FOLDER/$name/filler" "$FOLDER/$name/full.pcap"
}

"$NUMBERED" write "$FOLDER/big.pcap" 200000 1400
for name in ext4-4096 ext4-journal xfs; do
	[ ! -d "$FOLDER/$name" ] || ! mountpoint -q "$FOLDER/$name" || full "$name"
done
finish
