// SPDX-License-Identifier: Apache-2.0
#include "user/notary/store.h"

#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"
#include "user/notary/segment.h"

#define FIRST "0000000000000000.jsonl"

static int reopen(struct log_fixture *f, struct store_recovery *found, uint64_t *ret_size)
{
	struct store *s;
	int r = store_open(f->dirfd, 0, NULL, NULL, found, &s);

	if (r < 0)
		return r;
	*ret_size = store_size(s);
	store_close(s);
	return 0;
}

static void segments_are_named_by_their_first_leaf(void **state)
{
	struct log_fixture *f = *state;
	struct segment_reader *r;
	struct store_recovery found;
	struct segment_at at;
	struct span line;
	uint64_t *all, size;
	size_t n;

	fixture_fill(f, 40, 4000);
	assert_int_equal(segment_list(f->dirfd, &all, &n), 0);
	assert_true(n > 3);
	assert_int_equal(segment_reader_open(f->dirfd, 0, &r), 0);
	for (uint64_t i = 0, seg = 0; i < 40; i++) {
		assert_int_equal(segment_read(r, &line, &at), 0);
		assert_int_equal(at.leaf, i);
		if (seg + 1 < n && all[seg + 1] == i)
			seg++;
		assert_int_equal(at.line, i - all[seg] + 1);
	}
	assert_int_equal(segment_read(r, &line, &at), -ENODATA);
	segment_reader_close(r);
	assert_int_equal(segment_reader_open(f->dirfd, 23, &r), 0);
	assert_int_equal(segment_read(r, &line, &at), 0);
	assert_int_equal(at.leaf, 23);
	segment_reader_close(r);
	assert_int_equal(reopen(f, &found, &size), 0);
	assert_int_equal(size, 40);
	assert_int_equal(found.torn_bytes, 0);
	free(all);
}

/* Whatever byte a crash cut the tail at, the whole records stay, the rest is set aside. */
static void a_tail_torn_anywhere_is_set_aside(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf whole = { 0 };
	struct span s;
	size_t last, before;

	fixture_fill(f, 6, 0);
	assert_int_equal(unlinkat(f->dirfd, STORE_FILE_CHECKPOINT, 0), 0);
	fixture_read(f, FIRST, &whole);
	s = buf_span(&whole);
	for (last = s.n - 1; s.p[last - 1] != '\n'; last--)
		;
	for (before = last - 1; s.p[before - 1] != '\n'; before--)
		;
	for (size_t cut = before; cut < s.n; cut++) {
		struct store_recovery found;
		uint64_t size;
		size_t keep = cut >= last ? last : before;

		fixture_wipe(f->dir);
		fixture_write(f, FIRST, (struct span){ s.p, cut });
		assert_int_equal(reopen(f, &found, &size), 0);
		assert_int_equal(size, keep == last ? 5 : 4);
		assert_int_equal(found.torn_bytes, cut - keep);
		assert_int_equal(fixture_has(f, keep == last ? "torn-0000000000000005" : "torn-0000000000000004"),
				 cut != keep);
		if (cut != keep) {
			_cleanup_buf_ struct buf torn = { 0 };

			fixture_read(f, keep == last ? "torn-0000000000000005" : "torn-0000000000000004", &torn);
			assert_int_equal(buf_len(&torn), cut - keep);
			assert_memory_equal(buf_span(&torn).p, s.p + keep, cut - keep);
		}
		/* Told again until a record follows, the one that speaks of it. */
		assert_int_equal(reopen(f, &found, &size), 0);
		assert_int_equal(found.torn_bytes, cut - keep);
	}
}

static void a_second_torn_line_at_the_same_leaf_gets_its_own_file(void **state)
{
	struct log_fixture *f = *state;
	struct store_recovery found;
	uint64_t size;

	for (int i = 0; i < 3; i++) {
		fixture_write(f, FIRST, SPAN("{\"agent\":"));
		assert_int_equal(reopen(f, &found, &size), 0);
		assert_int_equal(found.torn_bytes, 9);
	}
	assert_true(fixture_has(f, "torn-0000000000000000"));
	assert_true(fixture_has(f, "torn-0000000000000000.1"));
	assert_true(fixture_has(f, "torn-0000000000000000.2"));
}

/* Damage under a signature is not a crash's doing and is not mended. */
static void damage_that_was_signed_over_is_refused(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf whole = { 0 };
	struct store_recovery found;
	uint64_t size;
	struct span s;
	char *copy;

	fixture_fill(f, 6, 0);
	fixture_read(f, FIRST, &whole);
	s = buf_span(&whole);
	copy = malloc(s.n);
	for (size_t i = 0; i < s.n; i += 97) {
		memcpy(copy, s.p, s.n);
		copy[i] ^= 1;
		fixture_write(f, FIRST, (struct span){ copy, s.n });
		assert_int_equal(reopen(f, &found, &size), -EBADMSG);
		assert_false(fixture_has(f, "torn-0000000000000000"));
	}
	fixture_write(f, FIRST, (struct span){ s.p, s.n / 2 });
	assert_int_equal(reopen(f, &found, &size), -EBADMSG);
	fixture_write(f, FIRST, (struct span){ s.p, 0 });
	assert_int_equal(reopen(f, &found, &size), -EUCLEAN);
	fixture_write(f, FIRST, s);
	assert_int_equal(reopen(f, &found, &size), 0);
	fixture_write(f, STORE_FILE_CHECKPOINT, SPAN("nonsense"));
	assert_int_equal(reopen(f, &found, &size), -EBADMSG);
	free(copy);
}

/* Another history of the right form and length is not signed on. */
static void another_history_is_refused(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 };
	struct store_recovery found;
	uint64_t size;

	fixture_fill(f, 6, 0);
	fixture_read(f, STORE_FILE_CHECKPOINT, &note);
	fixture_wipe(f->dir);
	fixture_fill(f, 6, 0);
	fixture_write(f, STORE_FILE_CHECKPOINT, buf_span(&note));
	assert_int_equal(reopen(f, &found, &size), -EBADMSG);
}

static void a_missing_segment_is_refused(void **state)
{
	struct log_fixture *f = *state;
	struct store_recovery found;
	char name[SEGMENT_NAME_SIZE];
	uint64_t *all, size;
	size_t n;

	fixture_fill(f, 40, 4000);
	assert_int_equal(segment_list(f->dirfd, &all, &n), 0);
	segment_name(all[1], name);
	assert_int_equal(unlinkat(f->dirfd, name, 0), 0);
	assert_int_equal(reopen(f, &found, &size), -EBADMSG);
	free(all);
}

static void the_tree_file_is_rebuilt(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf tree = { 0 };
	struct store_recovery found;
	uint64_t size;
	static const struct span bad[] = { { "", 0 }, { "short", 5 } };
	char *copy;

	fixture_fill(f, 30, 0);
	fixture_read(f, STORE_FILE_TREE, &tree);
	assert_int_equal(buf_len(&tree), tree_stored_count(30) * TREE_HASH);
	copy = calloc(1, buf_len(&tree) + 100);
	memcpy(copy, buf_span(&tree).p, buf_len(&tree));
	for (int i = 0; i < 4; i++) {
		_cleanup_buf_ struct buf again = { 0 };

		if (i < 2)
			fixture_write(f, STORE_FILE_TREE, bad[i]);
		else if (i == 2)
			fixture_write(f, STORE_FILE_TREE, (struct span){ copy, buf_len(&tree) + 100 });
		else {
			copy[500] ^= 1;
			fixture_write(f, STORE_FILE_TREE, (struct span){ copy, buf_len(&tree) });
		}
		assert_int_equal(reopen(f, &found, &size), 0);
		fixture_read(f, STORE_FILE_TREE, &again);
		assert_int_equal(buf_len(&again), buf_len(&tree));
		assert_memory_equal(buf_span(&again).p, buf_span(&tree).p, buf_len(&tree));
	}
	free(copy);
}

/* A disk that is full, by way of the file size limit: the batch is refused whole and comes later. */
static void a_full_disk_loses_nothing(void **state)
{
	struct log_fixture *f = *state;
	struct rlimit old, small;
	struct record_line line;
	struct store_recovery found;
	struct store *s;
	struct chain at;
	uint64_t size;
	int r = 0;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(store_open(f->dirfd, 0, NULL, NULL, &found, &s), 0);
	small = (struct rlimit){ 10000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (r == 0) {
		at = f->chain;
		for (int i = 0; i < 3; i++) {
			line = fixture_line(f, "read_file", RECORD_ALLOW);
			assert_int_equal(store_append(s, line.text), 0);
		}
		size = store_size(s);
		r = store_flush(s);
	}
	assert_int_equal(r, -EFBIG);
	assert_int_equal(store_size(s), size);
	f->chain = at;
	line = fixture_line(f, "read_file", RECORD_ALLOW);
	f->chain = at;
	assert_int_equal(store_append(s, line.text), 0);
	(void)store_flush(s); /* one record may fit where three did not */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	size = store_size(s);
	for (int i = 0; i < 3; i++) {
		line = fixture_line(f, "read_file", RECORD_ALLOW);
		assert_int_equal(store_append(s, line.text), 0);
	}
	assert_int_equal(store_flush(s), 0);
	assert_int_equal(store_size(s), size + 3);
	size += 3;
	store_close(s);
	uint64_t now;
	assert_int_equal(reopen(f, &found, &now), 0);
	assert_int_equal(now, size);
	assert_int_equal(found.torn_bytes, 0);
}

/* Whoever removes the log must not have calls go on into a file that nobody can read. */
static void a_log_that_was_removed_takes_nothing(void **state)
{
	struct log_fixture *f = *state;
	struct store_recovery found;
	struct record_line line;
	struct store *s;

	assert_int_equal(store_open(f->dirfd, 0, NULL, NULL, &found, &s), 0);
	line = fixture_line(f, "echo", RECORD_ALLOW);
	assert_int_equal(store_append(s, line.text), 0);
	assert_int_equal(store_flush(s), 0);
	fixture_wipe(f->dir);
	line = fixture_line(f, "echo", RECORD_ALLOW);
	assert_int_equal(store_append(s, line.text), 0);
	assert_int_equal(store_flush(s), -ESTALE);
	assert_int_equal(store_size(s), 1);
	store_close(s);
}

static void odd_names_in_the_directory_are_not_segments(void **state)
{
	uint64_t leaf;

	assert_int_equal(segment_name_parse("0000000000000012.jsonl", &leaf), 0);
	assert_int_equal(leaf, 12);
	assert_int_equal(segment_name_parse("0000000000000012.jsonl.bak", &leaf), -EINVAL);
	assert_int_equal(segment_name_parse("12.jsonl", &leaf), -EINVAL);
	assert_int_equal(segment_name_parse("", &leaf), -EINVAL);
	assert_int_equal(segment_name_parse("00000000000000-1.jsonl", &leaf), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(segments_are_named_by_their_first_leaf, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_tail_torn_anywhere_is_set_aside, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_second_torn_line_at_the_same_leaf_gets_its_own_file,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(damage_that_was_signed_over_is_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(another_history_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_missing_segment_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_tree_file_is_rebuilt, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_log_that_was_removed_takes_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test(odd_names_in_the_directory_are_not_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
