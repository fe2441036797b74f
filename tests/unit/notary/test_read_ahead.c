// SPDX-License-Identifier: Apache-2.0
#include "user/notary/read_ahead.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"

#define RECORDS 2600 /* more than two batches, over several segments */

/* What one thread reads is what two give, line by line. */
static void same_as_alone(struct log_fixture *f, uint64_t from)
{
	struct hasher *h = hasher_of_thread();
	uint8_t leaf[TREE_HASH];
	const struct read_ahead_line *l;
	struct segment_reader *alone;
	struct read_ahead *a;
	struct segment_at at;
	struct span line;
	int r;

	assert_int_equal(segment_reader_open(f->dirfd, from, &alone), 0);
	assert_int_equal(read_ahead_open(f->dirfd, from, &a), 0);
	for (;;) {
		r = segment_read(alone, &line, &at);
		assert_int_equal(read_ahead_next(a, &l), r);
		assert_int_equal(l->at.leaf, at.leaf);
		assert_int_equal(l->at.line, at.line);
		assert_int_equal(l->at.offset, at.offset);
		assert_string_equal(l->at.file, at.file);
		if (r < 0)
			break;
		assert_true(span_eq(l->line, line));
		tree_leaf_hash(h, line, leaf);
		assert_memory_equal(l->leaf, leaf, TREE_HASH);
	}
	assert_int_equal(read_ahead_next(a, &l), r); /* said again */
	if (r == -EILSEQ)
		assert_true(span_eq(l->line, line));
	segment_reader_close(alone);
	read_ahead_close(a);
}

static void lines_come_in_order(void **state)
{
	struct log_fixture *f = *state;

	same_as_alone(f, 0); /* nothing at all */
	fixture_fill(f, RECORDS, 400000);
	same_as_alone(f, 0);
	same_as_alone(f, 1300);
}

static void ends_are_told_and_a_reader_may_leave(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf text = { 0 };
	const char *file = "0000000000000000.jsonl";

	fixture_fill(f, RECORDS, 0);
	fixture_read(f, file, &text);
	assert_int_equal(buf_append(&text, "torn", 4), 0);
	fixture_write(f, file, buf_span(&text));
	same_as_alone(f, 0);
	for (unsigned left = 0; left < RECORDS; left += 700) {
		const struct read_ahead_line *l;
		struct read_ahead *a;

		assert_int_equal(read_ahead_open(f->dirfd, 0, &a), 0);
		for (unsigned i = 0; i < left; i++)
			assert_int_equal(read_ahead_next(a, &l), 0);
		read_ahead_close(a);
	}
	fixture_write(f, "0000000000009999.jsonl", SPAN("x\n")); /* a segment that begins too late */
	assert_int_equal(buf_append(&text, "\n", 1), 0);
	fixture_write(f, file, buf_span(&text));
	same_as_alone(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_come_in_order, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(ends_are_told_and_a_reader_may_leave, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
