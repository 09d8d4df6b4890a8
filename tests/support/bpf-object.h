/* SPDX-License-Identifier: BSD-3-Clause */
/* A minimal eBPF object file, as clang would make it from one function, for tests: without clang. */
#ifndef NETRING_TEST_BPF_OBJECT_H
#define NETRING_TEST_BPF_OBJECT_H

#include <check.h>
#include <elf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

struct bpf_object_file {
	Elf64_Ehdr header;
	struct bpf_insn insns[8];
	char license[8];
	Elf64_Sym symbols[2];
	char strings[96];
	Elf64_Shdr sections[5];
};

static inline unsigned add_string(struct bpf_object_file *object, unsigned *used, const char *text)
{
	unsigned at = *used;

	strcpy(object->strings + at, text);
	*used += (unsigned)strlen(text) + 1;
	return at;
}

/* section NULL: an object without a program. */
static inline void write_bpf_object(const char *path, const char *section, const char *function, const struct bpf_insn *insns, unsigned count)
{
	struct bpf_object_file object = { .license = "GPL" };
	unsigned used = 1, names[5] = { 0 };
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_le(count, 8);
	memcpy(object.insns, insns, count * sizeof(*insns));
	names[1] = add_string(&object, &used, section ? section : ".comment");
	names[2] = add_string(&object, &used, "license");
	names[3] = add_string(&object, &used, ".symtab");
	names[4] = add_string(&object, &used, ".strtab");
	object.symbols[1] = (Elf64_Sym){ .st_name = add_string(&object, &used, function),
					 .st_info = ELF64_ST_INFO(STB_GLOBAL, section ? STT_FUNC : STT_OBJECT),
					 .st_shndx = 1,
					 .st_size = count * sizeof(*insns) };
	object.sections[1] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
					   .sh_flags = section ? SHF_ALLOC | SHF_EXECINSTR : 0,
					   .sh_offset = offsetof(struct bpf_object_file, insns),
					   .sh_size = count * sizeof(*insns),
					   .sh_addralign = 8 };
	object.sections[2] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
					   .sh_flags = SHF_ALLOC | SHF_WRITE,
					   .sh_offset = offsetof(struct bpf_object_file, license),
					   .sh_size = 4,
					   .sh_addralign = 1 };
	object.sections[3] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
					   .sh_offset = offsetof(struct bpf_object_file, symbols),
					   .sh_size = sizeof(object.symbols),
					   .sh_link = 4,
					   .sh_info = 1,
					   .sh_addralign = 8,
					   .sh_entsize = sizeof(Elf64_Sym) };
	object.sections[4] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
					   .sh_offset = offsetof(struct bpf_object_file, strings),
					   .sh_size = sizeof(object.strings),
					   .sh_addralign = 1 };
	for (int i = 1; i < 5; i++)
		object.sections[i].sh_name = names[i];
	memcpy(object.header.e_ident, ELFMAG, SELFMAG);
	object.header.e_ident[EI_CLASS] = ELFCLASS64;
	object.header.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	object.header.e_ident[EI_VERSION] = EV_CURRENT;
	object.header.e_type = ET_REL;
	object.header.e_machine = EM_BPF;
	object.header.e_version = EV_CURRENT;
	object.header.e_shoff = offsetof(struct bpf_object_file, sections);
	object.header.e_ehsize = sizeof(Elf64_Ehdr);
	object.header.e_shentsize = sizeof(Elf64_Shdr);
	object.header.e_shnum = 5;
	object.header.e_shstrndx = 4;
	ck_assert_uint_eq(fwrite(&object, sizeof(object), 1, file), 1);
	ck_assert_int_eq(fclose(file), 0);
}

/* r0 = value; exit */
#define BPF_RETURN(value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = (value) }, { .code = BPF_JMP | BPF_EXIT }

#endif
