/* SPDX-License-Identifier: BSD-3-Clause */
/* libbpf's functions as the engine gets them, so that a test can replace some. For programs that are linked with --wrap=libbpf_load. */
#ifndef NETRING_TESTS_FAULTY_LIBBPF_H
#define NETRING_TESTS_FAULTY_LIBBPF_H

#include "libbpf.h"

/* What the engine calls; filled by its first call or by sound_libbpf. */
extern struct libbpf table;

/* As they are without a fault; for as long as the process runs. */
const struct libbpf *sound_libbpf(void);

#endif
