/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading savefiles.
 *
 * libpcap reads them through a FILE. A large file gets a larger buffer than stdio's 4 KiB. What is no file may be silent for long, as in "ssh host
 * tcpdump -w - | tcpdump -r - -w x.pcap"; its reader then sleeps in the middle of stdio, so stdio reads it through a function of ours, which knows, and which keeps nothing for itself.
 */
#include "savefile-input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump.h"
#include "pages.h"

#define LARGE_FILE (1 << 20)
#define LARGE_BUFFER ((size_t)256 << 10)

/* Takes what the stream below has, which reads ahead as far as it would without us: standard input is the program's again when the handle is closed. */
static ssize_t input_read(void *cookie, char *data, size_t size)
{
	FILE *savefile = cookie;
	size_t ahead = (size_t)(savefile->_IO_read_end - savefile->_IO_read_ptr);
	int byte;

	if (ahead == 0) {
		dump_before_sleep();
		byte = getc(savefile);
		if (byte == EOF)
			return ferror(savefile) ? -1 : 0;
		ungetc(byte, savefile);
		ahead = (size_t)(savefile->_IO_read_end - savefile->_IO_read_ptr);
	}
	return (ssize_t)fread(data, 1, ahead < size ? ahead : size, savefile);
}

static int input_close(void *cookie)
{
	return cookie == stdin ? 0 : fclose(cookie);
}

FILE *savefile_input_wrap(FILE *savefile)
{
	static const cookie_io_functions_t functions = { .read = input_read, .close = input_close };
	struct stat status;
	FILE *stream;

	if (fstat(fileno(savefile), &status) < 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
		return NULL;
	stream = fopencookie(savefile, "r", functions);
	if (!stream)
		return NULL;
	stream->_fileno = fileno(savefile);
	setvbuf(stream, NULL, _IONBF, 0);
	return stream;
}

void *savefile_input_enlarge(FILE *savefile)
{
	struct stat status;
	void *buffer;

	if (fstat(fileno(savefile), &status) < 0 || !S_ISREG(status.st_mode) || status.st_size < LARGE_FILE)
		return NULL;
	buffer = pages_allocate(LARGE_BUFFER);
	if (buffer && setvbuf(savefile, buffer, _IOFBF, LARGE_BUFFER) != 0) {
		savefile_input_free(buffer);
		return NULL;
	}
	return buffer;
}

void savefile_input_free(void *buffer)
{
	pages_free(buffer, LARGE_BUFFER);
}
