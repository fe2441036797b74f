// SPDX-License-Identifier: Apache-2.0
#include "attest/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "attest/bytes.h"
#include "attest/result.h"

static int read_policy(struct attest_policy *p, const char *text, struct policy_error *e)
{
	return attest_policy_read(p, span_of(text), e);
}

static void a_policy_is_read(void **state)
{
	struct policy_error e = { { 0 } };
	struct attest_policy p;

	attest_policy_init(&p);
	assert_int_equal(p.snp.products, 7);
	assert_int_equal(p.tdx.tcb_statuses, 1u << TDX_UP_TO_DATE);
	assert_int_equal(read_policy(&p, "{\"version\":1,\"require\":[\"snp.chip\"],\"optional\":[\"snp.crl\"],"
					 "\"snp\":{\"family_ids\":[\"000102030405060708090a0b0c0d0e0f\"],\"products\":[\"genoa\",\"turin\"],"
					 "\"allow_debug\":true,\"max_vmpl\":1,\"host_data\":[],"
					 "\"minimum_tcb\":{\"turin\":{\"fmc\":1,\"microcode\":81}}},"
					 "\"tdx\":{\"tcb_statuses\":[\"UpToDate\",\"OutOfDate\"],\"fmspcs\":\"B0C06F000000\"}}", &e), 0);
	assert_int_equal(p.snp.products, 6);
	assert_true(p.snp.allow_debug);
	assert_int_equal(p.snp.max_vmpl, 1);
	assert_int_equal(p.snp.minimum_tcb[SNP_TURIN].microcode, 81);
	assert_int_equal(p.snp.minimum_tcb[SNP_MILAN].microcode, 0);
	assert_true(p.snp.host_data.given); /* an empty list allows nothing, and is not none */
	assert_int_equal(p.snp.host_data.n, 0);
	assert_false(p.snp.measurements.given);
	assert_true(policy_set_has(&p.snp.family_ids, ((struct span){ "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16 })));
	assert_false(policy_set_has(&p.snp.family_ids, ((struct span){ "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15 })));
	assert_true(policy_set_has(&p.tdx.fmspcs, ((struct span){ "\xb0\xc0\x6f\0\0\0", 6 })));
	assert_int_equal(p.tdx.tcb_statuses, 1u << TDX_UP_TO_DATE | 1u << TDX_OUT_OF_DATE);
	assert_true(policy_texts_have(&p.require, "snp.chip"));
	attest_policy_done(&p);
}

/* A word that means nothing refuses the file, and leaves the policy that was there. */
static void a_policy_is_strict(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "line" },
		{ "[]", "object" },
		{ "{}", "version" },
		{ "{\"version\":2}", "version" },
		{ "{\"version\":0}", "version" },
		{ "{\"version\":1,\"version\":1}", "duplicate" },
		{ "{\"version\":1,\"snpp\":{}}", "snpp: is not known" },
		{ "{\"version\":1,\"snp\":{\"measurement\":[]}}", "snp.measurement: is not known" },
		{ "{\"version\":1,\"snp\":{\"measurements\":[\"00\"]}}", "96 hex digits" },
		{ "{\"version\":1,\"snp\":{\"measurements\":null}}", "snp.measurements" },
		{ "{\"version\":1,\"snp\":{\"measurements\":[1]}}", "entry 0" },
		{ "{\"version\":1,\"snp\":{\"allow_debug\":1}}", "true or false" },
		{ "{\"version\":1,\"snp\":{\"max_vmpl\":4}}", "range" },
		{ "{\"version\":1,\"snp\":{\"max_vmpl\":-1}}", "range" },
		{ "{\"version\":1,\"snp\":{\"products\":[\"rome\"]}}", "word" },
		{ "{\"version\":1,\"snp\":{\"products\":\"genoa\"}}", "array" },
		{ "{\"version\":1,\"snp\":{\"minimum_tcb\":{\"milan\":{\"ucode\":1}}}}", "minimum_tcb.milan.ucode" },
		{ "{\"version\":1,\"tdx\":{\"tcb_statuses\":[\"Revoked\"]}}", "word" },
		{ "{\"version\":1,\"tdx\":[]}", "object" },
		{ "{\"version\":1,\"require\":[1]}", "require" },
		{ "{\"version\":1} x", "line" },
	};
	struct attest_policy p;

	attest_policy_init(&p);
	p.snp.max_vmpl = 3;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy_error e = { { 0 } };

		assert_int_equal(read_policy(&p, bad[i].text, &e), -EINVAL);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: %s", bad[i].text, e.text);
		assert_int_equal(p.snp.max_vmpl, 3);
	}
	attest_policy_done(&p);
}

static void appraisal(void **state)
{
	struct policy_error e = { { 0 } };
	struct attest_result r = { 0 };
	struct attest_policy p;
	_cleanup_buf_ struct buf out = { 0 };

	attest_policy_init(&p);
	attest_result_init(&r, "x", 1700000000);
	assert_int_equal(attest_appraise(&r, &p), ATTEST_REJECTED);
	attest_pass(&r, "x.a", "ok", "is good");
	assert_int_equal(attest_appraise(&r, &p), ATTEST_REJECTED); /* it did not come to its end */
	r.complete = true;
	assert_int_equal(attest_appraise(&r, &p), ATTEST_AFFIRMING);
	attest_skipped(&r, "x.b", "no-expectation", "nobody asked");
	assert_int_equal(attest_appraise(&r, NULL), ATTEST_AFFIRMING);
	assert_int_equal(read_policy(&p, "{\"version\":1,\"require\":[\"x.b\"]}", &e), 0);
	assert_int_equal(attest_appraise(&r, &p), ATTEST_INCOMPLETE);
	attest_unchecked(&r, "x.c", "no-expectation", "%d", 1);
	assert_int_equal(attest_appraise(&r, NULL), ATTEST_INCOMPLETE);
	assert_int_equal(read_policy(&p, "{\"version\":1,\"optional\":[\"x.c\"]}", &e), 0);
	assert_int_equal(attest_appraise(&r, &p), ATTEST_AFFIRMING);
	attest_unmet(&r, "x.d", "old", "y");
	assert_int_equal(attest_appraise(&r, &p), ATTEST_INCOMPLETE);
	assert_int_equal(read_policy(&p, "{\"version\":1,\"optional\":[\"x.c\",\"x.d\",\"x.e\"]}", &e), 0);
	assert_int_equal(attest_appraise(&r, &p), ATTEST_AFFIRMING);
	assert_int_equal(read_policy(&p, "{\"version\":1,\"optional\":[\"x.c\",\"x.d\",\"x.e\"],\"require\":[\"x.z\"]}", &e), 0);
	assert_int_equal(attest_appraise(&r, &p), ATTEST_INCOMPLETE); /* the evidence has no such field */
	assert_int_equal(read_policy(&p, "{\"version\":1,\"optional\":[\"x.c\",\"x.d\",\"x.e\"]}", &e), 0);
	assert_false(attest_check(&r, 1 == 2, "x.e", "differs", "z"));
	assert_int_equal(attest_appraise(&r, &p), ATTEST_REJECTED); /* a failure is never optional */
	attest_claim_hex(&r, "bytes", SPAN("\x01\xff"));
	assert_int_equal(attest_result_json(&r, &p, &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "\"claims\":{\"bytes\":\"01ff\"}"));
	assert_non_null(strstr(buf_cstr(&out), "\"status\":\"rejected\""));
	assert_non_null(strstr(buf_cstr(&out), "\"at\":\"2023-11-14T22:13:20.000000+00:00\""));
	assert_int_equal(attest_exit_status(ATTEST_AFFIRMING), 0);
	assert_int_equal(attest_exit_status(ATTEST_REJECTED), 1);
	assert_int_equal(attest_exit_status(ATTEST_INCOMPLETE), 3);
	attest_result_done(&r);
	attest_policy_done(&p);
}

static void a_reader_stays_inside(void **state)
{
	struct bytes b = bytes_of(SPAN("\x01\x02\x03\x04\x05"));

	assert_int_equal(bytes_u16le(&b), 0x0201);
	assert_int_equal(bytes_u16be(&b), 0x0304);
	assert_int_equal(bytes_end(&b), -EBADMSG);
	assert_int_equal(bytes_u16be(&b), 0); /* one byte is left: neither read nor skipped */
	assert_int_equal(bytes_u8(&b), 0);
	assert_true(b.failed);
	b = bytes_of(SPAN("\x00\x02xyz"));
	assert_true(span_is(bytes_lp16be(&b), "xy"));
	assert_int_equal(bytes_lp32le(&b).n, 0);
	assert_true(b.failed);
	b = bytes_of((struct span){ 0 });
	assert_int_equal(bytes_end(&b), 0);
	assert_int_equal(bytes_take(&b, SIZE_MAX).n, 0);
	assert_int_equal(bytes_end(&b), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_read),
		cmocka_unit_test(a_policy_is_strict),
		cmocka_unit_test(appraisal),
		cmocka_unit_test(a_reader_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
