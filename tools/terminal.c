/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The terminal of a full-screen command.
 *
 * Signals only put their number into a pipe, which every wait looks at; so none is missed between two calls, and a terminal that takes nothing (Ctrl-S,
 * a stalled connection) keeps nobody from ending the program: what is written is written in pieces for which there is room.
 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[0m\033[H\033[2J" /* another page, no cursor, clear */
#define LEAVE "\033[0m\033[H\033[2J\033[?25h\033[?1049l"
#define PIECE 256	  /* a terminal that says there is room has room for this */
#define LAST_WORDS_MS 300 /* to a terminal that does not listen */
#define SEQUENCE_MS 50	  /* the rest of a key's sequence must come within */
#define SIDE_MAX 1000	  /* rows and columns; more is a mistake */

static struct {
	struct termios before;
	struct screen shown; /* what is on it; of no size: unknown */
	int signal[2];	     /* pipe */
	int ended;	     /* the signal that asks to end; -1: the terminal has gone */
	bool is_plain;	     /* NO_COLOR */
	char keys[64];	     /* read and not understood yet */
	size_t typed;
} terminal = { .signal = { -1, -1 } };

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
#define SIGNALS (sizeof(signals) / sizeof(*signals))

static void on_signal(int number)
{
	int errnum = errno;
	char byte = (char)number;
	ssize_t ignored = write(terminal.signal[1], &byte, 1);

	(void)ignored;
	errno = errnum;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal }, before;

	for (size_t i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

/* Those that it was started with stay ignored. */
static void let_signals_go(void)
{
	struct sigaction before;

	for (size_t i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == on_signal)
			signal(signals[i], SIG_DFL);
}

/* Output */

static long ms_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for room until the deadline, or, if that is 0, until a signal comes. */
static int wait_for_room(long deadline_ms)
{
	struct pollfd wait[2] = { { .fd = STDOUT_FILENO, .events = POLLOUT }, { .fd = terminal.signal[0], .events = POLLIN } };

	for (;;) {
		long left = deadline_ms ? deadline_ms - ms_now() : -1;
		int ready = poll(wait, deadline_ms ? 1 : 2, deadline_ms && left < 0 ? 0 : (int)left);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		if (wait[0].revents & (POLLERR | POLLHUP | POLLNVAL))
			return -EIO;
		return wait[0].revents & POLLOUT ? 0 : -EINTR;
	}
}

static int put(const char *text, size_t length, long deadline_ms)
{
	while (length) {
		int ret = wait_for_room(deadline_ms);
		ssize_t written;

		if (ret < 0)
			return ret;
		written = write(STDOUT_FILENO, text, length < PIECE ? length : PIECE);
		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

static const char *style_sequence(enum screen_style style)
{
	static const char *const with_colour[] = {
		[STYLE_PLAIN] = "\033[0m",    [STYLE_BOLD] = "\033[0;1m",   [STYLE_HEADLINE] = "\033[0;7m",
		[STYLE_BAD] = "\033[0;1;31m", [STYLE_DOUBT] = "\033[0;33m",
	};
	static const char *const without[] = {
		[STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[0;1m", [STYLE_HEADLINE] = "\033[0;7m",
		[STYLE_BAD] = "\033[0;1m", [STYLE_DOUBT] = "\033[0m",
	};

	return terminal.is_plain ? without[style] : with_colour[style];
}

static bool is_as_shown(const struct screen *screen, unsigned row)
{
	const struct screen *shown = &terminal.shown;
	size_t first = (size_t)row * screen->width;

	return shown->width == screen->width && shown->height == screen->height &&
	       memcmp(&shown->cell[first], &screen->cell[first], screen->width * sizeof(*screen->cell)) == 0;
}

static void write_row(FILE *text, const struct screen *screen, unsigned row)
{
	const struct screen_cell *cell = screen->cell + (size_t)row * screen->width;
	unsigned length = screen->width;

	while (length && cell[length - 1].letter == ' ' && cell[length - 1].style == STYLE_PLAIN)
		length--;
	fprintf(text, "\033[%u;1H", row + 1);
	for (unsigned i = 0; i < length; i++) {
		if (i == 0 || cell[i].style != cell[i - 1].style)
			fputs(style_sequence(cell[i].style), text);
		putc(cell[i].letter, text);
	}
	fputs("\033[0m", text);
	if (length < screen->width)
		fputs("\033[K", text);
}

static void remember(const struct screen *screen)
{
	size_t size = (size_t)screen->width * screen->height * sizeof(*screen->cell);

	terminal_forget();
	if (screen_make(&terminal.shown, screen->width, screen->height) == 0)
		memcpy(terminal.shown.cell, screen->cell, size);
}

void terminal_forget(void)
{
	screen_free(&terminal.shown);
}

int terminal_show(const struct screen *screen)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	int ret;

	if (!file)
		return -ENOMEM;
	if (terminal.shown.cell == NULL)
		fputs("\033[0m\033[2J", file);
	for (unsigned row = 0; row < screen->height; row++)
		if (!is_as_shown(screen, row))
			write_row(file, screen, row);
	ret = fclose(file) == 0 ? put(text, length, 0) : -ENOMEM;
	free(text);
	if (ret == 0)
		remember(screen);
	else
		terminal_forget();
	if (ret < 0 && ret != -EINTR && ret != -ENOMEM)
		terminal.ended = terminal.ended ?: -1;
	return ret;
}

/* Taking it, and giving it back */

/* Keys come at once and are not shown; Ctrl-C, Ctrl-Z and Ctrl-S are what they were. */
static int enter(void)
{
	struct termios raw = terminal.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -errno;
	terminal_forget();
	return put(ENTER, strlen(ENTER), ms_now() + LAST_WORDS_MS);
}

/* What was typed for us is not for the shell; nor is it stopped by Ctrl-S for good. */
static void leave(void)
{
	tcflow(STDIN_FILENO, TCOOFF); /* without this the next has no effect */
	tcflow(STDIN_FILENO, TCOON);
	put(LEAVE, strlen(LEAVE), ms_now() + LAST_WORDS_MS);
	tcflush(STDIN_FILENO, TCIFLUSH);
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static int check_terminal(struct netring_error *error)
{
	static const char *const without[] = { "", "dumb", "unknown", "vt52" };
	const char *type = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(error, ENOTTY, "standard %s is no terminal: netring top --once prints one screen without",
				 isatty(STDIN_FILENO) ? "output" : "input");
	for (size_t i = 0; i < sizeof(without) / sizeof(*without); i++)
		if (strcmp(type ? type : "", without[i]) == 0)
			return error_set(error, ENOTTY,
					 "a terminal of type \"%s\" (TERM) cannot be written on everywhere: netring top --once prints one screen",
					 type ? type : "");
	return 0;
}

int terminal_open(struct netring_error *error)
{
	const char *no_colour = getenv("NO_COLOR");
	int ret = check_terminal(error);

	if (ret < 0)
		return ret;
	if (tcgetattr(STDIN_FILENO, &terminal.before) < 0)
		return error_errno(error, errno, "cannot ask for the terminal's settings");
	if (pipe2(terminal.signal, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(error, errno, "cannot make a pipe");
	terminal.is_plain = no_colour && *no_colour;
	catch_signals();
	ret = enter();
	if (ret < 0) {
		terminal_close();
		return error_errno(error, -ret, "cannot write on the terminal");
	}
	return 0;
}

void terminal_close(void)
{
	int ended = terminal.ended;

	leave();
	let_signals_go();
	terminal_forget();
	for (int i = 0; i < 2; i++) {
		close(terminal.signal[i]);
		terminal.signal[i] = -1;
	}
	if (ended > 0)
		raise(ended);
}

static unsigned side_from(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);
	long side = value ? strtol(value, NULL, 10) : 0;

	return side > 0 && side <= SIDE_MAX ? (unsigned)side : otherwise;
}

void terminal_size(unsigned *width, unsigned *height)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*width = size.ws_col ? size.ws_col : side_from("COLUMNS", 80);
	*height = size.ws_row ? size.ws_row : side_from("LINES", 24);
	if (*width > SIDE_MAX)
		*width = SIDE_MAX;
	if (*height > SIDE_MAX)
		*height = SIDE_MAX;
}

/* Ctrl-Z: the shell gets its terminal, and we ours when we go on. */
static void stop_and_go_on(void)
{
	leave();
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	catch_signals();
	tcgetattr(STDIN_FILENO, &terminal.before);
	enter();
}

/* Input */

static int take_signal(void)
{
	char number = 0;

	if (read(terminal.signal[0], &number, 1) != 1)
		return 0;
	if (number == SIGTSTP)
		stop_and_go_on();
	else if (number == SIGCONT)
		enter(); /* whoever stopped us, the shell has had its terminal */
	else if (number != SIGWINCH)
		terminal.ended = number;
	terminal_forget();
	return terminal.ended ? TERMINAL_ENDED : TERMINAL_RESIZED;
}

static int key_of(const char *sequence, size_t length)
{
	static const struct {
		const char *sequence;
		int event;
	} keys[] = {
		{ "A", TERMINAL_UP },	 { "B", TERMINAL_DOWN },  { "5~", TERMINAL_PAGE_UP }, { "6~", TERMINAL_PAGE_DOWN }, { "H", TERMINAL_HOME },
		{ "1~", TERMINAL_HOME }, { "7~", TERMINAL_HOME }, { "F", TERMINAL_END },      { "4~", TERMINAL_END },	    { "8~", TERMINAL_END },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strlen(keys[i].sequence) == length && memcmp(keys[i].sequence, sequence, length) == 0)
			return keys[i].event;
	return 0;
}

static void drop_keys(size_t count)
{
	terminal.typed -= count;
	memmove(terminal.keys, terminal.keys + count, terminal.typed);
}

/* The next key; 0: none, or not all of it. "ESC [ 5 ~", "ESC O A"; an ESC that is alone is nothing. is_all: what is there is all there will be. */
static int next_key(bool is_all)
{
	while (terminal.typed) {
		size_t end = 2;
		int key;

		if (terminal.keys[0] != '\033') {
			key = (unsigned char)terminal.keys[0];
			drop_keys(1);
			return key;
		}
		if (terminal.typed > 1 && terminal.keys[1] != '[' && terminal.keys[1] != 'O') {
			drop_keys(1);
			continue;
		}
		while (end < terminal.typed && (terminal.keys[end] < '@' || terminal.keys[end] > '~'))
			end++;
		if (end >= terminal.typed && !is_all && terminal.typed < sizeof(terminal.keys))
			return 0;
		key = end < terminal.typed ? key_of(terminal.keys + 2, end - 1) : 0;
		drop_keys(end < terminal.typed ? end + 1 : terminal.typed);
		if (key)
			return key;
	}
	return 0;
}

/* False: the terminal has gone. */
static bool read_keys(void)
{
	ssize_t length = read(STDIN_FILENO, terminal.keys + terminal.typed, sizeof(terminal.keys) - terminal.typed);

	if (length > 0)
		terminal.typed += (size_t)length;
	return length > 0 || (length < 0 && (errno == EINTR || errno == EAGAIN));
}

/* One look: an event, or 0. */
static int look(int timeout_ms)
{
	struct pollfd wait[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = terminal.signal[0], .events = POLLIN } };
	int ready = poll(wait, 2, timeout_ms);

	if (ready <= 0)
		return 0;
	if (wait[1].revents)
		return take_signal();
	if (wait[0].revents && !read_keys()) {
		terminal.ended = terminal.ended ?: -1;
		return TERMINAL_ENDED;
	}
	return 0;
}

int terminal_wait(int timeout_ms)
{
	long deadline = ms_now() + timeout_ms;

	while (!terminal.ended) {
		long left = deadline - ms_now();
		int event = next_key(false);
		size_t half = terminal.typed; /* of a sequence, which is there at once or not one */

		if (!event)
			event = look(half ? SEQUENCE_MS : left > 0 ? (int)left : 0);
		if (!event && half && half == terminal.typed)
			event = next_key(true);
		if (event)
			return event;
		if (terminal.typed == 0 && ms_now() >= deadline)
			return TERMINAL_TIMEOUT;
	}
	return TERMINAL_ENDED;
}
