// SPDX-License-Identifier: Apache-2.0
/* Evidence over the audit socket: which nonces, and what is said when there is none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "user/base/digest.h"
#include "user/query/answers.h"
#include "user/query/query.h"

static int result;
static char seen[2 * QUERY_NONCE_MAX + 1];

static int make(void *arg, struct span nonce, struct buf *json)
{
	assert_ptr_equal(arg, seen);
	hex_encode((const uint8_t *)nonce.p, nonce.n, seen);
	return result < 0 ? result : buf_append_str(json, "{\"evidence\":1}");
}

static void ask(int (*fn)(void *, struct span, struct buf *), const char *name, const char *nonce, unsigned status,
		const char *body)
{
	struct answer_source src = { .evidence = fn, .arg = seen };
	struct answer_param p = { span_of(name), span_of(nonce) };
	struct answer a = { 0 };

	answer_make(&src, "/v1/evidence", &p, name ? 1 : 0, &a);
	assert_int_equal(a.status, status);
	assert_non_null(strstr(buf_cstr(&a.body), body));
	buf_done(&a.body);
}

static void evidence_is_for_a_nonce(void **state)
{
	char longest[2 * QUERY_NONCE_MAX + 3];

	memset(longest, 'a', sizeof(longest));
	longest[2 * QUERY_NONCE_MAX] = '\0';
	result = 0;
	ask(make, "nonce", "00ff", 200, "{\"evidence\":1}");
	assert_string_equal(seen, "00ff");
	ask(make, "nonce", longest, 200, "evidence");
	assert_string_equal(seen, longest);
	longest[2 * QUERY_NONCE_MAX] = 'a';
	longest[2 * QUERY_NONCE_MAX + 1] = 'a';
	longest[2 * QUERY_NONCE_MAX + 2] = '\0';
	ask(make, "nonce", longest, 400, "hex digits");
	ask(make, "nonce", "", 400, "hex digits");
	ask(make, "nonce", "0", 400, "hex digits");
	ask(make, "nonce", "0g", 400, "hex digits");
	ask(make, NULL, NULL, 400, "hex digits");
	ask(make, "nonsense", "00", 400, "\"error\"");
}

static void what_is_not_made_is_said(void **state)
{
	result = -EBUSY;
	ask(make, "nonce", "00", 503, "again in a few seconds");
	result = -EIO;
	ask(make, "nonce", "00", 500, "no evidence now");
	ask(NULL, "nonce", "00", 500, "no evidence now");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evidence_is_for_a_nonce),
		cmocka_unit_test(what_is_not_made_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
