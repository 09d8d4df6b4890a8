/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the kernel would start a file in secure mode (AT_SECURE), in which the dynamic loader ignores LD_PRELOAD and LD_LIBRARY_PATH and takes
 * them out of the environment of children too.
 */
#ifndef NETRING_SECURE_EXEC_H
#define NETRING_SECURE_EXEC_H

enum secure_exec {
	SECURE_EXEC_NO,
	SECURE_EXEC_SET_ID,		/* the file is set-uid or set-gid to another id than ours */
	SECURE_EXEC_CAPABILITIES,	/* the file has capabilities, and we are not root */
	SECURE_EXEC_PROCESS,		/* our own real and effective ids differ, whatever the file */
};

/* Computed as security/commoncap.c does, for the calling process. Security modules may add reasons of their own, which nobody can foresee. */
enum secure_exec secure_exec_cause(const char *path);

#endif
