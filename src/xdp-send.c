/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending through an AF_XDP socket: the packet is copied into a frame, the frame's descriptor goes into the transmit ring, and the kernel is called.
 * Frames come back in the completion ring, in any order.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "xdp-ring.h"

/* How long a packet waits for room. */
#define PATIENCE_MS 1000

#define VLAN_TAG_LEN 4

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* As packet sockets have it: a tag comes on top of what fits, and only this one. */
static size_t room_for_tag(const uint8_t *frame, size_t length)
{
	const uint8_t *type = frame + 2 * ETH_ALEN;

	return length > ETH_HLEN && type[0] == ETH_P_8021Q >> 8 && type[1] == (ETH_P_8021Q & 0xff) ? VLAN_TAG_LEN : 0;
}

/* By the interface's number: its name may be another by now, and its old one another interface's. */
static int find_mtu(const struct packet_ring *ring, int *mtu)
{
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	request.ifr_ifindex = ring->ifindex;
	if (ioctl(ring->watch_fd, SIOCGIFNAME, &request) < 0 || ioctl(ring->watch_fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	*mtu = request.ifr_mtu;
	return 0;
}

/* The kernel does not look at the length for us, as it does for packet sockets. */
static int check_length(const struct packet_ring *ring, const uint8_t *frame, size_t length, struct netring_error *error)
{
	int mtu = 0, ret;

	if (length < ETH_HLEN)
		return error_errno(error, EINVAL, "send");
	ret = find_mtu(ring, &mtu);
	if (ret < 0)
		return error_errno(error, ret == -ENODEV ? ENXIO : -ret, "send");
	if (length > (size_t)mtu + ETH_HLEN + room_for_tag(frame, length))
		return error_errno(error, EMSGSIZE, "send");
	if (length > ~ring->xdp->chunk_mask + 1)
		return error_set(error, EMSGSIZE, "send: a packet of %zu bytes is longer than a frame of AF_XDP's, %llu bytes", length,
				 (unsigned long long)(~ring->xdp->chunk_mask + 1));
	return 0;
}

static void collect_completions(struct xdp_queue *queue)
{
	const uint64_t *done = queue->completion.entries;
	uint32_t consumer = *queue->completion.consumer;
	/* Pairs with the kernel's release in xskq_prod_submit_addr: the addresses are visible after this. */
	uint32_t producer = load_acquire(queue->completion.producer);

	for (; consumer != producer && queue->sender->idle < XDP_TRANSMIT_FRAMES; consumer++) {
		uint64_t address = done[consumer & queue->completion.mask] & queue->chunk_mask;

		/* Of a corrupted ring: the next packet would be written there. */
		if (likely(address < queue->umem_length))
			queue->sender->idle_frame[queue->sender->idle++] = address;
	}
	store_release(queue->completion.consumer, consumer);
}

static bool is_passing(int err)
{
	return err == EAGAIN || err == EBUSY || err == ENOBUFS || err == EINTR;
}

/* 0, or the errno of a call that the kernel has not answered by taking frames. */
static int kick(const struct packet_ring *ring)
{
	return sendto(ring->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
}

static int wait_for_frame(struct packet_ring *ring, struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	uint64_t end = now_ms() + PATIENCE_MS;
	int err;

	for (;;) {
		collect_completions(queue);
		if (queue->sender->idle)
			return 0;
		err = kick(ring);
		if (err && !is_passing(err))
			return error_errno(error, err, "send");
		if (now_ms() >= end)
			return error_errno(error, ENOBUFS, "send: no frame has come back for %d ms", PATIENCE_MS);
		poll(NULL, 0, 1);
	}
}

/*
 * Nothing has been taken, because the interface is down or gone, or its queue is full: the last descriptor and its frame come back. Another thread's
 * poll, or the driver, may take it in this very moment: then the producer has to go forward again at once, or the kernel would see a ring full of old
 * descriptors, and it has been sent.
 */
static int withdraw(struct xdp_queue *queue, uint64_t address, int err, struct netring_error *error)
{
	store_release(queue->transmit.producer, queue->sender->sent - 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the store is visible before the look */
	if (unlikely(load_acquire(queue->transmit.consumer) == queue->sender->sent)) {
		store_release(queue->transmit.producer, queue->sender->sent);
		return 0;
	}
	queue->sender->sent--;
	queue->sender->idle_frame[queue->sender->idle++] = address;
	return error_errno(error, err ? err : EAGAIN, "send");
}

/* Until the kernel has taken the last descriptor, which is that of the frame at address. */
static int push(struct packet_ring *ring, uint64_t address, struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	uint64_t end = now_ms() + PATIENCE_MS;
	bool dropped = false;

	for (;;) {
		int err = kick(ring);

		/* The driver had no room, and dropped it. Only the next call shows that it was taken. */
		dropped |= err == EBUSY;
		if (load_acquire(queue->transmit.consumer) == queue->sender->sent || (err == 0 && queue->zero_copy))
			return dropped ? error_errno(error, ENOBUFS, "send") : 0;
		if ((err && !is_passing(err)) || now_ms() >= end)
			return withdraw(queue, address, err, error);
		if (err != EBUSY)
			poll(NULL, 0, 1);
	}
}

static int send_frame(struct packet_ring *ring, const void *frame, size_t length, struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	struct xdp_desc *desc = (struct xdp_desc *)queue->transmit.entries + (queue->sender->sent & queue->transmit.mask);
	uint64_t address;
	int ret = wait_for_frame(ring, error);

	if (ret < 0)
		return ret;
	address = queue->sender->idle_frame[--queue->sender->idle];
	memcpy(queue->umem + address, frame, length);
	*desc = (struct xdp_desc){ .addr = address, .len = (uint32_t)length };
	store_release(queue->transmit.producer, ++queue->sender->sent);
	ret = push(ring, address, error);
	return ret < 0 ? ret : (int)length;
}

/* Another process died while it was sending: what counts is what the kernel sees. At worst one frame is lost. */
static void recover(struct xdp_queue *queue)
{
	queue->sender->sent = *queue->transmit.producer;
	pthread_mutex_consistent(&queue->sender->lock);
}

int xdp_ring_send(struct packet_ring *ring, const void *frame, size_t length, struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	int ret = check_length(ring, frame, length, error), state;

	if (ret < 0)
		return ret;
	/* Nobody may be cancelled with the lock in hand. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (pthread_mutex_lock(&queue->sender->lock) == EOWNERDEAD)
		recover(queue);
	ret = send_frame(ring, frame, length, error);
	pthread_mutex_unlock(&queue->sender->lock);
	pthread_setcancelstate(state, NULL);
	return ret;
}
