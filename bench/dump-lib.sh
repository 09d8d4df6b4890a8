# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# For the benchmarks of the savefile writer: a folder on a disk that is gone afterwards. Needs lib.sh.
#
# Environment: BENCH_DIR: where the savefiles go; default: the build directory.

# dump_folder GB: leaves in DUMP_FOLDER a new folder on the disk, which has room for so much, and in DUMP_DISK its file system's name.
dump_folder() {
	local room_gb
	DUMP_FOLDER=$(mktemp -d "${BENCH_DIR:-$BUILD_DIR}/bench-XXXXXX") || bench_fail "cannot write to ${BENCH_DIR:-$BUILD_DIR}"
	trap 'rm -rf "$DUMP_FOLDER"; nr_cleanup' EXIT
	DUMP_DISK=$(stat -f -c %T "$DUMP_FOLDER")
	DUMP_DISK=${DUMP_DISK/ext2\/ext3/ext4}
	[ "$DUMP_DISK" != tmpfs ] || note "warning: $DUMP_FOLDER is in memory; set BENCH_DIR to a folder on a disk"
	room_gb=$(df --output=avail -B 1G "$DUMP_FOLDER" | tail -n 1)
	[ "$room_gb" -gt $(($1 + 4)) ] || bench_fail "needs $1 GB in $DUMP_FOLDER, there are $room_gb"
}

# What one run leaves unwritten must not be what the next one waits for.
dump_forget() {
	rm -f "$@"
	sync -f "$DUMP_FOLDER"
}
