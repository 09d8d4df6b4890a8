/* SPDX-License-Identifier: BSD-3-Clause */
/* netring top: the captures of this host and where each loses packets, live. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "terminal.h"
#include "tools.h"
#include "top-screen.h"

#define SHORTEST_S 0.1
#define LONGEST_S 3600.0
#define FIRST_S 0.5 /* nobody waits longer for the first rates */
#define PLAIN_WIDTH 120

static const struct command_text text = {
	"netring top",
	"Usage: netring top [--once] [--interval SECONDS] [PID|NAME]\n"
	"\n"
	"Show every capture that runs on netring: packets, bits and lost packets per second, how full its ring is, and in words who loses:\n"
	"the NIC, the kernel, the program that reads too slowly, XDP, or the disk.\n"
	"With PID or NAME only those of that process, or of the programs of that name.\n"
	"\n"
	"  -i, --interval SECONDS  between two looks: 0.1 to 3600, default 1\n"
	"  -o, --once              print one screen of the first interval and end; the exit status is 1 if there is no capture\n"
	"\n"
	"Keys: q quit, s sort, space pause, arrows and page keys scroll, h help.\n",
};

struct top {
	const char *word;
	double interval_s;
	uint64_t namespace; /* our network namespace */
	struct top_sample sample;
	struct top_picture picture;
	size_t shown; /* captures on the screen */
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The next sample takes the place of the one before. */
static int look(struct top *top, struct netring_error *error)
{
	struct stats_report report;
	struct top_sample sample = { 0 };
	int ret = stats_report_read(&report, top->word, error);

	if (ret == 0) {
		ret = top_sample_take(&sample, &report, now_s(), top->namespace);
		if (ret < 0)
			error_errno(error, -ret, "list of captures");
	}
	stats_report_free(&report);
	if (ret < 0) {
		top_sample_free(&sample);
		return ret;
	}
	if (top->sample.capture)
		top_sample_compare(&sample, &top->sample);
	top_sample_sort(&sample, top->picture.sort);
	top_sample_free(&top->sample);
	top->sample = sample;
	return 0;
}

static const char *clock_text(char buffer[16])
{
	time_t now = time(NULL);
	struct tm broken_down;

	if (!localtime_r(&now, &broken_down) || strftime(buffer, 16, "%H:%M:%S", &broken_down) == 0)
		strcpy(buffer, "?");
	return buffer;
}

static int draw(struct top *top, struct screen *screen, unsigned width, unsigned height)
{
	char buffer[16];
	int ret = screen_make(screen, width, height);

	if (ret < 0)
		return ret;
	top->picture.time = clock_text(buffer);
	top->picture.sample = &top->sample;
	top->picture.word = top->word;
	top->shown = top_draw(screen, &top->picture);
	return 0;
}

static int fail(const struct netring_error *error)
{
	fprintf(stderr, "netring top: %s\n", error->text);
	return STATUS_FAILED;
}

/* For scripts */

static void pause_for(double seconds)
{
	struct timespec left = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&left, &left) < 0)
		;
}

static int print_once(struct top *top)
{
	struct netring_error error;
	unsigned width, height;
	struct screen screen;

	top->picture.plain = true;
	if (look(top, &error) < 0)
		return fail(&error);
	pause_for(top->interval_s);
	if (look(top, &error) < 0)
		return fail(&error);
	terminal_size(&width, &height);
	if (!isatty(STDOUT_FILENO) && !getenv("COLUMNS"))
		width = PLAIN_WIDTH;
	top->picture.sample = &top->sample;
	if (draw(top, &screen, width, top_rows(&top->picture, width)) < 0)
		return fail(&(struct netring_error){ "no memory for the screen" });
	screen_write(&screen, stdout);
	screen_free(&screen);
	return top->sample.captures ? STATUS_OK : STATUS_FAILED;
}

/* For people */

static int show(struct top *top)
{
	unsigned width, height;
	struct screen screen;
	int ret;

	terminal_size(&width, &height);
	ret = draw(top, &screen, width, height);
	if (ret == 0)
		ret = terminal_show(&screen);
	screen_free(&screen);
	return ret;
}

static void scroll(struct top_picture *picture, size_t by, bool is_down)
{
	if (is_down)
		picture->first += by;
	else
		picture->first -= by < picture->first ? by : picture->first;
}

static void sort_next(struct top *top)
{
	top->picture.sort = (top->picture.sort + 1) % TOP_SORTS;
	top->picture.first = 0;
	top_sample_sort(&top->sample, top->picture.sort);
}

/* False: it was the key to end by. */
static bool take_key(struct top *top, int key)
{
	struct top_picture *picture = &top->picture;
	size_t page = top->shown > 1 ? top->shown - 1 : 1;

	if (key == 'q' || key == 'Q')
		return false;
	if (picture->help) {
		picture->help = false;
		return true;
	}
	if (key == 'h' || key == '?')
		picture->help = true;
	else if (key == 's')
		sort_next(top);
	else if (key == ' ')
		picture->paused = !picture->paused;
	else if (key == 'L' - '@') /* Ctrl-L: something else has written on the terminal */
		terminal_forget();
	else if (key == TERMINAL_UP || key == 'k' || key == TERMINAL_DOWN || key == 'j')
		scroll(picture, 1, key == TERMINAL_DOWN || key == 'j');
	else if (key == TERMINAL_PAGE_UP || key == TERMINAL_PAGE_DOWN)
		scroll(picture, page, key == TERMINAL_PAGE_DOWN);
	else if (key == TERMINAL_HOME || key == TERMINAL_END)
		picture->first = key == TERMINAL_HOME ? 0 : top->sample.captures;
	return true;
}

/* Until a key, a signal or the terminal ends it: 0; -errno if there is nothing to show any more. */
static int watch(struct top *top, struct netring_error *error)
{
	int ret = look(top, error), event = TERMINAL_RESIZED;
	double due = now_s() + (top->interval_s < FIRST_S ? top->interval_s : FIRST_S);

	while (ret == 0 && event != TERMINAL_ENDED) {
		double left;

		if (show(top) == -ENOMEM)
			return error_errno(error, ENOMEM, "screen");
		left = due - now_s();
		event = terminal_wait(left > 0 ? (int)(left * 1000) + 1 : 0);
		if (event == TERMINAL_TIMEOUT) {
			ret = top->picture.paused ? 0 : look(top, error);
			due = now_s() + top->interval_s;
		} else if (!take_key(top, event)) {
			break;
		}
	}
	return ret;
}

static int show_live(struct top *top)
{
	struct netring_error error;
	int ret;

	if (terminal_open(&error) < 0)
		return fail(&error);
	ret = watch(top, &error);
	terminal_close();
	return ret < 0 ? fail(&error) : STATUS_OK;
}

static bool parse_interval(double *seconds, const char *word)
{
	char *end;

	if (*word == '\0' || word[strspn(word, "0123456789.")] != '\0')
		return false;
	*seconds = strtod(word, &end);
	return *end == '\0' && *seconds >= SHORTEST_S && *seconds <= LONGEST_S;
}

int top_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "once", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct top top = { .interval_s = 1 };
	bool once = false;
	struct stat status;
	int option, ret;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":i:oh", options, NULL)) != -1) {
		if (option == 'h')
			return print_usage(&text);
		if (option != 'i' && option != 'o')
			return complain_option(&text, option, argv);
		if (option == 'o')
			once = true;
		else if (!parse_interval(&top.interval_s, optarg))
			return complain_usage(&text, "--interval %s: must be a number of seconds, 0.1 to 3600", optarg);
	}
	if (optind + 1 < argc)
		return complain_usage(&text, "unexpected argument %s", argv[optind + 1]);
	top.word = argv[optind];
	if (stat("/proc/self/ns/net", &status) == 0)
		top.namespace = status.st_ino;
	ret = once ? print_once(&top) : show_live(&top);
	top_sample_free(&top.sample);
	return ret;
}
