/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <endian.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "secure-exec.h"

/* Neither set-id bits nor file capabilities count on such a mount; set-id bits do not count under no_new_privs either. */
static bool is_nosuid(const char *path)
{
	struct statvfs status;

	return statvfs(path, &status) == 0 && (status.f_flag & ST_NOSUID);
}

static enum secure_exec set_id_cause(const char *path, bool ids_count)
{
	struct stat status;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (ids_count && stat(path, &status) == 0) {
		if (status.st_mode & S_ISUID)
			uid = status.st_uid;
		/* Without the group's x bit S_ISGID once meant mandatory locking. */
		if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
			gid = status.st_gid;
	}
	if (uid == getuid() && gid == getgid())
		return SECURE_EXEC_NO;
	return uid != geteuid() || gid != getegid() ? SECURE_EXEC_SET_ID : SECURE_EXEC_PROCESS;
}

static uint64_t inheritable(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
}

static uint64_t bounding(void)
{
	uint64_t set = 0;

	for (int i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			set |= (uint64_t)1 << i;
	return set;
}

/* Secure if the file makes its capabilities effective, or if it grants any at all: file capabilities cancel ambient ones. */
static bool gains_capabilities(const char *path)
{
	struct vfs_ns_cap_data data = { 0 };
	uint64_t file_permitted, file_inheritable;

	if (getxattr(path, "security.capability", &data, sizeof(data)) < (ssize_t)XATTR_CAPS_SZ_1)
		return false;
	if (le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE)
		return true;
	file_permitted = (uint64_t)le32toh(data.data[1].permitted) << 32 | le32toh(data.data[0].permitted);
	file_inheritable = (uint64_t)le32toh(data.data[1].inheritable) << 32 | le32toh(data.data[0].inheritable);
	return ((file_permitted & bounding()) | (file_inheritable & inheritable())) != 0;
}

enum secure_exec secure_exec_cause(const char *path)
{
	bool nosuid = is_nosuid(path);
	bool no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	enum secure_exec cause = set_id_cause(path, !nosuid && !no_new_privileges);

	if (cause != SECURE_EXEC_NO)
		return cause;
	/* For root capabilities are no gain. */
	if (getuid() != 0 && !nosuid && gains_capabilities(path))
		return SECURE_EXEC_CAPABILITIES;
	return SECURE_EXEC_NO;
}
