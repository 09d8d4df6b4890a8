/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets made by hand, and what is found in files. */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_NUMBER 4000000

char errbuf[PCAP_ERRBUF_SIZE];

pcap_t *dead_handle(void)
{
	return pcap_open_dead(DLT_EN10MB, MAX_PACKET);
}

pcap_dumper_t *open_dump(pcap_t *p, const char *path)
{
	pcap_dumper_t *dumper = pcap_dump_open(p, path);

	if (dumper == NULL)
		give_up("dump_open(%s): %s", path, pcap_geterr(p));
	return dumper;
}

static void fill(uint8_t *bytes, unsigned number, unsigned length)
{
	uint32_t state = number * 2654435761u + 1;

	for (unsigned i = 0; i < length; i++) {
		state = state * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(state >> 24);
	}
	if (length >= sizeof(number))
		memcpy(bytes, &number, sizeof(number));
}

void dump_packet(pcap_dumper_t *dumper, unsigned number, unsigned length)
{
	static _Thread_local uint8_t bytes[MAX_PACKET];
	struct pcap_pkthdr header = { .ts = { 1700000000 + number / 1000, number % 1000 * 1000 }, .caplen = length, .len = length + 4 };

	fill(bytes, number, length);
	pcap_dump((u_char *)dumper, &header, bytes);
}

void dump_packets(pcap_dumper_t *dumper, unsigned first, unsigned count, unsigned length)
{
	for (unsigned i = 0; i < count; i++)
		dump_packet(dumper, first + i, length);
}

/* FNV-1a */
uint64_t fingerprint(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

/* All bytes of a file, to be freed; NULL if it cannot be read. */
static uint8_t *read_all(const char *path, size_t *length)
{
	int fd = open(path, O_RDONLY);
	struct stat status;
	uint8_t *bytes;
	ssize_t n = 0;

	*length = 0;
	if (fd < 0 || fstat(fd, &status) < 0)
		return NULL;
	bytes = malloc((size_t)status.st_size + 1);
	while (*length < (size_t)status.st_size && (n = read(fd, bytes + *length, (size_t)status.st_size - *length)) > 0)
		*length += (size_t)n;
	close(fd);
	return bytes;
}

void say_file(const char *label, const char *path)
{
	size_t length;
	uint8_t *bytes = read_all(path, &length);

	if (bytes == NULL)
		say("%s: %s", label, strerror(errno));
	else
		say("%s: %zu bytes, %016llx", label, length, (unsigned long long)fingerprint(bytes, length));
	free(bytes);
}

void say_size(const char *label, const char *path)
{
	struct stat status;

	say("%s: %lld bytes", label, stat(path, &status) < 0 ? -1LL : (long long)status.st_size);
}

struct census {
	unsigned packets, twice, wrong;
	uint8_t *seen;
	unsigned highest;
};

static void count_packet(struct census *census, const uint8_t *data, uint32_t caplen)
{
	static uint8_t right[MAX_PACKET];
	uint32_t number;

	census->packets++;
	memcpy(&number, data, sizeof(number));
	fill(right, number, caplen);
	if (number >= MAX_NUMBER || memcmp(right, data, caplen) != 0) {
		census->wrong++;
		return;
	}
	census->twice += census->seen[number] != 0;
	census->seen[number] = 1;
	if (number >= census->highest)
		census->highest = number + 1;
}

/* Where the whole packets end. */
static size_t walk_packets(struct census *census, const uint8_t *bytes, size_t length)
{
	size_t at = 24;
	uint32_t caplen;

	while (at + 16 <= length) {
		memcpy(&caplen, bytes + at + 8, sizeof(caplen));
		if (caplen > MAX_PACKET || caplen < 4 || length - at - 16 < caplen)
			break;
		count_packet(census, bytes + at + 16, caplen);
		at += 16 + caplen;
	}
	return at;
}

void say_packets(const char *label, const char *path)
{
	struct census census = { .seen = calloc(MAX_NUMBER, 1) };
	unsigned missing = 0;
	size_t length, end;
	uint8_t *bytes = read_all(path, &length);

	if (bytes == NULL || length < 24) {
		say("%s: %s", label, bytes == NULL ? "no file" : length == 0 ? "empty" : "no header");
		return;
	}
	end = walk_packets(&census, bytes, length);
	for (unsigned i = 0; i < census.highest; i++)
		missing += !census.seen[i];
	say("%s: %u packets, twice=%u, missing=%u, wrong=%u, ends %s", label, census.packets, census.twice, missing, census.wrong,
	    end == length ? "whole" : "in a packet");
	free(bytes);
	free(census.seen);
}

void write_bytes(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length || close(fd) < 0)
		give_up("cannot write %s", path);
}

void say_child(const char *label, pid_t child)
{
	int status = 0;

	if (child < 0 || waitpid(child, &status, 0) != child)
		give_up("no child");
	if (WIFSIGNALED(status))
		say("%s: signal %d", label, WTERMSIG(status));
	else
		say("%s: exit %d", label, WEXITSTATUS(status));
}

unsigned open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}
