// SPDX-License-Identifier: Apache-2.0
#include "attest/ima.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attest/bundle.h"
#include "attest/tpm_verify.h"
#include "user/base/buf.h"
#include "user/base/digest.h"
#include "user/base/file.h"

#define PROGRAM "/usr/sbin/tollgated"

static void le32(struct buf *b, size_t v)
{
	uint8_t c[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	assert_int_equal(buf_append(b, c, 4), 0);
}

/* One "ima-ng" entry for a file of which content is the whole; appends to both lists and extends reg. */
static void entry(struct buf *binary, struct buf *ascii, uint8_t reg[32], const char *path, const char *content,
		  bool violation)
{
	static const uint8_t ones[32] = { [0 ... 31] = 0xff };
	uint8_t digest[32], sha1[20], ext[32];
	char hex[65], sha1_hex[41];
	struct buf data = { 0 };
	struct span s;

	sha256(content, strlen(content), digest);
	if (violation)
		memset(digest, 0, sizeof(digest));
	le32(&data, 8 + 32);
	buf_append(&data, "sha256:", 8);
	buf_append(&data, digest, 32);
	le32(&data, strlen(path) + 1);
	buf_append(&data, path, strlen(path) + 1);
	s = buf_span(&data);
	assert_int_equal(tpm_hash(TPM_HASH_SHA1, &s, 1, sha1), 0);
	sha256(s.p, s.n, ext);
	if (violation)
		memset(sha1, 0, sizeof(sha1));
	assert_int_equal(tpm_hash_extend(TPM_HASH_SHA256, reg, violation ? ones : ext), 0);
	le32(binary, IMA_PCR);
	buf_append(binary, sha1, 20);
	le32(binary, 6);
	buf_append(binary, "ima-ng", 6);
	le32(binary, s.n);
	buf_append(binary, s.p, s.n);
	hex_encode(digest, 32, hex);
	hex_encode(sha1, 20, sha1_hex);
	assert_int_equal(buf_printf(ascii, "10 %s ima-ng sha256:%s %s\n", sha1_hex, hex, path), 0);
	buf_done(&data);
}

struct lists {
	struct buf binary, ascii;
	struct tpm_pcrs pcrs; /* PCR 10 as quoted */
};

static void add(struct lists *l, const char *path, const char *content)
{
	entry(&l->binary, &l->ascii, l->pcrs.value[0][IMA_PCR], path, content, false);
}

static struct lists begin(void)
{
	struct lists l = { .pcrs.selection = { .n = 1, .bank = { { TPM_HASH_SHA256, 1u << IMA_PCR } } } };

	add(&l, "boot_aggregate", "");
	return l;
}

static void done(struct lists *l)
{
	buf_done(&l->binary);
	buf_done(&l->ascii);
}

/* Programs: "genuine"; measured beside it: "libc". */
static void expect(struct lists *l, bool listed, enum attest_verdict ima, enum attest_verdict identity)
{
	const struct buf *forms[] = { &l->binary, &l->ascii };
	struct attest_policy p = { 0 };
	char json[512], genuine[65], libc[65];
	struct policy_error e;
	uint8_t d[32];

	sha256("genuine", 7, d);
	hex_encode(d, 32, genuine);
	sha256("libc", 4, d);
	hex_encode(d, 32, libc);
	(void)snprintf(json, sizeof(json),
		       "{\"version\":1,\"tpm\":{\"program_path\":[\"%s\"],\"programs\":\"%s\"%s%s%s}}", PROGRAM, genuine,
		       listed ? ",\"measured\":[\"" : "", listed ? libc : "", listed ? "\"]" : "");
	attest_policy_init(&p);
	assert_int_equal(attest_policy_read(&p, span_of(json), &e), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct attest_result res;

		attest_result_init(&res, "tpm", 0);
		tpm_judge_ima(buf_span(forms[i]), &l->pcrs, &p, &res);
		assert_int_equal(attest_finding(&res, "tpm.ima")->verdict, ima);
		if (ima == ATTEST_PASS)
			assert_int_equal(attest_finding(&res, "tpm.identity")->verdict, identity);
		else
			assert_null(attest_finding(&res, "tpm.identity"));
		attest_result_done(&res);
	}
	attest_policy_done(&p);
	done(l);
}

static void a_measured_daemon_is_known(void **state)
{
	struct lists l = begin();

	add(&l, "/lib/a path with spaces.so", "libc");
	add(&l, PROGRAM, "genuine");
	expect(&l, true, ATTEST_PASS, ATTEST_PASS);
}

/* Of two banks that were quoted the weaker one does not speak, whatever it holds. */
static void the_strongest_bank_counts(void **state)
{
	struct lists l = begin();

	add(&l, PROGRAM, "genuine");
	l.pcrs.selection.n = 2;
	l.pcrs.selection.bank[1].alg = TPM_HASH_SHA1;
	l.pcrs.selection.bank[1].mask = 1u << IMA_PCR;
	expect(&l, true, ATTEST_PASS, ATTEST_PASS);
	l = begin();
	add(&l, PROGRAM, "genuine");
	l.pcrs.selection.n = 2;
	l.pcrs.selection.bank[1] = l.pcrs.selection.bank[0];
	l.pcrs.selection.bank[0].alg = TPM_HASH_SHA1;
	memcpy(l.pcrs.value[1], l.pcrs.value[0], sizeof(l.pcrs.value[0]));
	memset(l.pcrs.value[0], 0, sizeof(l.pcrs.value[0]));
	expect(&l, true, ATTEST_PASS, ATTEST_PASS);
}

/* Whatever a modified daemon says of itself, the kernel saw it. */
static void a_modified_daemon_is_never_affirmed(void **state)
{
	struct lists l = begin();

	add(&l, PROGRAM, "modified");
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
	l = begin();
	add(&l, PROGRAM, "genuine");
	add(&l, PROGRAM, "modified");
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
	l = begin();
	add(&l, "/tmp/tollgated", "genuine"); /* elsewhere */
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
	l = begin();
	add(&l, PROGRAM, "genuine");
	add(&l, "/tmp/other", "modified"); /* could speak in its name */
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
	l = begin();
	add(&l, PROGRAM, "genuine");
	add(&l, "boot_aggregate", "modified");
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
	l = begin();
	add(&l, PROGRAM, "genuine");
	add(&l, "/tmp/other", "modified");
	expect(&l, false, ATTEST_PASS, ATTEST_NOT_CHECKED); /* nobody said what may run beside it */
	l = begin();
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
}

static void a_file_that_changed_while_measured_is_nothing(void **state)
{
	struct lists l = begin();

	entry(&l.binary, &l.ascii, l.pcrs.value[0][IMA_PCR], PROGRAM, "genuine", true);
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
}

static void an_edited_list_does_not_replay(void **state)
{
	uint8_t scratch[32] = { 0 };
	struct lists l = begin();

	add(&l, PROGRAM, "modified");
	buf_clear(&l.binary);
	buf_clear(&l.ascii);
	entry(&l.binary, &l.ascii, scratch, "boot_aggregate", "", false);
	entry(&l.binary, &l.ascii, scratch, PROGRAM, "genuine", false);
	expect(&l, true, ATTEST_FAIL, ATTEST_FAIL);
}

/* The list is read after the quote: entries behind the quoted value are nobody's word yet. */
static void what_the_quote_does_not_cover_is_not_counted(void **state)
{
	struct lists l = begin();
	uint8_t later[32];

	add(&l, PROGRAM, "genuine");
	memcpy(later, l.pcrs.value[0][IMA_PCR], 32);
	entry(&l.binary, &l.ascii, later, "/tmp/later", "later", false);
	expect(&l, true, ATTEST_PASS, ATTEST_PASS);
	l = begin();
	memcpy(later, l.pcrs.value[0][IMA_PCR], 32);
	entry(&l.binary, &l.ascii, later, PROGRAM, "genuine", false);
	expect(&l, true, ATTEST_PASS, ATTEST_FAIL);
}

static void malformed_lists_are_refused(void **state)
{
	static const char *const lines[] = {
		"10\n", "10 00 ima-ng sha256:00 /x\n", "10 0000000000000000000000000000000000000000 other sha256:00 /x\n",
		"10 0000000000000000000000000000000000000001 ima-ng sha25600 /x\n",
		"10 0000000000000000000000000000000000000001 ima-ng sha256:zz /x\n",
		"10 0000000000000000000000000000000000000001 ima-ng sha256:00\n",
		"1x 0000000000000000000000000000000000000001 ima-ng sha256:00 /x\n",
		"10 0000000000000000000000000000000000000001 ima-sig sha256:00 /x 123\n",
		"10 0000000000000000000000000000000000000001 ima-ng sha256:00 /no-newline",
	};
	struct ima_entry e;
	struct ima_log log;
	struct lists l = begin();
	unsigned good = 0;

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(ima_open(span_of(lines[i]), TPM_HASH_SHA256, &log), 0);
		assert_int_equal(ima_next(&log, &e), -EBADMSG);
	}
	add(&l, PROGRAM, "genuine");
	for (size_t n = 1; n < buf_len(&l.binary); n++) {
		int r;

		assert_int_equal(ima_open((struct span){ buf_span(&l.binary).p, n }, TPM_HASH_SHA256, &log), 0);
		while ((r = ima_next(&log, &e)) == 1)
			;
		good += r == 0;
	}
	assert_int_equal(good, 1); /* after the first entry */
	done(&l);
}

/* Evidence of a guest with a software TPM under Linux 6.1, which measured what it executed: the kernel's own
 * list and the firmware's own log, bound by one quote. */
#define GUEST "tests/fuzz/corpus/attest_bundle/guest"
#define GUEST_PROGRAM "fabc71fe2ce8af152d3bb6a14abc0ab34bb6a3292075da928431efc5a04dfe41"
#define GUEST_SHELL "3d9f2889d6782537624a4e1a10e68a2ddd53e0ee8bac02676f27308f42ec6bf6"

static void a_kernels_own_list_proves_the_program(void **state)
{
	static const struct {
		const char *program, *measured, *path;
		enum attest_verdict identity; /* and open, not false, for who stated it */
	} rows[] = {
		{ GUEST_PROGRAM, GUEST_SHELL, "/bin/tollgate", ATTEST_PASS },
		{ GUEST_SHELL, GUEST_SHELL, "/bin/tollgate", ATTEST_FAIL }, /* another program in its place */
		{ GUEST_PROGRAM, GUEST_PROGRAM, "/bin/tollgate", ATTEST_FAIL }, /* the shell is not listed */
		{ GUEST_PROGRAM, GUEST_SHELL, "/bin/tollgated", ATTEST_FAIL }, /* never ran */
	};
	struct buf json = { 0 };
	struct attest_bundle b;

	if (access(GUEST, R_OK) < 0) {
		printf("skip: no %s: not run from the repository's root\n", GUEST);
		skip();
	}
	assert_int_equal(file_read(GUEST, 1 << 20, &json), 0);
	assert_int_equal(attest_bundle_read(buf_span(&json), &b), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attest_bundle_input in = { .bundle = &b, .nonce = SPAN("\xaa\xbb\xcc\xdd"), .have_nonce = true };
		struct policy_error e = { { 0 } };
		struct attest_policy p;
		struct attest_result res;
		char text[512];

		(void)snprintf(text, sizeof(text), "{\"version\":1,\"tpm\":{\"program_path\":[\"%s\"],\"programs\":\"%s\","
			       "\"measured\":\"%s\"}}", rows[i].path, rows[i].program, rows[i].measured);
		attest_policy_init(&p);
		assert_int_equal(attest_policy_read(&p, span_of(text), &e), 0);
		attest_result_init(&res, "tpm", 1796000000);
		assert_int_equal(attest_verify_bundle(&in, &p, &res), 0);
		assert_int_equal(attest_finding(&res, "tpm.ima")->verdict, ATTEST_PASS);
		assert_int_equal(attest_finding(&res, "tpm.eventlog")->verdict, ATTEST_PASS);
		assert_int_equal(attest_finding(&res, "binding.nonce")->verdict, ATTEST_PASS);
		assert_int_equal(attest_finding(&res, "tpm.identity")->verdict, rows[i].identity);
		assert_int_equal(attest_finding(&res, "binding.identity")->verdict,
				 rows[i].identity == ATTEST_PASS ? ATTEST_PASS : ATTEST_NOT_CHECKED);
		assert_int_equal(attest_appraise(&res, &p), rows[i].identity == ATTEST_PASS ? ATTEST_INCOMPLETE : ATTEST_REJECTED);
		attest_result_done(&res);
		attest_policy_done(&p);
	}
	attest_bundle_done(&b);
	buf_done(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_measured_daemon_is_known),
		cmocka_unit_test(the_strongest_bank_counts),
		cmocka_unit_test(a_modified_daemon_is_never_affirmed),
		cmocka_unit_test(a_file_that_changed_while_measured_is_nothing),
		cmocka_unit_test(an_edited_list_does_not_replay),
		cmocka_unit_test(what_the_quote_does_not_cover_is_not_counted),
		cmocka_unit_test(malformed_lists_are_refused),
		cmocka_unit_test(a_kernels_own_list_proves_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
