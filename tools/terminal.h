/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The terminal of a full-screen command: opened once, given back on every way out. One at a time, because signals are the process's.
 *
 * Plain control sequences (ECMA-48) and termios, without ncurses: every terminal emulator of today, the Linux console, screen and tmux know the dozen that
 * are used here, and a tool for a machine in trouble should need no library and no terminfo of that machine.
 */
#ifndef NETRING_TERMINAL_H
#define NETRING_TERMINAL_H

#include "error.h"
#include "screen.h"

/* What terminal_wait brings: a letter, or one of these. */
enum terminal_event {
	TERMINAL_TIMEOUT = 256,
	TERMINAL_RESIZED,		/* or it was shown anew: draw */
	TERMINAL_ENDED,			/* a signal asks to end, or the terminal has gone */
	TERMINAL_UP,
	TERMINAL_DOWN,
	TERMINAL_PAGE_UP,
	TERMINAL_PAGE_DOWN,
	TERMINAL_HOME,
	TERMINAL_END,
};

/* Takes the terminal on standard input and output. -errno with a sentence if there is none, or one that cannot do it; nothing has changed then. */
int terminal_open(struct netring_error *error);

/* Gives it back as it was. Then, if a signal asked to end, the process dies of that signal. */
void terminal_close(void);

/* Columns and rows, 80 by 24 where it does not say. */
void terminal_size(unsigned *width, unsigned *height);

/* Shows the screen, which has that size. -errno if the terminal does not take it: terminal_wait will say that it has ended. */
int terminal_show(const struct screen *screen);

/* Forgets what is on it, so that terminal_show writes everything. */
void terminal_forget(void);

/* A key or an event; waits no longer than timeout_ms. */
int terminal_wait(int timeout_ms);

#endif
