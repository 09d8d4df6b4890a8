/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading one ELF file. */
#define _GNU_SOURCE 1 /* memmem */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf-file.h"

#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define NATIVE_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

/* e_machine has the same place in both classes. */
#define MACHINE_OFFSET offsetof(Elf32_Ehdr, e_machine)

static int map_file(struct elf *elf, int fd, const char *path, struct netring_error *error)
{
	struct stat status;
	void *image;

	if (fstat(fd, &status) != 0)
		return error_errno(error, errno, "cannot read %s", path);
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf32_Ehdr))
		return error_set(error, ENOEXEC, "%s is not an ELF file", path);
	image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return error_errno(error, errno, "cannot map %s", path);
	elf->image = image;
	elf->size = (size_t)status.st_size;
	if (memcmp(elf->image, ELFMAG, SELFMAG) == 0)
		return 0;
	elf_close(elf);
	return error_set(error, ENOEXEC, "%s is not an ELF file", path);
}

int elf_open(struct elf *elf, const char *path, struct netring_error *error)
{
	int fd, result;

	*elf = (struct elf){ NULL, 0 };
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_errno(error, errno, "cannot read %s", path);
	result = map_file(elf, fd, path, error);
	close(fd);
	return result;
}

void elf_close(struct elf *elf)
{
	if (elf->image)
		munmap((void *)elf->image, elf->size);
	*elf = (struct elf){ NULL, 0 };
}

static uint16_t machine(const struct elf *elf)
{
	uint16_t value;

	memcpy(&value, elf->image + MACHINE_OFFSET, sizeof(value));
	return elf->image[EI_DATA] == NATIVE_DATA ? value : __builtin_bswap16(value);
}

bool elf_same_machine(const struct elf *a, const struct elf *b)
{
	return a->image[EI_CLASS] == b->image[EI_CLASS] && a->image[EI_DATA] == b->image[EI_DATA] && machine(a) == machine(b);
}

const char *elf_describe_machine(const struct elf *elf, char *buffer, size_t size)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {
		{ EM_386, "i386" },	{ EM_X86_64, "x86-64" },   { EM_ARM, "ARM" },	 { EM_AARCH64, "AArch64" },
		{ EM_RISCV, "RISC-V" }, { EM_PPC64, "PowerPC64" }, { EM_S390, "S/390" }, { EM_MIPS, "MIPS" },
	};
	const char *bits = elf->image[EI_CLASS] == ELFCLASS64 ? "64-bit" : "32-bit";

	snprintf(buffer, size, "%s machine %u", bits, machine(elf));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine(elf))
			snprintf(buffer, size, "%s %s", bits, names[i].name);
	return buffer;
}

/* length bytes of the file at offset, or NULL if they are not all inside. */
static const void *bytes_at(const struct elf *elf, uint64_t offset, uint64_t length)
{
	if (offset > elf->size || length > elf->size - offset)
		return NULL;
	return elf->image + offset;
}

/* A string that ends before limit, or NULL. */
static const char *string_at(const struct elf *elf, uint64_t offset, uint64_t limit)
{
	const char *string = limit > offset ? bytes_at(elf, offset, limit - offset) : NULL;

	return string && memchr(string, '\0', limit - offset) ? string : NULL;
}

/* Copies out the index-th program header, which need not be aligned in the file. */
static bool program_header(const struct elf *elf, size_t index, ElfW(Phdr) *header)
{
	const ElfW(Ehdr) *start = bytes_at(elf, 0, sizeof(*start));
	ElfW(Ehdr) head;
	const void *place;

	if (!start || elf->image[EI_CLASS] != NATIVE_CLASS || elf->image[EI_DATA] != NATIVE_DATA)
		return false;
	memcpy(&head, start, sizeof(head));
	if (index >= head.e_phnum || head.e_phentsize != sizeof(*header) || head.e_phoff > elf->size)
		return false;
	place = bytes_at(elf, head.e_phoff + index * sizeof(*header), sizeof(*header));
	if (place)
		memcpy(header, place, sizeof(*header));
	return place != NULL;
}

static bool find_program_header(const struct elf *elf, uint32_t type, ElfW(Phdr) *header)
{
	for (size_t i = 0; program_header(elf, i, header); i++)
		if (header->p_type == type)
			return true;
	return false;
}

const char *elf_interpreter(const struct elf *elf)
{
	ElfW(Phdr) header;

	if (!find_program_header(elf, PT_INTERP, &header) || header.p_offset > elf->size || header.p_filesz > elf->size)
		return NULL;
	return string_at(elf, header.p_offset, header.p_offset + header.p_filesz);
}

/* Where in the file an address of the loaded image comes from; file size if nowhere. */
static uint64_t file_offset(const struct elf *elf, uint64_t address)
{
	ElfW(Phdr) header;

	for (size_t i = 0; program_header(elf, i, &header); i++)
		if (header.p_type == PT_LOAD && address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz)
			return address - header.p_vaddr + header.p_offset;
	return elf->size;
}

/* The value of the index-th dynamic entry with this tag. */
static bool dynamic_entry(const struct elf *elf, int64_t tag, size_t index, uint64_t *value)
{
	ElfW(Phdr) header;
	ElfW(Dyn) entry;

	if (!find_program_header(elf, PT_DYNAMIC, &header))
		return false;
	for (uint64_t at = 0; at + sizeof(entry) <= header.p_filesz; at += sizeof(entry)) {
		const void *place = header.p_offset <= elf->size ? bytes_at(elf, header.p_offset + at, sizeof(entry)) : NULL;

		if (!place)
			return false;
		memcpy(&entry, place, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == tag && index-- == 0) {
			*value = entry.d_un.d_val;
			return true;
		}
	}
	return false;
}

static const char *dynamic_string(const struct elf *elf, int64_t tag, size_t index)
{
	uint64_t offset, table, table_size;

	if (!dynamic_entry(elf, tag, index, &offset) || !dynamic_entry(elf, DT_STRTAB, 0, &table) || !dynamic_entry(elf, DT_STRSZ, 0, &table_size))
		return NULL;
	table = file_offset(elf, table);
	if (table_size > elf->size || offset >= table_size)
		return NULL;
	return string_at(elf, table + offset, table + table_size);
}

const char *elf_needed(const struct elf *elf, size_t index)
{
	return dynamic_string(elf, DT_NEEDED, index);
}

const char *elf_run_path(const struct elf *elf)
{
	const char *path = dynamic_string(elf, DT_RUNPATH, 0);

	return path ? path : dynamic_string(elf, DT_RPATH, 0);
}

bool elf_mentions(const struct elf *elf, const char *text)
{
	ElfW(Phdr) header;

	for (size_t i = 0; program_header(elf, i, &header); i++) {
		const void *segment;

		if (header.p_type != PT_LOAD || header.p_flags & PF_W)
			continue;
		segment = bytes_at(elf, header.p_offset, header.p_filesz);
		if (segment && memmem(segment, header.p_filesz, text, strlen(text)))
			return true;
	}
	return false;
}
