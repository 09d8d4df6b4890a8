/* SPDX-License-Identifier: BSD-3-Clause */
/* A list: there are few such streams, and it is gone through only when one is opened, closed, or fails. */
#include "savefile-streams.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cancellation.h"
#include "config.h"
#include "dump-failure.h"
#include "log.h"

struct stream {
	struct stream *next;
	const FILE *file;
	bool is_reported;
	unsigned long lost;
	char name[];
};

static struct stream *streams;
/* Recursive, because programs dump and close in signal handlers as well. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/*
 * In the log of the moment: one that was opened with the stream could never be closed. How many packets are lost is known only of those that came
 * when the stream had failed: what it held before is the program's as well.
 */
static void say(enum log_level level, const char *name, const char *text, unsigned long lost)
{
	struct netring_error error;
	struct config config;
	struct log log = LOG_INIT;

	config_init(&config);
	config.opens_no_file = true;
	if (config_load(&config, &error) == 0)
		log_open(&log, (enum log_level)config.value[CONFIG_LOG], config.text[CONFIG_LOG_FILE], &error);
	if (lost > 0)
		log_write(&log, level, "%s: %s; lost=%lu", name, text, lost);
	else
		log_write(&log, level, "%s: %s", name, text);
	log_close(&log);
}

static struct stream **place_of(const FILE *file)
{
	struct stream **place = &streams;

	while (*place && (*place)->file != file)
		place = &(*place)->next;
	return place;
}

static void forget(struct stream **place)
{
	struct stream *stream = *place;

	*place = stream->next;
	free(stream);
}

static struct stream *add(const FILE *file, const char *name)
{
	struct stream *stream = calloc(1, sizeof(*stream) + strlen(name) + 1);

	if (!stream)
		return NULL;
	stream->file = file;
	strcpy(stream->name, name);
	stream->next = streams;
	streams = stream;
	return stream;
}

void savefile_stream_opened(const FILE *file, const char *name)
{
	struct stream **place;

	pthread_mutex_lock(&lock);
	place = place_of(file);
	if (*place)
		forget(place);
	add(file, name);
	pthread_mutex_unlock(&lock);
}

void savefile_stream_failed(const FILE *file, int errnum, unsigned lost)
{
	struct stream *stream;
	char text[160];
	int state = cancellation_put_off();

	pthread_mutex_lock(&lock);
	stream = *place_of(file);
	if (!stream)
		stream = add(file, "stream");
	if (stream) {
		stream->lost += lost;
		dump_losses_add(lost, !stream->is_reported);
		if (!stream->is_reported) {
			stream->is_reported = true;
			snprintf(text, sizeof(text), "cannot write: %s; packets are lost from here on",
				 errnum ? strerror(errnum) : "a write has failed before");
			say(LOG_ERROR, stream->name, text, stream->lost);
		}
	}
	pthread_mutex_unlock(&lock);
	cancellation_allow(state);
}

void savefile_stream_closed(const FILE *file)
{
	int state = cancellation_put_off();
	struct stream **place;

	pthread_mutex_lock(&lock);
	place = place_of(file);
	if (*place) {
		if ((*place)->lost > 0)
			say(LOG_INFO, (*place)->name, "closed; it could not be written", (*place)->lost);
		forget(place);
	}
	pthread_mutex_unlock(&lock);
	cancellation_allow(state);
}

void savefile_streams_sum_up(void)
{
	pthread_mutex_lock(&lock);
	for (struct stream *stream = streams; stream; stream = stream->next) {
		if (stream->lost > 0)
			say(LOG_INFO, stream->name, "left open; it could not be written", stream->lost);
		stream->lost = 0;
	}
	pthread_mutex_unlock(&lock);
}

void savefile_streams_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

void savefile_streams_after_fork_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

void savefile_streams_after_fork_in_child(void)
{
	lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
}
