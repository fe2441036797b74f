// SPDX-License-Identifier: Apache-2.0
#include "user/notary/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD_AT 64 /* offsets of the shared header, as laid out in ring.c */
#define TAIL_AT 128
#define DATA_AT 4096

struct pair {
	int fd, to_consumer, to_producer;
	struct ring *p, *c;
};

static int setup(void **state)
{
	struct pair *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(ring_create(RING_SIZE_MIN, &r->fd), 0);
	r->to_consumer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->to_producer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(ring_attach(r->fd, RING_PRODUCER, r->to_consumer, &r->p), 0);
	assert_int_equal(ring_attach(r->fd, RING_CONSUMER, r->to_producer, &r->c), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct pair *r = *state;

	ring_free(r->p);
	ring_free(r->c);
	close(r->fd);
	close(r->to_consumer);
	close(r->to_producer);
	free(r);
	return 0;
}

static bool woken(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

static void make(char *buf, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(seed + i * 7);
}

static void everything_arrives_whole_over_many_rounds(void **state)
{
	struct pair *r = *state;
	static char in[RECORD_MAX], out[RECORD_MAX];
	unsigned pushed = 0, taken = 0;
	uint64_t pos;
	size_t n;

	while (taken < 2000) {
		size_t len = 1 + (pushed * 7919u) % RECORD_MAX;

		make(in, len, pushed);
		if (pushed < 2000 && ring_push(r->p, (struct span){ in, len }, &pos) == 0) {
			pushed++;
			continue;
		}
		assert_int_equal(ring_take(r->c, out, &n), 0);
		len = 1 + (taken * 7919u) % RECORD_MAX;
		assert_int_equal(n, len);
		make(in, len, taken);
		assert_memory_equal(in, out, len);
		taken++;
		ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	}
	assert_int_equal(ring_take(r->c, out, &n), -EAGAIN);
}

static void a_full_ring_refuses_and_tells_when_there_is_room(void **state)
{
	struct pair *r = *state;
	static char rec[RECORD_MAX], out[RECORD_MAX];
	uint64_t pos;
	size_t n;
	int e;

	while ((e = ring_push(r->p, (struct span){ rec, 5000 }, &pos)) == 0)
		;
	assert_int_equal(e, -ENOBUFS);
	assert_int_equal(ring_space(r->p, 5000), -EAGAIN);
	assert_false(woken(r->to_producer));
	assert_int_equal(ring_take(r->c, out, &n), 0);
	assert_int_equal(ring_push(r->p, (struct span){ rec, 5000 }, &pos), -ENOBUFS); /* taken is not written */
	ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_true(woken(r->to_producer));
	assert_int_equal(ring_space(r->p, 5000), 0);
	assert_int_equal(ring_push(r->p, (struct span){ rec, 5000 }, &pos), 0);
	assert_int_equal(ring_push(r->p, (struct span){ rec, 0 }, &pos), -EINVAL);
	assert_int_equal(ring_push(r->p, (struct span){ rec, RECORD_MAX + 1 }, &pos), -EMSGSIZE);
}

static void durability_is_reached_in_steps(void **state)
{
	struct pair *r = *state;
	char out[RECORD_MAX];
	uint64_t pos;
	size_t n;

	assert_int_equal(ring_push(r->p, SPAN("record"), &pos), 0);
	assert_int_equal(ring_reached(r->p, pos, RECORD_RING), 0);
	assert_int_equal(ring_reached(r->p, pos, RECORD_WRITTEN), -EAGAIN);
	assert_int_equal(ring_take(r->c, out, &n), 0);
	assert_int_equal(ring_reached(r->p, pos, RECORD_WRITTEN), -EAGAIN);
	ring_publish(r->c, ring_taken(r->c), RECORD_SYNCED); /* not before it is written */
	assert_int_equal(ring_reached(r->p, pos, RECORD_SYNCED), -EAGAIN);
	ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_true(woken(r->to_producer));
	assert_int_equal(ring_reached(r->p, pos, RECORD_WRITTEN), 0);
	assert_int_equal(ring_reached(r->p, pos, RECORD_SYNCED), -EAGAIN);
	ring_publish(r->c, ring_taken(r->c), RECORD_SYNCED);
	assert_true(woken(r->to_producer));
	assert_int_equal(ring_reached(r->p, pos, RECORD_SYNCED), 0);
}

static void only_a_sleeper_is_woken(void **state)
{
	struct pair *r = *state;
	static char rec[RECORD_MAX], out[RECORD_MAX];
	uint64_t pos;
	size_t n;

	assert_int_equal(ring_push(r->p, SPAN("a"), &pos), 0);
	assert_false(woken(r->to_consumer));
	assert_int_equal(ring_rest(r->c, RING_ASLEEP), -EAGAIN); /* there is something to do */
	assert_int_equal(ring_take(r->c, out, &n), 0);
	ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_int_equal(ring_rest(r->c, RING_ASLEEP), 0);
	assert_int_equal(ring_push(r->p, SPAN("b"), &pos), 0);
	assert_true(woken(r->to_consumer));
	assert_int_equal(ring_push(r->p, SPAN("c"), &pos), 0);
	assert_false(woken(r->to_consumer)); /* once for a burst */
	while (ring_take(r->c, out, &n) == 0)
		ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_int_equal(ring_rest(r->c, RING_NAP), 0);
	assert_int_equal(ring_push(r->p, SPAN("d"), &pos), 0);
	assert_false(woken(r->to_consumer)); /* it comes back by itself */
	assert_int_equal(ring_push(r->p, (struct span){ rec, RECORD_MAX }, &pos), 0);
	assert_true(woken(r->to_consumer)); /* but the ring fills up */
	while (ring_take(r->c, out, &n) == 0)
		ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_int_equal(ring_rest(r->c, RING_NAP), 0);
	assert_int_equal(ring_push(r->p, SPAN("e"), &pos), 0);
	assert_int_equal(ring_reached(r->p, pos, RECORD_WRITTEN), -EAGAIN);
	assert_true(woken(r->to_consumer)); /* somebody waits */
}

/* However much has gone through before, a consumer that keeps up while it naps is left alone. */
static void a_napper_that_keeps_up_is_never_woken(void **state)
{
	static char rec[RECORD_MAX], out[RECORD_MAX];
	struct pair *r = *state;
	uint64_t pos;
	size_t n;

	for (uint64_t sum = 0; sum < 3 * RING_SIZE_MIN; sum += sizeof(rec) / 16) {
		assert_int_equal(ring_rest(r->c, RING_NAP), 0);
		assert_int_equal(ring_push(r->p, (struct span){ rec, sizeof(rec) / 16 }, &pos), 0);
		assert_false(woken(r->to_consumer));
		assert_int_equal(ring_take(r->c, out, &n), 0);
		ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	}
}

static void a_nap_waits_for_records_to_gather(void **state)
{
	static char rec[RECORD_MAX];
	struct pair *r = *state;
	uint64_t pos;

	assert_int_equal(ring_push(r->p, SPAN("a"), &pos), 0);
	assert_int_equal(ring_rest(r->c, RING_NAP), 0);
	assert_int_equal(ring_reached(r->p, pos, RECORD_WRITTEN), -EAGAIN);
	assert_int_equal(ring_rest(r->c, RING_NAP), -EAGAIN); /* somebody waits */
	ring_take(r->c, rec, &(size_t){ 0 });
	ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_int_equal(ring_rest(r->c, RING_AWAKE), 0);
	assert_int_equal(ring_push(r->p, (struct span){ rec, RING_SIZE_MIN / 3 }, &pos), 0);
	assert_int_equal(ring_rest(r->c, RING_NAP), -EAGAIN); /* the ring fills up */
}

static void a_standing_error_stops_every_push(void **state)
{
	struct pair *r = *state;
	uint64_t before, pos;

	assert_int_equal(ring_push(r->p, SPAN("a"), &before), 0);
	ring_fail(r->c, -ENOSPC);
	assert_int_equal(ring_failed(r->p), -ENOSPC);
	assert_int_equal(ring_push(r->p, SPAN("b"), &pos), -ENOSPC);
	assert_int_equal(ring_reached(r->p, before, RECORD_WRITTEN), -ENOSPC);
	assert_int_equal(ring_reached(r->p, before, RECORD_RING), 0);
	ring_fail(r->c, 0);
	assert_int_equal(ring_push(r->p, SPAN("b"), &pos), 0);
}

static void both_sides_attach_again(void **state)
{
	struct pair *r = *state;
	char out[RECORD_MAX];
	uint64_t pos;
	size_t n;

	assert_int_equal(ring_push(r->p, SPAN("one"), &pos), 0);
	assert_int_equal(ring_push(r->p, SPAN("two"), &pos), 0);
	ring_free(r->p);
	assert_int_equal(ring_attach(r->fd, RING_PRODUCER, r->to_consumer, &r->p), 0);
	assert_int_equal(ring_push(r->p, SPAN("three"), &pos), 0);
	assert_int_equal(ring_take(r->c, out, &n), 0);
	ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	assert_int_equal(ring_take(r->c, out, &n), 0); /* taken, not written: comes again */
	ring_free(r->c);
	assert_int_equal(ring_attach(r->fd, RING_CONSUMER, r->to_producer, &r->c), 0);
	assert_int_equal(ring_take(r->c, out, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(out, "two", 3);
	ring_untake(r->c);
	assert_int_equal(ring_take(r->c, out, &n), 0);
	assert_memory_equal(out, "two", 3);
	assert_int_equal(ring_take(r->c, out, &n), 0);
	assert_memory_equal(out, "three", 5);
	assert_int_equal(ring_take(r->c, out, &n), -EAGAIN);
}

static void poke(int fd, off_t at, uint64_t v, size_t n)
{
	assert_int_equal(pwrite(fd, &v, n, at), n);
}

static void a_wild_producer_is_seen(void **state)
{
	static const uint64_t heads[] = { 4, 1u << 20, UINT64_MAX - 7, RING_SIZE_MIN + 8 };
	struct pair *r = *state;
	char out[RECORD_MAX];
	uint64_t pos;
	size_t n;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		poke(r->fd, HEAD_AT, heads[i], 8);
		assert_int_equal(ring_take(r->c, out, &n), -EBADMSG);
		ring_reset(r->c);
	}
	poke(r->fd, HEAD_AT, 0, 8);
	ring_free(r->p);
	assert_int_equal(ring_attach(r->fd, RING_PRODUCER, -1, &r->p), 0);
	assert_int_equal(ring_push(r->p, SPAN("abc"), &pos), 0);
	poke(r->fd, DATA_AT, 0xffffffff, 4); /* length */
	assert_int_equal(ring_take(r->c, out, &n), -EBADMSG);
	poke(r->fd, DATA_AT, 100, 4); /* length without its check */
	assert_int_equal(ring_take(r->c, out, &n), -EBADMSG);
	poke(r->fd, DATA_AT, 100 | (uint64_t)(100 ^ 0x5eed0a9du) << 32, 8); /* longer than what was pushed */
	assert_int_equal(ring_take(r->c, out, &n), -EBADMSG);
	poke(r->fd, DATA_AT, 0 | (uint64_t)(0 ^ 0x5eed0a9du) << 32, 8);
	assert_int_equal(ring_take(r->c, out, &n), -EBADMSG);
	/* Its successor begins cleanly. */
	ring_reset(r->c);
	ring_free(r->p);
	assert_int_equal(ring_attach(r->fd, RING_PRODUCER, -1, &r->p), 0);
	assert_int_equal(ring_push(r->p, SPAN("fresh"), &pos), 0);
	assert_int_equal(ring_take(r->c, out, &n), 0);
	assert_memory_equal(out, "fresh", 5);
}

static void what_is_no_ring_is_not_attached(void **state)
{
	struct pair *r = *state;
	struct ring *x = NULL;
	int fd;

	assert_int_equal(ring_create(1000, &fd), -EINVAL);
	assert_int_equal(ring_create(RING_SIZE_MAX * 2ull, &fd), -EINVAL);
	fd = memfd_create("not-sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, DATA_AT + RING_SIZE_MIN), 0);
	assert_int_equal(ring_attach(fd, RING_CONSUMER, -1, &x), -EPROTO);
	close(fd);
	poke(r->fd, TAIL_AT, 8, 8); /* tail beyond head */
	assert_int_equal(ring_attach(r->fd, RING_CONSUMER, -1, &x), -EPROTO);
	poke(r->fd, TAIL_AT, 0, 8);
	poke(r->fd, 16, RING_SIZE_MIN * 2, 8); /* size is not the file's */
	assert_int_equal(ring_attach(r->fd, RING_CONSUMER, -1, &x), -EPROTO);
	poke(r->fd, 0, 0, 8);
	assert_int_equal(ring_attach(r->fd, RING_CONSUMER, -1, &x), -EPROTO);
	assert_null(x);
}

/* A producer killed at any moment leaves only whole records. */
static void a_killed_producer_leaves_no_halves(void **state)
{
	struct pair *r = *state;
	static char in[RECORD_MAX], out[RECORD_MAX];
	unsigned next = 0;

	for (int round = 0; round < 20; round++) {
		pid_t child = fork();
		int status;
		size_t n;

		if (child == 0) {
			struct ring *p;
			uint64_t pos;
			unsigned i = next;

			if (ring_attach(r->fd, RING_PRODUCER, r->to_consumer, &p) < 0)
				_exit(1);
			for (;; i++) {
				size_t len = sizeof(i) + (i * 31u) % 3000;

				memcpy(in, &i, sizeof(i));
				make(in + sizeof(i), len - sizeof(i), i);
				while (ring_push(p, (struct span){ in, len }, &pos) == -ENOBUFS)
					usleep(10);
			}
		}
		assert_true(child > 0);
		for (unsigned taken = 0; taken < 200; taken++) {
			unsigned i;
			int e;

			while ((e = ring_take(r->c, out, &n)) == -EAGAIN)
				usleep(10);
			assert_int_equal(e, 0);
			memcpy(&i, out, sizeof(i));
			assert_int_equal(i, next);
			assert_int_equal(n, sizeof(i) + (i * 31u) % 3000);
			make(in, n - sizeof(i), i);
			assert_memory_equal(in, out + sizeof(i), n - sizeof(i));
			next++;
			ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
		}
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		while (ring_take(r->c, out, &n) == 0) { /* what it had pushed is all there */
			unsigned i;

			memcpy(&i, out, sizeof(i));
			assert_int_equal(i, next);
			next++;
		}
		ring_publish(r->c, ring_taken(r->c), RECORD_WRITTEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_arrives_whole_over_many_rounds, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_ring_refuses_and_tells_when_there_is_room, setup, teardown),
		cmocka_unit_test_setup_teardown(durability_is_reached_in_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(only_a_sleeper_is_woken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_napper_that_keeps_up_is_never_woken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nap_waits_for_records_to_gather, setup, teardown),
		cmocka_unit_test_setup_teardown(a_standing_error_stops_every_push, setup, teardown),
		cmocka_unit_test_setup_teardown(both_sides_attach_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wild_producer_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_ring_is_not_attached, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_producer_leaves_no_halves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
