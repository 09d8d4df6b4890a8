/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel's verifier says of an eBPF program that it refuses. */
#ifndef NETRING_VERIFIER_LOG_H
#define NETRING_VERIFIER_LOG_H

/* The verifier says it all on the last lines; a log that does not fit is an error of its own, and memory that is not written to costs nothing. */
#define VERIFIER_LOG_SIZE (4 << 20)

/* The last line that says something about the program, a string within log; NULL if there is none. Cuts the log. */
const char *verifier_log_last_words(char *log);

#endif
