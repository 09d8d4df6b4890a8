/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two ways that bytes take into a regular file, for file-writer.c alone, whose struct file_writer this works on. Only if not sandboxed, but for
 * file_ways_catch_up and file_ways_write_through_cache.
 */
#ifndef NETRING_FILE_WAYS_H
#define NETRING_FILE_WAYS_H

#include "file-writer.h"

/* What options.way comes to here: fills knows_way, appends, direct. -EOPNOTSUPP if that is strict and refused. */
int file_ways_choose(struct file_writer *writer, struct netring_error *error);

/* For a writer that has become large: whether it is to go around the cache, and the descriptor for that. */
void file_ways_look_around(struct file_writer *writer);

/* Takes position from the descriptor or the file's length, unless it is we who have left the offset behind. */
void file_ways_learn_position(struct file_writer *writer);

/* Moves fd's offset to position, if it is not there. 0 or -errno. */
int file_ways_catch_up(struct file_writer *writer);

/*
 * Write all of data at position, and move that behind what is in the file. 0 or -errno. Around the cache, data, size and position are whole blocks;
 * what O_DIRECT does not do, for whatever reason, the cache does; *began_at follows if the position turns out to be another one.
 */
int file_ways_write_through_cache(struct file_writer *writer, const uint8_t *data, size_t size);
int file_ways_write_around_cache(struct file_writer *writer, const uint8_t *data, size_t size, off_t *began_at);

/*
 * Bytes that are to go to position by direct_file: moves fd's offset behind them. False if that has shown that position is wrong; it is right then.
 */
bool file_ways_pass_over(struct file_writer *writer, size_t size);

/* A write around the cache has failed with -errno err: it was the last one if the file system refuses O_DIRECT. */
void file_ways_failed(struct file_writer *writer, int err, size_t size);

/* A write around the cache of size bytes has taken so long: it was the last one if the disk is slower than the cache. */
void file_ways_note_speed(struct file_writer *writer, size_t size, uint64_t us);

uint64_t file_ways_now_us(void);

#endif
