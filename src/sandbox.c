/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer is in /proc/thread-self/status, which stays the one of the thread that has opened it, whoever reads it. A thread knows that it is that one by
 * its ticket.
 */
#include "sandbox.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "own-descriptor.h"

/* Recursive, because programs close their dumpers in signal handlers. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static unsigned watchers;   /* changed atomically */
static unsigned generation; /* of the descriptor; read without the lock */
static struct own_descriptor status_file = OWN_DESCRIPTOR_NONE;

static __thread unsigned ticket __attribute__((tls_model("initial-exec"))); /* the generation that this thread has opened; 0: none */

/* What the thread that forks knew of itself, for its child. */
static __thread enum { NOT_FORKING, FORKS_FREE, FORKS_SUSPECTED } fork_state __attribute__((tls_model("initial-exec")));

bool sandbox_is_suspected(void)
{
	static const char field[] = "\nSeccomp:\t";
	char text[4096];
	const char *line;
	ssize_t size;

	if (ticket == 0 || ticket != __atomic_load_n(&generation, __ATOMIC_RELAXED) || !own_descriptor_is_intact(&status_file))
		return true;
	if (lseek(status_file.fd, 0, SEEK_SET) < 0)
		return true;
	size = read(status_file.fd, text, sizeof(text) - 1);
	if (size <= 0)
		return true;
	text[size] = '\0';
	line = strstr(text, field);
	return !line || line[strlen(field)] != '0';
}

/* With the lock, by a thread whose status is wanted from now on. */
static void open_status(void)
{
	int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);

	own_descriptor_close(&status_file);
	status_file = own_descriptor(fd);
	ticket = __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
	/* Lifting takes a call that a sandbox may forbid. */
	if (fd >= 0 && fd <= STDERR_FILENO && sandbox_is_suspected())
		own_descriptor_close(&status_file);
	else if (fd >= 0 && fd <= STDERR_FILENO)
		status_file = own_descriptor(own_descriptor_lift(fd));
}

static void before_fork(void)
{
	int saved_errno = errno;

	if (__atomic_load_n(&watchers, __ATOMIC_RELAXED) > 0)
		fork_state = sandbox_is_suspected() ? FORKS_SUSPECTED : FORKS_FREE;
	errno = saved_errno;
}

static void after_fork_in_parent(void)
{
	fork_state = NOT_FORKING;
}

/* The descriptor tells of the parent's thread. Another thread may have held the lock. Filters are inherited. */
void sandbox_forked(void)
{
	int saved_errno = errno;

	if (fork_state == NOT_FORKING)
		return;
	lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	if (fork_state == FORKS_FREE) {
		open_status();
	} else {
		own_descriptor_close(&status_file);
		ticket = 0;
	}
	fork_state = NOT_FORKING;
	errno = saved_errno;
}

static void after_fork_in_child(void)
{
	if (__atomic_load_n(&watchers, __ATOMIC_RELAXED) == 0) {
		lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
		own_descriptor_close(&status_file);
		ticket = 0;
	}
	sandbox_forked();
}

/* Not when it is needed first: pthread_once makes a system call that a sandbox may forbid. */
static __attribute__((constructor)) void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void sandbox_watch(void)
{
	bool is_first, is_mine;

	pthread_mutex_lock(&lock);
	is_first = __atomic_fetch_add(&watchers, 1, __ATOMIC_RELAXED) == 0;
	is_mine = ticket != 0 && ticket == generation;
	if (status_file.fd < 0 || (is_mine && !own_descriptor_is_intact(&status_file)) || (!is_mine && is_first))
		open_status();
	pthread_mutex_unlock(&lock);
}

void sandbox_unwatch(void)
{
	__atomic_sub_fetch(&watchers, 1, __ATOMIC_RELAXED);
}
