/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams that stdio writes, and that packets are dumped to: pipes and devices, standard output, what pcap_dump_fopen was given, and all with
 * NETRING_DUMP=stdio. What is known of each is its name and whether it has failed, so that the log says once when packets are lost. The program may
 * close such a stream without a word, so nothing is kept open for one, and a FILE is only compared here, never looked into. Any thread may call these.
 */
#ifndef NETRING_SAVEFILE_STREAMS_H
#define NETRING_SAVEFILE_STREAMS_H

#include <stdio.h>

/* Packets will be dumped to it, under that name (copied). What was known of another stream in the same place is forgotten. */
void savefile_stream_opened(const FILE *file, const char *name);

/* It has failed, with that errno (0: not known), and `lost` packets are lost that were not counted before. Logs one line for each stream. */
void savefile_stream_failed(const FILE *file, int errnum, unsigned lost);

/* Forgets it. Says how many packets were lost. */
void savefile_stream_closed(const FILE *file);

/* The process ends: says the same of those that are open. */
void savefile_streams_sum_up(void);

/* Around fork: the list is whole in the child, and nobody has its lock there. */
void savefile_streams_before_fork(void);
void savefile_streams_after_fork_in_parent(void);
void savefile_streams_after_fork_in_child(void);

#endif
