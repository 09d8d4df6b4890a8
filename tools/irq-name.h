/* SPDX-License-Identifier: BSD-3-Clause */
/* What the name of an interrupt (/proc/irq/N/NAME) tells of what it serves: drivers have habits, and no rules. Pure functions. */
#ifndef NETRING_IRQ_NAME_H
#define NETRING_IRQ_NAME_H

#include <stdbool.h>

/*
 * "eth0-TxRx-3", "mlx5_comp3@pci:0000:01:00.0", "virtio2-input.0": the queue, which is the number at the end; -1 if it is not a queue's, but the link's or
 * the adapter's control. interface: the one that it belongs to, or NULL; an interrupt of just that name is not a queue's.
 */
int irq_name_queue(const char *name, const char *interface);

/* "eth0-tx-3", "virtio2-output.0" */
bool irq_name_only_sends(const char *name);

#endif
