/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program of a fanout group: built in, read from text (classic BPF), loaded from an object file or taken from a pin (eBPF).
 *
 * libbpf prints, and can be told not to for the whole process only; while a program is loaded, messages of the caller's own use of libbpf in other
 * threads are lost too.
 */
#include "fanout-program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bpf-run.h"
#include "fanout-builtin.h"
#include "libbpf.h"
#include "verifier-log.h"

void fanout_program_init(struct fanout_program *program)
{
	program->cbpf = NULL;
	program->length = 0;
	program->fd = -1;
}

void fanout_program_close(struct fanout_program *program)
{
	free(program->cbpf);
	if (program->fd >= 0)
		close(program->fd);
	fanout_program_init(program);
}

static int open_builtin(struct fanout_program *program, enum netring_fanout_mode mode, struct netring_error *error)
{
	struct sock_filter *made = calloc(FANOUT_BUILTIN_MAX, sizeof(*made));

	if (!made)
		return error_errno(error, ENOMEM, "fanout program");
	program->cbpf = made;
	program->length = fanout_builtin_make(made, mode);
	return 0;
}

/* Classic BPF as text */

struct listing {
	FILE *file;
	const char *path;
	unsigned line; /* number of the one read last */
	char text[128];
};

/* 1: the next line is there, without its newline; 0: there is none. */
static int next_line(struct listing *listing, struct netring_error *error)
{
	size_t length;

	if (!fgets(listing->text, sizeof(listing->text), listing->file)) {
		if (ferror(listing->file))
			return error_errno(error, errno, "%s", listing->path);
		return 0;
	}
	listing->line++;
	length = strlen(listing->text);
	if (length && listing->text[length - 1] == '\n')
		listing->text[--length] = '\0';
	else if (!feof(listing->file))
		return error_set(error, EINVAL, "%s: line %u is too long for an instruction", listing->path, listing->line);
	return 1;
}

/* Decimal digits up to end, and no more than max. NULL if it is something else; else what is behind them and their end. */
static const char *parse_number(const char *text, char end, unsigned long max, unsigned long *value)
{
	unsigned long number = 0;

	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (unsigned long)(*text - '0');
		if (number > max)
			return NULL;
	}
	if (*text != end)
		return NULL;
	*value = number;
	return end ? text + 1 : text;
}

static bool parse_instruction(struct sock_filter *insn, const char *text)
{
	unsigned long code, jt, jf, k;

	if (!(text = parse_number(text, ' ', UINT16_MAX, &code)) || !(text = parse_number(text, ' ', UINT8_MAX, &jt)) ||
	    !(text = parse_number(text, ' ', UINT8_MAX, &jf)) || !parse_number(text, '\0', UINT32_MAX, &k))
		return false;
	*insn = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, (uint32_t)k };
	return true;
}

static int read_count(struct listing *listing, unsigned *count, struct netring_error *error)
{
	unsigned long number;
	int ret = next_line(listing, error);

	if (ret < 0)
		return ret;
	if (ret == 0)
		return error_set(error, EINVAL, "%s is empty: wanted is a program as tcpdump -ddd prints it", listing->path);
	if (!parse_number(listing->text, '\0', BPF_MAXINSNS, &number) || number == 0)
		return error_set(error, EINVAL, "%s: line 1 is '%s' and not the number of instructions, 1 to %d, as tcpdump -ddd prints it",
				 listing->path, listing->text, BPF_MAXINSNS);
	*count = (unsigned)number;
	return 0;
}

static int read_instructions(struct listing *listing, struct sock_filter *insns, unsigned count, struct netring_error *error)
{
	int ret;

	for (unsigned i = 0; i < count; i++) {
		ret = next_line(listing, error);
		if (ret < 0)
			return ret;
		if (ret == 0)
			return error_set(error, EINVAL, "%s ends behind line %u: line 1 promises %u instructions", listing->path, listing->line,
					 count);
		if (!parse_instruction(&insns[i], listing->text))
			return error_set(error, EINVAL, "%s: line %u is '%s' and not an instruction: code, jt, jf, k, with a space between",
					 listing->path, listing->line, listing->text);
	}
	ret = next_line(listing, error);
	if (ret > 0)
		return error_set(error, EINVAL, "%s: line %u is one too many: line 1 promises %u instructions", listing->path, listing->line, count);
	return ret;
}

static int read_listing(struct fanout_program *program, struct listing *listing, struct netring_error *error)
{
	unsigned count = 0;
	int ret = read_count(listing, &count, error);

	if (ret < 0)
		return ret;
	program->cbpf = calloc(count, sizeof(*program->cbpf));
	if (!program->cbpf)
		return error_errno(error, ENOMEM, "%s", listing->path);
	program->length = count;
	ret = read_instructions(listing, program->cbpf, count, error);
	if (ret == 0 && !bpf_is_valid(program->cbpf, count))
		return error_set(error, EINVAL,
				 "%s is no valid program: an unknown instruction, a jump out of the program, or an end that does not return",
				 listing->path);
	return ret;
}

static int open_cbpf(struct fanout_program *program, const char *path, struct netring_error *error)
{
	FILE *file = fopen(path, "re");
	struct listing listing = { .file = file, .path = path };
	int ret;

	if (!file)
		return error_errno(error, errno, "fanout program %s", path);
	ret = read_listing(program, &listing, error);
	fclose(file);
	return ret;
}

/* eBPF */

/* An object file while it is read. */
struct object_file {
	const struct libbpf *bpf;
	struct bpf_object *object;
	const char *path;
	char *log; /* the verifier's */
};

static int print_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* The one that is called fanout, or in a section socket/fanout, else the first. */
static struct bpf_program *choose(const struct object_file *file)
{
	const struct libbpf *bpf = file->bpf;
	struct bpf_program *program = NULL, *chosen = NULL;

	while ((program = bpf->bpf_object__next_program(file->object, program))) {
		if (strcmp(bpf->bpf_program__name(program), "fanout") == 0 || strcmp(bpf->bpf_program__section_name(program), "socket/fanout") == 0)
			return program;
		if (!chosen)
			chosen = program;
	}
	return chosen;
}

static int prepare_object(const struct object_file *file, struct bpf_program **chosen, struct netring_error *error)
{
	const struct libbpf *bpf = file->bpf;
	struct bpf_program *program = choose(file), *other = NULL;
	const char *type;

	if (!program)
		return error_set(error, EINVAL, "fanout program %s: there is no program in it", file->path);
	if (bpf->bpf_program__type(program) == BPF_PROG_TYPE_UNSPEC)
		bpf->bpf_program__set_type(program, BPF_PROG_TYPE_SOCKET_FILTER);
	if (bpf->bpf_program__type(program) != BPF_PROG_TYPE_SOCKET_FILTER) {
		type = bpf->libbpf_bpf_prog_type_str(bpf->bpf_program__type(program));
		return error_set(error, EINVAL, "fanout program %s: %s is of type %s; wanted is socket_filter (SEC(\"socket\"))", file->path,
				 bpf->bpf_program__name(program), type ? type : "unknown");
	}
	while ((other = bpf->bpf_object__next_program(file->object, other)))
		bpf->bpf_program__set_autoload(other, other == program);
	*chosen = program;
	return 0;
}

static int load_object(const struct object_file *file, int *fd, struct netring_error *error)
{
	const struct libbpf *bpf = file->bpf;
	struct bpf_program *program = NULL;
	const char *words;
	int ret = prepare_object(file, &program, error);

	if (ret < 0)
		return ret;
	ret = bpf->bpf_object__load(file->object);
	if (ret < 0) {
		words = verifier_log_last_words(file->log);
		if (words)
			/* It says EACCES of a bad program: that is not what a program takes for a missing privilege. */
			return error_set(error, EINVAL, "fanout program %s: the verifier refused %s: %.300s", file->path,
					 bpf->bpf_program__name(program), words);
		return error_errno(error, -ret < 4000 ? -ret : EINVAL, "fanout program %s: loading %s failed", file->path,
				   bpf->bpf_program__name(program));
	}
	*fd = fcntl(bpf->bpf_program__fd(program), F_DUPFD_CLOEXEC, 3);
	if (*fd < 0)
		return error_errno(error, errno, "fanout program %s", file->path);
	return 0;
}

static int open_object(const struct libbpf *bpf, int *fd, const char *path, struct netring_error *error)
{
	char *log = malloc(VERIFIER_LOG_SIZE);
	const struct bpf_object_open_opts options = { .sz = sizeof(options), .kernel_log_buf = log, .kernel_log_size = VERIFIER_LOG_SIZE };
	struct object_file file = { .bpf = bpf, .path = path, .log = log };
	libbpf_print_fn_t print;
	int ret;

	if (!log)
		return error_errno(error, ENOMEM, "fanout program %s", path);
	log[0] = '\0';
	print = bpf->libbpf_set_print(print_nothing);
	file.object = bpf->bpf_object__open_file(path, &options);
	if (file.object)
		ret = load_object(&file, fd, error);
	else
		ret = error_set(error, EINVAL, "fanout program %s: it is an ELF file, but not one with eBPF in it that libbpf %s can read", path,
				bpf->libbpf_version_string());
	bpf->bpf_object__close(file.object);
	bpf->libbpf_set_print(print);
	free(log);
	return ret;
}

/* A map or a link may be pinned as well. Without /proc the kernel says so, later and less clearly. */
static bool is_program(int fd)
{
	char path[32], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return true;
	target[length] = '\0';
	return strcmp(target, "anon_inode:bpf-prog") == 0;
}

static int open_pin(const struct libbpf *bpf, int *fd, const char *path, struct netring_error *error)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	const char *type;
	int pinned = bpf->bpf_obj_get(path);

	if (pinned < 0)
		return error_errno(error, errno, "fanout program %s", path);
	if (!is_program(pinned)) {
		close(pinned);
		return error_set(error, EINVAL, "fanout program %s: what is pinned there is no program", path);
	}
	if (bpf->bpf_obj_get_info_by_fd(pinned, &info, &size) == 0 && info.type != BPF_PROG_TYPE_SOCKET_FILTER) {
		close(pinned);
		type = bpf->libbpf_bpf_prog_type_str(info.type);
		return error_set(error, EINVAL, "fanout program %s: the pinned program is of type %s; wanted is socket_filter", path,
				 type ? type : "unknown");
	}
	*fd = pinned;
	return 0;
}

/* -EINVAL: it does not begin as an ELF file does. */
static int expect_elf(const char *path, struct netring_error *error)
{
	char magic[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return error_errno(error, errno, "fanout program %s", path);
	if (read(fd, magic, sizeof(magic)) < 0)
		ret = error_errno(error, errno, "fanout program %s", path);
	else if (memcmp(magic, "\177ELF", sizeof(magic)) != 0)
		ret = error_set(error, EINVAL, "fanout program %s: it is neither an ELF object file nor pinned on a BPF file system", path);
	close(fd);
	return ret;
}

static int open_ebpf(int *fd, const char *path, struct netring_error *error)
{
	const struct libbpf *bpf = NULL;
	struct statfs system;
	bool pinned;
	int ret;

	if (statfs(path, &system) < 0)
		return error_errno(error, errno, "fanout program %s", path);
	pinned = (uint32_t)system.f_type == BPF_FS_MAGIC;
	if (!pinned) {
		ret = expect_elf(path, error);
		if (ret < 0)
			return ret;
	}
	ret = libbpf_load(&bpf, error);
	if (ret < 0)
		return ret;
	return pinned ? open_pin(bpf, fd, path, error) : open_object(bpf, fd, path, error);
}

/* FNV-1a */
static uint32_t digest(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint32_t sum = UINT32_C(2166136261);

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ byte[i]) * UINT32_C(16777619);
	return sum;
}

/* Of an eBPF program its tag, by which the kernel itself tells programs apart. */
static uint32_t find_fingerprint(const struct fanout_program *program)
{
	const struct libbpf *bpf;
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (program->cbpf)
		return digest(program->cbpf, program->length * sizeof(*program->cbpf));
	if (program->fd < 0 || libbpf_load(&bpf, NULL) < 0 || bpf->bpf_obj_get_info_by_fd(program->fd, &info, &size) < 0)
		return 0;
	return digest(info.tag, sizeof(info.tag));
}

int fanout_program_open(struct fanout_program *program, enum netring_fanout_mode mode, const char *path, struct netring_error *error)
{
	int ret;

	fanout_program_init(program);
	switch (mode) {
	case NETRING_FANOUT_SYMMETRIC:
	case NETRING_FANOUT_INNER:
		ret = open_builtin(program, mode, error);
		break;
	case NETRING_FANOUT_CBPF:
		ret = open_cbpf(program, path, error);
		break;
	case NETRING_FANOUT_EBPF:
		ret = open_ebpf(&program->fd, path, error);
		break;
	default:
		return 0;
	}
	if (ret < 0)
		fanout_program_close(program);
	else
		program->fingerprint = find_fingerprint(program);
	return ret;
}

int fanout_program_install(const struct fanout_program *program, int fd, struct netring_error *error)
{
	struct sock_fprog classic = { .len = (unsigned short)program->length, .filter = program->cbpf };
	int ret = 0;

	if (program->cbpf)
		ret = setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &classic, sizeof(classic));
	else if (program->fd >= 0)
		ret = setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program->fd, sizeof(program->fd));
	if (ret < 0)
		return error_errno(error, errno, "setsockopt (PACKET_FANOUT_DATA): the kernel refused the fanout program");
	return 0;
}
