/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attaching an XDP program to an interface, by a link: whoever has its descriptor open has the program attached, and nobody else can replace it. Nothing
 * is ever taken off an interface that somebody else has put there.
 */
#ifndef NETRING_XDP_ATTACH_H
#define NETRING_XDP_ATTACH_H

#include "libbpf.h"
#include "xdp-program.h"

/* By which other netrings are known. */
#define XDP_ATTACH_NAME "netring_xdp"

/* For so long a program of netring's that is there already may stay: a process that has just died. */
#define XDP_ATTACH_PATIENCE_MS 1000

/* -EBUSY: the interface has an XDP program, and the sentence its name and id. -ENODEV, or another -errno. */
int xdp_attach_check(const struct libbpf *bpf, const struct xdp_program_options *options, struct netring_error *error);

/*
 * In the mode of options; of both, the driver's first, and then the log says what came out of it. *native: whether it runs in the driver. The caller
 * closes *link_fd, which is close-on-exec. Errors as xdp_program_attach.
 */
int xdp_attach(const struct libbpf *bpf, const struct xdp_program_options *options, int program_fd, int *link_fd, bool *native,
	       struct netring_error *error);

#endif
