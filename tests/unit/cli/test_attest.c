// SPDX-License-Identifier: Apache-2.0
/* tollgate attest verify: options, exit statuses and the three forms of the answer. */
#include "tests/unit/cli/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/attest/vectors.h"
#include "user/base/buf.h"
#include "user/base/cleanup.h"

static char dir[] = "/tmp/test_attest.XXXXXX";

static int run(struct buf *out, bool json, const char *const *words)
{
	struct cli c = { .json = json, .version = "1.2.3" };

	return capture(cli_attest, &c, "attest", words, out, NULL);
}

#define RUN(out, json, ...) run(out, json, (const char *const[]){ __VA_ARGS__, NULL })

static const char *in_dir(const char *name)
{
	static char path[2][128];
	static unsigned next;
	char *p = path[next++ % 2];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const void *p, size_t n)
{
	assert_int_equal(file_replace(in_dir(name), p, n, 0600), 0);
}

static int setup(void **state)
{
	static const char zero[1184];

	assert_non_null(mkdtemp(dir));
	write_file("zero", zero, sizeof(zero));
	write_file("policy", "{\"version\":1}", 13);
	write_file("bad-policy", "{\"version\":1,\"snp\":{\"mesurements\":[]}}", 38);
	return 0;
}

static int teardown(void **state)
{
	(void)unlink(in_dir("zero"));
	(void)unlink(in_dir("policy"));
	(void)unlink(in_dir("bad-policy"));
	(void)unlink(in_dir("quote"));
	return rmdir(dir);
}

static void a_wrong_command_line_is_told(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	const char *zero = in_dir("zero");

	assert_int_equal(RUN(&out, false, "--help"), 0);
	assert_non_null(strstr(buf_cstr(&out), "--provider"));
	assert_int_equal(run(&out, false, (const char *const[]){ NULL }), 2);
	assert_int_equal(RUN(&out, false, "verify"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "sgx"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero), 2); /* no --cert */
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--evidence", zero), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--evidence", zero), 1); /* is none */
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tdx"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tdx", "--quote", zero, "--evidence", zero), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tdx", "--evidence", zero), 1);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--report", zero, "--cert", zero), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", "/nonexistent", "--cert", zero), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--quote", zero), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "more"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--at", "noon"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--at", "2300-01-01"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--product", "rome"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--report-data", "xyz"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--measurement", "00"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero, "--policy", in_dir("bad-policy")), 2);
	assert_int_equal(buf_len(&out), 0);
}

static void rubbish_is_rejected(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	const char *zero = in_dir("zero");
	json_t *j;

	assert_int_equal(RUN(&out, false, "verify", "--provider", "snp", "--report", zero, "--cert", zero), 1);
	assert_non_null(strstr(buf_cstr(&out), "snp: rejected"));
	assert_int_equal(RUN(&out, false, "verify", "--provider=tdx", "--quote", zero), 1);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tdx", "--quote", zero, "--at", "2026-03-20", "--collateral", dir), 1);
	j = json_loadb(buf_span(&out).p, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "status")), "rejected");
	assert_string_equal(json_string_value(json_object_get(j, "at")), "2026-03-20T00:00:00.000000+00:00");
	json_decref(j);
}

#define GENOA "verify", "--provider", "snp", "--at", "2026-06-01", "--report", vector_path("sev-snp/genoa-v5/report.bin"), \
	      "--cert", vector_path("sev-snp/genoa-v5/vcek.der")
#define HELLO "68656c6c6f2d6174746573746174696f6e" /* hello-attestation, the rest is zero */
#define MEASUREMENT "d9912ba396ce409c"

static void recorded_snp(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, policy = { 0 };
	const json_t *sub, *vector;
	char measurement[97];
	json_t *j;

	if (!vectors_here())
		skip();
	assert_int_equal(RUN(&out, true, GENOA), 3);
	j = json_loadb(buf_span(&out).p, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "status")), "incomplete");
	(void)snprintf(measurement, sizeof(measurement), "%s",
		       json_string_value(json_object_get(json_object_get(j, "claims"), "measurement")));
	assert_int_equal(strncmp(measurement, MEASUREMENT, strlen(MEASUREMENT)), 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "claims"), "launch_mitigations")), "0xb");
	json_decref(j);
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", HELLO, "--measurement", measurement), 3); /* no CRL */
	assert_non_null(strstr(buf_cstr(&out), "! not-checked snp.crl"));
	assert_int_equal(buf_printf(&policy, "{\"version\":1,\"optional\":[\"snp.crl\"],\"snp\":{\"measurements\":\"%s\"}}", measurement), 0);
	write_file("policy", buf_span(&policy).p, buf_len(&policy));
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", HELLO, "--policy", in_dir("policy")), 0);
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", HELLO "00", "--policy", in_dir("policy")), 0);
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", HELLO "01", "--policy", in_dir("policy")), 1);
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", HELLO, "--policy", in_dir("policy"), "--product", "milan"), 1);
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", HELLO, "--policy", in_dir("policy"), "--ear"), 0);
	j = json_loadb(buf_span(&out).p, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
	sub = json_object_get(json_object_get(j, "submods"), "snp");
	vector = json_object_get(sub, "ear.trustworthiness-vector");
	assert_string_equal(json_string_value(json_object_get(sub, "ear.status")), "affirming");
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "ear.verifier-id"), "build")), "1.2.3");
	assert_int_equal(json_object_size(vector), 8);
	assert_int_equal(json_integer_value(json_object_get(vector, "hardware")), 2);
	assert_int_equal(json_integer_value(json_object_get(vector, "executables")), 2);
	assert_int_equal(json_integer_value(json_object_get(vector, "sourced-data")), 2);
	assert_int_equal(json_integer_value(json_object_get(vector, "file-system")), 0); /* nothing is said of it */
	json_decref(j);
	assert_int_equal(RUN(&out, false, GENOA, "--report-data", "00", "--policy", in_dir("policy"), "--ear"), 1);
	j = json_loadb(buf_span(&out).p, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
	sub = json_object_get(json_object_get(j, "submods"), "snp");
	vector = json_object_get(sub, "ear.trustworthiness-vector");
	assert_string_equal(json_string_value(json_object_get(sub, "ear.status")), "contraindicated");
	assert_int_equal(json_integer_value(json_object_get(vector, "sourced-data")), 96);
	json_decref(j);
}

static void recorded_tdx(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };

	if (!vectors_here())
		skip();
	/* A folder of collateral, in which another platform's lies too. */
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tdx", "--at", "2026-03-20", "--quote",
			     vector_path("tdx/v5-uptodate/quote.bin"), "--collateral", vector_path("tdx/collateral-2026-03")), 3);
	assert_non_null(strstr(buf_cstr(&out), "accepted: UpToDate"));
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tdx", "--at", "2026-06-01", "--quote",
			     vector_path("tdx/v4-live-ccel/quote.bin"), "--eventlog", vector_path("tdx/v4-live-ccel/ccel-stale.bin")), 1);
	assert_non_null(strstr(buf_cstr(&out), "replay-differs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_command_line_is_told),
		cmocka_unit_test(rubbish_is_rejected),
		cmocka_unit_test(recorded_snp),
		cmocka_unit_test(recorded_tdx),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
