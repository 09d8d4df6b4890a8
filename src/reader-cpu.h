/* SPDX-License-Identifier: BSD-3-Clause */
/* The CPU that the reading thread runs on: sched_setaffinity(2). */
#ifndef NETRING_READER_CPU_H
#define NETRING_READER_CPU_H

#include "error.h"

/* -EINVAL, with those that it may, if the calling thread may not run on that CPU. */
int reader_cpu_check(unsigned cpu, struct netring_error *error);

/* How many CPUs the calling thread may run on, at least 1. */
int reader_cpu_count(void);

/* From now on the calling thread runs on that CPU only; so will threads and processes that it starts. */
int reader_cpu_pin(unsigned cpu, struct netring_error *error);

#endif
