/* SPDX-License-Identifier: BSD-3-Clause */
/* See xdp-filter-libpcap.h. The system's libpcap compiles; the interpreter is the embedded one's, which can be called with a tag. */
#include "xdp-filter-libpcap.h"

#include <check.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "unwritten-memory.h"

#define SNAPLEN 262144
#define NETMASK 0xffffff00

/* libpcap's, in no public header. */
struct auxiliary {
	u_short vlan_tag_present, vlan_tag;
};

u_int inner_pcap_filter_with_aux_data(const struct bpf_insn *program, const u_char *bytes, u_int wire_len, u_int captured_len,
				      const struct auxiliary *auxiliary);

static pcap_t *handles[LIBPCAP_HANDLES];

void libpcap_open(void)
{
	char text[PCAP_ERRBUF_SIZE];

	handles[LIBPCAP_DEAD] = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	handles[LIBPCAP_LIVE] = pcap_create("lo", text);
	ck_assert_ptr_nonnull(handles[LIBPCAP_DEAD]);
	ck_assert_ptr_nonnull(handles[LIBPCAP_LIVE]);
	ck_assert_int_eq(pcap_set_snaplen(handles[LIBPCAP_LIVE], SNAPLEN), 0);
	ck_assert_msg(pcap_activate(handles[LIBPCAP_LIVE]) >= 0, "lo: %s", pcap_geterr(handles[LIBPCAP_LIVE]));
	ck_assert_int_eq(pcap_datalink(handles[LIBPCAP_LIVE]), DLT_EN10MB);
}

void libpcap_close(void)
{
	for (int i = 0; i < LIBPCAP_HANDLES; i++)
		pcap_close(handles[i]);
}

unsigned libpcap_compile(struct sock_filter **program, enum libpcap_handle handle, const char *expression, bool optimize)
{
	struct bpf_program compiled;
	unsigned length;

	if (pcap_compile(handles[handle], &compiled, expression, optimize, NETMASK) < 0)
		return 0;
	length = compiled.bf_len;
	*program = calloc(length, sizeof(**program));
	ck_assert_ptr_nonnull(*program);
	memcpy(*program, compiled.bf_insns, length * sizeof(**program));
	pcap_freecode(&compiled);
	return length;
}

bool libpcap_is_judge(const struct sock_filter *program, unsigned length)
{
	/* libpcap 1.10.3 compiles such programs itself: "vlan and pppoes" without the optimizer, on a live handle. */
	if (length > BPF_MAXINSNS || reads_unwritten_memory(program, length))
		return false;
	for (unsigned i = 0; i < length; i++) {
		uint16_t code = program[i].code;

		if (code == (BPF_ALU | BPF_LSH | BPF_X) || code == (BPF_ALU | BPF_RSH | BPF_X))
			return false;
		if (code == (BPF_LD | BPF_B | BPF_ABS) && (program[i].k == (uint32_t)SKF_AD_OFF + SKF_AD_VLAN_TAG ||
							    program[i].k == (uint32_t)SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT))
			continue;
		if (BPF_CLASS(code) == BPF_LD && BPF_MODE(code) == BPF_ABS && program[i].k >= (uint32_t)SKF_AD_OFF)
			return false;
	}
	return true;
}

uint32_t libpcap_run(const struct sock_filter *program, const struct netring_packet *packet)
{
	struct auxiliary auxiliary = { packet->flags & NETRING_VLAN ? 1 : 0, packet->vlan_tci };

	return inner_pcap_filter_with_aux_data((const struct bpf_insn *)program, packet->data, packet->wire_len, packet->captured_len, &auxiliary);
}
