/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two kinds of abstract names, NAME and IFINDEX being the group's:
 *	netring/fanout-lock/NAME/IFINDEX	a lock: only one socket can be bound to a name. It listens, so that one who waits can ask who holds it.
 *	netring/fanout/NAME/IFINDEX/ID/MODE-FLAGS-FINGERPRINT/PID-N		one of each handle that is in the group; nobody ever sends to it.
 * They are found in /proc/net/unix of the thread, whose network namespace may differ from its process's.
 *
 * Can an entry name a group that is gone, and its number be somebody else's by now? Not while the publisher lives: a handle publishes after its
 * first socket has joined, and closes the socket of the entry before those of the group. What remains is the moment in which a process that is
 * being killed loses its descriptors one after the other. Should another one join by this entry in that moment, the kernel makes the group anew
 * under the old number. For the number to be another group's, that would have to be made in the same moment, and with just this number: the kernel
 * gives out new ones in turn, so it would be the 65536th since.
 *
 * Any user of the network namespace may bind such names. One who does can keep a named group from starting, or give it another number; who needs to
 * rule that out says a number instead of a name.
 */
#include "fanout-name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fanout-diag.h"

#define LOCK_TIMEOUT_MS 5000
#define LOCK_RETRY_MS 2
#define HANDLES_MAX 65536 /* of one process in one group */

static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

void fanout_name_of_number(char *text, int id)
{
	snprintf(text, FANOUT_NAME_MAX + 1, "#%d", id);
}

const char *fanout_name_title(char *text, const char *name)
{
	if (name[0] == '#')
		snprintf(text, FANOUT_NAME_MAX + 2, "%s", name + 1);
	else
		snprintf(text, FANOUT_NAME_MAX + 2, "@%s", name);
	return text;
}

int fanout_name_check(const char *name, struct netring_error *error)
{
	size_t length = strlen(name);

	if (length < 1 || length > FANOUT_NAME_MAX || strspn(name, allowed) != length)
		return error_set(error, EINVAL, "'@%.100s': the name of a fanout group is 1 to %d of these: A-Z a-z 0-9 . _ -", name,
				 FANOUT_NAME_MAX);
	return 0;
}

/* The names are short enough: fanout_name_check. */
static socklen_t make_address(struct sockaddr_un *address, const char *name)
{
	size_t length = strlen(name);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path + 1, name, length); /* the byte in front is 0: abstract */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

/* -EADDRINUSE: somebody else has the name. */
static int bind_name(int *fd, int type, const char *name)
{
	struct sockaddr_un address;
	socklen_t size = make_address(&address, name);
	int made = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret;

	if (made < 0)
		return -errno;
	if (bind(made, (struct sockaddr *)&address, size) < 0 || (type == SOCK_STREAM && listen(made, 8) < 0)) {
		ret = -errno;
		close(made);
		return ret;
	}
	*fd = made;
	return 0;
}

static const char *lock_holder(char text[FANOUT_DIAG_TEXT], const char *lock)
{
	struct sockaddr_un address;
	struct ucred peer = { .pid = 0 };
	socklen_t size = make_address(&address, lock), peer_size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(text, "another process");
	if (fd < 0)
		return text;
	if (connect(fd, (struct sockaddr *)&address, size) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0 && peer.pid > 0)
		fanout_diag_process(text, peer.pid);
	close(fd);
	return text;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int fanout_name_lock(int *fd, const char *name, int ifindex, struct netring_error *error)
{
	char lock[sizeof(((struct sockaddr_un *)0)->sun_path)], holder[FANOUT_DIAG_TEXT], title[FANOUT_NAME_MAX + 2];
	const struct timespec pause = { .tv_nsec = LOCK_RETRY_MS * 1000000 };
	int64_t deadline = now_ms() + LOCK_TIMEOUT_MS;
	int ret;

	snprintf(lock, sizeof(lock), "netring/fanout-lock/%s/%d", name, ifindex);
	while ((ret = bind_name(fd, SOCK_STREAM, lock)) == -EADDRINUSE && now_ms() < deadline)
		nanosleep(&pause, NULL);
	if (ret == -EADDRINUSE)
		return error_set(error, EBUSY,
				 "fanout group %s: %s has been joining it for %d s (it holds the abstract Unix socket @%s); is it stopped?",
				 fanout_name_title(title, name), lock_holder(holder, lock), LOCK_TIMEOUT_MS / 1000, lock);
	return ret < 0 ? error_errno(error, -ret, "fanout group %s: abstract Unix socket @%s", fanout_name_title(title, name), lock) : 0;
}

/* One line of /proc/net/unix: its last word is the name, an abstract one with @ in front. prefix ends in a slash. */
static bool parse_entry(struct fanout_name_entry *entry, const char *line, const char *prefix)
{
	const char *found = strrchr(line, ' ');
	unsigned id, mode, flags, fingerprint;
	int pid;

	if (!found || strncmp(found + 1, prefix, strlen(prefix)) != 0)
		return false;
	if (sscanf(found + 1 + strlen(prefix), "%u/%u-%x-%x/%d-", &id, &mode, &flags, &fingerprint, &pid) != 5 || id > UINT16_MAX ||
	    mode > NETRING_FANOUT_INNER)
		return false;
	*entry = (struct fanout_name_entry){ (int)id, (enum netring_fanout_mode)mode, (int)flags, fingerprint, pid };
	return true;
}

int fanout_name_find(struct fanout_name_entry *entry, const char *name, int ifindex, struct netring_error *error)
{
	static const char path[] = "/proc/thread-self/net/unix";
	char prefix[80], title[FANOUT_NAME_MAX + 2], *line = NULL;
	size_t size = 0;
	int found = 0, failure;
	FILE *file = fopen(path, "re");

	if (!file)
		return error_errno(error, errno, "fanout group %s: names of groups are looked up in %s", fanout_name_title(title, name), path);
	snprintf(prefix, sizeof(prefix), "@netring/fanout/%s/%d/", name, ifindex);
	errno = 0;
	while (!found && getline(&line, &size, file) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		found = parse_entry(entry, line, prefix);
	}
	failure = found || feof(file) ? 0 : errno;
	free(line);
	fclose(file);
	return failure ? error_errno(error, failure, "fanout group %s: %s", fanout_name_title(title, name), path) : found;
}

int fanout_name_publish(int *fd, const struct fanout_name_entry *entry, const char *name, int ifindex, struct netring_error *error)
{
	char text[sizeof(((struct sockaddr_un *)0)->sun_path)], title[FANOUT_NAME_MAX + 2];
	int ret = -EADDRINUSE;

	for (unsigned n = 0; ret == -EADDRINUSE && n < HANDLES_MAX; n++) {
		snprintf(text, sizeof(text), "netring/fanout/%s/%d/%d/%u-%x-%x/%d-%u", name, ifindex, entry->id, (unsigned)entry->mode,
			 (unsigned)entry->kernel_flags, entry->fingerprint, (int)getpid(), n);
		ret = bind_name(fd, SOCK_DGRAM, text);
	}
	return ret < 0 ? error_errno(error, -ret, "fanout group %s: abstract Unix socket @%s", fanout_name_title(title, name), text) : 0;
}
