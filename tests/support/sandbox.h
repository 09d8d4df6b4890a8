/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a system call that a test's sandbox does not name. */
#ifndef NETRING_TESTS_SANDBOX_H
#define NETRING_TESTS_SANDBOX_H

#include <linux/seccomp.h>

/* A sanitizer makes calls of its own: under one the sandbox lets them all pass, and the test looks at memory alone. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_OTHERS SECCOMP_RET_ALLOW
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_OTHERS SECCOMP_RET_ALLOW
#endif
#endif
#ifndef SANDBOX_OTHERS
#define SANDBOX_OTHERS SECCOMP_RET_KILL_PROCESS
#endif

#endif
