/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a file cannot be written any more.
 *
 * stdio drops what it could not write. So that no packet gets lost without a word, and the file ends with a whole one, a dumper knows one place between
 * packets in what its stream holds and in what is in flight (struct boundary); from there the packets tell where the next one is.
 */
#include "dump-failure.h"

#include <errno.h>
#include <string.h>

#include "dump.h"
#include "savefile-records.h"
#include "savefile-streams.h"
#include "stats-page.h"

static struct dump_losses losses;
static bool losses_are_new;

void dump_losses_add(uint64_t packets, uint64_t failures)
{
	__atomic_fetch_add(&losses.packets, packets, __ATOMIC_RELAXED);
	__atomic_fetch_add(&losses.failures, failures, __ATOMIC_RELAXED);
	__atomic_store_n(&losses_are_new, true, __ATOMIC_RELEASE);
}

void dump_losses(struct dump_losses *to)
{
	to->packets = __atomic_load_n(&losses.packets, __ATOMIC_RELAXED);
	to->failures = __atomic_load_n(&losses.failures, __ATOMIC_RELAXED);
}

void dump_losses_publish(void)
{
	struct dump_losses sum;

	if (likely(!__atomic_load_n(&losses_are_new, __ATOMIC_RELAXED)) || !__atomic_exchange_n(&losses_are_new, false, __ATOMIC_ACQUIRE))
		return;
	dump_losses(&sum);
	stats_page_count_savefiles(sum.failures, sum.packets);
}

static void lose(struct dumper *dumper, unsigned packets)
{
	dumper->lost += packets;
	dump_losses_add(packets, 0);
}

/* Of a piece of the file that the stream handed over and that is not, or not wholly, in the file: what is lost, and where the last whole packet ends. */
static off_t count_lost(struct dumper *dumper, const struct file_writer_loss *piece, const struct boundary *first)
{
	size_t offset = (size_t)(first->position - piece->position);
	struct savefile_walk walk;

	if (first->position < piece->position)
		return -1;
	if (offset > piece->size) { /* all of it is of one packet, which goes on behind it */
		lose(dumper, first->has_straddler);
		return first->has_straddler ? first->straddler : -1;
	}
	if (savefile_walk(piece->data + offset, piece->size - offset, piece->written > offset ? piece->written - offset : 0, &walk) < 0)
		return -1;
	lose(dumper, walk.begun);
	if (piece->written >= offset)
		return first->position + (off_t)walk.end;
	lose(dumper, first->has_straddler);
	return first->straddler;
}

void dump_failure_report(struct dumper *dumper)
{
	const struct file_writer *writer = &dumper->writer;

	dumper->is_reported = true;
	dump_losses_add(0, 1);
	log_write(&dumper->log, LOG_ERROR, "%s: cannot write: %s; the file ends at byte %lld, and nothing more is written to it; lost=%lu",
		  dumper->name, strerror(-writer->failure), (long long)writer->position, dumper->lost);
}

void dump_failure_sum_up(struct dumper *dumper, const char *what)
{
	if (dumper->lost > 0)
		log_write(&dumper->log, LOG_INFO, "%s: %s; it could not be written; lost=%lu", dumper->name, what, dumper->lost);
	dumper->lost = 0;
}

void dump_file_failed(struct dumper *dumper, const uint8_t *data, size_t size)
{
	struct file_writer *writer = &dumper->writer;
	const struct file_writer_loss *loss = &writer->loss;
	struct file_writer_loss refused = { .data = data, .size = size, .position = loss->position + (off_t)loss->size };
	bool is_this_piece = loss->data == data, is_first = !dumper->is_reported;

	if (is_first) {
		off_t end = count_lost(dumper, loss, is_this_piece ? &dumper->in_buffer : &dumper->in_flight);

		if (end >= 0)
			file_writer_trim(writer, end);
	}
	if (size > 0 && !(is_first && is_this_piece) && dumper->in_buffer.position >= refused.position) {
		dumper->in_buffer.has_straddler = false; /* counted where it begins */
		count_lost(dumper, &refused, &dumper->in_buffer);
	}
	if (is_first)
		dump_failure_report(dumper);
}

void dump_refused(const FILE *file)
{
	struct dumper *dumper = dumper_of_file(file);

	if (dumper)
		lose(dumper, 1);
	else
		savefile_stream_failed(file, 0, 1);
}

void dump_stream_failed(const FILE *file, unsigned lost)
{
	int errnum = errno;

	if (!dumper_of_file(file))
		savefile_stream_failed(file, errnum, lost);
	errno = errnum;
}
