/* SPDX-License-Identifier: BSD-3-Clause */
/* Random sequences of everything a program may call, the same in each run of a seed, in every mode of the writer. */
#include "probe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT "out.pcap"
#define STEPS 1000

static uint64_t state;
static uint64_t answers; /* what the calls returned */

static unsigned draw(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

static void note(long long answer)
{
	answers = answers * 1099511628211u + (uint64_t)answer;
}

static unsigned draw_length(void)
{
	static const unsigned bounds[] = { 60, 100, 1514, 1514, 9000, 65536, MAX_PACKET };

	return draw(bounds[draw(sizeof(bounds) / sizeof(bounds[0]))] + 1);
}

static void write_text(FILE *file)
{
	static char text[10000];

	memset(text, 't', sizeof(text));
	note((long long)fwrite(text, 1, draw(sizeof(text)), file));
}

static void move(FILE *file)
{
	note(fseek(file, (long)draw(100000), SEEK_SET));
	if (draw(2))
		write_text(file);
	note(ftell(file));
	note(fseek(file, 0, SEEK_END));
}

static pcap_dumper_t *begin_again(pcap_dumper_t *dumper, pcap_t *p)
{
	pcap_dump_close(dumper);
	dumper = pcap_dump_open_append(p, OUT);
	if (dumper == NULL)
		give_up("append: %s", pcap_geterr(p));
	return dumper;
}

static void look(void)
{
	static char bytes[65536];
	int fd = open(OUT, O_RDONLY);
	ssize_t n = pread(fd, bytes, sizeof(bytes), lseek(fd, 0, SEEK_END) / 2);

	note(lseek(fd, 0, SEEK_END));
	note((long long)fingerprint(bytes, (size_t)n));
	close(fd);
}

static pcap_dumper_t *step(pcap_dumper_t *dumper, pcap_t *p)
{
	switch (draw(80)) {
	case 0:
	case 1:
	case 2:
		note(pcap_dump_flush(dumper));
		look();
		return dumper;
	case 3:
		note(fflush(pcap_dump_file(dumper)));
		look();
		return dumper;
	case 4:
	case 5:
	case 6:
	case 7:
		write_text(pcap_dump_file(dumper));
		return dumper;
	case 8:
		move(pcap_dump_file(dumper));
		return dumper;
	case 9:
		return draw(10) ? dumper : begin_again(dumper, p);
	case 10:
	case 11:
		note(ftell(pcap_dump_file(dumper)));
		return dumper;
	case 12:
	case 13:
		note(pcap_dump_ftell64(dumper));
		return dumper;
	default:
		dump_packets(dumper, draw(1000), draw(20), draw_length());
		return dumper;
	}
}

static void walk(int seed)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = open_dump(p, OUT);

	state = (uint64_t)seed;
	for (unsigned i = 0; i < STEPS; i++) {
		dumper = step(dumper, p);
		if (i % (STEPS / 5) == 0)
			say("%016llx", (unsigned long long)answers);
	}
	say("%016llx", (unsigned long long)answers);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
	forget_warnings("O_DIRECT");
}

const struct test_case walk_cases[] = {
	{ "walk 1", walk, 1, EVERYWHERE, NULL },
	{ "walk 2", walk, 2, EVERYWHERE, NULL },
	{ "walk 3", walk, 3, EVERYWHERE, "NETRING_DUMP=direct" },
	{ "walk 4", walk, 4, EVERYWHERE, "NETRING_DUMP=cached" },
	{ "walk 5", walk, 5, EVERYWHERE, "NETRING_DUMP=stdio" },
	{ "walk 6", walk, 6, EVERYWHERE, "NETRING_DUMP_BUFFER=4M" },
	{ "walk 7", walk, 7, EVERYWHERE, "NETRING_DUMP_BUFFER=64M" },
	{ NULL, NULL, 0, 0, NULL },
};
