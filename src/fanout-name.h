/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of fanout groups: a registry without files, daemon or privilege. It is made of Unix sockets with abstract names, which are unique in a network
 * namespace, as the numbers of fanout groups are, and which vanish with the last process that has them.
 */
#ifndef NETRING_FANOUT_NAME_H
#define NETRING_FANOUT_NAME_H

#include "error.h"

#define FANOUT_NAME_MAX 32

struct fanout_name_entry {
	int id;				/* of the group */
	enum netring_fanout_mode mode;
	int kernel_flags;		/* PACKET_FANOUT_FLAG_* */
	uint32_t fingerprint;		/* of the program; 0: none */
	int pid;			/* of one who published it, in its own PID namespace */
};

/*
 * A group that has a number is in the registry if it has a program, because the kernel lets anybody replace that: under this name, which no user
 * can give. text has FANOUT_NAME_MAX + 1 bytes.
 */
void fanout_name_of_number(char *text, int id);

/* As the user wrote it: "@sensor1", or "7" for a number's. text has FANOUT_NAME_MAX + 2 bytes. Returns text. */
const char *fanout_name_title(char *text, const char *name);

/* -EINVAL, with what is allowed in the text: 1 to FANOUT_NAME_MAX of A-Z a-z 0-9 . _ - */
int fanout_name_check(const char *name, struct netring_error *error);

/* Waits for the lock of a name on an interface; *fd holds it until it is closed. -EBUSY after 5 s: the sentence says who has it. */
int fanout_name_lock(int *fd, const char *name, int ifindex, struct netring_error *error);

/* With the lock held: 1 and an entry if the group exists, else 0. */
int fanout_name_find(struct fanout_name_entry *entry, const char *name, int ifindex, struct netring_error *error);

/* With the lock held: the entry is there for as long as *fd is open in any process; entry->pid does not matter. */
int fanout_name_publish(int *fd, const struct fanout_name_entry *entry, const char *name, int ifindex, struct netring_error *error);

#endif
