/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The differences between two moments. A capture's own counts are those of its last update, which may be long ago or have been a moment before ours: so
 * the time between two of them is that between the updates. The counts of adapters and softnet are always those of now.
 */
#include "top-rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACES_MAX 64
#define UPDATE_S 0.05 /* less between two updates is no measure */

/* Taking */

/* The interfaces of a capture; what lies about them has no more than these. */
struct names {
	const char *name[INTERFACES_MAX];
	unsigned count;
};

/* True the first time that it comes. */
static bool is_new(struct names *names, const char *name)
{
	for (unsigned i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return false;
	if (names->count < INTERFACES_MAX)
		names->name[names->count++] = name;
	return true;
}

static void list_interface(struct top_capture *capture, const char *name)
{
	size_t length = strlen(capture->interfaces), more = strlen(name) + (length != 0);

	if (length + more + strlen("+") >= sizeof(capture->interfaces)) {
		if (capture->interfaces[length ? length - 1 : 0] != '+')
			strcat(capture->interfaces, "+");
		return;
	}
	snprintf(capture->interfaces + length, sizeof(capture->interfaces) - length, "%s%s", length ? "," : "", name);
}

/* One more interface of the capture; losses NULL: its counters are not known, and so nor are the sums. */
static void add_interface(struct top_capture *capture, const struct stats_ring *ring, const struct interface_losses *losses)
{
	list_interface(capture, ring->interface);
	if (!losses) {
		capture->has_nic = false;
		return;
	}
	capture->count[TOP_NIC_RECEIVED] += losses->received;
	capture->count[TOP_NIC_MISSED] += losses->missed;
	capture->count[TOP_NIC_FIFO] += losses->fifo;
	capture->count[TOP_NIC_ERRORS] += losses->errors;
	capture->count[TOP_NIC_DROPPED] += losses->dropped;
}

static double share(uint32_t part, uint32_t whole)
{
	if (whole == 0)
		return 0;
	return part < whole ? (double)part / whole : 1;
}

static void take_rings(struct top_capture *capture, const struct stats_report *report, const struct stats_view *view)
{
	struct names names = { .count = 0 };

	capture->has_nic = capture->knows_losses = true;
	for (uint32_t i = 0; i < view->capture.rings; i++) {
		const struct stats_ring *ring = &view->ring[i];
		double fill = share(ring->waiting, ring->cells), most = share(ring->waiting_most, ring->cells);

		if (names.count < INTERFACES_MAX && is_new(&names, ring->interface))
			add_interface(capture, ring, stats_report_interface(report, view, ring));
		capture->knows_losses &= stats_ring_knows(ring, STATS_UNKNOWN_LOSSES);
		if (!stats_ring_knows(ring, STATS_UNKNOWN_RING))
			fill = -1;
		if (i == 0 || fill > capture->fill)
			capture->fill = fill;
		if (most > capture->fill_most)
			capture->fill_most = most;
		capture->count[TOP_RING_FULL] += stats_ring_full(ring);
		capture->losing |= ring->losing != 0;
	}
	if (capture->fill > capture->fill_most)
		capture->fill_most = capture->fill;
	if (view->ring[0].ifindex > 0)
		snprintf(capture->first_interface, sizeof(capture->first_interface), "%s", view->ring[0].interface);
}

static enum top_reader reader_of(const struct stats_view *view)
{
	const char *name = stats_reader_name(view);

	if (strcmp(name, "stopped") == 0)
		return TOP_STOPPED;
	if (strcmp(name, "waiting") == 0)
		return TOP_WAITING;
	return strcmp(name, "busy") == 0 ? TOP_BUSY : TOP_READING;
}

/* When the counts were true: now, if the reader has read everything and sleeps. */
static double as_of(const struct stats_view *view, enum top_reader reader, double now_s)
{
	if (reader == TOP_WAITING)
		return now_s;
	return view->age_s >= 0 ? now_s - view->age_s : 0;
}

static void take_capture(struct top_capture *capture, const struct stats_report *report, const struct stats_view *view, double now_s)
{
	struct stats_ring sum = stats_view_sum(view);

	*capture = (struct top_capture){
		.key = { view->device, view->inode, view->number % STATS_RECORDS_MAX, view->capture.opened_ns },
		.pid = view->process.pid,
		.engine = view->capture.engine,
		.rings = view->capture.rings,
		.reader = reader_of(view),
		.age_s = view->age_s,
		.torn = view->torn,
		.bytes_got = sum.bytes_got,
		.bytes_asked = sum.bytes_asked,
		.loss_at_s = -1,
		.asked_s = view->capture.engine == STATS_LIBPCAP && view->ring[0].asked_ns ? (double)view->ring[0].asked_ns / 1e9 : -1,
	};
	snprintf(capture->program, sizeof(capture->program), "%s", view->process.name[0] ? view->process.name : view->head.program);
	take_rings(capture, report, view);
	capture->as_of_s = as_of(view, capture->reader, now_s);
	capture->count[TOP_DELIVERED] = sum.delivered;
	capture->count[TOP_BYTES] = sum.bytes;
	capture->count[TOP_FILL_EMPTY] = sum.xdp_fill_empty;
	capture->count[TOP_XDP_OTHER] = sum.xdp_other;
	capture->count[TOP_FREEZES] = sum.freezes;
	capture->count[TOP_DISK] = view->head.savefile_lost;
	capture->count[TOP_SAVEFILES] = view->head.savefile_failures;
	if (capture->reader == TOP_STOPPED || capture->reader == TOP_BUSY)
		capture->fill = -1;
	for (unsigned i = 0; i < TOP_COUNTS; i++)
		capture->rates.of[i] = capture->loss.of[i] = -1;
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_keys(const void *one, const void *other)
{
	const struct top_key *a = &((const struct top_capture *)one)->key, *b = &((const struct top_capture *)other)->key;

	return order(a->device, b->device) ?: order(a->inode, b->inode) ?: order(a->number, b->number) ?: order(a->opened_ns, b->opened_ns);
}

/* A process's savefiles are counted with the first of its captures. In the order of keys. */
static void take_savefiles_once(struct top_sample *sample)
{
	for (size_t i = 0; i < sample->captures; i++) {
		struct top_capture *capture = &sample->capture[i];

		capture->has_savefiles = i == 0 || capture[-1].key.device != capture->key.device || capture[-1].key.inode != capture->key.inode;
		if (!capture->has_savefiles)
			capture->count[TOP_DISK] = capture->count[TOP_SAVEFILES] = 0;
	}
}

int top_sample_take(struct top_sample *sample, struct stats_report *report, double now_s, uint64_t ours)
{
	const struct stats_views *views = &report->views;

	*sample = (struct top_sample){ .at_s = now_s, .softnet_dropped = -1, .hidden = views->hidden };
	sample->refusals = views->refusals;
	sample->blinds = report->blinds;
	sample->softnet = report->softnet;
	sample->cpus = report->cpus;
	report->softnet = NULL;
	report->cpus = 0;
	sample->capture = calloc(views->views + 1, sizeof(*sample->capture));
	sample->order = calloc(views->views + 1, sizeof(struct top_capture *));
	if (!sample->capture || !sample->order)
		return -ENOMEM;
	for (size_t i = 0; i < views->views; i++) {
		take_capture(&sample->capture[i], report, &views->view[i], now_s);
		sample->capture[i].is_elsewhere = views->view[i].process.namespace != ours;
	}
	sample->captures = views->views;
	qsort(sample->capture, sample->captures, sizeof(*sample->capture), compare_keys);
	take_savefiles_once(sample);
	for (size_t i = 0; i < sample->captures; i++)
		sample->order[i] = &sample->capture[i];
	top_sample_sort(sample, TOP_BY_LOSS);
	return 0;
}

void top_sample_free(struct top_sample *sample)
{
	free(sample->capture);
	free(sample->order);
	free(sample->softnet);
	memset(sample, 0, sizeof(*sample));
}

/* Comparing */

/* Nothing if one of them went back: then it is another adapter, or a page that lies. */
static void rate(struct top_capture *now, const struct top_capture *before, unsigned from, unsigned to, double seconds)
{
	for (unsigned i = from; i < to; i++)
		if (now->count[i] < before->count[i])
			return;
	for (unsigned i = from; i < to; i++)
		now->rates.of[i] = (double)(now->count[i] - before->count[i]) / seconds;
}

/* No news: the counts stay those of before, and their time, so that the next difference is that of the whole time. */
static void keep(struct top_capture *now, const struct top_capture *before)
{
	memcpy(now->count, before->count, TOP_NIC_FIRST * sizeof(*now->count));
	memcpy(now->rates.of, before->rates.of, TOP_NIC_FIRST * sizeof(*now->rates.of));
	now->as_of_s = before->as_of_s;
}

/* It reads nothing; whether it loses nobody knows. */
static void keep_silent(struct top_capture *now, const struct top_capture *before)
{
	keep(now, before);
	for (unsigned i = 0; i < TOP_NIC_FIRST; i++)
		now->rates.of[i] = -1;
	now->rates.of[TOP_DELIVERED] = now->rates.of[TOP_BYTES] = 0;
}

/* Libpcap's losses are those of the program's last question, and so is their time. */
static void compare_asked(struct top_capture *now, const struct top_capture *before, uint64_t full)
{
	double seconds = now->asked_s - before->asked_s;

	now->count[TOP_RING_FULL] = full;
	now->rates.of[TOP_RING_FULL] = -1;
	if (before->asked_s >= 0 && seconds > 0 && full >= before->count[TOP_RING_FULL])
		now->rates.of[TOP_RING_FULL] = (double)(full - before->count[TOP_RING_FULL]) / seconds;
}

static void compare_own(struct top_capture *now, const struct top_capture *before)
{
	double seconds = now->as_of_s - before->as_of_s;
	uint64_t full = now->count[TOP_RING_FULL];

	if (!now->torn && seconds >= UPDATE_S)
		rate(now, before, 0, TOP_NIC_FIRST, seconds);
	else if (now->reader == TOP_STOPPED || now->reader == TOP_BUSY)
		keep_silent(now, before);
	else
		keep(now, before);
	if (now->engine == STATS_LIBPCAP)
		compare_asked(now, before, full);
	if (now->has_savefiles && !before->has_savefiles)
		now->rates.of[TOP_DISK] = now->rates.of[TOP_SAVEFILES] = 0; /* the capture that had them has been closed */
}

static void compare_capture(struct top_capture *now, const struct top_capture *before, const struct top_sample *sample, double seconds)
{
	compare_own(now, before);
	if (now->has_nic && before->has_nic && strcmp(now->interfaces, before->interfaces) == 0)
		rate(now, before, TOP_NIC_FIRST, TOP_COUNTS, seconds);
	if (top_lost(&now->rates) > 0 || top_lost_before(&now->rates) > 0) {
		now->loss = now->rates;
		now->loss_at_s = sample->at_s;
	} else {
		now->loss = before->loss;
		now->loss_at_s = before->loss_at_s;
	}
}

static void compare_softnet(struct top_sample *sample, const struct top_sample *before, double seconds)
{
	uint64_t sum = 0;
	uint32_t most = 0;

	for (unsigned i = 0, b = 0; i < sample->cpus; i++) {
		uint32_t dropped;

		while (b < before->cpus && before->softnet[b].cpu < sample->softnet[i].cpu)
			b++;
		if (b == before->cpus || before->softnet[b].cpu != sample->softnet[i].cpu)
			continue;
		dropped = (uint32_t)(sample->softnet[i].dropped - before->softnet[b].dropped); /* the kernel counts in 32 bits */
		sum += dropped;
		if (dropped > most) {
			most = dropped;
			sample->softnet_cpu = sample->softnet[i].cpu;
		}
	}
	if (sample->cpus && before->cpus)
		sample->softnet_dropped = (double)sum / seconds;
}

void top_sample_compare(struct top_sample *sample, const struct top_sample *before)
{
	double seconds = sample->at_s - before->at_s;
	size_t b = 0;

	if (seconds <= 0)
		return;
	for (size_t i = 0; i < sample->captures; i++) {
		while (b < before->captures && compare_keys(&before->capture[b], &sample->capture[i]) < 0)
			b++;
		if (b < before->captures && compare_keys(&before->capture[b], &sample->capture[i]) == 0)
			compare_capture(&sample->capture[i], &before->capture[b], sample, seconds);
	}
	compare_softnet(sample, before, seconds);
}

/* What it means */

static double sum_of(const struct top_rates *rates, const enum top_count *counts, size_t length)
{
	double sum = 0;

	for (size_t i = 0; i < length; i++) {
		if (rates->of[counts[i]] < 0)
			return -1;
		sum += rates->of[counts[i]];
	}
	return sum;
}

double top_lost(const struct top_rates *rates)
{
	static const enum top_count lost[] = { TOP_RING_FULL, TOP_FILL_EMPTY, TOP_XDP_OTHER };
	double rings = sum_of(rates, lost, sizeof(lost) / sizeof(*lost)), disk = rates->of[TOP_DISK];

	/* A loss is one, though there may be more. */
	if (rings < 0 || disk < 0)
		return rings > 0 ? rings : disk > 0 ? disk : -1;
	return rings + disk;
}

/* Drivers may count what they missed among what was dropped, too. */
double top_lost_before(const struct top_rates *rates)
{
	static const enum top_count lost[] = { TOP_NIC_FIFO, TOP_NIC_ERRORS };
	double others = sum_of(rates, lost, sizeof(lost) / sizeof(*lost));
	double missed = rates->of[TOP_NIC_MISSED], dropped = rates->of[TOP_NIC_DROPPED];

	return others < 0 ? -1 : others + (missed > dropped ? missed : dropped);
}

double top_lost_in_all(const struct top_capture *capture)
{
	if (!capture->knows_losses && capture->count[TOP_DISK] == 0)
		return -1;
	return (double)(capture->count[TOP_RING_FULL] + capture->count[TOP_FILL_EMPTY] + capture->count[TOP_XDP_OTHER] + capture->count[TOP_DISK]);
}

bool top_is_suspect(const struct top_capture *capture)
{
	return (capture->reader == TOP_STOPPED || capture->reader == TOP_BUSY) && capture->rates.of[TOP_NIC_RECEIVED] != 0;
}

bool top_is_losing(const struct top_capture *capture)
{
	return capture->losing || top_is_suspect(capture) || top_lost(&capture->rates) > 0 || top_lost_before(&capture->rates) > 0;
}

/* Sorting */

/* First who loses, then whose loss nobody can count, then who has nothing to do with it, by what the adapter loses. */
static double badness(const struct top_capture *capture)
{
	double lost = top_lost(&capture->rates), before = top_lost_before(&capture->rates);

	if (top_is_suspect(capture) && lost <= 0)
		lost = capture->rates.of[TOP_NIC_RECEIVED] > 0 ? capture->rates.of[TOP_NIC_RECEIVED] : 1;
	return (lost > 0 ? 1e15 + lost : 0) + (before > 0 ? before : 0) + (capture->losing ? 1 : 0);
}

static int falling(double a, double b)
{
	return a > b ? -1 : a < b;
}

static int by_age(const struct top_capture *a, const struct top_capture *b)
{
	return order((uint64_t)a->pid, (uint64_t)b->pid) ?: compare_keys(a, b);
}

static int by_packets(const void *one, const void *other)
{
	const struct top_capture *a = *(struct top_capture *const *)one, *b = *(struct top_capture *const *)other;

	return falling(a->rates.of[TOP_DELIVERED], b->rates.of[TOP_DELIVERED]) ?: by_age(a, b);
}

static int by_loss(const void *one, const void *other)
{
	const struct top_capture *a = *(struct top_capture *const *)one, *b = *(struct top_capture *const *)other;

	return falling(badness(a), badness(b)) ?: falling(a->loss_at_s, b->loss_at_s) ?: by_packets(one, other);
}

static int by_name(const void *one, const void *other)
{
	const struct top_capture *a = *(struct top_capture *const *)one, *b = *(struct top_capture *const *)other;

	return strcmp(a->program, b->program) ?: by_age(a, b);
}

void top_sample_sort(struct top_sample *sample, enum top_sort sort)
{
	static int (*const by[TOP_SORTS])(const void *, const void *) = { by_loss, by_packets, by_name };

	qsort(sample->order, sample->captures, sizeof(*sample->order), by[sort]);
}
