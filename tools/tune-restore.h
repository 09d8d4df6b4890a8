/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting what is in an undo file again, in the opposite order; and once more, as what is set back takes other settings along. The values of the host are
 * set in any case, those of the interface if there is one with its number, whatever its name, and those of interrupts if they are still the same ones.
 *
 * One thread at a time.
 */
#ifndef NETRING_TUNE_RESTORE_H
#define NETRING_TUNE_RESTORE_H

#include "tune-plan.h"
#include "tune-undo.h"

/*
 * plan: empty; gets a row for each value, and notes. interface: as it was asked for. 0, or 1 if something could not be restored, and stays in the file; or
 * -errno with a sentence: -ENOENT if there is nothing to do, -ESTALE if it is not clear whether the user means that interface.
 */
int tune_restore(struct tune_undo *undo, struct tune_plan *plan, const char *interface, struct netring_error *error);

#endif
