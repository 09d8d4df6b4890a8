/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that captures and does with its handles what programs do, for stats.sh and top.sh:
 *
 *	captures HOW INTERFACE [HANDLES [FILTER]]
 *
 * It prints "ready" when it captures and goes on until SIGTERM, reading all handles in turn; at SIGUSR1 it calls pcap_stats. HOW:
 *	plain		nothing else
 *	slow		takes its time for each packet: 2000 in a second, or fewer
 *	engine		through netring.h, by netring_take alone, and sleeping by itself
 *	child-idle	forks; the child sleeps, the parent reads
 *	child-reads	forks; the parent sleeps, the child reads
 *	daemon		forks; the parent ends, the child reads
 *	exec		runs "sleep 1000" beside itself
 *	closefrom	closes every descriptor above 2 once it captures, and then captures once more, beside its first handles
 *	sandbox		under a seccomp filter that allows everything, as a container has one
 *	next		blocks in pcap_next_ex on its first handle
 *	savefile	INTERFACE is a savefile; it is read again and again
 *	stdout		closes its descriptors 0 to 2 before it opens, and writes to standard output while it captures
 * FILTER "long": one that the kernel refuses, so that it runs in user space; takes packets of 60 to 64 bytes only.
 */
#define _GNU_SOURCE 1
#include <linux/seccomp.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "netring.h"

#define HANDLES_MAX 1000
#define LONG 4200 /* instructions; the kernel takes 4096 */

static volatile sig_atomic_t stop, asked;

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		asked = 1;
	else
		stop = 1;
}

static void __attribute__((noreturn)) fail(const char *what, const char *why)
{
	fprintf(stderr, "captures: %s: %s\n", what, why);
	_exit(1);
}

/* Jumps over nothing, and then looks at the length. */
static void set_long_filter(pcap_t *p)
{
	static struct bpf_insn code[LONG];
	struct bpf_program program = { LONG, code };

	for (unsigned i = 0; i < LONG - 4; i++)
		code[i] = (struct bpf_insn)BPF_STMT(BPF_LD | BPF_IMM, i);
	code[LONG - 4] = (struct bpf_insn)BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0);
	code[LONG - 3] = (struct bpf_insn)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 64, 1, 0);
	code[LONG - 2] = (struct bpf_insn)BPF_STMT(BPF_RET | BPF_K, 65535);
	code[LONG - 1] = (struct bpf_insn)BPF_STMT(BPF_RET | BPF_K, 0);
	if (pcap_setfilter(p, &program) < 0)
		fail("pcap_setfilter", pcap_geterr(p));
}

static pcap_t *open_handle(const char *interface, const char *filter)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_live(interface, 65535, 0, 10, errbuf);

	if (!p)
		fail("pcap_open_live", errbuf);
	if (filter && strcmp(filter, "long") == 0)
		set_long_filter(p);
	if (pcap_setnonblock(p, 1, errbuf) < 0)
		fail("pcap_setnonblock", errbuf);
	return p;
}

static void count_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)header;
	(void)data;
	++*(unsigned *)user;
}

static void count_packet_slowly(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	count_packet(user, header, data);
	usleep(500);
}

static void ask_if_asked(pcap_t *const *handles, unsigned count)
{
	struct pcap_stat ignored;

	for (unsigned i = 0; asked && i < count; i++)
		if (pcap_stats(handles[i], &ignored) < 0)
			fail("pcap_stats", pcap_geterr(handles[i]));
	asked = 0;
}

static void read_all(pcap_t *const *handles, unsigned count, pcap_handler take)
{
	unsigned packets = 0;

	while (!stop) {
		for (unsigned i = 0; i < count; i++)
			pcap_dispatch(handles[i], -1, take, (u_char *)&packets);
		ask_if_asked(handles, count);
		usleep(1000);
	}
}

static void read_next(pcap_t *p)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *data;

	if (pcap_setnonblock(p, 0, errbuf) < 0)
		fail("pcap_setnonblock", errbuf);
	while (!stop && pcap_next_ex(p, &header, &data) >= 0)
		ask_if_asked(&p, 1);
}

static void read_savefiles(const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	unsigned packets = 0;

	while (!stop) {
		pcap_t *p = pcap_open_offline(path, errbuf);

		if (!p)
			fail("pcap_open_offline", errbuf);
		if (pcap_loop(p, -1, count_packet, (u_char *)&packets) < 0)
			fail("pcap_loop", pcap_geterr(p));
		if (packets == 0)
			fail("pcap_loop", "no packets");
		usleep(1000);
		pcap_close(p);
	}
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static int capture_by_engine(const char *interface)
{
	struct netring_config config;
	struct netring_error error;
	struct netring_burst burst;
	struct netring *capture;

	netring_config_init(&config, NETRING_PROFILE_LOW_MEMORY);
	config.interface = interface;
	if (netring_open(&capture, &config, &error) < 0)
		fail("netring_open", error.text);
	say_ready();
	while (!stop) {
		while (netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0)
			netring_give_back(capture, &burst, burst.count);
		usleep(1000);
	}
	netring_close(capture);
	return 0;
}

/* True for the one that reads. */
static bool fork_as(const char *how)
{
	pid_t child = fork();

	if (child == 0)
		prctl(PR_SET_PDEATHSIG, strcmp(how, "daemon") == 0 ? 0 : SIGKILL);
	if (strcmp(how, "daemon") == 0 && child != 0)
		_exit(0);
	if (strcmp(how, "exec") == 0 && child == 0) {
		execlp("sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	return (strcmp(how, "child-idle") == 0 || strcmp(how, "exec") == 0) == (child != 0);
}

static bool forks(const char *how)
{
	static const char *const names[] = { "child-idle", "child-reads", "daemon", "exec" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(how, names[i]) == 0)
			return true;
	return false;
}

static void enter_sandbox(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		fail("seccomp", "no filter");
}

static void write_much(void)
{
	static char text[100000];

	memset(text, 'x', sizeof(text));
	while (!stop) {
		ssize_t ignored = write(STDOUT_FILENO, text, sizeof(text));

		(void)ignored;
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	static pcap_t *handles[HANDLES_MAX + 1];
	struct sigaction action = { .sa_handler = on_signal };
	const char *how = argc > 2 ? argv[1] : "", *filter = argc > 4 ? argv[4] : NULL;
	unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 1;

	if (argc < 3 || count == 0 || count > HANDLES_MAX)
		fail("usage", "captures HOW INTERFACE [HANDLES [FILTER]]");
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	if (strcmp(how, "savefile") == 0) {
		say_ready();
		read_savefiles(argv[2]);
		return 0;
	}
	if (strcmp(how, "engine") == 0)
		return capture_by_engine(argv[2]);
	if (strcmp(how, "sandbox") == 0)
		enter_sandbox();
	if (strcmp(how, "stdout") == 0)
		for (int fd = 0; fd <= 2; fd++)
			close(fd);
	for (unsigned i = 0; i < count; i++)
		handles[i] = open_handle(argv[2], filter);
	if (strcmp(how, "stdout") == 0)
		write_much();
	else if (strcmp(how, "closefrom") == 0) {
		closefrom(3);
		handles[count++] = open_handle(argv[2], filter);
	} else if (forks(how) && !fork_as(how)) {
		while (!stop)
			pause();
		return 0;
	}
	say_ready();
	if (strcmp(how, "next") == 0)
		read_next(handles[0]);
	read_all(handles, count, strcmp(how, "slow") == 0 ? count_packet_slowly : count_packet);
	for (unsigned i = count; i-- > 0;)
		pcap_close(handles[i]);
	return 0;
}
