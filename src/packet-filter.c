/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The filter of a packet ring.
 *
 * The kernel judges a packet when it comes in, so a new program says nothing about the packets that are in the ring already. Those cells are
 * counted when the program is replaced, and judged here again until the reader is past them. The exchange itself is one system call, atomic for the
 * kernel: no packet that both programs accept is lost, as it would be if a reject-all program stood in between.
 */
#include "packet-filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf-run.h"
#include "xdp-judge.h"
#include "xdp-ring.h"
#include "xdp-tap.h"

/* Instructions that cap_returns may add. */
#define EPILOGUE 3

static int attach(const struct packet_ring *ring, const struct sock_filter *program, unsigned length)
{
	struct sock_fprog request = { .len = (unsigned short)length, .filter = (struct sock_filter *)program };

	if (length > UINT16_MAX)
		return -EINVAL;
	return setsockopt(ring->fd, SOL_SOCKET, SO_ATTACH_FILTER, &request, sizeof(request)) < 0 ? -errno : 0;
}

/* No program, but the snaplen: with it in the kernel, what the program does not want does not fill the ring. */
static int detach(const struct packet_ring *ring)
{
	struct sock_filter keep = BPF_STMT(BPF_RET | BPF_K, ring->snaplen);
	int ignored = 0;

	if (ring->snaplen && attach(ring, &keep, 1) == 0)
		return 0;
	if (setsockopt(ring->fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof(ignored)) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* The kernel refused a program: let every packet in, and say so. 1, or -errno. */
static int fall_back(struct packet_ring *ring, unsigned length, int refused, struct netring_error *error)
{
	int ret;

	if (ring->strict)
		return error_errno(error, refused, "%s: the kernel refused a filter of %u instructions", ring->interface, length);
	ret = detach(ring);
	if (ret < 0)
		return error_errno(error, -ret, "can't remove kernel filter");
	log_write(&ring->log, LOG_WARN, "%s: the kernel refused a filter of %u instructions (%s%s); it runs in user space", ring->interface, length,
		  strerror(refused), refused == ENOMEM ? ": try increasing net.core.optmem_max with sysctl" : "");
	return 1;
}

static int copy_program(const struct sock_filter *program, unsigned length, struct sock_filter **copy, struct netring_error *error)
{
	*copy = NULL;
	if (length == 0)
		return 0;
	if (!bpf_is_valid(program, length))
		return error_set(error, EINVAL, "BPF program is not valid");
	*copy = malloc((length + EPILOGUE) * sizeof(**copy));
	if (!*copy)
		return error_errno(error, ENOMEM, "filter of %u instructions", length);
	memcpy(*copy, program, length * sizeof(**copy));
	return 0;
}

/*
 * A program says how much of a packet is kept, and would overrule the snaplen. So its returns are made to say no more than that. Where the number is
 * computed, the program goes on behind its end, in an epilogue, which copy_program has left room for.
 */
static unsigned cap_returns(struct sock_filter *program, unsigned length, uint32_t snaplen)
{
	const struct sock_filter epilogue[EPILOGUE] = {
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, snaplen, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, snaplen),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	bool computed = false;

	for (unsigned i = 0; i < length; i++) {
		if (program[i].code == (BPF_RET | BPF_K) && program[i].k > snaplen)
			program[i].k = snaplen;
		if (program[i].code != (BPF_RET | BPF_A))
			continue;
		program[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, length - i - 1);
		computed = true;
	}
	if (!computed)
		return length;
	memcpy(program + length, epilogue, sizeof(epilogue));
	return length + EPILOGUE;
}

/* 0: the kernel runs the program; 1: it is to be run here. */
static int put_in_force(struct packet_ring *ring, const struct sock_filter *program, unsigned length, struct netring_error *error)
{
	int ret;

	/* It is the interface's; all that is left to know is what became of it. The ring's snaplen is for the reader to keep. */
	if (ring->xdp)
		return program && !ring->xdp->program->judges;
	if (ring->tap)
		return program && !ring->tap->program->judges;
	if (program) {
		ret = attach(ring, program, length);
		return ret < 0 ? fall_back(ring, length, -ret, error) : 0;
	}
	ret = detach(ring);
	return ret < 0 ? error_errno(error, -ret, "can't remove kernel filter") : 0;
}

int packet_filter_open(struct packet_ring *ring, const struct sock_filter *program, unsigned length, struct netring_error *error)
{
	struct sock_filter *copy;
	int ret = copy_program(program, length, &copy, error);

	if (ret < 0)
		return ret;
	if (copy && ring->snaplen)
		length = cap_returns(copy, length, ring->snaplen);
	ret = put_in_force(ring, copy, length, error);
	if (ret < 0) {
		free(copy);
		return ret;
	}
	free(ring->filter);
	ring->filter = copy;
	ring->filter_length = copy ? length : 0;
	ring->filter_number++;
	ring->filter_here = ret == 1;
	return ret;
}

int packet_filter_set(struct packet_ring *ring, const struct sock_filter *program, unsigned length, struct netring_error *error)
{
	int ret = packet_filter_open(ring, program, length, error);

	if (ret < 0)
		return ret;
	ring->filter_cells = packet_ring_waiting(ring) + ring->kind->in_flight;
	return ret;
}

/* Bytes to keep; 0 rejects it. */
static uint32_t judge(const struct packet_ring *ring, struct netring_packet *packet)
{
	if (ring->xdp)
		return xdp_judge(ring->filter, packet);
	return ring->tap ? xdp_tap_judge(ring, packet) : bpf_run(ring->filter, packet);
}

void packet_filter_sift(const struct packet_ring *ring, struct netring_burst *burst)
{
	unsigned kept = 0;

	if (!ring->filter)
		return;
	for (unsigned i = 0; i < burst->count; i++) {
		struct netring_packet *packet = &burst->packet[i];
		uint32_t keep = judge(ring, packet);

		if (keep == 0)
			continue;
		if (packet->captured_len > keep)
			packet->captured_len = keep;
		burst->packet[kept++] = *packet;
	}
	burst->count = kept;
}

unsigned packet_filter_sift_list(struct packet_ring *ring, struct packet_entry *entry, unsigned count)
{
	unsigned kept = 0;

	if (!ring->filter)
		return count;
	for (unsigned i = 0; i < count; i++) {
		struct netring_packet packet;
		uint32_t keep;

		ring->kind->view(ring, &packet, entry[i].frame);
		keep = judge(ring, &packet);
		if (keep == 0)
			continue;
		if (packet.captured_len > keep)
			ring->kind->cut(entry[i].frame, keep);
		entry[kept++] = entry[i];
	}
	packet_ring_count_rejected(ring, count - kept);
	return kept;
}
