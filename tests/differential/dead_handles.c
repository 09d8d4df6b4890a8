/* SPDX-License-Identifier: BSD-3-Clause */
/* Dead handles, the functions without a handle, and the names that only netring exports. */
#include "probe.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pcap/namedb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char errbuf[PCAP_ERRBUF_SIZE];

static void dead_properties(void)
{
	static const u_int precisions[] = { 0, 1, 2 };

	for (size_t i = 0; i < 3; i++) {
		pcap_t *p = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 96, precisions[i]);
		int *list = NULL;

		if (p == NULL) {
			say("precision %u: NULL", precisions[i]);
			continue;
		}
		say("datalink=%d snapshot=%d precision=%d", pcap_datalink(p), pcap_snapshot(p),
		    pcap_get_tstamp_precision(p));
		say("swapped=%d version %d.%d file=%d", pcap_is_swapped(p), pcap_major_version(p),
		    pcap_minor_version(p), pcap_file(p) != NULL);
		say("list=%d", pcap_list_datalinks(p, &list));
		say("bufsize=%d fileno=%d selectable=%d", pcap_bufsize(p), pcap_fileno(p), pcap_get_selectable_fd(p));
		pcap_close(p);
	}
}

static void dead_calls(void)
{
	struct packets packets = { 0 };
	struct pcap_pkthdr *header, plain_header;
	const u_char *data;
	struct pcap_stat stats;
	struct bpf_program program;
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);

	say_code(p, "dispatch", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say_code(p, "loop", pcap_loop(p, -1, collect, (u_char *)&packets));
	say_code(p, "next_ex", pcap_next_ex(p, &header, &data));
	say("next=%s", pcap_next(p, &plain_header) == NULL ? "NULL" : "data");
	say_code(p, "stats", pcap_stats(p, &stats));
	program = compiled(p, "tcp");
	say_code(p, "setfilter", pcap_setfilter(p, &program));
	say_code(p, "inject", pcap_inject(p, "0123456789", 10));
	say_code(p, "sendpacket", pcap_sendpacket(p, (const u_char *)"0123456789", 10));
	say_code(p, "setdirection", pcap_setdirection(p, PCAP_D_IN));
	say_code(p, "activate", pcap_activate(p));
	say_code(p, "snaplen", pcap_set_snaplen(p, 10));
	say_code(p, "set_datalink", pcap_set_datalink(p, 12));
	errbuf[0] = '\0';
	say("getnonblock=%d \"%s\"", pcap_getnonblock(p, errbuf), errbuf);
	errbuf[0] = '\0';
	say("setnonblock=%d \"%s\"", pcap_setnonblock(p, 1, errbuf), errbuf);
	pcap_breakloop(p);
	say("geterr=\"%s\"", pcap_geterr(p));
	pcap_close(p);
}

static void dead_dump(void)
{
	FILE *file = tmpfile();
	uint8_t bytes[256] = { 0 }, frame[60];
	struct pcap_pkthdr header = { .ts = { 1, 2 }, .caplen = 60, .len = 99 };
	pcap_t *p = pcap_open_dead(DLT_RAW, 65535);
	pcap_dumper_t *dumper = pcap_dump_fopen(p, file);

	make_frame(frame, sizeof(frame), ETHERTYPE_A, 3);
	pcap_dump((u_char *)dumper, &header, frame);
	pcap_dump_flush(dumper);
	say("length=%zd", pread(fileno(file), bytes, sizeof(bytes), 0));
	say_bytes("bytes", bytes, 60);
}

/* ---- functions without a handle ---- */

static void link_type_names(void)
{
	uint64_t hash = 0;

	for (int dlt = 0; dlt < 400; dlt++) {
		const char *name = pcap_datalink_val_to_name(dlt);
		const char *description = pcap_datalink_val_to_description(dlt);
		const char *or_dlt = pcap_datalink_val_to_description_or_dlt(dlt);

		hash = hash * 31 + fingerprint(name != NULL ? name : "", name != NULL ? strlen(name) : 0);
		hash = hash * 31 + fingerprint(description != NULL ? description : "",
					       description != NULL ? strlen(description) : 0);
		hash = hash * 31 + fingerprint(or_dlt, strlen(or_dlt));
		if (name != NULL)
			hash = hash * 31 + (unsigned)pcap_datalink_name_to_val(name);
	}
	say("hash=%016llx", (unsigned long long)hash);
	say("en10mb=%d DLT_EN10MB=%d nosuch=%d", pcap_datalink_name_to_val("en10mb"),
	    pcap_datalink_name_to_val("DLT_EN10MB"), pcap_datalink_name_to_val("nosuch"));
	say("%s", pcap_datalink_val_to_description_or_dlt(9999));
}

static void tstamp_names(void)
{
	for (int type = -1; type < 8; type++) {
		const char *name = pcap_tstamp_type_val_to_name(type);
		const char *description = pcap_tstamp_type_val_to_description(type);

		say("%d %s \"%s\"", type, name != NULL ? name : "NULL", description != NULL ? description : "NULL");
	}
	say("host=%d HOST=%d nosuch=%d", pcap_tstamp_type_name_to_val("host"), pcap_tstamp_type_name_to_val("HOST"),
	    pcap_tstamp_type_name_to_val("nosuch"));
}

static void names_to_numbers(void)
{
	struct addrinfo *addresses;
	bpf_u_int32 **list = NULL, net = 0;
	int port = -1, low = -1, high = -1, protocol = -1, rc;
	u_char *mac = pcap_ether_aton("0a:1B:2c:3d:4e:5f");

	say("http=%d", pcap_nametoport("http", &port, &protocol));
	say("port=%d protocol=%d", port, protocol);
	say("80-90=%d", pcap_nametoportrange("80-90", &low, &high, &protocol));
	say("%d-%d", low, high);
	say("nosuch=%d", pcap_nametoport("nosuchport", &port, &protocol));
	say("tcp=%d nosuch=%d", pcap_nametoproto("tcp"), pcap_nametoproto("nosuch"));
	say("ip=%x nosuch=%x", pcap_nametoeproto("ip"), pcap_nametoeproto("nosuch"));
	say("netbeui=%x", pcap_nametollc("netbeui"));
	rc = pcap_nametonetaddr("loopback");
	say("loopback=%x", (unsigned)rc);
	if (mac != NULL)
		say_bytes("mac", mac, 6);
	free(mac);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	list = pcap_nametoaddr("localhost");
#pragma GCC diagnostic pop
	say("localhost=%x", list != NULL && list[0] != NULL ? *list[0] : 0);
	addresses = pcap_nametoaddrinfo("127.0.0.1");
	say("addrinfo=%s", addresses != NULL ? "set" : "NULL");
	if (addresses != NULL)
		freeaddrinfo(addresses);
	say("ether_hostton=%s", pcap_ether_hostton("nosuchhost") == NULL ? "NULL" : "set");
	(void)net;
}

static void ethers_file(void)
{
	FILE *file = tmpfile();
	struct pcap_etherent *entry;

	fputs("# comment\n02:00:00:00:00:07 seven\n\n2:0:0:0:0:8\teight # more\n", file);
	rewind(file);
	while ((entry = pcap_next_etherent(file)) != NULL) {
		say("%s", entry->name);
		say_bytes("mac", entry->addr, 6);
	}
}

static void interpreter(void)
{
	struct bpf_program program;
	struct pcap_pkthdr header = { .caplen = 60, .len = 60 };
	uint8_t frame[60];
	struct bpf_insn bad = { BPF_JMP | BPF_JA, 0, 0, 7 };
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);

	make_frame(frame, sizeof(frame), ETHERTYPE_A, 0);
	program = compiled(p, "ether proto 0x88b5");
	say("bpf_filter=%u", bpf_filter(program.bf_insns, frame, 60, 60));
	say("offline_filter=%d", pcap_offline_filter(&program, &header, frame));
	say("short=%u", bpf_filter(program.bf_insns, frame, 10, 10));
	say("NULL=%u", bpf_filter(NULL, frame, 60, 60));
	say("validate=%d", bpf_validate(program.bf_insns, (int)program.bf_len));
	say("validate bad=%d", bpf_validate(&bad, 1));
	say("validate empty=%d", bpf_validate(program.bf_insns, 0));
	header.caplen = 13;
	say("cut=%d", pcap_offline_filter(&program, &header, frame));
	pcap_freecode(&program);
	say("freed: len=%u insns=%s", program.bf_len, program.bf_insns == NULL ? "NULL" : "set");
	pcap_freecode(&program);
}

static void nopcap(void)
{
	struct bpf_program program;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	say("good=%d", pcap_compile_nopcap(65535, DLT_EN10MB, &program, "tcp port 80", 1, 0));
	say("len=%u hash=%016llx", program.bf_len,
	    (unsigned long long)fingerprint(program.bf_insns, program.bf_len * sizeof(struct bpf_insn)));
	say("bad=%d", pcap_compile_nopcap(65535, DLT_EN10MB, &program, "tcp port", 1, 0));
#pragma GCC diagnostic pop
}

/* bpf_dump writes to standard output. */
static void dump_program(void)
{
	char text[8192] = "";
	int out = fileno(tmpfile());
	struct bpf_program program;
	pcap_t *p = open_live(CAP, 10);
	ssize_t n;

	program = compiled(p, "tcp port 80");
	fflush(stdout);
	dup2(out, 1);
	bpf_dump(&program, 1);
	bpf_dump(&program, 2);
	bpf_dump(&program, 3);
	fflush(stdout);
	n = pread(out, text, sizeof(text) - 1, 0);
	say("%zd bytes hash=%016llx", n, (unsigned long long)fingerprint(text, n > 0 ? (size_t)n : 0));
	text[100] = '\0';
	say("%s", text);
}

static void eproto_table(void)
{
	struct eproto {
		char *name;
		u_short value;
	};
	const struct eproto *table = dlsym(RTLD_DEFAULT, "eproto_db");

	if (table == NULL) {
		say("absent");
		return;
	}
	for (; table->name != NULL; table++)
		say("%s=%x", table->name, table->value);
}

/* ---- names that 1.10.3 has in its other builds only ---- */

static void remote_names(void)
{
	static const char *const failing[] = { "pcap_open", "pcap_createsrcstr", "pcap_parsesrcstr", "pcap_findalldevs_ex",
		"pcap_setsampling", "pcap_remoteact_accept", "pcap_remoteact_accept_ex", "pcap_remoteact_list",
		"pcap_remoteact_close", "pcap_remoteact_cleanup" };

	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		begin_result("remote: %s", failing[i]);
		say("%s", dlsym(RTLD_DEFAULT, failing[i]) != NULL ? "present" : "absent");
	}
}

/* What they answer where they are present. */
static void remote_calls(void)
{
	pcap_t *(*open_function)(const char *, int, int, int, void *, char *) = dlsym(RTLD_DEFAULT, "pcap_open");
	int (*create)(char *, int, const char *, const char *, const char *, char *) =
		dlsym(RTLD_DEFAULT, "pcap_createsrcstr");
	int (*parse)(const char *, int *, char *, char *, char *, char *) = dlsym(RTLD_DEFAULT, "pcap_parsesrcstr");
	int (*find)(const char *, void *, pcap_if_t **, char *) = dlsym(RTLD_DEFAULT, "pcap_findalldevs_ex");
	char source[PCAP_BUF_SIZE], host[PCAP_BUF_SIZE], port[PCAP_BUF_SIZE], name[PCAP_BUF_SIZE];
	pcap_if_t *list = NULL;
	int type = 0;

	if (open_function == NULL || create == NULL || parse == NULL || find == NULL) {
		say("absent");
		return;
	}
	errbuf[0] = '\0';
	say("open=%s \"%s\"", open_function(CAP, 65535, 0, 100, NULL, errbuf) == NULL ? "NULL" : "set", errbuf);
	say("create=%d \"%s\"", create(source, 3, NULL, NULL, CAP, errbuf), errbuf);
	say("parse=%d \"%s\"", parse("rpcap://" CAP, &type, host, port, name, errbuf), errbuf);
	say("find=%d \"%s\"", find("rpcap://", NULL, &list, errbuf), errbuf);
}

const struct test_case dead_handle_cases[] = {
	{ "dead: properties", dead_properties },
	{ "dead: calls", dead_calls },
	{ "dead: dump", dead_dump },
	{ "names: link types", link_type_names },
	{ "names: time stamps", tstamp_names },
	{ "names: ports, protocols, hosts", names_to_numbers },
	{ "names: ethers", ethers_file },
	{ "program: interpreter", interpreter },
	{ "program: compile_nopcap", nopcap },
	{ "program: bpf_dump", dump_program },
	{ "names: eproto_db", eproto_table },
	{ "remote: names", remote_names },
	{ "remote: calls", remote_calls },
	{ NULL, NULL },
};
