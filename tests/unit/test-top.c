/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What netring top makes of two moments, and how it draws them on screens of every size: reports made in memory, hostile ones too. No privilege needed.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test-random.h"
#include "top-screen.h"

#define OURS 7 /* our network namespace */

/* A report of one capture with one ring on eth0, which is the only interface there is. */
struct scene {
	struct stats_ring ring[4];
	struct stats_view view;
	struct interface_losses eth0;
	struct namespace_losses namespace;
	struct softnet_losses softnet[2];
	double now_s;
};

static struct scene scene;

static void setup(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.now_s = 1000;
	scene.view = (struct stats_view){
		.process = { .pid = 42, .name = "tcpdump", .state = 'S', .namespace = OURS },
		.capture = { .kind = STATS_CAPTURE, .rings = 1, .state = STATS_READING, .opened_ns = 5 },
		.number = 1,
		.device = 1,
		.inode = 1,
		.age_s = 0.1,
	};
	for (unsigned i = 0; i < 4; i++) {
		scene.ring[i] = (struct stats_ring){ .kind = STATS_RING, .ifindex = 2, .cells = 100, .bytes_got = 1 << 20, .bytes_asked = 1 << 20 };
		strcpy(scene.ring[i].interface, "eth0");
	}
	scene.eth0 = (struct interface_losses){ .ifindex = 2, .name = "eth0", .received = 1000 };
}

static struct top_sample take_views(struct stats_view *views, size_t count)
{
	struct stats_report report = { .views = { .view = views, .views = count }, .namespace = &scene.namespace, .namespaces = 1 };
	struct top_sample sample;

	scene.namespace = (struct namespace_losses){ OURS, &scene.eth0, 1 };
	report.softnet = calloc(2, sizeof(*report.softnet));
	memcpy(report.softnet, scene.softnet, sizeof(scene.softnet));
	report.cpus = 2;
	ck_assert_int_eq(top_sample_take(&sample, &report, scene.now_s, OURS), 0);
	ck_assert_ptr_null(report.softnet); /* the sample has it */
	return sample;
}

static struct top_sample take(void)
{
	scene.view.ring = scene.ring;
	return take_views(&scene.view, 1);
}

/* The scene as it is now, compared with what it was. */
static struct top_capture compare(struct top_sample *before)
{
	struct top_sample now = take();
	struct top_capture capture;

	top_sample_compare(&now, before);
	capture = now.capture[0];
	top_sample_free(before);
	*before = now;
	return capture;
}

static const char *words_of(const struct top_capture *capture)
{
	static char words[512];

	top_words(capture, scene.now_s, words, sizeof(words));
	return words;
}

#define ck_has(text, part) ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in \"%s\"", part, text)

START_TEST(test_rates)
{
	struct top_sample sample = take();
	struct top_capture capture;

	ck_assert_double_lt(sample.capture[0].rates.of[TOP_DELIVERED], 0); /* not known yet */
	scene.now_s += 2;
	scene.ring[0].delivered = 2000;
	scene.ring[0].bytes = 200000;
	scene.eth0.received += 5000;
	capture = compare(&sample);
	ck_assert_double_eq_tol(capture.rates.of[TOP_DELIVERED], 1000, 1e-6);
	ck_assert_double_eq_tol(capture.rates.of[TOP_BYTES], 100000, 1e-6);
	ck_assert_double_eq_tol(capture.rates.of[TOP_NIC_RECEIVED], 2500, 1e-6);
	ck_assert_double_eq(top_lost(&capture.rates), 0);
	ck_assert_str_eq(words_of(&capture), "");
	ck_assert(!top_is_losing(&capture));
	/* The time between two updates counts, not that between two looks. */
	scene.now_s += 1;
	scene.view.age_s = 0.6; /* half a second behind the last one */
	scene.ring[0].delivered += 1000;
	ck_assert_double_eq_tol(compare(&sample).rates.of[TOP_DELIVERED], 2000, 1e-6);
	top_sample_free(&sample);
}
END_TEST

/* Two looks at the same update: no news. What comes then is of the whole time. */
START_TEST(test_no_update)
{
	struct top_sample sample = take();

	scene.now_s += 1;
	scene.ring[0].delivered = 1000;
	ck_assert_double_eq_tol(compare(&sample).rates.of[TOP_DELIVERED], 1000, 1e-6);
	scene.now_s += 0.5;
	scene.view.age_s = 0.6;
	ck_assert_double_eq_tol(compare(&sample).rates.of[TOP_DELIVERED], 1000, 1e-6);
	scene.now_s += 0.5;
	scene.view.age_s = 0.1;
	scene.ring[0].delivered += 3000;
	ck_assert_double_eq_tol(compare(&sample).rates.of[TOP_DELIVERED], 3000, 1e-6);
	/* A reader that waits has nothing to update. */
	scene.view.capture.state = STATS_EMPTY;
	scene.now_s += 10;
	scene.view.age_s = 9;
	ck_assert_double_eq(compare(&sample).rates.of[TOP_DELIVERED], 0);
	/* It woke up, and has not updated them yet: they are those of before we looked. */
	scene.view.capture.state = STATS_READING;
	scene.now_s += 0.01;
	scene.view.age_s = 0.9;
	ck_assert_double_eq(compare(&sample).rates.of[TOP_DELIVERED], 0);
	scene.view.age_s = 0;
	scene.now_s += 0.99;
	scene.ring[0].delivered += 500;
	ck_assert_double_eq_tol(compare(&sample).rates.of[TOP_DELIVERED], 500, 1e-6);
	top_sample_free(&sample);
}
END_TEST

START_TEST(test_no_time)
{
	struct top_sample sample = take();
	struct top_capture capture;

	scene.ring[0].delivered = 1000;
	capture = compare(&sample);
	ck_assert_double_lt(capture.rates.of[TOP_DELIVERED], 0);
	ck_assert_double_lt(sample.softnet_dropped, 0);
	scene.now_s -= 5; /* never, but divided by nothing */
	ck_assert_double_lt(compare(&sample).rates.of[TOP_NIC_RECEIVED], 0);
	top_sample_free(&sample);
}
END_TEST

/* Another capture in the same place, or counters that went back, have no rates; the time after that they have. */
START_TEST(test_reset)
{
	struct top_sample sample;
	struct top_capture capture;

	scene.ring[0].delivered = 5000;
	sample = take();
	scene.now_s += 1;
	if (_i == 0)
		scene.view.capture.opened_ns++;
	else if (_i == 1)
		scene.view.inode++;
	else
		scene.ring[0].delivered = 10;
	scene.ring[0].drops = 100;
	capture = compare(&sample);
	ck_assert_double_lt(capture.rates.of[TOP_DELIVERED], 0);
	ck_assert_double_lt(top_lost(&capture.rates), 0);
	scene.now_s += 1;
	scene.ring[0].delivered += 7;
	ck_assert_double_eq_tol(compare(&sample).rates.of[TOP_DELIVERED], 7, 1e-6);
	top_sample_free(&sample);
}
END_TEST

/* An adapter that was made anew takes nothing from the capture's own. */
START_TEST(test_adapter_reset)
{
	struct top_sample sample = take();
	struct top_capture capture;

	scene.now_s += 1;
	scene.eth0.received = 3;
	scene.ring[0].delivered = 100;
	capture = compare(&sample);
	ck_assert_double_lt(capture.rates.of[TOP_NIC_RECEIVED], 0);
	ck_assert_double_eq_tol(capture.rates.of[TOP_DELIVERED], 100, 1e-6);
	top_sample_free(&sample);
}
END_TEST

/* A forked child that takes the capture over has the same page, and another process id. */
START_TEST(test_fork)
{
	struct top_sample sample = take();
	struct top_capture capture;

	scene.now_s += 1;
	scene.view.process.pid = 43;
	scene.ring[0].delivered = 10;
	capture = compare(&sample);
	ck_assert_int_eq(capture.pid, 43);
	ck_assert_double_eq_tol(capture.rates.of[TOP_DELIVERED], 10, 1e-6);
	top_sample_free(&sample);
}
END_TEST

START_TEST(test_softnet)
{
	struct top_sample sample;

	scene.softnet[0] = (struct softnet_losses){ .cpu = 0, .dropped = 0xffffffff };
	scene.softnet[1] = (struct softnet_losses){ .cpu = 3, .dropped = 100 };
	sample = take();
	scene.now_s += 2;
	scene.softnet[0].dropped = 9; /* the kernel's counter has 32 bits */
	scene.softnet[1].dropped = 130;
	compare(&sample);
	ck_assert_double_eq_tol(sample.softnet_dropped, 20, 1e-6);
	ck_assert_uint_eq(sample.softnet_cpu, 3);
	scene.now_s += 1;
	scene.softnet[0].cpu = 1; /* another CPU */
	scene.softnet[1].dropped = 131;
	compare(&sample);
	ck_assert_double_eq_tol(sample.softnet_dropped, 1, 1e-6);
	top_sample_free(&sample);
}
END_TEST

/* Who loses: what happens in a second, and what the words say. */
static void lose_ring(void)
{
	scene.ring[0].drops = 12345;
	scene.ring[0].waiting = scene.ring[0].waiting_most = 92;
	scene.ring[0].bytes_asked = 4 << 20;
}

static void lose_in_burst(void)
{
	scene.ring[0].drops = 7;
	scene.ring[0].waiting = 3;
	scene.ring[0].waiting_most = 100;
}

static void lose_fill_ring(void)
{
	scene.ring[0].drops = scene.ring[0].xdp_fill_empty = 50;
}

static void lose_xdp(void)
{
	scene.ring[0].drops = scene.ring[0].xdp_other = 60;
}

static void lose_disk(void)
{
	scene.view.head.savefile_lost = 70;
}

static void lose_adapter(void)
{
	scene.eth0.missed = 80;
	scene.eth0.fifo = 5;
	scene.eth0.dropped = 80; /* this driver counts them twice */
}

static void lose_before(void)
{
	scene.eth0.dropped = 90;
}

static void be_stopped(void)
{
	scene.view.process.state = 'T';
	scene.view.age_s = 12;
	scene.eth0.received += 3000;
}

static void be_busy(void)
{
	scene.view.age_s = 5;
	scene.eth0.received += 3000;
}

static void be_elsewhere(void)
{
	scene.view.process.namespace = OURS + 1;
	lose_ring();
}

static void lose_by_mystery(void)
{
	scene.ring[0].losing = 1;
}

static const struct {
	void (*happen)(void);
	const char *words;
	double lost, before;
} losers[] = {
	{ lose_ring,
	  "the program reads too slowly: ring 92 % full, 12,345 lost/s, 12,345 in all, ring of 1 MiB instead of 4 MiB. Next: netring doctor eth0",
	  12345, 0 },
	{ lose_in_burst, "the program reads too slowly in bursts: ring 3 % full again, 7 lost/s", 7, 0 },
	{ lose_fill_ring, "XDP: the program gives frames back too slowly: fill ring empty, 50 lost/s. Next: netring doctor eth0", 50, 0 },
	{ lose_xdp, "XDP: 60/s dropped before they got to the ring. Next: netring doctor eth0", 60, 0 },
	{ lose_disk, "the disk: writing has failed, 70 dumped packets/s are in no savefile, 70 in all. Next: the disk's free space and errors", 70,
	  0 },
	{ lose_adapter, "the NIC eth0 loses: 80 missed (its ring was full)/s, 5 fifo/s. Next: netring doctor eth0", 0, 85 },
	{ lose_before, "the kernel or the driver of eth0 drops 90/s before the capture. Next: netring doctor eth0", 0, 90 },
	{ be_stopped,
	  "the program is STOPPED, for 12 s: what its ring cannot hold is lost, nobody knows how much; 3,000 packets/s come in. Next: kill -CONT 42",
	  -1, 0 },
	{ be_busy, "the program does not read, for 5 s: what its ring cannot hold is lost, nobody knows how much; 3,000 packets/s come in", -1, 0 },
	{ be_elsewhere, "Next: nsenter -nt 42 netring doctor eth0", 12345, -1 },
	{ lose_by_mystery, "the program reads too slowly: it loses packets, how many is not known yet", 0, 0 },
};

/* libpcap captures: what it lost is known when the program asks, and of the time between two questions. */
START_TEST(test_libpcap)
{
	struct top_sample sample;
	struct top_capture capture;

	scene.view.capture.engine = STATS_LIBPCAP;
	scene.ring[0].unknown = STATS_UNKNOWN_LOSSES | STATS_UNKNOWN_RING;
	sample = take();
	scene.now_s += 1;
	scene.ring[0].delivered = 100;
	capture = compare(&sample);
	ck_assert_double_eq_tol(capture.rates.of[TOP_DELIVERED], 100, 1e-6);
	ck_assert_double_lt(top_lost(&capture.rates), 0);
	ck_assert_double_lt(top_lost_in_all(&capture), 0);
	ck_assert_double_lt(capture.fill, 0);
	ck_assert(!top_is_losing(&capture));
	ck_assert_str_eq(words_of(&capture), "libpcap captures by itself: what its ring loses is not known until the program asks (pcap_stats)");

	/* The first answer is of an unknown time. */
	scene.now_s += 1;
	scene.ring[0].unknown = STATS_UNKNOWN_RING;
	scene.ring[0].asked_ns = UINT64_C(1001500000000);
	scene.ring[0].drops = 40;
	capture = compare(&sample);
	ck_assert_double_lt(top_lost(&capture.rates), 0);
	ck_assert_double_eq(top_lost_in_all(&capture), 40);
	ck_has(words_of(&capture), "when the program asked (pcap_stats), 0.5 s ago, its ring had lost 40");
	scene.now_s += 5;
	capture = compare(&sample);
	ck_assert_double_lt(top_lost(&capture.rates), 0);
	scene.now_s += 1;
	scene.ring[0].asked_ns += UINT64_C(5000000000);
	scene.ring[0].drops = 140;
	capture = compare(&sample);
	ck_assert_double_eq_tol(top_lost(&capture.rates), 20, 1e-6);
	ck_assert(top_is_losing(&capture));
	ck_has(words_of(&capture), "the program read too slowly: ring full, 20 lost/s, 140 in all; libpcap captures by itself");
	ck_has(words_of(&capture), "Next: netring doctor eth0");

	/* What the disk lost is known all the same. */
	scene.now_s += 1;
	scene.view.head.savefile_lost = 7;
	capture = compare(&sample);
	ck_assert_double_eq_tol(top_lost(&capture.rates), 7, 1e-6);
	top_sample_free(&sample);
}
END_TEST

START_TEST(test_loser)
{
	struct top_sample sample = take();
	struct top_capture capture;

	scene.now_s += 1;
	losers[_i].happen();
	capture = compare(&sample);
	ck_assert_double_eq_tol(top_lost(&capture.rates), losers[_i].lost, 1e-6);
	ck_assert_double_eq_tol(top_lost_before(&capture.rates), losers[_i].before, 1e-6);
	ck_has(words_of(&capture), losers[_i].words);
	ck_assert(top_is_losing(&capture));
	top_sample_free(&sample);
}
END_TEST

/* A loss that is over stays for a while; so does that of a reader which was stopped since. */
START_TEST(test_held)
{
	struct top_sample sample = take();
	struct top_capture capture;

	scene.now_s += 1;
	lose_ring();
	compare(&sample);
	scene.now_s += 4;
	capture = compare(&sample);
	ck_has(words_of(&capture), "4 s ago: the program read too slowly: ring full, 12,345 lost/s");
	ck_assert(!top_is_losing(&capture));
	scene.now_s += 2;
	be_stopped();
	capture = compare(&sample);
	ck_has(words_of(&capture), "STOPPED, for 12 s");
	ck_has(words_of(&capture), "6 s ago: the program read too slowly");
	scene.now_s += 20;
	scene.view.process.state = 'S';
	scene.view.age_s = 0.1;
	capture = compare(&sample);
	ck_assert_str_eq(words_of(&capture), "");
	top_sample_free(&sample);
}
END_TEST

/* Several rings: the fullest counts, and a loss of one is the capture's. */
START_TEST(test_rings)
{
	struct top_sample sample;
	struct top_capture capture;

	scene.view.capture.rings = 4;
	strcpy(scene.ring[2].interface, "eth1");
	strcpy(scene.ring[3].interface, "eth1");
	sample = take();
	scene.now_s += 1;
	scene.ring[1].waiting = 10;
	scene.ring[3].waiting = 70;
	scene.ring[3].waiting_most = 200; /* a page that lies */
	scene.ring[3].drops = 5;
	for (unsigned i = 0; i < 4; i++)
		scene.ring[i].delivered = 10;
	capture = compare(&sample);
	ck_assert_str_eq(capture.interfaces, "eth0,eth1");
	ck_assert(!capture.has_nic); /* there is no eth1 */
	ck_assert_double_eq_tol(capture.fill, 0.7, 1e-9);
	ck_assert_double_eq_tol(capture.fill_most, 1, 1e-9);
	ck_assert_double_eq_tol(capture.rates.of[TOP_DELIVERED], 40, 1e-6);
	ck_assert_double_eq_tol(top_lost(&capture.rates), 5, 1e-6);
	top_sample_free(&sample);
}
END_TEST

/* Three captures of one process: its savefiles count once, and no more when the first of them goes. */
START_TEST(test_savefiles_once)
{
	struct stats_view views[3] = { scene.view, scene.view, scene.view };
	struct top_sample before, now;

	for (unsigned i = 0; i < 3; i++) {
		views[i].ring = scene.ring;
		views[i].number = 1 + 2 * i;
		views[i].head.savefile_lost = 1000;
	}
	before = take_views(views, 3);
	ck_assert_uint_eq(before.capture[0].count[TOP_DISK] + before.capture[1].count[TOP_DISK] + before.capture[2].count[TOP_DISK], 1000);
	scene.now_s += 1;
	now = take_views(views + 1, 2);
	top_sample_compare(&now, &before);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_double_eq(top_lost(&now.capture[i].rates), 0);
	top_sample_free(&before);
	top_sample_free(&now);
}
END_TEST

START_TEST(test_sort)
{
	struct stats_view views[4] = { scene.view, scene.view, scene.view, scene.view };
	static const char *const names[] = { "c", "a", "d", "b" };
	static const char *const expected[TOP_SORTS] = { "dcba", "cdab", "abcd" };
	struct top_sample before, now;

	for (unsigned i = 0; i < 4; i++) {
		views[i].ring = &scene.ring[i];
		views[i].inode = 10 - i;
		strcpy(views[i].process.name, names[i]);
	}
	before = take_views(views, 4);
	scene.now_s += 1;
	scene.ring[0] = (struct stats_ring){ .delivered = 1000, .drops = 1 };
	scene.ring[1] = (struct stats_ring){ .delivered = 10 };
	scene.ring[2] = (struct stats_ring){ .delivered = 20, .drops = 100 };
	scene.ring[3] = (struct stats_ring){ .delivered = 5 };
	views[3].capture.state = STATS_READING; /* the adapter it has none of: nobody knows what it loses */
	views[3].age_s = 100;
	now = take_views(views, 4);
	top_sample_compare(&now, &before);
	for (unsigned sort = 0; sort < TOP_SORTS; sort++) {
		char got[5] = "";

		top_sample_sort(&now, sort);
		for (unsigned i = 0; i < 4; i++)
			got[i] = now.order[i]->program[0];
		if (sort == TOP_BY_LOSS)
			ck_assert_msg(strchr(got, 'a') == got + 3, "%s: who does not lose is last", got);
		else
			ck_assert_str_eq(got, expected[sort]);
	}
	top_sample_free(&before);
	top_sample_free(&now);
}
END_TEST

/* Drawing */

static char *row_text(const struct screen *screen, unsigned row)
{
	char *text = calloc(screen->width + 1, 1);

	for (unsigned i = 0; i < screen->width; i++)
		text[i] = screen->cell[(size_t)row * screen->width + i].letter;
	return text;
}

static bool screen_has(const struct screen *screen, const char *part)
{
	bool found = false;

	for (unsigned row = 0; row < screen->height; row++) {
		char *text = row_text(screen, row);

		found |= strstr(text, part) != NULL;
		free(text);
	}
	return found;
}

static void check_cells(const struct screen *screen)
{
	for (size_t i = 0; i < (size_t)screen->width * screen->height; i++)
		ck_assert_msg(screen->cell[i].letter >= ' ' && screen->cell[i].letter <= '~', "letter %d", screen->cell[i].letter);
}

/* A capture that loses, with a name of everything that a terminal would take amiss. */
static struct top_sample losing_sample(void)
{
	struct top_sample before = take(), now;

	scene.now_s += 1;
	lose_ring();
	scene.ring[0].delivered = 1234567;
	scene.ring[0].bytes = 123456700;
	memcpy(scene.view.process.name, "\x1b[2J\xff\xc3\x28\n\r\t\x9b%s", 14);
	now = take();
	top_sample_compare(&now, &before);
	top_sample_free(&before);
	return now;
}

START_TEST(test_every_size)
{
	struct top_sample sample = losing_sample();

	sample.hidden = 17;
	sample.softnet_dropped = 5;
	for (unsigned width = 0; width <= 300; width++)
		for (unsigned height = 0; height <= 60; height += height < 8 ? 1 : 13) {
			struct top_picture picture = { .sample = &sample, .time = "12:00:00", .first = 99 };
			struct screen screen;

			ck_assert_int_eq(screen_make(&screen, width, height), 0);
			top_draw(&screen, &picture);
			check_cells(&screen);
			if (width >= 20 && height >= 6) {
				ck_assert_msg(screen_has(&screen, "12345") || screen_has(&screen, "12.3k"), "%u x %u", width, height);
				ck_assert(screen_has(&screen, "q quit"));
				ck_assert_uint_eq(picture.first, 0);
			}
			ck_assert(width < 50 || height < 7 || screen_has(&screen, "reads too slowly"));
			ck_assert(width < 40 || height < 4 || screen_has(&screen, " 42 ?[2J"));
			picture.help = true;
			top_draw(&screen, &picture);
			check_cells(&screen);
			screen_free(&screen);
		}
	top_sample_free(&sample);
}
END_TEST

START_TEST(test_80_columns)
{
	struct top_sample sample = losing_sample();
	struct top_picture picture = { .sample = &sample, .time = "12:00:00" };
	struct screen screen;
	char *row;

	ck_assert_int_eq(screen_make(&screen, 80, 24), 0);
	ck_assert_uint_eq(top_draw(&screen, &picture), 1);
	row = row_text(&screen, 1);
	ck_assert_str_eq(row, "    PID PROGRAM       INTERFACE ENGINE     PKT/S  BIT/S LOST/S RING, MOST |     ");
	free(row);
	row = row_text(&screen, 2);
	ck_assert_str_eq(row, "     42 ?[2J?"
			      "?(???"
			      "?%s eth0      packet-v3  1.23M   988M  12.3k [########|.]  92%");
	free(row);
	row = row_text(&screen, 3);
	ck_has(row, "  the program reads too slowly: ring 92 % full, 12,345 lost/s");
	free(row);
	screen_free(&screen);
	top_sample_free(&sample);
}
END_TEST

/* Hundreds: every one can be scrolled to, and the last page is full. */
START_TEST(test_scroll)
{
	enum { MANY = 300 };
	static struct stats_view views[MANY];
	struct top_sample sample;
	struct top_picture picture = { .sample = &sample, .time = "12:00:00" };
	size_t seen = 0, shown;
	struct screen screen;

	for (unsigned i = 0; i < MANY; i++) {
		views[i] = scene.view;
		views[i].ring = scene.ring;
		views[i].number = 1 + 2 * i;
	}
	sample = take_views(views, MANY);
	while (seen < MANY) {
		ck_assert_int_eq(screen_make(&screen, 80, 24), 0);
		picture.first = seen;
		shown = top_draw(&screen, &picture);
		screen_free(&screen);
		ck_assert_uint_eq(shown, 21);
		ck_assert_uint_le(picture.first, seen);
		seen = picture.first + shown;
	}
	ck_assert_uint_eq(seen, MANY);
	ck_assert_uint_ge(top_rows(&picture, 80), MANY + 2);
	top_sample_free(&sample);
}
END_TEST

/* Anything that a page may say, twice, on a screen of any size. */
START_TEST(test_random)
{
	struct random random = { (uint64_t)_i + 1 };
	struct top_sample before = { 0 };

	for (unsigned round = 0; round < 20; round++) {
		struct top_picture picture = { .time = "12:00:00", .plain = random_below(&random, 2) };
		struct top_sample now;
		struct screen screen;

		for (size_t i = 0; i < sizeof(scene.ring); i++)
			((unsigned char *)scene.ring)[i] = (unsigned char)(random_below(&random, 3) ? 0 : random_next(&random));
		for (unsigned i = 0; i < 4; i++)
			scene.ring[i].interface[sizeof(scene.ring[i].interface) - 1] = '\0';
		scene.view.capture.rings = 1 + random_below(&random, 4);
		scene.view.capture.state = random_below(&random, 4);
		scene.view.capture.engine = random_next(&random);
		scene.view.head.savefile_lost = (uint64_t)random_next(&random) << random_below(&random, 33);
		scene.view.torn = random_below(&random, 2);
		scene.view.age_s = (double)random_below(&random, 10) - 2;
		scene.now_s += (double)random_below(&random, 3) / 2;
		now = take();
		if (round)
			top_sample_compare(&now, &before);
		top_sample_free(&before);
		before = now;
		picture.sample = &before;
		ck_assert_int_eq(screen_make(&screen, random_below(&random, 200), random_below(&random, 60)), 0);
		top_draw(&screen, &picture);
		check_cells(&screen);
		screen_free(&screen);
		for (unsigned i = 0; i < TOP_COUNTS; i++)
			ck_assert(isfinite(before.capture[0].rates.of[i]));
	}
	top_sample_free(&before);
}
END_TEST

START_TEST(test_wrap)
{
	struct screen screen;
	char *row;

	ck_assert_int_eq(screen_make(&screen, 10, 5), 0);
	ck_assert_uint_eq(screen_wrap(&screen, 0, 5, 2, STYLE_PLAIN, "one two three averylongword x"), 4);
	ck_assert_uint_eq(screen_wrapped_rows("one two three averylongword x", 10, 2), 4);
	row = row_text(&screen, 2);
	ck_assert_str_eq(row, "  averylon");
	free(row);
	ck_assert_uint_eq(screen_wrap(&screen, 0, 9, 20, STYLE_PLAIN, ""), 0);
	ck_assert_uint_eq(screen_put(&screen, 99, 3, 5, STYLE_PLAIN, "x"), 3);
	screen_free(&screen);
	screen_free(&screen);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("top");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, test_rates);
	tcase_add_test(tests, test_no_update);
	tcase_add_test(tests, test_no_time);
	tcase_add_loop_test(tests, test_reset, 0, 3);
	tcase_add_test(tests, test_adapter_reset);
	tcase_add_test(tests, test_fork);
	tcase_add_test(tests, test_softnet);
	tcase_add_test(tests, test_libpcap);
	tcase_add_loop_test(tests, test_loser, 0, sizeof(losers) / sizeof(*losers));
	tcase_add_test(tests, test_held);
	tcase_add_test(tests, test_rings);
	tcase_add_test(tests, test_savefiles_once);
	tcase_add_test(tests, test_sort);
	tcase_add_test(tests, test_every_size);
	tcase_add_test(tests, test_80_columns);
	tcase_add_test(tests, test_scroll);
	tcase_add_loop_test(tests, test_random, 0, 50);
	tcase_add_test(tests, test_wrap);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
