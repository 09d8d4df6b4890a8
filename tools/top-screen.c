/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The screen of netring top: a line for the host, one more if softnet loses, and the captures, with words under those that lose. What matters most is
 * kept longest on a small screen.
 */
#include "top-screen.h"

#include <string.h>

#define WORDS_ROWS 4 /* at most, for one capture */
#define INDENT 2
#define WORDS 512

enum column_id { PID, PROGRAM, INTERFACE, ENGINE, PACKETS, BITS, LOST, LOST_IN_ALL, RING, COLUMNS };

static const struct column {
	const char *title;
	unsigned from;			/* width of the screen from which on it is shown */
	unsigned width, wanted, widest; /* its own */
	bool is_number;
} columns[COLUMNS] = {
	[PID] = { "PID", 40, 7, 7, 7, true },
	[PROGRAM] = { "PROGRAM", 0, 6, 13, 16, false },
	[INTERFACE] = { "INTERFACE", 48, 6, 9, 30, false },
	[ENGINE] = { "ENGINE", 72, 9, 9, 9, false },
	[PACKETS] = { "PKT/S", 0, 6, 6, 7, true },
	[BITS] = { "BIT/S", 56, 6, 6, 7, true },
	[LOST] = { "LOST/S", 0, 6, 6, 7, true },
	[LOST_IN_ALL] = { "IN ALL", 96, 7, 7, 7, true },
	[RING] = { "RING, MOST |", 26, 4, 17, 47, false },
};

/* Widths by column; 0: not shown. What is left over goes to the first that wants it. */
struct layout {
	unsigned width[COLUMNS];
};

static unsigned widen(struct layout *layout, enum column_id id, unsigned to, unsigned left)
{
	unsigned more = to > layout->width[id] ? to - layout->width[id] : 0;

	if (layout->width[id] == 0)
		return left;
	if (more > left)
		more = left;
	layout->width[id] += more;
	return left - more;
}

static struct layout lay_out(unsigned width)
{
	static const enum column_id by_rank[] = { PROGRAM, RING, INTERFACE, PACKETS, BITS, LOST };
	struct layout layout;
	unsigned used = 0;

	for (unsigned i = 0; i < COLUMNS; i++) {
		layout.width[i] = width >= columns[i].from ? columns[i].width : 0;
		used += layout.width[i] ? layout.width[i] + (used != 0) : 0;
	}
	used = width > used ? width - used : 0;
	for (unsigned i = 0; i < sizeof(by_rank) / sizeof(*by_rank); i++)
		used = widen(&layout, by_rank[i], columns[by_rank[i]].wanted, used);
	for (unsigned i = 0; i < sizeof(by_rank) / sizeof(*by_rank); i++)
		used = widen(&layout, by_rank[i], columns[by_rank[i]].widest, used);
	return layout;
}

/* Figures */

struct figure {
	char text[64];
};

/* At most six letters: "9999", "12.3k", "1.23M". */
static struct figure figure(double value, const char *unknown)
{
	static const char units[] = "kMGTPE";
	struct figure figure;
	unsigned unit = 0;

	if (value < 0) {
		snprintf(figure.text, sizeof(figure.text), "%s", unknown);
	} else if (value < 9999.5) {
		snprintf(figure.text, sizeof(figure.text), value > 0 && value < 9.95 && value != (double)(int)value ? "%.1f" : "%.0f", value);
	} else {
		for (value /= 1000; value >= 999.5 && units[unit + 1]; unit++)
			value /= 1000;
		snprintf(figure.text, sizeof(figure.text), "%.*f%c",
			 value < 9.995	 ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value < 9999 ? value : 9999, units[unit]);
	}
	return figure;
}

#define FIGURE(value) figure(value, "-").text

static void put_field(struct screen *screen, unsigned row, unsigned column, unsigned width, bool is_number, enum screen_style style, const char *text)
{
	size_t length = strlen(text);

	if (is_number && length < width)
		screen_put(screen, row, column + width - (unsigned)length, width, style, text);
	else
		screen_put(screen, row, column, width, style, text);
}

/* "[####...|..]  42%": full up to #, at most up to |. Only the share where there is no room. */
static void put_ring(struct screen *screen, unsigned row, unsigned column, unsigned width, enum screen_style style, const struct top_capture *capture)
{
	unsigned cells = width >= 11 ? width - 7 : 0, full, most;
	struct figure share = { "   ?" };
	bool is_known = capture->fill >= 0;
	char bar[64];

	if (is_known)
		snprintf(share.text, sizeof(share.text), "%3.0f%%", capture->fill * 100);
	if (cells == 0) {
		screen_put(screen, row, column, width, style, share.text);
		return;
	}
	full = is_known ? (unsigned)(capture->fill * cells + 0.5) : 0;
	most = (unsigned)(capture->fill_most * cells + 0.5);
	memset(bar, is_known ? '.' : '?', cells);
	memset(bar, '#', full);
	if (most)
		bar[most - 1] = '|';
	bar[cells] = '\0';
	screen_print(screen, row, column, style, "[%s] %s", bar, share.text);
}

/* Captures */

static enum screen_style style_of(const struct top_capture *capture)
{
	if (top_lost(&capture->rates) > 0 || top_lost_before(&capture->rates) > 0 || capture->losing)
		return STYLE_BAD;
	return top_is_suspect(capture) ? STYLE_DOUBT : STYLE_PLAIN;
}

static struct figure text_of(const struct top_capture *capture, enum column_id id)
{
	double bytes = capture->rates.of[TOP_BYTES];
	struct figure text = { "" };

	switch (id) {
	case PID:
		snprintf(text.text, sizeof(text.text), "%d", (int)capture->pid);
		return text;
	case PROGRAM:
		snprintf(text.text, sizeof(text.text), "%s", capture->program);
		return text;
	case INTERFACE:
		snprintf(text.text, sizeof(text.text), "%s", capture->interfaces);
		return text;
	case ENGINE:
		snprintf(text.text, sizeof(text.text), "%s", stats_engine_name(capture->engine));
		return text;
	case PACKETS:
		return figure(capture->rates.of[TOP_DELIVERED], "-");
	case BITS:
		return figure(bytes < 0 ? bytes : 8 * bytes, "-");
	case LOST:
		return figure(top_lost(&capture->rates), top_is_suspect(capture) ? "?" : "-");
	case LOST_IN_ALL:
		return figure(top_lost_in_all(capture), "-");
	default:
		return text;
	}
}

static void draw_capture(struct screen *screen, unsigned row, const struct layout *layout, const struct top_capture *capture)
{
	enum screen_style style = style_of(capture);
	unsigned column = 0;

	for (unsigned i = 0; i < COLUMNS; i++) {
		if (layout->width[i] == 0)
			continue;
		if (i == RING)
			put_ring(screen, row, column, layout->width[i], style, capture);
		else
			put_field(screen, row, column, layout->width[i], columns[i].is_number, style, text_of(capture, i).text);
		column += layout->width[i] + 1;
	}
}

static void draw_titles(struct screen *screen, unsigned row, const struct layout *layout)
{
	unsigned column = 0;

	for (unsigned i = 0; i < screen->width; i++)
		screen_put(screen, row, i, 1, STYLE_HEADLINE, " ");
	for (unsigned i = 0; i < COLUMNS; i++) {
		if (layout->width[i] == 0)
			continue;
		put_field(screen, row, column, layout->width[i], columns[i].is_number, STYLE_HEADLINE,
			  i == RING && layout->width[i] < 12 ? "RING" : columns[i].title);
		column += layout->width[i] + 1;
	}
}

static unsigned rows_of(const struct top_picture *picture, size_t index, unsigned width)
{
	char words[WORDS];
	unsigned rows;

	top_words(picture->sample->order[index], picture->sample->at_s, words, sizeof(words));
	rows = words[0] ? screen_wrapped_rows(words, width, INDENT) : 0;
	return 1 + (rows < WORDS_ROWS ? rows : WORDS_ROWS);
}

/* The furthest that it is worth to scroll. */
static size_t last_first(const struct top_picture *picture, unsigned width, unsigned rows)
{
	size_t first = picture->sample->captures;

	while (first > 0) {
		unsigned needs = rows_of(picture, first - 1, width);

		if (needs > rows)
			break;
		rows -= needs;
		first--;
	}
	return first == picture->sample->captures && first > 0 ? first - 1 : first;
}

static size_t draw_captures(struct screen *screen, struct top_picture *picture, unsigned row, unsigned end, const struct layout *layout)
{
	size_t last = last_first(picture, screen->width, end - row), i;

	if (picture->first > last)
		picture->first = last;
	for (i = picture->first; i < picture->sample->captures && row < end; i++) {
		const struct top_capture *capture = picture->sample->order[i];
		char words[WORDS];

		draw_capture(screen, row++, layout, capture);
		top_words(capture, picture->sample->at_s, words, sizeof(words));
		row = screen_wrap(screen, row, row + WORDS_ROWS < end ? row + WORDS_ROWS : end, INDENT, style_of(capture), words);
	}
	return i - picture->first;
}

/* The host */

static void draw_host(struct screen *screen, const struct top_picture *picture)
{
	const struct top_sample *sample = picture->sample;
	double packets = 0, bytes = 0, lost = 0;
	unsigned column;

	for (size_t i = 0; i < sample->captures; i++) {
		const struct top_rates *rates = &sample->capture[i].rates;

		packets += rates->of[TOP_DELIVERED] > 0 ? rates->of[TOP_DELIVERED] : 0;
		bytes += rates->of[TOP_BYTES] > 0 ? rates->of[TOP_BYTES] : 0;
		lost += top_lost(rates) > 0 ? top_lost(rates) : 0;
	}
	column = screen_print(screen, 0, 0, STYLE_BOLD, "netring top  %s", picture->time);
	if (picture->paused)
		column = screen_print(screen, 0, column, STYLE_HEADLINE, "  PAUSED");
	column = screen_print(screen, 0, column, STYLE_PLAIN, "  %zu capture%s", sample->captures, sample->captures == 1 ? "" : "s");
	column = screen_print(screen, 0, column, lost > 0 ? STYLE_BAD : STYLE_PLAIN, "  %s lost/s", FIGURE(lost));
	screen_print(screen, 0, column, STYLE_PLAIN, "  %s pkt/s  %s bit/s", FIGURE(packets), FIGURE(8 * bytes));
}

static unsigned draw_softnet(struct screen *screen, const struct top_sample *sample, unsigned row)
{
	if (sample->softnet_dropped <= 0)
		return row;
	screen_print(screen, row, 0, STYLE_BAD, "the kernel (softnet) drops %s packets/s, of any interface, most on CPU %u: backlog full",
		     FIGURE(sample->softnet_dropped), sample->softnet_cpu);
	return row + 1;
}

static bool has_notes(const struct top_sample *sample)
{
	return sample->hidden || sample->refusals || sample->blinds;
}

/* What is not on the screen, and why. */
static void draw_notes(struct screen *screen, const struct top_sample *sample, unsigned row)
{
	unsigned column = 0;

	if (sample->hidden)
		column = screen_print(screen, row, column, STYLE_DOUBT, "%u processes may not be looked into: root may. ", sample->hidden);
	if (sample->refusals)
		column = screen_print(screen, row, column, STYLE_DOUBT, "%zu processes are not shown: netring stats says why. ", sample->refusals);
	if (sample->blinds)
		screen_print(screen, row, column, STYLE_DOUBT, "NIC counters of %zu network namespaces are not known. ", sample->blinds);
}

static void draw_keys(struct screen *screen, const struct top_picture *picture, size_t shown)
{
	static const char *const sorts[TOP_SORTS] = { "lost", "packets", "name" };
	char place[64], keys[64];
	unsigned row = screen->height - 1, width = screen->width - 1; /* nothing in the last cell: some terminals scroll then */

	snprintf(keys, sizeof(keys), "q quit  s sort: %s  space pause  h help", sorts[picture->sort]);
	snprintf(place, sizeof(place), "  %zu-%zu of %zu", picture->first + (shown != 0), picture->first + shown, picture->sample->captures);
	screen_put(screen, row, 0, width, STYLE_BOLD, keys);
	if (shown < picture->sample->captures && strlen(place) < width)
		screen_put(screen, row, width - (unsigned)strlen(place), width, STYLE_BOLD, place);
}

static void draw_none(struct screen *screen, const struct top_picture *picture, unsigned row, unsigned end)
{
	char text[256];

	if (picture->word)
		snprintf(text, sizeof(text), "No capture on netring by %s.", picture->word);
	else
		snprintf(text, sizeof(text), "No capture on netring. netring run -- tcpdump -i eth0 is one.");
	screen_wrap(screen, row, end, 0, STYLE_PLAIN, text);
}

static void draw_help(struct screen *screen)
{
	static const char *const lines[] = {
		"q       quit",
		"up, down, page up, page down, home, end, or k, j: scroll",
		"s       sort by what is lost, by packets, by name",
		"space   pause, and go on",
		"h       this; any key ends it",
		"",
		"PKT/S   packets that the program got",
		"BIT/S   the same in bits, as captured",
		"LOST/S  lost in the ring, in XDP, or not written to a savefile; ?: the program does not read, nobody knows",
		"IN ALL  the same since the capture was opened",
		"RING    how full the fullest ring is; | is the most it has ever been",
		"",
		"Words under a capture say who loses, and what to do. A loss stays there for 10 s.",
		"The NIC and the kernel lose packets whatever a capture's filter; these are not in LOST/S.",
	};
	unsigned row = 0;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines) && row < screen->height; i++)
		row = lines[i][0] ? screen_wrap(screen, row, screen->height, 0, STYLE_PLAIN, lines[i]) : row + 1;
}

size_t top_draw(struct screen *screen, struct top_picture *picture)
{
	const struct top_sample *sample = picture->sample;
	struct layout layout = lay_out(screen->width);
	unsigned row, end = screen->height;
	size_t shown = 0;
	bool has_keys;

	if (screen->width < 2 || screen->height < 1)
		return 0;
	if (picture->help) {
		draw_help(screen);
		return 0;
	}
	draw_host(screen, picture);
	row = draw_softnet(screen, sample, 1);
	has_keys = !picture->plain && end > row + 2;
	if (has_keys)
		end--;
	if (has_notes(sample) && end > row + 2)
		draw_notes(screen, sample, --end);
	if (sample->captures && row < end)
		draw_titles(screen, row++, &layout);
	if (sample->captures == 0)
		draw_none(screen, picture, row, end);
	else if (row < end)
		shown = draw_captures(screen, picture, row, end, &layout);
	if (has_keys)
		draw_keys(screen, picture, shown);
	return shown;
}

unsigned top_rows(const struct top_picture *picture, unsigned width)
{
	unsigned rows = 8;

	for (size_t i = 0; i < picture->sample->captures; i++)
		rows += rows_of(picture, i, width);
	return rows;
}
