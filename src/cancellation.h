/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting off the cancellation of the calling thread (pthread_cancel): with a lock in hand it would take that along for good, and inside fork leave the
 * locks of other libraries behind. No system call; signal handlers may do so as well.
 */
#ifndef NETRING_CANCELLATION_H
#define NETRING_CANCELLATION_H

#include <pthread.h>

/* Returns what cancellation_allow is to be given. */
static inline int cancellation_put_off(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void cancellation_allow(int state)
{
	pthread_setcancelstate(state, NULL);
}

#endif
