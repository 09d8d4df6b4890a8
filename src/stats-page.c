/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making the page of counters and giving out places on it. See stats-page.h for the layout and for who writes when.
 *
 * What a process knows of its page is in memory that a forked child finds empty (MADV_WIPEONFORK), the lock included: so a child's first capture makes
 * a page of its own, and a child that goes on with its parent's capture notices. The list of free places is there too, and not on the page, where a
 * child could get it wrong. In a sandbox there is no madvise, but a handler of fork.
 */
#include "stats-page.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cancellation.h"
#include "compiler.h"
#include "self-status.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define WORD_BITS 64

struct process {
	uint64_t token;	      /* 0: just forked, or the first use */
	pthread_mutex_t lock; /* all zeros is PTHREAD_MUTEX_INITIALIZER */
	unsigned captures;
	int fd;	      /* -1: anonymous memory */
	dev_t device; /* of fd, to see whether it is still ours */
	ino_t inode;
	bool sealed; /* against writing, but through map */
	char *map;   /* NULL: no page */
	uint64_t taken[STATS_RECORDS_MAX / WORD_BITS];
};

static struct process *process; /* never given back */
static uint64_t last_token;	/* a child's begins where its parent's was */

/* Another thread may fork between the handler's registration and the first page. */
static void forget_in_child(void)
{
	if (process)
		memset(process, 0, sizeof(*process));
}

/* What a child made by clone, without fork, would do to its parent's figures is no worse than wrong. */
static bool forget_on_fork(struct process *made, bool sandboxed)
{
	if (sandboxed)
		return pthread_atfork(NULL, NULL, forget_in_child) == 0;
	return madvise(made, sizeof(*made), MADV_WIPEONFORK) == 0;
}

/* NULL with errno. */
static struct process *process_make(bool sandboxed)
{
	struct process *made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *none = NULL;

	if (made == MAP_FAILED)
		return NULL;
	if (forget_on_fork(made, sandboxed) && __atomic_compare_exchange_n(&process, &none, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	munmap(made, sizeof(*made));
	return none;
}

static struct process *process_get(bool sandboxed)
{
	struct process *known = load_acquire(&process);

	return known ? known : process_make(sandboxed);
}

/* What this process is known by, to tell it from those that it was forked from. */
static uint64_t token_of(struct process *self)
{
	uint64_t none = 0, fresh;

	if (likely(self->token))
		return self->token;
	fresh = __atomic_add_fetch(&last_token, 1, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(&self->token, &none, fresh, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ? fresh : none;
}

static struct stats_head *head_of(const struct process *self)
{
	return (struct stats_head *)self->map;
}

static void write_head(const struct process *self, uint32_t pid)
{
	struct stats_head *head = head_of(self);

	head->magic = STATS_MAGIC;
	head->size = STATS_SIZE;
	head->record = STATS_RECORD;
	head->records = 1;
	head->pid = pid;
	snprintf(head->program, sizeof(head->program), "%s", program_invocation_short_name);
	snprintf(head->library, sizeof(head->library), "%s", NETRING_VERSION);
	store_release(&head->version, (uint32_t)STATS_VERSION);
}

/* The mapping comes before the seal that forbids others. */
static int map_file(struct process *self, int fd, struct netring_error *error)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;
	void *map;

	if (ftruncate(fd, (off_t)STATS_SIZE) < 0 || fstat(fd, &status) < 0)
		return error_errno(error, errno, "memfd of %zu bytes", STATS_SIZE);
	map = mmap(NULL, STATS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return error_errno(error, errno, "mmap of %zu bytes", STATS_SIZE);
	self->sealed = fcntl(fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE) == 0;
	if (!self->sealed && fcntl(fd, F_ADD_SEALS, seals) < 0) {
		int err = errno;

		munmap(map, STATS_SIZE);
		return error_errno(error, err, "F_ADD_SEALS");
	}
	self->map = map;
	self->device = status.st_dev;
	self->inode = status.st_ino;
	return 0;
}

static int make_file(void)
{
	int fd = memfd_create(STATS_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create(STATS_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

/* Allocated now, not at the first store: that could only end the process if there were no memory. A sandbox knows no fallocate. */
static int allocate(const struct process *self, unsigned first, unsigned count, bool sandboxed, struct netring_error *error)
{
	if (!sandboxed && self->fd >= 0 && fallocate(self->fd, 0, (off_t)first * STATS_RECORD, (off_t)count * STATS_RECORD) < 0)
		return error_errno(error, errno, "fallocate");
	return 0;
}

static int make_named(struct process *self, struct netring_error *error)
{
	int ret;

	self->fd = make_file();
	if (self->fd < 0)
		return error_errno(error, errno, "memfd_create");
	ret = map_file(self, self->fd, error);
	if (ret < 0)
		close(self->fd);
	return ret;
}

static int make_anonymous(struct process *self, struct netring_error *error)
{
	void *map = mmap(NULL, STATS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return error_errno(error, errno, "mmap of %zu bytes", STATS_SIZE);
	self->map = map;
	self->fd = -1;
	return 0;
}

/*
 * Programs close descriptors that are not theirs, and then the number may be that of a file of their own. It is not asked by fstat, which a sandbox
 * may forbid by now, but by a call of libpcap's own: nothing but the seal refuses a writable mapping with EPERM. Without the seal it is believed.
 */
static bool has_descriptor(const struct process *self)
{
	void *map;

	if (self->fd < 0 || !self->sealed)
		return self->fd >= 0;
	map = mmap(NULL, STATS_RECORD, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	if (map == MAP_FAILED)
		return errno == EPERM;
	munmap(map, STATS_RECORD);
	return false;
}

/* The page goes with its last capture. After open no system call is made that libpcap does not make. */
static void give_up_page(struct process *self)
{
	munmap(self->map, STATS_SIZE);
	if (has_descriptor(self))
		close(self->fd);
	self->map = NULL;
}

static int make_page(struct process *self, const struct self_status *status, struct netring_error *error)
{
	int ret = status->sandboxed ? make_anonymous(self, error) : make_named(self, error);

	if (ret < 0)
		return ret;
	ret = allocate(self, 0, 1, status->sandboxed, error);
	if (ret < 0) {
		give_up_page(self);
		return ret;
	}
	memset(self->taken, 0, sizeof(self->taken));
	self->taken[0] = 1;
	self->captures = 0;
	write_head(self, status->pid);
	return 0;
}

/* A page whose descriptor the program has closed: nobody would find new captures there. It is left to those who are on it, and never unmapped. */
static void leave_lost_page(struct process *self)
{
	struct stat status;

	if (self->map && self->fd >= 0 && (fstat(self->fd, &status) < 0 || status.st_dev != self->device || status.st_ino != self->inode))
		self->map = NULL;
}

static bool is_taken(const struct process *self, unsigned record)
{
	return self->taken[record / WORD_BITS] >> record % WORD_BITS & 1;
}

static void mark(struct process *self, unsigned first, unsigned count, bool taken)
{
	for (unsigned i = first; i < first + count; i++)
		if (taken)
			self->taken[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
		else
			self->taken[i / WORD_BITS] &= ~(UINT64_C(1) << i % WORD_BITS);
}

/* The first of so many free records in a row; 0: there are none. */
static unsigned find_room(const struct process *self, unsigned count)
{
	unsigned run = 0;

	for (unsigned i = 1; i < STATS_RECORDS_MAX; i++) {
		run = is_taken(self, i) ? 0 : run + 1;
		if (run == count)
			return i + 1 - count;
	}
	return 0;
}

static int take_place(struct process *self, struct stats_writer *writer, unsigned rings, bool sandboxed, struct netring_error *error)
{
	unsigned count = 1 + rings, first = find_room(self, count);
	struct stats_head *head = head_of(self);
	struct stats_capture *capture;
	struct timespec now;
	int ret;

	if (first == 0)
		return error_set(error, ENOSPC, "no room for %u rings", rings);
	ret = allocate(self, first, count, sandboxed, error);
	if (ret < 0)
		return ret;
	capture = (struct stats_capture *)(self->map + (size_t)first * STATS_RECORD);
	memset(capture, 0, (size_t)count * STATS_RECORD);
	clock_gettime(CLOCK_REALTIME, &now);
	capture->opened_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	capture->rings = rings;
	capture->seq = 1; /* until the first update nothing here belongs together */
	mark(self, first, count, true);
	if (head->records < first + count)
		store_release(&head->records, first + count);
	*writer = (struct stats_writer){ .capture = capture, .first = first, .records = count, .token = token_of(self) };
	for (unsigned i = 0; i < rings; i++)
		stats_page_ring(writer, i)->kind = STATS_RING;
	store_release(&capture->kind, (uint32_t)STATS_CAPTURE);
	self->captures++;
	return 0;
}

static int open_place(struct stats_writer *writer, unsigned rings, struct netring_error *error)
{
	struct self_status status = self_status_now();
	struct process *self = process_get(status.sandboxed);
	int ret = 0;

	memset(writer, 0, sizeof(*writer));
	if (!self)
		return error_errno(error, errno, "memory that a forked process finds empty");
	pthread_mutex_lock(&self->lock);
	if (!status.sandboxed)
		leave_lost_page(self);
	if (!self->map)
		ret = make_page(self, &status, error);
	if (ret == 0)
		ret = take_place(self, writer, rings, status.sandboxed, error);
	if (ret < 0 && self->map && self->captures == 0)
		give_up_page(self);
	pthread_mutex_unlock(&self->lock);
	return ret;
}

int stats_page_open(struct stats_writer *writer, unsigned rings, struct netring_error *error)
{
	int state = cancellation_put_off(), ret = open_place(writer, rings, error);

	cancellation_allow(state);
	return ret;
}

static bool is_on_page(const struct process *self, const struct stats_writer *writer)
{
	return self->map && (char *)writer->capture == self->map + (size_t)writer->first * STATS_RECORD;
}

static void give_back_place(struct process *self, const struct stats_writer *writer)
{
	mark(self, writer->first, writer->records, false);
	store_release(&writer->capture->kind, (uint32_t)STATS_FREE);
	if (--self->captures == 0)
		give_up_page(self);
}

/* A forked child never is on its parent's page: it knows of none, or of one elsewhere. Another thread's capture may just find the page lost. */
void stats_page_close(struct stats_writer *writer)
{
	struct process *self = process;
	int state;

	if (!writer->capture)
		return;
	state = cancellation_put_off();
	pthread_mutex_lock(&self->lock);
	if (is_on_page(self, writer))
		give_back_place(self, writer);
	else if (stats_page_is_ours(writer))
		__atomic_store_n(&writer->capture->state, (uint32_t)STATS_CLOSED, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&self->lock);
	cancellation_allow(state);
	writer->capture = NULL;
}

bool stats_page_is_ours(const struct stats_writer *writer)
{
	return writer->capture && process->token == writer->token && __atomic_load_n(&writer->capture->writer, __ATOMIC_RELAXED) == writer->writer;
}

bool stats_page_begin(struct stats_writer *writer)
{
	struct stats_capture *capture = writer->capture;

	if (!capture)
		return false;
	if (unlikely(process->token != writer->token)) {
		writer->token = token_of(process);
		writer->writer = __atomic_add_fetch(&capture->writer, 1, __ATOMIC_RELAXED);
	} else if (unlikely(__atomic_load_n(&capture->writer, __ATOMIC_RELAXED) != writer->writer)) {
		return false;
	}
	__atomic_store_n(&capture->seq, capture->seq | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* odd before any field changes; pairs with the fence behind the tool's reading */
	return true;
}

void stats_page_end(const struct stats_writer *writer)
{
	store_release(&writer->capture->seq, (writer->capture->seq | 1) + 1);
}

void stats_page_count_savefiles(uint64_t failures, uint64_t lost_packets)
{
	struct process *self = load_acquire(&process);

	if (!self)
		return;
	pthread_mutex_lock(&self->lock);
	if (self->map) {
		__atomic_store_n(&head_of(self)->savefile_failures, failures, __ATOMIC_RELAXED);
		__atomic_store_n(&head_of(self)->savefile_lost, lost_packets, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&self->lock);
}
