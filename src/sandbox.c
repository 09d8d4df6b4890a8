/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer is in /proc/thread-self/status, which stays the one of the thread that has opened it, whoever reads it. A thread knows that it is that one by
 * its ticket.
 */
#include "sandbox.h"

#include <errno.h>
#include <pthread.h>

#include "cancellation.h"
#include "own-descriptor.h"
#include "self-status.h"

/* Recursive, because programs close their dumpers in signal handlers. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static unsigned watchers;   /* read without the lock */
static unsigned generation; /* of the descriptor; read without the lock */
static struct own_descriptor status_file = OWN_DESCRIPTOR_NONE;
static off_t status_offset; /* of the descriptor, behind the last look */

static __thread unsigned ticket __attribute__((tls_model("initial-exec"))); /* the generation that this thread has opened; 0: none */

/* What the thread that forks knew of itself, for its child. */
static __thread enum { NOT_FORKING, FORKS_FREE, FORKS_SUSPECTED } fork_state __attribute__((tls_model("initial-exec")));

/*
 * To the front of the status, and only if it is the status: at another offset, or without one, the number is somebody else's by now. One call instead
 * of two, for this is done for each large piece.
 */
static bool rewind_status(void)
{
	off_t offset = lseek(status_file.fd, -status_offset, SEEK_CUR);

	if (offset > 0)
		lseek(status_file.fd, status_offset, SEEK_CUR);
	return offset == 0;
}

bool sandbox_is_suspected(void)
{
	struct self_status status;

	if (ticket == 0 || ticket != __atomic_load_n(&generation, __ATOMIC_RELAXED))
		return true;
	if (status_offset == 0 ? !own_descriptor_is_intact(&status_file) : !rewind_status())
		return true;
	status = self_status_read(status_file.fd);
	status_offset = status.size;
	return status.sandboxed;
}

/* With the lock, by a thread whose status is wanted from now on. */
static void open_status(void)
{
	int fd = self_status_open();

	own_descriptor_close(&status_file);
	status_file = own_descriptor(fd);
	status_offset = 0;
	ticket = __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
	/* Lifting takes a call that a sandbox may forbid. */
	if (fd >= 0 && fd <= STDERR_FILENO && sandbox_is_suspected())
		own_descriptor_close(&status_file);
	else if (fd >= 0 && fd <= STDERR_FILENO)
		status_file = own_descriptor(own_descriptor_lift(fd));
}

static void before_fork(void)
{
	int saved_errno = errno, state = cancellation_put_off();

	if (__atomic_load_n(&watchers, __ATOMIC_RELAXED) > 0)
		fork_state = sandbox_is_suspected() ? FORKS_SUSPECTED : FORKS_FREE;
	cancellation_allow(state);
	errno = saved_errno;
}

static void after_fork_in_parent(void)
{
	fork_state = NOT_FORKING;
}

/* The descriptor tells of the parent's thread. Another thread may have held the lock. Filters are inherited. */
void sandbox_forked(void)
{
	int saved_errno = errno, state;

	if (fork_state == NOT_FORKING)
		return;
	state = cancellation_put_off();
	lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	if (fork_state == FORKS_FREE) {
		open_status();
	} else {
		own_descriptor_close(&status_file);
		ticket = 0;
	}
	fork_state = NOT_FORKING;
	cancellation_allow(state);
	errno = saved_errno;
}

static void after_fork_in_child(void)
{
	if (fork_state == NOT_FORKING)
		lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	sandbox_forked();
}

/* Not when it is needed first: pthread_once makes a system call that a sandbox may forbid. */
static __attribute__((constructor)) void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void sandbox_watch(void)
{
	int state = cancellation_put_off();

	pthread_mutex_lock(&lock);
	__atomic_add_fetch(&watchers, 1, __ATOMIC_RELAXED);
	if (status_file.fd < 0 || (ticket == generation && !own_descriptor_is_intact(&status_file)))
		open_status();
	pthread_mutex_unlock(&lock);
	cancellation_allow(state);
}

/* Closing is what every sandbox allows, and libpcap leaves nothing open either. */
void sandbox_unwatch(void)
{
	int state = cancellation_put_off();

	pthread_mutex_lock(&lock);
	if (__atomic_sub_fetch(&watchers, 1, __ATOMIC_RELAXED) == 0)
		own_descriptor_close(&status_file);
	pthread_mutex_unlock(&lock);
	cancellation_allow(state);
}
