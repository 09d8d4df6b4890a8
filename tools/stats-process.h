/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What /proc tells about a process that may have a page of statistics. `folder` is everywhere a descriptor of the process's folder in /proc, which the
 * caller owns.
 */
#ifndef NETRING_STATS_PROCESS_H
#define NETRING_STATS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "stats-page.h"

/* What /proc says about a process. Zeros where it says nothing. */
struct stats_process {
	pid_t pid;		/* as we see it */
	pid_t own_pid;		/* as it sees itself */
	char name[STATS_TEXT];	/* UTF-8, printable */
	char state;		/* 'T': stopped */
	uint64_t namespace;	/* number of its network namespace */
};

void stats_process_describe(struct stats_process *process, int folder, pid_t pid);

/* Threads of the kernel and zombies have none, and no captures. */
bool stats_process_has_memory(int folder);
bool stats_process_is_zombie(int folder);

/* A folder of one more thread of a process whose first thread has ended, to be closed by the caller; -1: it has none. */
int stats_process_open_living_thread(int folder);

/* Ends the text at its size, and puts a question mark for each byte that is of no printable character: it comes from others. */
void stats_text_clean(char *text, size_t size);

#endif
