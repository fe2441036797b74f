// SPDX-License-Identifier: Apache-2.0
#include "attest/ear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "attest/attest_verify.h"

/* The vector's member of the result's only submodule. */
static int64_t member(const struct attest_result *res, const char *name, const char *status)
{
	_cleanup_buf_ struct buf out = { 0 };
	const json_t *sub;
	json_t *j;
	int64_t v;

	assert_int_equal(attest_ear(res, NULL, 1750000000, "test 1", &out), 0);
	j = json_loadb(buf_span(&out).p, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "eat_profile")), "tag:ietf.org,2026:rats/ear#04");
	assert_int_equal(json_integer_value(json_object_get(j, "iat")), 1750000000);
	sub = json_object_get(json_object_get(j, "submods"), "snp");
	assert_string_equal(json_string_value(json_object_get(sub, "ear.status")), status);
	v = json_integer_value(json_object_get(json_object_get(sub, "ear.trustworthiness-vector"), name));
	json_decref(j);
	return v;
}

static void the_worst_finding_decides(void **state)
{
	struct attest_result r = { 0 };

	attest_result_init(&r, "snp", 1750000000);
	assert_int_equal(member(&r, "hardware", "contraindicated"), 0); /* nothing was judged */
	r.complete = true;
	attest_pass(&r, "snp.signature", "valid", "-");
	assert_int_equal(member(&r, "hardware", "affirming"), 2);
	assert_int_equal(member(&r, "executables", "affirming"), 0);
	attest_skipped(&r, "snp.host_data", "no-expectation", "-");
	assert_int_equal(member(&r, "configuration", "affirming"), 0); /* no claim is not a good one */
	attest_unchecked(&r, "snp.measurement", "no-expectation", "-");
	assert_int_equal(member(&r, "executables", "warning"), 32);
	attest_unmet(&r, "snp.firmware", "provisional", "-");
	assert_int_equal(member(&r, "hardware", "warning"), 32);
	attest_fail(&r, "snp.tcb", "tcb-mismatch", "-");
	attest_pass(&r, "snp.chain", "chained", "-");
	assert_int_equal(member(&r, "hardware", "contraindicated"), 96);
	attest_fail(&r, "new.field", "-", "-");
	assert_int_equal(member(&r, "instance-identity", "contraindicated"), 96);
	attest_result_done(&r);
}

/* A reason may quote a certificate, and is printed. */
static void a_reason_cannot_steer_a_terminal(void **state)
{
	struct attest_result r = { 0 };

	attest_result_init(&r, "snp", 0);
	attest_fail(&r, "snp.chain", "wrong-chain", "%s", "a\033[2Jb\n\xff");
	assert_string_equal(r.findings[0].reason, "a?[2Jb??");
	attest_result_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_finding_decides),
		cmocka_unit_test(a_reason_cannot_steer_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
