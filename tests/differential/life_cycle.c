/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 57-63: interfaces that go down, come up and vanish; fork, threads, close; version and error texts. */
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char errbuf[PCAP_ERRBUF_SIZE];

/* ---- 57: down and up ---- */

static void *down_and_up(void *unused)
{
	(void)unused;
	sleep_ms(100);
	link_down(CAP);
	sleep_ms(200);
	link_up(CAP);
	sleep_ms(50);
	send_in(2, 60);
	return NULL;
}

static void blocking_over_down(const char *device, int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .immediate = immediate });
	pthread_t thread;

	pthread_create(&thread, NULL, down_and_up, NULL);
	guarded_loop(p, "loop", 2, &packets, 4000);
	pthread_join(thread, NULL);
	say("n=%u", packets.count);
	send_in(3, 60);
	guarded_loop(p, "again", 3, &packets, 4000);
	say("n=%u", packets.count);
	pcap_close(p);
}

static void down_blocking(void)
{
	blocking_over_down(CAP, 0);
}

static void down_blocking_immediate(void)
{
	blocking_over_down(CAP, 1);
}

static void down_blocking_any(void)
{
	blocking_over_down("any", 0);
}

static void *only_down(void *unused)
{
	(void)unused;
	sleep_ms(100);
	link_down(CAP);
	return NULL;
}

static void stays_down(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
		pthread_t thread;

		pthread_create(&thread, NULL, only_down, NULL);
		guarded_dispatch(p, "dispatch", -1, &packets, 600);
		pthread_join(thread, NULL);
		say("n=%u \"%s\"", packets.count, pcap_geterr(p));
		pcap_close(p);
		link_up(CAP);
	}
}

static void say_required(pcap_t *p, const char *label)
{
	const struct timeval *required = pcap_get_required_select_timeout(p);

	if (required == NULL)
		say("%s: NULL", label);
	else
		say("%s: %ld.%06ld", label, (long)required->tv_sec, (long)required->tv_usec);
}

static void nonblocking_over_down(int immediate)
{
	struct packets packets = { 0 };
	int64_t deadline;
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate, .nonblock = 1 });

	say_required(p, "up");
	link_down(CAP);
	say_code(p, "down", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say_required(p, "down");
	say_code(p, "still", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say_required(p, "still");
	say("text \"%s\"", pcap_geterr(p));
	say_stats(p, "stats");
	link_up(CAP);
	send_in(2, 60);
	deadline = now_ms() + 20000;
	while (packets.count < 2 && now_ms() < deadline)
		if (pcap_dispatch(p, -1, collect, (u_char *)&packets) < 0)
			break;
	say_packets("up again", &packets);
	/* Only a poll that finds nothing wrong takes the suspicion back. */
	for (int i = 0; i < 5; i++)
		pcap_dispatch(p, -1, collect, (u_char *)&packets);
	say_required(p, "up again");
	say_stats(p, "stats");
	pcap_close(p);
}

static void down_nonblocking(void)
{
	nonblocking_over_down(0);
}

static void down_nonblocking_immediate(void)
{
	nonblocking_over_down(1);
}

/* Packets that were queued before it went down are still there. */
static void queued_over_down(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		int64_t deadline = now_ms() + 20000;
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate,
						    .nonblock = 1 });

		send_in(3, 60);
		sleep_ms(100);
		link_down(CAP);
		while (packets.count < 3 && now_ms() < deadline)
			if (pcap_dispatch(p, -1, collect, (u_char *)&packets) < 0)
				break;
		say_packets("read", &packets);
		pcap_close(p);
		link_up(CAP);
	}
}

static void promisc_over_down(void)
{
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });

	link_down(CAP);
	link_up(CAP);
	say("promiscuity=%u", promiscuity(CAP));
	pcap_close(p);
	say("closed=%u", promiscuity(CAP));
}

/* ---- 57: deleted ---- */

static void *delete_later(void *unused)
{
	(void)unused;
	sleep_ms(150);
	link_delete(CAP);
	return NULL;
}

static void deleted_blocking(int immediate, bool loop)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate, .promisc = 1 });
	pthread_t thread;

	pthread_create(&thread, NULL, delete_later, NULL);
	if (loop)
		guarded_loop(p, "loop", -1, &packets, 4000);
	else
		guarded_dispatch(p, "dispatch", -1, &packets, 4000);
	pthread_join(thread, NULL);
	guarded_dispatch(p, "again", -1, &packets, 1000);
	guarded_dispatch(p, "again", -1, &packets, 1000);
	say_stats(p, "stats");
	say_code(p, "inject", pcap_inject(p, "01234567890123456789", 20));
	say("datalink=%d snapshot=%d", pcap_datalink(p), pcap_snapshot(p));
	pcap_close(p);
}

static void deleted_dispatch(void)
{
	deleted_blocking(0, false);
}

static void deleted_dispatch_immediate(void)
{
	deleted_blocking(1, false);
}

static void deleted_loop(void)
{
	deleted_blocking(0, true);
}

static void deleted_next(void)
{
	struct pcap_pkthdr *header, plain_header;
	const u_char *data;
	pcap_t *p = open_live(CAP, 10);

	link_delete(CAP);
	guard_start(p, 2000);
	say_code(p, "next_ex", pcap_next_ex(p, &header, &data));
	say("next=%s \"%s\"", pcap_next(p, &plain_header) == NULL ? "NULL" : "data", pcap_geterr(p));
	say("blocked=%d", guard_stop());
}

static void deleted_nonblocking(void)
{
	for (int i = 0; i < 1; i++) {
		struct packets packets = { 0 };
		int64_t deadline = now_ms() + 20000;
		int rc = 0;
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .nonblock = 1 });

		link_delete(CAP);
		while (rc == 0 && now_ms() < deadline)
			rc = pcap_dispatch(p, -1, collect, (u_char *)&packets);
		say_code(p, "dispatch", rc);
		say_code(p, "again", pcap_dispatch(p, -1, collect, (u_char *)&packets));
		say_required(p, "required");
		pcap_close(p);
	}
}

/* On "any" the others go on. */
static void deleted_under_any(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live("any", 10);

	link_delete(CAP);
	guarded_dispatch(p, "silent", -1, &packets, 400);
	send_lo(2, 20);
	drain(p, &packets, 2);
	say("n=%u", packets.count);
}

static void deleted_queued(void)
{
	struct packets packets = { 0 };
	int64_t deadline = now_ms() + 20000;
	int rc = 0;
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .nonblock = 1 });

	send_in(3, 60);
	sleep_ms(100);
	link_delete(CAP);
	while (rc >= 0 && now_ms() < deadline)
		rc = pcap_dispatch(p, -1, collect, (u_char *)&packets);
	say_packets("read", &packets);
	say_code(p, "dispatch", rc);
}

/* ---- 58: fork ---- */

static void wait_for(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		say("child status=%x", status);
}

static void child_ends(bool closes)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });
	pid_t child;

	set_filter(p, "ether proto 0x88b5");
	child = fork();
	if (child == 0) {
		if (closes)
			pcap_close(p);
		exit(0);
	}
	wait_for(child);
	say("promiscuity=%u", promiscuity(CAP));
	send_in(3, 60);
	send_in_type(2, 60, ETHERTYPE_B);
	drain_all(p, &packets);
	say_packets("parent", &packets);
	say_stats(p, "stats");
	guarded_dispatch(p, "idle", -1, &packets, 300);
	pcap_close(p);
}

static void fork_child_closes(void)
{
	child_ends(true);
}

static void fork_child_exits(void)
{
	child_ends(false);
}

/* A daemon: opened by the parent, read by the child. */
static void fork_child_reads(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
		pid_t child;

		set_filter(p, "ether proto 0x88b5");
		child = fork();
		if (child == 0) {
			struct packets packets = { 0 };

			send_in(3, 60);
			drain(p, &packets, 3);
			say_packets("child", &packets);
			say_stats(p, "stats");
			guarded_dispatch(p, "idle", -1, &packets, 300);
			pcap_close(p);
			exit(0);
		}
		pcap_close(p);
		wait_for(child);
	}
}

/* ---- 59: threads ---- */

struct reader {
	pthread_t thread;
	pcap_t *handle;
	struct packets packets;
	int rc;
};

static void *read_loop(void *argument)
{
	struct reader *reader = argument;

	reader->rc = pcap_loop(reader->handle, 500, collect, (u_char *)&reader->packets);
	return NULL;
}

static void handles_in_threads(void)
{
	static const char *const names[] = { CAP, CAP, "any", CAP };
	struct reader readers[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		/* Short frames for the immediate one: of full-sized ones its ring holds but 31. */
		readers[i].handle = open_how(&(struct how){ .device = names[i], .timeout_ms = 10, .immediate = i == 3,
							    .snaplen = i == 3 ? 128 : 0 });
		if (i == 1)
			set_filter(readers[i].handle, "ether proto 0x88b5");
		pthread_create(&readers[i].thread, NULL, read_loop, &readers[i]);
	}
	for (int i = 0; i < 10; i++)
		send_in(50, 60);
	for (int i = 0; i < 4; i++) {
		pthread_join(readers[i].thread, NULL);
		say("%s loop=%d n=%u hash=%llx", names[i], readers[i].rc, readers[i].packets.count,
		    (unsigned long long)readers[i].packets.hash);
		pcap_close(readers[i].handle);
	}
}

static void *compile_often(void *handle)
{
	uint64_t hash = 0;

	for (int i = 0; i < 200; i++) {
		struct bpf_program program;

		if (pcap_compile(handle, &program, "tcp port 80 and host 10.0.0.1 or vlan 42", 1, 0) < 0)
			return (void *)1;
		hash ^= fingerprint(program.bf_insns, program.bf_len * sizeof(struct bpf_insn));
		pcap_freecode(&program);
	}
	return (void *)(uintptr_t)hash;	/* an even number of equal programs: 0 */
}

static void compile_in_threads(void)
{
	pthread_t threads[4];
	pcap_t *handles[4];

	for (int i = 0; i < 4; i++) {
		handles[i] = open_live(CAP, 10);
		pthread_create(&threads[i], NULL, compile_often, handles[i]);
	}
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		say("%s", result == NULL ? "same" : "differs");
		pcap_close(handles[i]);
	}
}

static void cancelled(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct reader reader = { .rc = -99 };
		void *result = NULL;

		reader.handle = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
		pthread_create(&reader.thread, NULL, read_loop, &reader);
		sleep_ms(100);
		pthread_cancel(reader.thread);
		pthread_join(reader.thread, &result);
		say("cancelled=%d", result == PTHREAD_CANCELED);
		send_in(2, 60);
		drain(reader.handle, &reader.packets, 2);
		say("n=%u", reader.packets.count);
		pcap_close(reader.handle);
	}
}

/* The library has no threads of its own that a program would meet. */
static void no_threads(void)
{
	struct packets packets = { 0 };
	struct stat status = { 0 };
	pcap_t *p = open_live(CAP, 10);

	send_in(2, 60);
	drain(p, &packets, 2);
	stat("/proc/self/task", &status);
	say("threads=%u", (unsigned)status.st_nlink - 2);
}

/* ---- 60 ---- */

static unsigned mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned lines = 0;
	int c;

	while (file != NULL && (c = fgetc(file)) != EOF)
		lines += c == '\n';
	if (file != NULL)
		fclose(file);
	return lines;
}

static void close_unmaps(void)
{
	unsigned before;

	for (int i = 0; i < 3; i++)
		pcap_close(open_live(CAP, 10));
	before = mappings();
	for (int i = 0; i < 10; i++) {
		pcap_close(open_live(CAP, 10));
		pcap_close(open_immediate("any"));
	}
	say("more mappings=%d", mappings() > before + 2);
}

static void many_handles(void)
{
	struct packets packets = { 0 };
	pcap_t *handles[16];

	for (int i = 0; i < 16; i++)
		handles[i] = open_how(&(struct how){ .device = i % 2 ? CAP : "any", .timeout_ms = 10,
						     .immediate = i % 4 > 1 });
	send_in(2, 60);
	for (int i = 0; i < 16; i++)
		drain(handles[i], &packets, 2);
	say("n=%u", packets.count);
	for (int i = 15; i >= 0; i--)
		pcap_close(handles[i]);
}

/* ---- tcpdump's way: nothing privileged, and no file, after setfilter ---- */

static void confined(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });
	char directory[] = "/tmp/nr-probe-XXXXXX";

	set_filter(p, "ether proto 0x88b5");
	/* An empty directory that is gone from the file system by the time it is the root. */
	if (mkdtemp(directory) == NULL || chdir(directory) < 0 || rmdir(directory) < 0 || chroot(".") < 0)
		give_up("chroot: %s", strerror(errno));
	if (setgid(65534) < 0 || setuid(65534) < 0)
		give_up("setuid: %s", strerror(errno));
	send_in(2, 60);
	drain(p, &packets, 2);
	say_packets("read", &packets);
	say_stats(p, "stats");
	set_filter(p, "ether proto 0x88b6");
	send_in_type(1, 60, ETHERTYPE_B);
	drain(p, &packets, 1);
	say_packets("read", &packets);
	guarded_dispatch(p, "idle", -1, &packets, 200);
	say_code(p, "setnonblock", pcap_setnonblock(p, 1, errbuf));
	say_code(p, "setdirection", pcap_setdirection(p, PCAP_D_IN));
	pcap_close(p);
	say("promiscuity=%u", promiscuity(CAP));
}

/* ---- 62, 63 ---- */

/* "libpcap version 1.10.3 (with TPACKET_V3)", and behind it a product may add its name and version. */
static void version(void)
{
	char text[256];
	char *added;

	snprintf(text, sizeof(text), "%s", pcap_lib_version());
	added = strstr(text, "netring ");
	if (added != NULL) {
		char *number = added + strlen("netring ");
		size_t length = strcspn(number, " ,)");

		if (length > 0 && isdigit((unsigned char)number[0])) {
			char rest[256];

			snprintf(rest, sizeof(rest), "%s", number + length);
			snprintf(number, sizeof(text) - (size_t)(number - text), "VERSION%s", rest);
		}
	}
	say("%s", text);
}

static void version_object(void)
{
	extern char pcap_version[];

	say("pcap_version=\"%.6s\" terminated=%d", pcap_version, memchr(pcap_version, '\0', 7) != NULL);
}

static void status_texts(void)
{
	for (int status = -20; status <= 5; status++)
		say("%d \"%s\"", status, pcap_statustostr(status));
	say("%d \"%s\"", 12345, pcap_statustostr(12345));
	say("strerror \"%s\" \"%s\"", pcap_strerror(ENOENT), pcap_strerror(0));
}

static void perror_text(void)
{
	static char long_prefix[300];
	pcap_t *p = pcap_create("nosuch0", errbuf);

	pcap_activate(p);
	pcap_perror(p, "probe");
	say_stderr("stderr");
	pcap_perror(p, "");
	say_stderr("stderr");
	memset(long_prefix, 'x', sizeof(long_prefix) - 1);
	pcap_perror(p, long_prefix);
	say_stderr("stderr");
	pcap_close(p);
	p = open_live(CAP, 10);
	pcap_setfilter(p, NULL);
	pcap_perror(p, "active");
	say_stderr("stderr");
}

const struct test_case life_cycle_cases[] = {
	{ "3.9-57 down and up while blocking", down_blocking },
	{ "3.9-57 down and up while blocking, immediate", down_blocking_immediate },
	{ "3.9-57 down and up while blocking on any", down_blocking_any },
	{ "3.9-57 down for good while blocking", stays_down },
	{ "3.9-57 down and up, non-blocking", down_nonblocking },
	{ "3.9-57 down and up, non-blocking, immediate", down_nonblocking_immediate },
	{ "3.9-57 packets queued before it went down", queued_over_down },
	{ "3.9-57 promiscuous membership over down and up", promisc_over_down },
	{ "3.9-57 deleted while dispatch blocks", deleted_dispatch },
	{ "3.9-57 deleted while dispatch blocks, immediate", deleted_dispatch_immediate },
	{ "3.9-57 deleted while loop blocks", deleted_loop },
	{ "3.9-57 deleted before next", deleted_next },
	{ "3.9-57 deleted, non-blocking", deleted_nonblocking },
	{ "3.9-57 deleted under any", deleted_under_any },
	{ "3.9-57 deleted with packets queued", deleted_queued },
	{ "3.9-58 fork, the child closes", fork_child_closes },
	{ "3.9-58 fork, the child exits", fork_child_exits },
	{ "3.9-58 fork, the child reads", fork_child_reads },
	{ "3.9-59 handles in threads", handles_in_threads },
	{ "3.9-59 compile in threads", compile_in_threads },
	{ "3.9-59 pthread_cancel in loop", cancelled },
	{ "3.9-59 no hidden threads", no_threads },
	{ "3.9-60 close unmaps", close_unmaps },
	{ "3.9-60 sixteen handles", many_handles },
	{ "3.11 chroot and setuid after setfilter", confined },
	{ "3.9-62 lib_version", version },
	{ "3.9-62 pcap_version", version_object },
	{ "3.9-63 statustostr", status_texts },
	{ "3.9-63 perror", perror_text },
	{ NULL, NULL },
};
