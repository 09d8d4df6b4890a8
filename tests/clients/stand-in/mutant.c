/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpcap with one fault, chosen by -DMUTANT_name, to show that the client tests
 * see it. make.sh renames the public functions below in a copy of the system's
 * libpcap.a to real_*, and links it with this file.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

int real_pcap_loop(pcap_t *, int, pcap_handler, u_char *);
int real_pcap_dispatch(pcap_t *, int, pcap_handler, u_char *);
int real_pcap_next_ex(pcap_t *, struct pcap_pkthdr **, const u_char **);
const u_char *real_pcap_next(pcap_t *, struct pcap_pkthdr *);
int real_pcap_stats(pcap_t *, struct pcap_stat *);
int real_pcap_setfilter(pcap_t *, struct bpf_program *);
int real_pcap_setdirection(pcap_t *, pcap_direction_t);
int real_pcap_sendpacket(pcap_t *, const u_char *, int);
int real_pcap_inject(pcap_t *, const void *, size_t);
void real_pcap_dump(u_char *, const struct pcap_pkthdr *, const u_char *);
char *real_pcap_geterr(pcap_t *);

/* The archive is not position independent where it uses libc's own objects. */
#define HIDDEN __attribute__((visibility("hidden")))
HIDDEN FILE *real_stdin, *real_stdout, *real_stderr;

__attribute__((constructor)) static void copy_streams(void)
{
	real_stdin = stdin;
	real_stdout = stdout;
	real_stderr = stderr;
}

/*
 * One packet as the program is to see it, or NULL. The faults are counted over
 * the whole process, one handle or many.
 */
static const u_char *spoiled(struct pcap_pkthdr *header, const u_char *data)
{
#if defined(MUTANT_drop)
	static int count;

	(void)header;
	if (++count % 10 == 0)
		return NULL;
#elif defined(MUTANT_payload)
	static u_char copy[262144];

	memcpy(copy, data, header->caplen);
	if (header->caplen > 0)
		copy[header->caplen - 1] ^= 1;
	return copy;
#elif defined(MUTANT_length)
	if (header->caplen > 60)
		header->caplen--;
#elif defined(MUTANT_untagged)
	static u_char copy[262144];

	if (header->caplen > 18 && data[12] == 0x81 && data[13] == 0) {
		memcpy(copy, data, 12);
		memcpy(copy + 12, data + 16, header->caplen - 16);
		header->caplen -= 4;
		header->len -= 4;
		return copy;
	}
#elif defined(MUTANT_time)
	header->ts.tv_sec -= 3600;
#else
	(void)header;
#endif
	return data;
}

struct relay {
	pcap_handler callback;
	u_char *user;
};

static void relay(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	const struct relay *to = (const struct relay *)user;
	struct pcap_pkthdr mine = *header;
	const u_char *packet = spoiled(&mine, data);

	if (packet)
		to->callback(to->user, &mine, packet);
}

int pcap_loop(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	struct relay to = { callback, user };

	return real_pcap_loop(p, count, relay, (u_char *)&to);
}

int pcap_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	struct relay to = { callback, user };

	return real_pcap_dispatch(p, count, relay, (u_char *)&to);
}

int pcap_next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data)
{
	static __thread struct pcap_pkthdr mine;
	int got;

	do {
		got = real_pcap_next_ex(p, header, data);
		if (got != 1)
			return got;
		mine = **header;
		*header = &mine;
		*data = spoiled(&mine, *data);
	} while (!*data);
	return got;
}

const u_char *pcap_next(pcap_t *p, struct pcap_pkthdr *header)
{
	const u_char *data = real_pcap_next(p, header);

	return data ? spoiled(header, data) : NULL;
}

int pcap_stats(pcap_t *p, struct pcap_stat *stats)
{
	int result = real_pcap_stats(p, stats);

#ifdef MUTANT_stats
	stats->ps_recv += 1;
	stats->ps_drop += 1;
#endif
	return result;
}

int pcap_setfilter(pcap_t *p, struct bpf_program *program)
{
#ifdef MUTANT_nofilter
	struct bpf_insn all = { 6, 0, 0, 262144 };
	struct bpf_program every = { 1, &all };

	(void)program;
	return real_pcap_setfilter(p, &every);
#else
	return real_pcap_setfilter(p, program);
#endif
}

int pcap_setdirection(pcap_t *p, pcap_direction_t direction)
{
#ifdef MUTANT_direction
	direction = PCAP_D_INOUT;
#endif
	return real_pcap_setdirection(p, direction);
}

#ifdef MUTANT_send
static int is_to_be_lost(void)
{
	static int count;

	return ++count % 5 == 0;
}
#endif

int pcap_sendpacket(pcap_t *p, const u_char *data, int size)
{
#ifdef MUTANT_send
	if (is_to_be_lost())
		return 0;
#endif
	return real_pcap_sendpacket(p, data, size);
}

int pcap_inject(pcap_t *p, const void *data, size_t size)
{
#ifdef MUTANT_send
	if (is_to_be_lost())
		return (int)size;
#endif
	return real_pcap_inject(p, data, size);
}

void pcap_dump(u_char *file, const struct pcap_pkthdr *header, const u_char *data)
{
#ifdef MUTANT_dump
	struct pcap_pkthdr longer = *header;

	longer.len++;
	header = &longer;
#endif
	real_pcap_dump(file, header, data);
}

char *pcap_geterr(pcap_t *p)
{
#ifdef MUTANT_text
	char *text = real_pcap_geterr(p);

	if (text[0])
		text[0] ^= 32;
	return text;
#else
	return real_pcap_geterr(p);
#endif
}
