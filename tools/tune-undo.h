/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The undo file of an interface: which interface it is about, and the values that settings had before they were first changed. It is complete on the disk
 * before anything is changed, and replaced as a whole, so that at any moment it tells how to go back.
 *
 * An interface is told from others by its number, the network namespace, and the start of the machine: a number is not given twice in a namespace before
 * the next start. Its name and its address may change meanwhile; the name that it had is a hint for those who look for it. Nothing that tune sets outlasts
 * a start of the machine, so there is nothing to undo then: a file from before is removed when it is met.
 *
 * The folder's files are locked from opening to closing, by a lock file that is its owner's alone: others can open the folder, and could hold a lock on
 * that. Owns what it has open and in memory. One thread at a time.
 */
#ifndef NETRING_TUNE_UNDO_H
#define NETRING_TUNE_UNDO_H

#include <limits.h>
#include <net/if.h>

#include "facts.h"

struct tune_undo {
	int folder, lock;		/* descriptors; -1: closed */
	char name[NAME_MAX + 1];	/* in there */
	char path[PATH_MAX];		/* for sentences: of the file, or of where it would be */
	bool exists;			/* there was such a file */
	int index;			/* of the interface that it is about */
	char interface[IFNAMSIZ];	/* the name that it had when the file was made */
	char other[PATH_MAX];		/* none was found, but this one is about an interface of that name in another network namespace; "" */
	struct facts head, values;	/* what it is about; settings in the order in which they were set */
};

/*
 * Finds the file about the interface with this number, 0 if there is none now, else one about an interface that had this name: that has gone, then, or is
 * called something else. create: make the folder (not those above it) if it is missing, and look by number only. -ENOENT if there is no folder, -EPERM if
 * others could have written what is in it, -EBUSY if another tune is at work, -EINVAL if what has the interface's name is no such file: with a sentence.
 * tune_undo_close in any case.
 */
int tune_undo_open(struct tune_undo *undo, const char *folder, const char *interface, int index, bool create, struct netring_error *error);
void tune_undo_close(struct tune_undo *undo);

/* Remembers a value, unless there is an older one. */
void tune_undo_remember(struct tune_undo *undo, const char *setting, const char *value);

/*
 * The same for the CPUs of an interrupt, with its name, as numbers are given again: an older value stays only if it is of the same name. The name comes
 * back from tune_undo_interrupt; NULL if none was remembered.
 */
void tune_undo_remember_interrupt(struct tune_undo *undo, const char *number, const char *name, const char *cpus);
const char *tune_undo_interrupt(const struct tune_undo *undo, const char *number);

/* Writes the file; or removes it, if no value is left. -errno with a sentence; the old one is then still there. */
int tune_undo_save(struct tune_undo *undo, struct netring_error *error);

#endif
