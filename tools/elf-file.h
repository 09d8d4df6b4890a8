/* SPDX-License-Identifier: BSD-3-Clause */
/* What an ELF file says about how it will be loaded. Reads files that may be hostile: every offset is checked against the file's size. */
#ifndef NETRING_ELF_FILE_H
#define NETRING_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* A file mapped for reading. Closed state: image NULL. */
struct elf {
	const unsigned char *image;
	size_t size;
};

/* -ENOEXEC if it is not an ELF file; else -errno. Closed state on failure. */
int elf_open(struct elf *elf, const char *path, struct netring_error *error);
void elf_close(struct elf *elf);

/* Class, byte order and machine are the same: the one can be loaded into a process of the other. */
bool elf_same_machine(const struct elf *a, const struct elf *b);

/* "64-bit x86-64", "32-bit machine 40": for sentences. Into buffer; returns buffer. */
const char *elf_describe_machine(const struct elf *elf, char *buffer, size_t size);

/* The functions below understand files of netring's own class and byte order; they find nothing in others. Strings point into the image. */

/* The dynamic loader that the file asks for; NULL: none, so it is static, or a library. */
const char *elf_interpreter(const struct elf *elf);

/* The index-th name in DT_NEEDED, NULL after the last. */
const char *elf_needed(const struct elf *elf, size_t index);

/* DT_RUNPATH, or else DT_RPATH, or NULL. */
const char *elf_run_path(const struct elf *elf);

/* The text occurs in what is loaded read-only: string constants live there, and so do names for dlopen. */
bool elf_mentions(const struct elf *elf, const char *text);

#endif
