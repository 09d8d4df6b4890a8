/* SPDX-License-Identifier: BSD-3-Clause */
/* Every NETRING_* variable, in one table, and the profiles, in another. */
#include "config-table.h"

#include "config-check.h"
#include "config-file.h"
#include "fanout.h"
#include "queue-list.h"

static const char *const backends[] = { "auto", "packet", "xdp", "xdp-tap", "libpcap", NULL };
static const char *const profiles[] = { "default", "high_throughput", "low_latency", "low_memory", "jumbo", NULL };
_Static_assert(sizeof(profiles) / sizeof(profiles[0]) == CONFIG_PROFILE_OF_FILE + 1, "a profile of the file comes behind them");
/* The index of each word is its enum netring_xdp_mode, enum netring_xdp_copy. */
static const char *const xdp_modes[] = { "auto", "native", "generic", "offload", NULL };
static const char *const xdp_copies[] = { "auto", "copy", "zerocopy", NULL };
/* libpcap's names. */
static const char *const timestamps[] = { "host", "host_lowprec", "host_hiprec", "adapter", "adapter_unsynced", "host_hiprec_unsynced", NULL };
/* The index of each word is its enum config_dump. */
static const char *const dump_modes[] = { "auto", "direct", "cached", "stdio", NULL };
/* The index of each word is its enum log_level. */
static const char *const log_levels[] = { "off", "error", "warn", "info", "debug", NULL };

/* A number of rings that nobody has, and what netring_config.rings takes for "one for each receive queue". */
static const char *const rings_words[] = { "auto", NULL };
static const uint64_t rings_values[] = { 0 };
static const char *const numa_words[] = { "auto", "off", NULL };
static const uint64_t numa_values[] = { (uint64_t)NETRING_NUMA_AUTO, (uint64_t)NETRING_NUMA_OFF };

const char config_as_the_program_asks[] = "as the program asks";

static int check_fanout(const char *text, struct netring_error *error)
{
	struct netring_fanout fanout = { 0 };

	return fanout_parse(&fanout, text, error);
}

static int check_fanout_flags(const char *text, struct netring_error *error)
{
	unsigned flags;

	return fanout_parse_flags(&flags, text, error);
}

static int check_queues(const char *text, struct netring_error *error)
{
	struct queue_list queues;

	return queue_list_parse(&queues, text, QUEUE_LIST_MAX, error);
}

/* clang-format off: tables. */
const struct config_variable config_variables[CONFIG_COUNT] = {
	[CONFIG_CONFIG] = {
		.name = "NETRING_CONFIG", .type = CONFIG_TYPE_STRING, .unset = CONFIG_FILE_PATH ", if there is one", .allowed = "a path",
		.help = "the configuration file; /dev/null is none",
	},
	[CONFIG_BACKEND] = {
		.name = "NETRING_BACKEND", .type = CONFIG_TYPE_CHOICE, .words = backends, .initial = BACKEND_AUTO,
		.help = "who captures: auto is packet, the packet ring; xdp is AF_XDP; xdp-tap copies in XDP; libpcap leaves all to the embedded libpcap",
	},
	[CONFIG_PROFILE] = {
		.name = "NETRING_PROFILE", .type = CONFIG_TYPE_CHOICE, .words = profiles, .unset = "none",
		.help = "a set of values for the ring, taken where no variable says otherwise",
	},
	[CONFIG_BLOCK_SIZE] = {
		.name = "NETRING_BLOCK_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 4 * KIB, .maximum = GIB, .initial = 4 * MIB,
		.help = "size of one ring block",
	},
	[CONFIG_BLOCK_COUNT] = {
		.name = "NETRING_BLOCK_COUNT", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = CONFIG_BLOCKS_MAX, .initial = 64,
		.help = "number of ring blocks",
	},
	[CONFIG_RING_SIZE] = {
		.name = "NETRING_RING_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 4 * KIB, .maximum = CONFIG_RING_MAX,
		.unset = "block size x block count",
		.help = "size of the whole ring, instead of the number of blocks",
	},
	[CONFIG_FRAME_SIZE] = {
		.name = "NETRING_FRAME_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 128, .maximum = GIB, .initial = 2 * KIB,
		.unset = "2K; in immediate mode from MTU and snaplen",
		.help = "immediate mode: slot of one packet and its header; else the largest frame a block must hold",
	},
	[CONFIG_BLOCK_TIMEOUT_MS] = {
		.name = "NETRING_BLOCK_TIMEOUT_MS", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = 3600000, .initial = 60,
		.unset = "as the program asks, 60 if it asks for 0",
		.help = "milliseconds after which a block is delivered though it is not full",
	},
	[CONFIG_FILL_RXHASH] = {
		.name = "NETRING_FILL_RXHASH", .type = CONFIG_TYPE_BOOL,
		.help = "have the kernel compute the receive hash of each packet",
	},
	[CONFIG_IGNORE_OUTGOING] = {
		.name = "NETRING_IGNORE_OUTGOING", .type = CONFIG_TYPE_BOOL,
		.help = "do not capture what this host sends",
	},
	[CONFIG_BUSY_POLL_US] = {
		.name = "NETRING_BUSY_POLL_US", .type = CONFIG_TYPE_NUMBER, .maximum = 1000000,
		.help = "microseconds for which the reader spins on the ring before it sleeps",
	},
	[CONFIG_RINGS] = {
		.name = "NETRING_RINGS", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = 256, .initial = 1,
		.words = rings_words, .word_values = rings_values,
		.help = "rings for each interface, read as one stream in time order; auto: one for each receive queue, no more than the CPUs that the process may use",
	},
	[CONFIG_FANOUT] = {
		.name = "NETRING_FANOUT", .type = CONFIG_TYPE_STRING, .unset = "none", .check = check_fanout,
		.allowed = "MODE[:GROUP]; MODE is hash, lb, cpu, rollover, random, qm, cbpf, ebpf, symmetric, inner; GROUP is 0..65535, auto, @NAME",
		.help = "share the packets of an interface with other captures that say the same",
	},
	[CONFIG_FANOUT_FLAGS] = {
		.name = "NETRING_FANOUT_FLAGS", .type = CONFIG_TYPE_STRING, .unset = "none", .check = check_fanout_flags,
		.allowed = "one or more of rollover, defrag, ignore_outgoing, unique_id, with commas between them",
		.help = "flags of the fanout group",
	},
	[CONFIG_FANOUT_PROG] = {
		.name = "NETRING_FANOUT_PROG", .type = CONFIG_TYPE_STRING, .unset = "none", .allowed = "a path",
		.help = "the program of fanout modes cbpf (text, as of tcpdump -ddd) and ebpf (object file, or pinned)",
	},
	[CONFIG_CPU] = {
		.name = "NETRING_CPU", .type = CONFIG_TYPE_NUMBER, .maximum = 1023, .unset = "not pinned",
		.help = "CPU that the reading thread is pinned to",
	},
	[CONFIG_NUMA] = {
		.name = "NETRING_NUMA", .type = CONFIG_TYPE_NUMBER, .maximum = 1023, .initial = (uint64_t)NETRING_NUMA_AUTO,
		.words = numa_words, .word_values = numa_values,
		.help = "NUMA node that the ring's memory comes from; auto: that of the interface's adapter",
	},
	[CONFIG_LOCK_MEMORY] = {
		.name = "NETRING_LOCK_MEMORY", .type = CONFIG_TYPE_BOOL,
		.help = "lock the reader's own memory (the ring is kernel memory and never swapped)",
	},
	[CONFIG_XDP_MODE] = {
		.name = "NETRING_XDP_MODE", .type = CONFIG_TYPE_CHOICE, .words = xdp_modes,
		.help = "where the XDP program runs: in the driver (native), in front of the host's stack (generic), on the adapter (offload)",
	},
	[CONFIG_XDP_COPY] = {
		.name = "NETRING_XDP_COPY", .type = CONFIG_TYPE_CHOICE, .words = xdp_copies,
		.help = "whether AF_XDP packets are copied into the ring; auto: not, if the driver can do without",
	},
	[CONFIG_XDP_QUEUES] = {
		.name = "NETRING_XDP_QUEUES", .type = CONFIG_TYPE_STRING, .unset = "all", .check = check_queues,
		.allowed = "all, or numbers and ranges with commas between them (0,2-3)",
		.help = "receive queues of each interface that AF_XDP takes packets from; those of the others go to the host",
	},
	[CONFIG_XDP_FRAMES] = {
		.name = "NETRING_XDP_FRAMES", .type = CONFIG_TYPE_NUMBER, .minimum = 512, .maximum = 16777216,
		.unset = "the ring's size shared out",
		.help = "packets that each queue of AF_XDP has room for",
	},
	[CONFIG_XDP_FRAME_SIZE] = {
		.name = "NETRING_XDP_FRAME_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 2 * KIB, .maximum = 4 * KIB, .initial = 2 * KIB,
		.help = "bytes of memory for each packet of AF_XDP, 274 of them in front of it",
	},
	[CONFIG_XDP_STEAL] = {
		.name = "NETRING_XDP_STEAL", .type = CONFIG_TYPE_BOOL,
		.help = "AF_XDP also on an interface that the host needs; it then does not get the packets that are captured",
	},
	[CONFIG_SNAPLEN] = {
		.name = "NETRING_SNAPLEN", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = 262144, .unset = config_as_the_program_asks,
		.help = "bytes kept of each packet",
	},
	[CONFIG_PROMISC] = {
		.name = "NETRING_PROMISC", .type = CONFIG_TYPE_BOOL, .unset = config_as_the_program_asks,
		.help = "promiscuous mode",
	},
	[CONFIG_TIMESTAMP] = {
		.name = "NETRING_TIMESTAMP", .type = CONFIG_TYPE_CHOICE, .words = timestamps, .unset = config_as_the_program_asks,
		.help = "time-stamp type, by libpcap's names",
	},
	[CONFIG_DUMP] = {
		.name = "NETRING_DUMP", .type = CONFIG_TYPE_CHOICE, .words = dump_modes, .initial = DUMP_AUTO,
		.help = "how savefiles are written: O_DIRECT, large writes through the page cache, or stdio as libpcap does",
	},
	[CONFIG_DUMP_BUFFER] = {
		.name = "NETRING_DUMP_BUFFER", .type = CONFIG_TYPE_SIZE, .minimum = DUMP_ALIGNMENT, .maximum = GIB, .initial = 8 * MIB,
		.help = "bytes that the writer of a savefile may hold back under load",
	},
	[CONFIG_STATS] = {
		.name = "NETRING_STATS", .type = CONFIG_TYPE_BOOL, .initial = 1,
		.help = "show the capture to netring stats; if not, no descriptor is held for that, and no system call made",
	},
	[CONFIG_STRICT] = {
		.name = "NETRING_STRICT", .type = CONFIG_TYPE_BOOL,
		.help = "turn every fallback into an error",
	},
	[CONFIG_LOG] = {
		.name = "NETRING_LOG", .type = CONFIG_TYPE_CHOICE, .words = log_levels, .initial = LOG_WARN,
		.help = "how much netring says",
	},
	[CONFIG_LOG_FILE] = {
		.name = "NETRING_LOG_FILE", .type = CONFIG_TYPE_STRING, .unset = "stderr", .allowed = "a path",
		.help = "file to which log lines are appended",
	},
};

/*
 * What each profile sets, indexed like its words. The default profile leaves FRAME_SIZE alone although it has a default: set, it would cut
 * packets of interfaces with a large MTU in immediate mode.
 */
const struct config_profile_value config_profile_values[] = {
	{ 0, CONFIG_BLOCK_SIZE, 4 * MIB },   { 0, CONFIG_BLOCK_COUNT, 64 },	 { 0, CONFIG_BLOCK_TIMEOUT_MS, 60 },
	{ 1, CONFIG_BLOCK_SIZE, 4 * MIB },   { 1, CONFIG_BLOCK_COUNT, 256 },	 { 1, CONFIG_BLOCK_TIMEOUT_MS, 60 },
	{ 2, CONFIG_BLOCK_SIZE, 256 * KIB }, { 2, CONFIG_BLOCK_COUNT, 64 },	 { 2, CONFIG_BLOCK_TIMEOUT_MS, 1 },
	{ 2, CONFIG_BUSY_POLL_US, 50 },	     { 3, CONFIG_BLOCK_SIZE, MIB },	 { 3, CONFIG_BLOCK_COUNT, 16 },
	{ 3, CONFIG_BLOCK_TIMEOUT_MS, 100 }, { 4, CONFIG_BLOCK_SIZE, 4 * MIB },	 { 4, CONFIG_BLOCK_COUNT, 64 },
	{ 4, CONFIG_BLOCK_TIMEOUT_MS, 60 },  { 4, CONFIG_FRAME_SIZE, 64 * KIB },
};
/* clang-format on */

const struct config_profile_value *const config_profile_values_end =
	config_profile_values + sizeof(config_profile_values) / sizeof(config_profile_values[0]);
