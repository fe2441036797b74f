// SPDX-License-Identifier: Apache-2.0
/*
 * The ring between a producer of records and the notary. Both sides run this file; what the consumer
 * side reads may be written by a hostile producer at any moment, so it copies first and then checks the
 * copy, and keeps its own idea of every number.
 */
#include "user/notary/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define RING_MAGIC UINT64_C(0x31676e6972676c74) /* "tlgring1" */
#define RING_VERSION 1u
#define RING_HEADER 4096u
#define FRAME_CHECK 0x5eed0a9du /* a frame states its length twice, so a torn or wild head is seen */

struct ring_shared {
	uint64_t magic;
	uint32_t version, header;
	uint64_t size;
	uint8_t pad0[40];
	/* the producer's line */
	_Atomic uint64_t head;
	_Atomic uint32_t want; /* the producer waits for progress */
	uint8_t pad1[52];
	/* the consumer's line */
	_Atomic uint64_t tail; /* written to the log; the space before it is free */
	_Atomic uint64_t synced;
	_Atomic int32_t error;
	_Atomic uint32_t rest; /* enum ring_rest */
	uint8_t pad2[40];
};
_Static_assert(sizeof(struct ring_shared) == 192, "layout shared between processes");

struct frame {
	uint32_t n, check;
};

struct ring {
	struct ring_shared *sh;
	char *data; /* size bytes, mapped twice in a row: no frame is ever in two pieces */
	uint64_t size;
	enum ring_side side;
	int peer_wake;
	uint64_t head; /* producer's own */
	uint64_t tail, taken, synced; /* consumer's own; the producer's copy of tail */
	size_t map_n;
};

DEFINE_CLEANUP(struct ring *, ring_free)

static uint64_t frame_size(uint64_t n)
{
	return sizeof(struct frame) + ((n + 7) & ~UINT64_C(7));
}

static bool size_valid(uint64_t size)
{
	return size >= RING_SIZE_MIN && size <= RING_SIZE_MAX && (size & (size - 1)) == 0;
}

int ring_create(size_t size, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct ring_shared sh = {
		.magic = RING_MAGIC,
		.version = RING_VERSION,
		.header = RING_HEADER,
		.size = size,
	};

	if (!size_valid(size))
		return -EINVAL;
	fd = memfd_create("tollgate-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* The size is sealed so that no side can make the other fault by truncating. Pages are taken now:
	 * a push must not die for want of memory later. */
	if (ftruncate(fd, (off_t)(RING_HEADER + size)) < 0 ||
	    fallocate(fd, 0, 0, (off_t)(RING_HEADER + size)) < 0 ||
	    pwrite(fd, &sh, sizeof(sh), 0) != (ssize_t)sizeof(sh) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return errno ? -errno : -EIO;
	*ret_fd = take_fd(fd);
	return 0;
}

static int map_ring(int fd, struct ring *r)
{
	const int prot = PROT_READ | PROT_WRITE;
	char *base;

	r->map_n = RING_HEADER + 2 * (size_t)r->size;
	base = mmap(NULL, r->map_n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	r->sh = (struct ring_shared *)base; /* from here on ring_free() unmaps */
	if (mmap(base, RING_HEADER, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	r->data = base + RING_HEADER;
	for (int i = 0; i < 2; i++)
		if (mmap(r->data + (size_t)i * r->size, r->size, prot, MAP_SHARED | MAP_FIXED, fd,
			 RING_HEADER) == MAP_FAILED)
			return -errno;
	return 0;
}

static bool span_sound(const struct ring *r, uint64_t from, uint64_t to)
{
	return to - from <= r->size && ((to | from) & 7) == 0;
}

int ring_attach(int fd, enum ring_side side, int peer_wake, struct ring **ret)
{
	_cleanup_(ring_free_p) struct ring *r = NULL;
	struct ring_shared sh;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS), e;

	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!(seals & F_SEAL_SHRINK) || pread(fd, &sh, sizeof(sh), 0) != (ssize_t)sizeof(sh) ||
	    sh.magic != RING_MAGIC || sh.version != RING_VERSION || sh.header != RING_HEADER ||
	    !size_valid(sh.size) || (uint64_t)st.st_size != RING_HEADER + sh.size)
		return -EPROTO;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->size = sh.size;
	r->side = side;
	r->peer_wake = peer_wake;
	e = map_ring(fd, r);
	if (e < 0)
		return e;
	r->head = atomic_load_explicit(&r->sh->head, memory_order_acquire);
	r->tail = r->taken = atomic_load_explicit(&r->sh->tail, memory_order_acquire);
	r->synced = atomic_load_explicit(&r->sh->synced, memory_order_relaxed);
	if (!span_sound(r, r->tail, r->head) || r->synced > r->tail)
		return -EPROTO;
	*ret = take_ptr(r);
	return 0;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	if (r->sh)
		(void)munmap(r->sh, r->map_n);
	free(r);
}

static void wake_peer(struct ring *r)
{
	uint64_t one = 1;

	/* An eventfd that is full is already readable, and a peer that is gone asks again when it is back. */
	if (r->peer_wake >= 0 && write(r->peer_wake, &one, sizeof(one)) < 0)
		return;
}

/* The consumer's rest flag is lowered by whoever wakes it, so one burst costs one system call. */
static void wake_consumer(struct ring *r, uint32_t least)
{
	uint32_t rest = atomic_load(&r->sh->rest);

	while (rest >= least && rest != RING_AWAKE)
		if (atomic_compare_exchange_weak(&r->sh->rest, &rest, RING_AWAKE)) {
			wake_peer(r);
			return;
		}
}

static int standing_error(const struct ring *r)
{
	int32_t e = atomic_load_explicit(&r->sh->error, memory_order_acquire);

	return e < 0 ? e : e > 0 ? -EPROTO : 0;
}

static bool fits(struct ring *r, uint64_t need)
{
	if (r->head - r->tail + need <= r->size)
		return true;
	r->tail = atomic_load_explicit(&r->sh->tail, memory_order_acquire);
	return span_sound(r, r->tail, r->head) && r->head - r->tail + need <= r->size;
}

/* The producer's copy of tail is looked up only when it matters: a stale one would call a ring that has been
 * emptied long ago crowded, and wake the consumer for every record. */
static bool crowded(struct ring *r)
{
	uint64_t mark = r->size / 4, tail;

	if (r->head - r->tail <= mark)
		return false;
	tail = atomic_load_explicit(&r->sh->tail, memory_order_acquire);
	if (span_sound(r, tail, r->head))
		r->tail = tail;
	return r->head - r->tail > mark;
}

int ring_push(struct ring *r, struct span rec, uint64_t *ret_pos)
{
	struct frame f = { (uint32_t)rec.n, (uint32_t)rec.n ^ FRAME_CHECK };
	uint64_t need = frame_size(rec.n);
	char *at = r->data + (r->head & (r->size - 1));
	int e = standing_error(r);

	if (e < 0)
		return e;
	if (rec.n == 0)
		return -EINVAL;
	if (rec.n > RECORD_MAX)
		return -EMSGSIZE;
	if (!fits(r, need))
		return -ENOBUFS;
	memcpy(at, &f, sizeof(f));
	memcpy(at + sizeof(f), rec.p, rec.n);
	r->head += need;
	/* The store makes the frame visible, whole. It is ordered before the look at the consumer's rest
	 * flag, as the consumer raises the flag before its last look at head: one of the two sees. */
	atomic_store(&r->sh->head, r->head);
	wake_consumer(r, crowded(r) ? RING_NAP : RING_ASLEEP);
	*ret_pos = r->head;
	return 0;
}

static bool reached(struct ring *r, uint64_t pos, enum record_durability d)
{
	if (d == RECORD_RING)
		return pos <= r->head;
	if (d == RECORD_WRITTEN)
		return pos <= atomic_load(&r->sh->tail);
	return pos <= atomic_load(&r->sh->synced);
}

int ring_reached(struct ring *r, uint64_t pos, enum record_durability d)
{
	int e;

	if (reached(r, pos, d))
		return 0;
	e = standing_error(r);
	if (e < 0)
		return e;
	atomic_store(&r->sh->want, 1);
	if (reached(r, pos, d))
		return 0;
	wake_consumer(r, RING_NAP);
	return -EAGAIN;
}

int ring_space(struct ring *r, size_t n)
{
	if (n > RECORD_MAX)
		return -EMSGSIZE;
	if (fits(r, frame_size(n)))
		return 0;
	atomic_store(&r->sh->want, 1);
	if (fits(r, frame_size(n)))
		return 0;
	wake_consumer(r, RING_NAP);
	return -EAGAIN;
}

int ring_failed(const struct ring *r)
{
	return standing_error(r);
}

int ring_take(struct ring *r, void *dst, size_t *ret_n)
{
	uint64_t head = atomic_load_explicit(&r->sh->head, memory_order_acquire);
	const char *at = r->data + (r->taken & (r->size - 1));
	struct frame f;

	if (head == r->taken)
		return -EAGAIN;
	if (!span_sound(r, r->tail, head) || head - r->taken > head - r->tail)
		return -EBADMSG;
	memcpy(&f, at, sizeof(f));
	__asm__ volatile("" ::: "memory"); /* f is judged as copied, never read again from the ring */
	if (f.n == 0 || f.n > RECORD_MAX || (f.n ^ FRAME_CHECK) != f.check ||
	    frame_size(f.n) > head - r->taken)
		return -EBADMSG;
	memcpy(dst, at + sizeof(f), f.n);
	r->taken += frame_size(f.n);
	*ret_n = f.n;
	return 0;
}

uint64_t ring_taken(const struct ring *r)
{
	return r->taken;
}

uint64_t ring_head(const struct ring *r)
{
	return atomic_load_explicit(&r->sh->head, memory_order_acquire);
}

void ring_untake(struct ring *r)
{
	r->taken = r->tail;
}

static void notify_producer(struct ring *r)
{
	if (atomic_exchange(&r->sh->want, 0))
		wake_peer(r);
}

void ring_publish(struct ring *r, uint64_t pos, enum record_durability d)
{
	if (d == RECORD_SYNCED && pos > r->synced && pos <= r->tail) {
		r->synced = pos;
		atomic_store(&r->sh->synced, pos);
	} else if (d == RECORD_WRITTEN && pos > r->tail && pos <= r->taken) {
		r->tail = pos;
		atomic_store(&r->sh->tail, pos);
	} else {
		return;
	}
	notify_producer(r);
}

void ring_fail(struct ring *r, int error)
{
	atomic_store(&r->sh->error, error);
	if (error)
		notify_producer(r);
}

void ring_reset(struct ring *r)
{
	/* A wild head is brought back too: the successor begins where both sides agree. */
	uint64_t head = atomic_load(&r->sh->head);

	if (!span_sound(r, r->tail, head)) {
		head = r->tail;
		atomic_store(&r->sh->head, head);
	}
	r->tail = r->taken = r->synced = head;
	atomic_store(&r->sh->tail, head);
	atomic_store(&r->sh->synced, head);
	atomic_store(&r->sh->error, 0);
}

int ring_rest(struct ring *r, enum ring_rest how)
{
	uint64_t waiting;

	atomic_store(&r->sh->rest, how);
	waiting = how == RING_AWAKE ? 0 : atomic_load(&r->sh->head) - r->taken;
	/* A nap is for records to gather in, as long as nobody waits for them. */
	if (how == RING_NAP && waiting <= r->size / 4 && !atomic_load(&r->sh->want))
		waiting = 0;
	if (!waiting)
		return 0;
	atomic_store(&r->sh->rest, RING_AWAKE);
	return -EAGAIN;
}
