// SPDX-License-Identifier: Apache-2.0
#include "user/notary/sessions.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/notary/view.h"

static int see(struct log_fixture *f, struct session_table *t, int owner, enum record_type type,
	       struct chain *c)
{
	struct session_next want;
	struct record_line line;
	struct record_view v;
	struct record rec;

	record_init(&rec, type, RECORD_NA);
	assert_int_equal(record_write(f->writer, &rec, c, FIXTURE_TIME, &line), 0);
	assert_int_equal(record_view_parse(line.text, &v, NULL), 0);
	chain_advance(c, &line);
	return sessions_see(t, &v, owner, &want);
}

static void the_batch_is_taken_back_whole(void **state)
{
	struct log_fixture *f = *state;
	struct chain c = f->chain, at;
	struct session_table *t;
	struct session_next s;

	assert_int_equal(sessions_new(10, &t), 0);
	assert_int_equal(see(f, t, 1, RECORD_SESSION_START, &c), SESSION_FOLLOWS);
	assert_int_equal(sessions_count(t), 1);
	sessions_rollback(t);
	assert_int_equal(sessions_count(t), 0);
	c = f->chain;
	assert_int_equal(see(f, t, 1, RECORD_SESSION_START, &c), SESSION_FOLLOWS);
	sessions_commit(t);
	at = c;
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &c), SESSION_FOLLOWS);
	assert_int_equal(see(f, t, 1, RECORD_SESSION_END, &c), SESSION_FOLLOWS);
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &c), SESSION_BREAKS); /* after its end */
	sessions_rollback(t);
	c = at;
	assert_true(sessions_first(t, 1, &s));
	assert_int_equal(s.sequence, 1);
	assert_string_equal(s.prev, c.prev);
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &c), SESSION_FOLLOWS);
	assert_int_equal(see(f, t, 1, RECORD_SESSION_END, &c), SESSION_FOLLOWS);
	sessions_commit(t);
	assert_int_equal(sessions_count(t), 0);
	assert_false(sessions_first(t, SESSION_OWNER_ANY, &s));
	sessions_free(t);
}

static void order_owner_and_number_are_kept(void **state)
{
	struct log_fixture *f = *state;
	static const uint8_t key[SHA256_SIZE];
	struct session_table *t;
	struct session_next s;
	struct chain c = f->chain, d, back;

	assert_int_equal(sessions_new(2, &t), 0);
	assert_int_equal(see(f, t, 1, RECORD_SESSION_START, &c), SESSION_FOLLOWS);
	assert_int_equal(see(f, t, 2, RECORD_TOOL_CALL, &c), SESSION_FOREIGN);
	c.sequence--;
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &c), SESSION_BREAKS); /* prev is of the foreign one */
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &c), SESSION_FOLLOWS); /* it goes on from there */
	back = c;
	back.sequence = 1;
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &back), SESSION_BREAKS);
	assert_int_equal(see(f, t, 1, RECORD_SESSION_START, &back), SESSION_BREAKS); /* a second beginning */
	sessions_commit(t);
	assert_int_equal(chain_start(&d, key), 0);
	assert_int_equal(see(f, t, SESSION_OWNER_ANY, RECORD_SESSION_START, &d), SESSION_FOLLOWS);
	assert_int_equal(see(f, t, 7, RECORD_TOOL_CALL, &d), SESSION_FOLLOWS); /* takes it over */
	assert_int_equal(see(f, t, 8, RECORD_TOOL_CALL, &d), SESSION_FOREIGN);
	assert_int_equal(chain_start(&d, key), 0);
	assert_int_equal(see(f, t, 7, RECORD_SESSION_START, &d), SESSION_TOO_MANY);
	sessions_commit(t);
	assert_true(sessions_first(t, 7, &s));
	sessions_end(t, s.id);
	assert_false(sessions_first(t, 7, &s));
	sessions_commit(t);
	assert_int_equal(sessions_count(t), 1);
	sessions_free(t);
}

static void a_session_begins_with_its_start(void **state)
{
	struct log_fixture *f = *state;
	struct chain c = f->chain;
	struct session_table *t;

	assert_int_equal(sessions_new(2, &t), 0);
	assert_int_equal(see(f, t, 1, RECORD_TOOL_CALL, &c), SESSION_BREAKS);
	sessions_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_batch_is_taken_back_whole, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(order_owner_and_number_are_kept, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_session_begins_with_its_start, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
