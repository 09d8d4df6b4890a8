/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said and counted when packets cannot be written. */
#ifndef NETRING_DUMP_FAILURE_H
#define NETRING_DUMP_FAILURE_H

#include <stdint.h>
#include <stdio.h>

#include "dumper.h"

/*
 * A file's writer has failed. Cuts the file behind its last whole packet, once, and says so. data, of that size, is what the stream was handing over
 * when the failure came to light; NULL if nothing.
 */
void dump_file_failed(struct dumper *dumper, const uint8_t *data, size_t size);

/* One line for each file. */
void dump_failure_report(struct dumper *dumper);

/* The dumper is about to go, or the process: says how many packets are lost, if any, and what the dumper is. */
void dump_failure_sum_up(struct dumper *dumper, const char *what);

/* A stream has just failed, with errno, which is preserved; `lost` packets are lost by it. A file's writer has said so itself. */
void dump_stream_failed(const FILE *file, unsigned lost);

/* One packet that was not even taken, because its stream has failed before. */
void dump_refused(const FILE *file);

/* Counts for dump_losses. */
void dump_losses_add(uint64_t packets, uint64_t failures);

#endif
