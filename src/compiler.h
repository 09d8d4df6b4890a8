/* SPDX-License-Identifier: BSD-3-Clause */
/* What C does not say by itself: branch weights, and the one load and one store that are ordered against the kernel. */
#ifndef NETRING_COMPILER_H
#define NETRING_COMPILER_H

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#define load_acquire(pointer) __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#define store_release(pointer, value) __atomic_store_n(pointer, value, __ATOMIC_RELEASE)

#endif
