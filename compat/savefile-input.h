/* SPDX-License-Identifier: BSD-3-Clause */
/* What savefiles are read through. */
#ifndef NETRING_SAVEFILE_INPUT_H
#define NETRING_SAVEFILE_INPUT_H

#include <stdio.h>

/*
 * A stream over the pipe, FIFO, terminal or socket that savefile is, which puts what was dumped into its files before it waits for more. Closing it
 * closes savefile, unless that is standard input. NULL: savefile is a file (or memory is short), and is to be read as it is.
 */
FILE *savefile_input_wrap(FILE *savefile);

/*
 * A larger buffer for a large file that has just been opened for a handle. The memory is to be freed with savefile_input_free after it was closed;
 * NULL: none.
 */
void *savefile_input_enlarge(FILE *savefile);
void savefile_input_free(void *buffer);

#endif
