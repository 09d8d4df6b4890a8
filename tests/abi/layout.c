/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a program that was compiled against <pcap.h> knows of libpcap, and whether the library that it finds agrees. layout.sh runs it on the
 * system's libpcap and on netring and compares the outputs.
 *
 * Sizes and offsets are the compiler's. What the library really reads and writes is seen by handing it structures with a fence behind them. Linked as a
 * fixed-address program, so that pcap_version is copied into it.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <pcap/namedb.h>
#include <pcap/sll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FENCE 0xa5

#define SIZE(type) printf("sizeof %s %zu\n", #type, sizeof(type))
#define OFFSET(type, field) printf("offsetof %s %s %zu\n", #type, #field, offsetof(type, field))
#define CONSTANT(name) printf("%s %lld\n", #name, (long long)(name))

extern char pcap_version[];
/* Not in a public header any more, but exported: { const char *, u_short } pairs, ended by a NULL. */
struct eproto {
	const char *name;
	u_short protocol;
};
extern struct eproto eproto_db[];

static void print_layout(void)
{
	SIZE(struct pcap_pkthdr); OFFSET(struct pcap_pkthdr, ts); OFFSET(struct pcap_pkthdr, caplen); OFFSET(struct pcap_pkthdr, len);
	SIZE(struct pcap_stat); OFFSET(struct pcap_stat, ps_recv); OFFSET(struct pcap_stat, ps_drop); OFFSET(struct pcap_stat, ps_ifdrop);
	SIZE(struct pcap_if); OFFSET(struct pcap_if, next); OFFSET(struct pcap_if, name); OFFSET(struct pcap_if, description);
	OFFSET(struct pcap_if, addresses); OFFSET(struct pcap_if, flags);
	SIZE(struct pcap_addr); OFFSET(struct pcap_addr, next); OFFSET(struct pcap_addr, addr); OFFSET(struct pcap_addr, netmask);
	OFFSET(struct pcap_addr, broadaddr); OFFSET(struct pcap_addr, dstaddr);
	SIZE(struct pcap_file_header); OFFSET(struct pcap_file_header, magic); OFFSET(struct pcap_file_header, version_major);
	OFFSET(struct pcap_file_header, version_minor); OFFSET(struct pcap_file_header, thiszone); OFFSET(struct pcap_file_header, sigfigs);
	OFFSET(struct pcap_file_header, snaplen); OFFSET(struct pcap_file_header, linktype);
	SIZE(struct bpf_program); OFFSET(struct bpf_program, bf_len); OFFSET(struct bpf_program, bf_insns);
	SIZE(struct bpf_insn); OFFSET(struct bpf_insn, code); OFFSET(struct bpf_insn, jt); OFFSET(struct bpf_insn, jf); OFFSET(struct bpf_insn, k);
	SIZE(struct pcap_etherent); OFFSET(struct pcap_etherent, addr); OFFSET(struct pcap_etherent, name);
	SIZE(struct sll_header); SIZE(struct sll2_header); SIZE(pcap_direction_t); SIZE(bpf_u_int32);
}

static void print_constants(void)
{
	CONSTANT(PCAP_ERRBUF_SIZE); CONSTANT(PCAP_VERSION_MAJOR); CONSTANT(PCAP_VERSION_MINOR); CONSTANT(PCAP_NETMASK_UNKNOWN);
	CONSTANT(PCAP_ERROR); CONSTANT(PCAP_ERROR_BREAK); CONSTANT(PCAP_ERROR_NOT_ACTIVATED); CONSTANT(PCAP_ERROR_ACTIVATED);
	CONSTANT(PCAP_ERROR_NO_SUCH_DEVICE); CONSTANT(PCAP_ERROR_RFMON_NOTSUP); CONSTANT(PCAP_ERROR_NOT_RFMON);
	CONSTANT(PCAP_ERROR_PERM_DENIED); CONSTANT(PCAP_ERROR_IFACE_NOT_UP); CONSTANT(PCAP_ERROR_CANTSET_TSTAMP_TYPE);
	CONSTANT(PCAP_ERROR_PROMISC_PERM_DENIED); CONSTANT(PCAP_ERROR_TSTAMP_PRECISION_NOTSUP);
	CONSTANT(PCAP_WARNING); CONSTANT(PCAP_WARNING_PROMISC_NOTSUP); CONSTANT(PCAP_WARNING_TSTAMP_TYPE_NOTSUP);
	CONSTANT(PCAP_D_INOUT); CONSTANT(PCAP_D_IN); CONSTANT(PCAP_D_OUT);
	CONSTANT(PCAP_TSTAMP_HOST); CONSTANT(PCAP_TSTAMP_HOST_LOWPREC); CONSTANT(PCAP_TSTAMP_HOST_HIPREC); CONSTANT(PCAP_TSTAMP_ADAPTER);
	CONSTANT(PCAP_TSTAMP_ADAPTER_UNSYNCED); CONSTANT(PCAP_TSTAMP_HOST_HIPREC_UNSYNCED);
	CONSTANT(PCAP_TSTAMP_PRECISION_MICRO); CONSTANT(PCAP_TSTAMP_PRECISION_NANO);
	CONSTANT(PCAP_IF_LOOPBACK); CONSTANT(PCAP_IF_UP); CONSTANT(PCAP_IF_RUNNING); CONSTANT(PCAP_IF_CONNECTION_STATUS);
	CONSTANT(DLT_EN10MB); CONSTANT(DLT_RAW); CONSTANT(DLT_LINUX_SLL); CONSTANT(DLT_LINUX_SLL2); CONSTANT(DLT_IEEE802_11_RADIO);
}

static void print_data_objects(void)
{
	unsigned n;

	printf("pcap_version \"%.20s\"\n", pcap_version);
	for (n = 0; eproto_db[n].name; n++)
		printf("eproto %s 0x%04x\n", eproto_db[n].name, eproto_db[n].protocol);
	printf("eproto_db %u\n", n);
}

/* Whether a function that was given `size` bytes wrote into the FENCE behind them. */
static void print_fence(const char *what, const unsigned char *fenced, size_t size, size_t whole)
{
	size_t touched = 0;

	for (size_t i = size; i < whole; i++)
		touched += fenced[i] != FENCE;
	printf("%s writes %zu bytes behind its %zu\n", what, touched, size);
}

static void print_program(pcap_t *p)
{
	unsigned char fenced[sizeof(struct bpf_program) + 64];
	struct bpf_program *program = (struct bpf_program *)fenced;

	memset(fenced, FENCE, sizeof(fenced));
	printf("compile %d\n", pcap_compile(p, program, "tcp port 80", 1, PCAP_NETMASK_UNKNOWN));
	print_fence("pcap_compile", fenced, sizeof(*program), sizeof(fenced));
	for (unsigned i = 0; i < program->bf_len; i++)
		printf("insn %04x %u %u %08x\n", program->bf_insns[i].code, program->bf_insns[i].jt, program->bf_insns[i].jf,
		       program->bf_insns[i].k);
	pcap_freecode(program);
}

static void write_savefile(pcap_t *p, const char *path)
{
	static const u_char frame[60] = { 0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00 };
	struct pcap_pkthdr header = { .ts = { 1234567, 89 }, .caplen = sizeof(frame), .len = 99 };
	pcap_dumper_t *dumper = pcap_dump_open(p, path);

	if (!dumper)
		exit(1);
	pcap_dump((u_char *)dumper, &header, frame);
	pcap_dump_close(dumper);
}

static void print_savefile(const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	unsigned char fenced[sizeof(struct pcap_pkthdr) + 64];
	struct pcap_pkthdr *header = (struct pcap_pkthdr *)fenced;
	pcap_t *p = pcap_open_offline(path, errbuf);
	const u_char *data;

	if (!p)
		exit(1);
	memset(fenced, FENCE, sizeof(fenced));
	data = pcap_next(p, header);
	printf("packet %ld.%06ld %u %u %02x\n", (long)header->ts.tv_sec, (long)header->ts.tv_usec, header->caplen, header->len, data ? data[0] : 0);
	print_fence("pcap_next", fenced, sizeof(*header), sizeof(fenced));
	pcap_close(p);
}

static void print_devices(void)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_if_t *devices = NULL, *device;

	printf("findalldevs %d\n", pcap_findalldevs(&devices, errbuf));
	for (device = devices; device; device = device->next) {
		printf("device %s flags %x description %s\n", device->name, device->flags, device->description ? device->description : "-");
		for (pcap_addr_t *address = device->addresses; address; address = address->next)
			printf("address family %d\n", address->addr ? address->addr->sa_family : -1);
	}
	pcap_freealldevs(devices);
}

/* As root: a live handle's statistics, on lo. */
static void print_live(void)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	unsigned char fenced[sizeof(struct pcap_stat) + 64];
	pcap_t *p = pcap_open_live("lo", 65535, 0, 10, errbuf);

	if (!p) {
		printf("live %s\n", errbuf);
		return;
	}
	memset(fenced, FENCE, sizeof(fenced));
	printf("stats %d\n", pcap_stats(p, (struct pcap_stat *)fenced));
	print_fence("pcap_stats", fenced, sizeof(struct pcap_stat), sizeof(fenced));
	pcap_close(p);
}

int main(int argc, char **argv)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);

	if (argc != 2 || !p)
		return 2;
	print_layout();
	print_constants();
	print_data_objects();
	print_program(p);
	write_savefile(p, argv[1]);
	print_savefile(argv[1]);
	print_devices();
	print_live();
	printf("version %d.%d snapshot %d\n", pcap_major_version(p), pcap_minor_version(p), pcap_snapshot(p));
	pcap_close(p);
	fprintf(stderr, "library %s\n", pcap_lib_version());
	return 0;
}
