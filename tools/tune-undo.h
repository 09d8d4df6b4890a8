/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The undo file, FOLDER/tune-IF.undo: which interface it is about, and the values that settings had before they were first changed. It is complete on
 * the disk before anything is changed, and replaced as a whole, so that at any moment it tells how to go back.
 *
 * The folder is locked from opening to closing. Owns what it has open and in memory. One thread at a time.
 */
#ifndef NETRING_TUNE_UNDO_H
#define NETRING_TUNE_UNDO_H

#include <limits.h>
#include <net/if.h>

#include "facts.h"

struct tune_undo {
	int folder;			/* a descriptor; -1: closed */
	char name[IFNAMSIZ + 16];	/* in there */
	char path[PATH_MAX];		/* for sentences */
	bool exists;			/* there was such a file */
	struct facts head, values;	/* what it is about; settings in the order in which they were set */
};

/*
 * facts: those of the interface as it is now. create: make the folder (not those above it) if it is missing. An existing file is read; -EPERM if others
 * could have written it, -ESTALE if it is about another interface of that name, or from before the machine was started, -EBUSY if another tune is at
 * work, -EINVAL if it is no such file: with a sentence. tune_undo_close in any case.
 */
int tune_undo_open(struct tune_undo *undo, const char *folder, const struct facts *facts, bool create, struct netring_error *error);
void tune_undo_close(struct tune_undo *undo);

/* Remembers a value, unless there is an older one. */
void tune_undo_remember(struct tune_undo *undo, const char *setting, const char *value);

/* Writes the file; or removes it, if no value is left. -errno with a sentence; the old one is then still there. */
int tune_undo_save(struct tune_undo *undo, struct netring_error *error);

#endif
