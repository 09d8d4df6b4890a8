/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A walk over a program's libraries, as the loader would make it but without running anything. Left out, because it decides only which of two
 * builds of the same library is taken: the hwcaps folders, and the run paths of a library's ancestors.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf-file.h"
#include "library-search.h"

/* libpcap.so, libpcap.so.0.8, libpcap.so.1 */
#define LIBPCAP "libpcap.so"

#define CACHE_PATH "/etc/ld.so.cache"
#define CACHE_MAGIC "glibc-ld.so.cache1.1"

/* More libraries than any program here has; a chain that is longer is cut. */
#define LIBRARIES_MAX 1024

/* The file format of glibc 2.2 and later; key and value are offsets of strings from the start of the header. */
struct cache_header {
	char magic[20];
	uint32_t count;
	uint32_t strings_size;
	uint32_t unused[5];
};

struct cache_entry {
	int32_t flags;
	uint32_t key;
	uint32_t value;
	uint32_t os_version;
	uint64_t hwcap;
};

static bool is_usable(const struct elf *loader, const char *path)
{
	struct elf library;
	bool usable;

	if (elf_open(&library, path, NULL) < 0)
		return false;
	usable = elf_same_machine(loader, &library);
	elf_close(&library);
	return usable;
}

/* $ORIGIN at the beginning, which is the only place where people put it. */
static void expand_origin(const char *folder, int length, const char *loader_path, char *out, size_t size)
{
	static const char *const names[] = { "$ORIGIN", "${ORIGIN}" };
	char copy[PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		size_t name_length = strlen(names[i]);

		if (strncmp(folder, names[i], name_length) != 0)
			continue;
		snprintf(copy, sizeof(copy), "%s", loader_path);
		snprintf(out, size, "%s%.*s", dirname(copy), length - (int)name_length, folder + name_length);
		return;
	}
	snprintf(out, size, "%.*s", length, folder);
}

static bool find_in_folders(const struct elf *loader, const char *loader_path, const char *folders, const char *name, char *path, size_t size)
{
	char folder[PATH_MAX];

	while (folders && *folders) {
		size_t length = strcspn(folders, ":;");

		expand_origin(folders, (int)length, loader_path, folder, sizeof(folder));
		if ((size_t)snprintf(path, size, "%s/%s", length ? folder : ".", name) < size && is_usable(loader, path))
			return true;
		folders += length;
		folders += *folders != '\0';
	}
	return false;
}

static const char *cache_string(const char *start, size_t size, uint32_t offset)
{
	return offset < size && memchr(start + offset, '\0', size - offset) ? start + offset : NULL;
}

static bool search_cache(const char *start, size_t size, const struct elf *loader, const char *name, char *path, size_t path_size)
{
	struct cache_header header;
	struct cache_entry entry;

	if (size < sizeof(header))
		return false;
	memcpy(&header, start, sizeof(header));
	if (header.count > (size - sizeof(header)) / sizeof(entry))
		return false;
	for (uint32_t i = 0; i < header.count; i++) {
		const char *key, *value;

		memcpy(&entry, start + sizeof(header) + i * sizeof(entry), sizeof(entry));
		key = cache_string(start, size, entry.key);
		value = cache_string(start, size, entry.value);
		if (key && value && strcmp(key, name) == 0 && is_usable(loader, value))
			return (size_t)snprintf(path, path_size, "%s", value) < path_size;
	}
	return false;
}

static bool find_in_cache(const struct elf *loader, const char *name, char *path, size_t size)
{
	int fd = open(CACHE_PATH, O_RDONLY | O_CLOEXEC);
	struct stat status;
	const char *image, *start;
	bool found = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) == 0 && status.st_size > 0) {
		image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		/* An older format may stand before it in the file. */
		start = image != MAP_FAILED ? memmem(image, (size_t)status.st_size, CACHE_MAGIC, strlen(CACHE_MAGIC)) : NULL;
		if (start)
			found = search_cache(start, (size_t)(image + status.st_size - start), loader, name, path, size);
		if (image != MAP_FAILED)
			munmap((void *)image, (size_t)status.st_size);
	}
	close(fd);
	return found;
}

/* loader is the open file at loader_path that needs name. True: path is a file of the same machine. */
static bool find_library(const struct elf *loader, const char *loader_path, const char *name, char *path, size_t size)
{
	if (strchr(name, '/'))
		return (size_t)snprintf(path, size, "%s", name) < size && is_usable(loader, path);
	return find_in_folders(loader, loader_path, elf_run_path(loader), name, path, size) ||
	       find_in_folders(loader, loader_path, getenv("LD_LIBRARY_PATH"), name, path, size) || find_in_cache(loader, name, path, size) ||
	       find_in_folders(loader, loader_path, "/lib64:/usr/lib64:/lib:/usr/lib", name, path, size);
}

/* The names already seen; a library is known to the loader by the name that asks for it. */
struct walk {
	char *paths[LIBRARIES_MAX];
	char *names[LIBRARIES_MAX];
	size_t count;
	char libpcap[PATH_MAX]; /* where it was found; empty: not yet */
};

static void walk_add(struct walk *walk, const char *name, const char *path)
{
	if (walk->count == LIBRARIES_MAX)
		return;
	walk->names[walk->count] = strdup(name);
	walk->paths[walk->count] = strdup(path);
	if (walk->names[walk->count] && walk->paths[walk->count])
		walk->count++;
}

static bool walk_knows(const struct walk *walk, const char *name)
{
	for (size_t i = 0; i < walk->count; i++)
		if (strcmp(walk->names[i], name) == 0)
			return true;
	return false;
}

/* True if this file itself settles it; else its libraries join the walk. */
static bool visit(struct walk *walk, const char *path)
{
	char found[PATH_MAX];
	struct elf elf;
	const char *name;
	bool uses = false;

	if (elf_open(&elf, path, NULL) < 0)
		return false;
	for (size_t i = 0; !uses && (name = elf_needed(&elf, i)); i++)
		if (strncmp(name, LIBPCAP, strlen(LIBPCAP)) == 0) {
			uses = true;
			if (!find_library(&elf, path, name, walk->libpcap, sizeof(walk->libpcap)))
				walk->libpcap[0] = '\0';
		} else if (!walk_knows(walk, name) && find_library(&elf, path, name, found, sizeof(found)))
			walk_add(walk, name, found);
	/* The name that it needs is among what it mentions, so this comes second. */
	uses = uses || elf_mentions(&elf, LIBPCAP);
	elf_close(&elf);
	return uses;
}

bool library_search_uses_libpcap(const char *path)
{
	char library[PATH_MAX];

	return library_search_find_libpcap(path, library, sizeof(library));
}

bool library_search_find_libpcap(const char *path, char *library, size_t size)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	bool uses = false;

	library[0] = '\0';
	if (!walk)
		return false;
	walk_add(walk, path, path);
	for (size_t i = 0; i < walk->count && !uses; i++)
		uses = visit(walk, walk->paths[i]);
	snprintf(library, size, "%s", walk->libpcap);
	for (size_t i = 0; i < walk->count; i++) {
		free(walk->names[i]);
		free(walk->paths[i]);
	}
	free(walk);
	return uses;
}
