// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/pending.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct span number(char buf[32], int i)
{
	return (struct span){ buf, (size_t)snprintf(buf, 32, "%d", i) };
}

static void matches_answers_to_requests(void **state)
{
	struct pending_req *r;
	struct pending p = { 0 };

	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("1"), MCP_TOOLS_CALL, SPAN("echo"), 7, 99, &r), 0);
	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("\"1\""), MCP_PING, SPAN(""), 7, 99, NULL), 0);
	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("1"), MCP_PING, SPAN(""), 7, 99, NULL), -EEXIST);
	assert_int_equal(pending_add(&p, MCP_TO_HOST, SPAN("1"), MCP_PING, SPAN(""), 7, 99, NULL), 0);
	assert_int_equal(pending_add(&p, MCP_TO_HOST, SPAN("null"), MCP_PING, SPAN(""), 7, 99, NULL), -EINVAL);
	assert_ptr_equal(pending_find(&p, MCP_TO_SERVER, SPAN("1")), r);
	assert_true(r->epoch == 7 && r->started_ns == 99 && span_is(r->item, "echo"));
	assert_int_equal(pending_find(&p, MCP_TO_SERVER, SPAN("\"\\u0031\""))->method, MCP_PING);
	assert_null(pending_find(&p, MCP_TO_SERVER, SPAN("2")));
	pending_remove(&p, r);
	assert_null(pending_find(&p, MCP_TO_SERVER, SPAN("1")));
	assert_non_null(pending_find(&p, MCP_TO_HOST, SPAN("1")));
	pending_remove(&p, NULL);
	pending_done(&p);
	assert_int_equal(p.count[0] + p.count[1], 0);
}

static void owns_its_bytes(void **state)
{
	char id[] = "\"abc\"", item[] = "tool";
	struct pending p = { 0 };

	assert_int_equal(pending_add(&p, MCP_TO_SERVER, span_of(id), MCP_TOOLS_CALL, span_of(item), 0, 0, NULL), 0);
	id[1] = item[0] = 'z';
	assert_true(span_is(pending_find(&p, MCP_TO_SERVER, SPAN("\"abc\""))->item, "tool"));
	pending_done(&p);
}

static void is_limited(void **state)
{
	struct pending p = { 0 };
	char buf[32];

	for (int i = 0; i < PENDING_MAX; i++)
		assert_int_equal(pending_add(&p, MCP_TO_SERVER, number(buf, i), MCP_PING, SPAN(""), 0, 0, NULL), 0);
	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("\"x\""), MCP_PING, SPAN(""), 0, 0, NULL), -ENOSPC);
	assert_int_equal(pending_add(&p, MCP_TO_HOST, SPAN("\"x\""), MCP_PING, SPAN(""), 0, 0, NULL), 0);
	pending_remove(&p, pending_find(&p, MCP_TO_SERVER, SPAN("500")));
	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("\"x\""), MCP_PING, SPAN(""), 0, 0, NULL), 0);
	pending_done(&p);
}

static void late_answers_after_cancel(void **state)
{
	struct pending p = { 0 };
	char buf[32];

	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("1"), MCP_PING, SPAN(""), 0, 0, NULL), 0);
	assert_int_equal(pending_cancel(&p, MCP_TO_HOST, SPAN("1")), -ENOENT);
	assert_int_equal(pending_cancel(&p, MCP_TO_SERVER, SPAN("1")), 0);
	assert_int_equal(pending_cancel(&p, MCP_TO_SERVER, SPAN("1")), 0);
	assert_true(pending_find(&p, MCP_TO_SERVER, SPAN("1"))->cancelled);
	assert_int_equal(pending_add(&p, MCP_TO_SERVER, SPAN("1"), MCP_PING, SPAN(""), 0, 0, NULL), -EEXIST);
	for (int i = 2; i < PENDING_CANCELLED_MAX + 2; i++) {
		assert_int_equal(pending_add(&p, MCP_TO_SERVER, number(buf, i), MCP_PING, SPAN(""), 0, 0, NULL), 0);
		assert_int_equal(pending_cancel(&p, MCP_TO_SERVER, number(buf, i)), 0);
	}
	assert_null(pending_find(&p, MCP_TO_SERVER, SPAN("1"))); /* the oldest is forgotten */
	assert_non_null(pending_find(&p, MCP_TO_SERVER, SPAN("2")));
	assert_int_equal(p.cancelled[MCP_TO_SERVER], PENDING_CANCELLED_MAX);
	pending_done(&p);
	assert_int_equal(p.cancelled[MCP_TO_SERVER], 0);
}

static void walks_oldest_first(void **state)
{
	struct pending p = { 0 };
	char buf[32];
	int i = 0;

	for (int k = 0; k < 200; k++)
		assert_int_equal(pending_add(&p, MCP_TO_SERVER, number(buf, k), MCP_PING, SPAN(""), 0, 0, NULL), 0);
	for (int k = 0; k < 200; k += 2)
		pending_remove(&p, pending_find(&p, MCP_TO_SERVER, number(buf, k)));
	for (struct pending_req *r = pending_first(&p, MCP_TO_SERVER); r; r = pending_next(r), i++)
		assert_true(span_eq(r->id, number(buf, 2 * i + 1)));
	assert_int_equal(i, 100);
	pending_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_answers_to_requests),
		cmocka_unit_test(owns_its_bytes),
		cmocka_unit_test(is_limited),
		cmocka_unit_test(late_answers_after_cancel),
		cmocka_unit_test(walks_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
