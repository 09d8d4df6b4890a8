/* SPDX-License-Identifier: BSD-3-Clause */
/* The maps of an XDP program. See xdp-maps.h. */
#include "xdp-maps.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libbpf.h"
#include "xdp-code.h"

static size_t lines_length(const struct xdp_program_options *options)
{
	return options->queues * sizeof(struct xdp_tap_line);
}

static int explain_map(const struct xdp_program *program, int ret, const char *what, struct netring_error *error)
{
	const char *interface = program->interface;
	struct rlimit limit = { 0, 0 };

	if (ret == -EPERM && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		return error_set(error, EPERM,
				 "%s: %s refused: RLIMIT_MEMLOCK, %llu KiB, is too small (before Linux 5.11 maps count), or the process is in a user "
				 "namespace",
				 interface, what, (unsigned long long)limit.rlim_cur / 1024);
	if (ret == -EINVAL || ret == -ENOSYS)
		return error_set(error, EOPNOTSUPP, "%s: the kernel has no %s", interface, what);
	return error_errno(error, -ret, "%s: %s", interface, what);
}

/* A map of one value, in memory. */
static int make_shared_map(const struct xdp_program *program, const char *name, size_t size, int *fd, void **memory, struct netring_error *error)
{
	const struct bpf_map_create_opts mappable = { .sz = sizeof(mappable), .map_flags = BPF_F_MMAPABLE };
	int ret = program->bpf->bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), (uint32_t)size, 1, &mappable);
	void *map;

	if (ret < 0)
		return explain_map(program, ret, "map that is shared with the program (Linux 5.5)", error);
	*fd = ret;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ret, 0);
	if (map == MAP_FAILED)
		return error_errno(error, errno, "%s: mmap of the map that is shared with the program", program->interface);
	*memory = map;
	return 0;
}

static int make_socket_map(struct xdp_program *program, struct netring_error *error)
{
	int fd = program->bpf->bpf_map_create(BPF_MAP_TYPE_XSKMAP, "netring_sockets", sizeof(uint32_t), sizeof(uint32_t), program->options.queues,
					      NULL);

	if (fd < 0)
		return explain_map(program, fd, "map of AF_XDP sockets (CONFIG_XDP_SOCKETS)", error);
	program->sockets_fd = fd;
	return 0;
}

/* Of ring buffers, which are added later; a map of maps is made after the example of one. */
static int make_ring_map(struct xdp_program *program, struct netring_error *error)
{
	struct bpf_map_create_opts options = { .sz = sizeof(options) };
	int example = program->bpf->bpf_map_create(BPF_MAP_TYPE_RINGBUF, "netring_example", 0, 0, (uint32_t)sysconf(_SC_PAGESIZE), NULL), ret;

	if (example < 0)
		return explain_map(program, example, "BPF ring buffer (Linux 5.8)", error);
	options.inner_map_fd = (uint32_t)example;
	ret = program->bpf->bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "netring_rings", sizeof(uint32_t), sizeof(uint32_t), program->options.queues,
					   &options);
	close(example);
	if (ret < 0)
		return explain_map(program, ret, "map of BPF ring buffers (Linux 5.8)", error);
	program->sockets_fd = ret;
	return 0;
}

int xdp_maps_open(struct xdp_program *program, struct netring_error *error)
{
	bool copied = xdp_program_copies(&program->options);
	int ret = copied ? make_ring_map(program, error) : make_socket_map(program, error);
	void *memory = NULL;

	if (ret == 0 && copied)
		ret = make_shared_map(program, "netring_lines", lines_length(&program->options), &program->lines_fd, &memory, error);
	program->line = memory;
	if (ret == 0)
		ret = make_shared_map(program, "netring_switch", sizeof(struct xdp_switch), &program->switch_fd, &memory, error);
	if (ret == 0)
		program->control = memory;
	return ret;
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void xdp_maps_close(struct xdp_program *program)
{
	if (program->control)
		munmap(program->control, sizeof(*program->control));
	program->control = NULL;
	close_descriptor(&program->switch_fd);
	if (program->line)
		munmap(program->line, lines_length(&program->options));
	program->line = NULL;
	close_descriptor(&program->lines_fd);
	close_descriptor(&program->sockets_fd);
}
