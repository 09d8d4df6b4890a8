/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joining fanout groups.
 *
 * The first member of a group that is to have a new number joins with PACKET_FANOUT_FLAG_UNIQUEID and number 0, and reads back the number that the
 * kernel chose, which may be 0. The kernel does not keep that flag: the others join by number and without it; with it they would get a group each,
 * or, with a number other than 0, EINVAL.
 *
 * A fanout struct belongs to the thread that opens the handle.
 */
#include "fanout.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fanout-diag.h"
#include "fanout-name.h"

#define KNOWN_FLAGS (NETRING_FANOUT_FLAG_ROLLOVER | NETRING_FANOUT_FLAG_DEFRAG | NETRING_FANOUT_FLAG_IGNORE_OUTGOING | NETRING_FANOUT_FLAG_UNIQUE_ID)

struct mode {
	const char *name;
	int kernel_mode;
};

static const struct mode modes[] = {
	[NETRING_FANOUT_HASH] = { "hash", PACKET_FANOUT_HASH },
	[NETRING_FANOUT_LB] = { "lb", PACKET_FANOUT_LB },
	[NETRING_FANOUT_CPU] = { "cpu", PACKET_FANOUT_CPU },
	[NETRING_FANOUT_ROLLOVER] = { "rollover", PACKET_FANOUT_ROLLOVER },
	[NETRING_FANOUT_RANDOM] = { "random", PACKET_FANOUT_RND },
	[NETRING_FANOUT_QM] = { "qm", PACKET_FANOUT_QM },
	[NETRING_FANOUT_CBPF] = { "cbpf", PACKET_FANOUT_CBPF },
	[NETRING_FANOUT_EBPF] = { "ebpf", PACKET_FANOUT_EBPF },
	[NETRING_FANOUT_SYMMETRIC] = { "symmetric", PACKET_FANOUT_CBPF },
	[NETRING_FANOUT_INNER] = { "inner", PACKET_FANOUT_CBPF },
};

void fanout_init(struct fanout *fanout)
{
	memset(fanout, 0, sizeof(*fanout));
	fanout->id = -1;
	fanout->lock_fd = fanout->name_fd = -1;
	fanout_program_init(&fanout->program);
}

void fanout_settle(struct fanout *fanout)
{
	if (fanout->lock_fd >= 0)
		close(fanout->lock_fd);
	fanout->lock_fd = -1;
}

void fanout_close(struct fanout *fanout)
{
	fanout_settle(fanout);
	if (fanout->name_fd >= 0)
		close(fanout->name_fd);
	fanout_program_close(&fanout->program);
	fanout_init(fanout);
}

static int check_group(const struct netring_fanout *config, struct netring_error *error)
{
	bool unique = config->flags & NETRING_FANOUT_FLAG_UNIQUE_ID;

	if (config->name && unique)
		return error_set(
			error, EINVAL,
			"fanout group @%s and the fanout flag unique_id exclude each other: the flag makes a group that nobody else can name",
			config->name);
	if (config->name)
		return fanout_name_check(config->name, error);
	if (config->group != NETRING_FANOUT_AUTO && (config->group < 0 || config->group > UINT16_MAX))
		return error_set(error, EINVAL, "fanout group %d: allowed are 0 to %d and auto", config->group, UINT16_MAX);
	if (config->group != NETRING_FANOUT_AUTO && unique)
		return error_set(error, EINVAL,
				 "fanout group %d and the fanout flag unique_id exclude each other: with the flag the kernel chooses the number",
				 config->group);
	return 0;
}

static int check_program(const struct netring_fanout *config, struct netring_error *error)
{
	bool wanted = config->mode == NETRING_FANOUT_CBPF || config->mode == NETRING_FANOUT_EBPF;

	if (wanted && !(config->program && config->program[0]))
		return error_set(error, EINVAL, "fanout mode %s needs a program, and none is given", modes[config->mode].name);
	if (!wanted && config->program)
		return error_set(error, EINVAL, "fanout mode %s takes no program, but one is given: %s", modes[config->mode].name, config->program);
	return 0;
}

/*
 * Kernels before 6.2 take the flag for outgoing packets and pay no heed to it, and nothing tells them apart but the version. PACKET_IGNORE_OUTGOING
 * of the single sockets has no effect in a group.
 */
static int check_ignore_outgoing(struct netring_error *error)
{
	struct utsname system;
	unsigned major = 0, minor = 0;

	if (uname(&system) < 0 || sscanf(system.release, "%u.%u", &major, &minor) != 2 || major > 6 || (major == 6 && minor >= 2))
		return 0;
	return error_set(error, EOPNOTSUPP, "a fanout group that ignores outgoing packets needs Linux 6.2 or newer, and this is %s", system.release);
}

static int check(const struct netring_fanout *config, struct netring_error *error)
{
	int ret;

	if (config->mode <= NETRING_FANOUT_NONE || config->mode > NETRING_FANOUT_INNER)
		return error_set(error, EINVAL, "fanout mode %d: there is no such mode", (int)config->mode);
	if (config->flags & ~(unsigned)KNOWN_FLAGS)
		return error_set(error, EINVAL, "fanout flags 0x%x: known are 0x%x", config->flags, (unsigned)KNOWN_FLAGS);
	if (config->mode == NETRING_FANOUT_ROLLOVER && config->flags & NETRING_FANOUT_FLAG_ROLLOVER)
		return error_set(error, EINVAL,
				 "fanout mode rollover and the fanout flag rollover exclude each other: the mode does what the flag adds to others");
	ret = check_group(config, error);
	return ret < 0 ? ret : check_program(config, error);
}

static int kernel_flags(const struct netring_fanout *config, bool ignore_outgoing)
{
	return (config->flags & NETRING_FANOUT_FLAG_ROLLOVER ? PACKET_FANOUT_FLAG_ROLLOVER : 0) |
	       (config->flags & NETRING_FANOUT_FLAG_DEFRAG ? PACKET_FANOUT_FLAG_DEFRAG : 0) |
	       (ignore_outgoing || config->flags & NETRING_FANOUT_FLAG_IGNORE_OUTGOING ? PACKET_FANOUT_FLAG_IGNORE_OUTGOING : 0);
}

/* Finds the number of a group with a name, if there is one already; the lock stays. */
static int find_named(struct fanout *fanout, struct netring_error *error)
{
	struct fanout_name_entry entry;
	char theirs[FANOUT_DIAG_TEXT], process[FANOUT_DIAG_TEXT], ours[FANOUT_DIAG_TEXT], title[FANOUT_NAME_MAX + 2];
	int ret = fanout_name_lock(&fanout->lock_fd, fanout->name, fanout->ifindex, error);

	if (ret == 0)
		ret = fanout_name_find(&entry, fanout->name, fanout->ifindex, error);
	if (ret <= 0)
		return ret;
	if (entry.mode == fanout->config.mode && entry.kernel_flags == fanout->kernel_flags && entry.fingerprint != fanout->program.fingerprint)
		return error_set(error, EINVAL, "fanout group %s on %s has another program; it cannot be joined with this one: %s has it",
				 fanout_name_title(title, fanout->name), fanout->interface, fanout_diag_process(process, entry.pid));
	if (entry.mode != fanout->config.mode || entry.kernel_flags != fanout->kernel_flags)
		return error_set(error, EINVAL, "fanout group %s on %s is %s; it cannot be joined with %s: %s has it",
				 fanout_name_title(title, fanout->name), fanout->interface,
				 fanout_diag_describe(theirs, modes[entry.mode].name, entry.kernel_flags),
				 fanout_diag_describe(ours, modes[fanout->config.mode].name, fanout->kernel_flags),
				 fanout_diag_process(process, entry.pid));
	fanout->id = entry.id;
	return 0;
}

static int prepare(struct fanout *fanout, const struct netring_fanout *config, struct netring_error *error)
{
	int ret;

	if (fanout->kernel_flags & PACKET_FANOUT_FLAG_IGNORE_OUTGOING) {
		ret = check_ignore_outgoing(error);
		if (ret < 0)
			return ret;
	}
	ret = fanout_program_open(&fanout->program, config->mode, config->program, error);
	if (ret < 0)
		return ret;
	if (config->name)
		strcpy(fanout->name, config->name);
	else if (config->group != NETRING_FANOUT_AUTO && (fanout->program.cbpf || fanout->program.fd >= 0))
		fanout_name_of_number(fanout->name, config->group);
	else
		return 0;
	return find_named(fanout, error);
}

int fanout_open(struct fanout *fanout, const struct netring_fanout *config, bool ignore_outgoing, const char *interface, int ifindex,
		struct netring_error *error)
{
	int ret = check(config, error);

	fanout_init(fanout);
	if (ret < 0)
		return ret;
	fanout->config = *config;
	fanout->config.name = fanout->config.program = NULL;
	fanout->kernel_mode = modes[config->mode].kernel_mode;
	fanout->kernel_flags = kernel_flags(config, ignore_outgoing);
	fanout->ifindex = ifindex;
	snprintf(fanout->interface, sizeof(fanout->interface), "%s", interface ? interface : "any");
	if (!config->name && config->group != NETRING_FANOUT_AUTO)
		fanout->id = config->group;
	ret = prepare(fanout, config, error);
	if (ret < 0)
		fanout_close(fanout);
	return ret;
}

/* Joining */

static const char *interface_name(char name[IF_NAMESIZE], int ifindex)
{
	if (ifindex == 0)
		return "any";
	if (!if_indextoname((unsigned)ifindex, name))
		snprintf(name, IF_NAMESIZE, "#%d", ifindex);
	return name;
}

/* "42", or "@sensor1 (42)" */
static const char *group_title(char text[64], const struct fanout *fanout)
{
	if (fanout->name[0] && fanout->name[0] != '#')
		snprintf(text, 64, "@%s (%d)", fanout->name, fanout->id);
	else
		snprintf(text, 64, "%d", fanout->id);
	return text;
}

/* What is different is found by elimination: the kernel tells nobody a group's flags. */
static int explain_other(const struct fanout *fanout, const struct fanout_group *group, struct netring_error *error)
{
	char title[64], name[IF_NAMESIZE], ours[FANOUT_DIAG_TEXT], owner[FANOUT_DIAG_TEXT];

	fanout_diag_owner(owner, group->inode);
	group_title(title, fanout);
	fanout_diag_describe(ours, fanout_diag_mode_name(fanout->kernel_mode), fanout->kernel_flags);
	if (group->ifindex != fanout->ifindex)
		return error_set(error, EINVAL, "fanout group %s is taken on interface %s, by %s; on %s it cannot be joined", title,
				 interface_name(name, group->ifindex), owner, fanout->interface);
	if (group->kernel_mode != fanout->kernel_mode)
		return error_set(error, EINVAL, "fanout group %s on %s is mode %s, taken by %s; it cannot be joined with %s", title,
				 fanout->interface, fanout_diag_mode_name(group->kernel_mode), owner, ours);
	return error_set(error, EINVAL,
			 "fanout group %s on %s is taken by %s, for packets of protocol 0x%04x, with other flags or for another protocol; it cannot "
			 "be joined with %s",
			 title, fanout->interface, owner, group->protocol, ours);
}

/* failure: errno of the attempt to join. */
static int explain(const struct fanout *fanout, int failure, struct netring_error *error)
{
	char title[64], ours[FANOUT_DIAG_TEXT];
	struct fanout_group group;
	int found = fanout->id >= 0 ? fanout_diag_find(&group, fanout->id) : -ENOENT;

	fanout_diag_describe(ours, fanout_diag_mode_name(fanout->kernel_mode), fanout->kernel_flags);
	if (fanout->id < 0)
		return error_errno(error, failure, "a new fanout group on %s (%s)", fanout->interface, ours);
	group_title(title, fanout);
	if (failure == EINVAL && found == 0)
		return explain_other(fanout, &group, error);
	if (failure == ENOSPC && found == 0)
		return error_set(error, ENOSPC, "fanout group %s on %s is full: it has %u members", title, fanout->interface, group.members);
	if (failure == ENOSPC)
		return error_set(error, ENOSPC, "fanout group %s on %s is full: a group has 256 members at most", title, fanout->interface);
	if (failure == EALREADY)
		return error_set(error, EALREADY, "fanout group %s on %s: the socket is a member of a group already", title, fanout->interface);
	if (failure == EINVAL && found != -ENOENT)
		return error_errno(error, EINVAL,
				   "fanout group %s on %s (%s): probably it is taken with another mode, other flags or on another interface", title,
				   fanout->interface, ours);
	return error_errno(error, failure, "fanout group %s on %s (%s)", title, fanout->interface, ours);
}

static int read_id(struct fanout *fanout, int fd, struct netring_error *error)
{
	int value;
	socklen_t size = sizeof(value);

	if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, &size) < 0)
		return error_errno(error, errno, "getsockopt (PACKET_FANOUT)");
	fanout->id = value & UINT16_MAX;
	return 0;
}

/* What the first of a handle's sockets does for all of them. In a group that others have made, the program replaces an equal one. */
static int set_up(struct fanout *fanout, int fd, struct netring_error *error)
{
	struct fanout_name_entry entry = { .mode = fanout->config.mode,
					   .kernel_flags = fanout->kernel_flags,
					   .fingerprint = fanout->program.fingerprint };
	int ret = fanout->id < 0 ? read_id(fanout, fd, error) : 0;

	if (ret == 0)
		ret = fanout_program_install(&fanout->program, fd, error);
	if (ret < 0 || !fanout->name[0])
		return ret;
	entry.id = fanout->id;
	return fanout_name_publish(&fanout->name_fd, &entry, fanout->name, fanout->ifindex, error);
}

int fanout_join(struct fanout *fanout, int fd, struct netring_error *error)
{
	bool new_id = fanout->id < 0;
	uint32_t type = (uint32_t)(fanout->kernel_mode | fanout->kernel_flags | (new_id ? PACKET_FANOUT_FLAG_UNIQUEID : 0));
	uint32_t value = type << 16 | (uint32_t)(new_id ? 0 : fanout->id);

	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, sizeof(value)) < 0)
		return explain(fanout, errno, error);
	return fanout->members++ == 0 ? set_up(fanout, fd, error) : 0;
}
