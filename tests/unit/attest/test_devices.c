// SPDX-License-Identifier: Apache-2.0
/* Collection of evidence from the devices of confidential guests, and what a stranger says of it. */
#include "attest/tsm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/bundle.h"
#include "attest/tdx_quote.h"
#include "tests/device/device_fs.h"
#include "tests/unit/attest/snp_maker.h"
#include "tests/unit/attest/tdx_maker.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define HASH "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define KEY "0123456789abcdef0123456789abcdef"

static bool here;
static char root[64];
static struct made snp;
static struct buf table; /* the host's certificates */

#define NEEDS_FUSE() \
	do { \
		if (!here) \
			skip(); \
	} while (0)

/* --- what the firmware would answer ---------------------------------------------------------------- */

static int snp_report(void *arg, const uint8_t data[64], uint8_t ret[DEVICE_BLOB_MAX], size_t *ret_n)
{
	struct made *d = arg;

	memcpy(d->report + 0x50, data, 64);
	sign_report(d);
	memcpy(ret, d->report, sizeof(d->report));
	*ret_n = sizeof(d->report);
	return 0;
}

static int tdx_quote(void *arg, const uint8_t data[64], uint8_t ret[DEVICE_BLOB_MAX], size_t *ret_n)
{
	const struct quote_make m = { .version = 4, .body = TDX_BODY_10, .svn = { 5, 0, 5 }, .report_data = data };
	_cleanup_buf_ struct buf b = { 0 };

	make_quote(&b, &m);
	if (buf_len(&b) > DEVICE_BLOB_MAX)
		return -EMSGSIZE;
	memcpy(ret, buf_span(&b).p, buf_len(&b));
	*ret_n = buf_len(&b);
	return 0;
}

/* A TD report is bound to its processor: nothing in it but its place matters here. */
static int td_report(void *arg, const uint8_t data[64], uint8_t ret[DEVICE_BLOB_MAX], size_t *ret_n)
{
	memset(ret, 0, 1024);
	ret[0] = 0x81;
	memcpy(ret + 128, data, 64);
	*ret_n = 1024;
	return 0;
}

static int refuses(void *arg, const uint8_t data[64], uint8_t ret[DEVICE_BLOB_MAX], size_t *ret_n)
{
	return -EIO;
}

static void add_der(X509 *x, const uint8_t guid[16], struct buf *rows, struct buf *certs)
{
	uint32_t at = 3 * 24 + (uint32_t)buf_len(certs), n;
	uint8_t *der = NULL;

	n = (uint32_t)i2d_X509(x, &der);
	assert_int_equal(buf_append(rows, guid, 16), 0);
	assert_int_equal(buf_append(rows, &at, 4), 0);
	assert_int_equal(buf_append(rows, &n, 4), 0);
	assert_int_equal(buf_append(certs, der, n), 0);
	OPENSSL_free(der);
}

/* VCEK and ASK as the kernel's header names them. */
static void make_table(void)
{
	static const uint8_t vcek[16] = { 0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8,
					  0xac, 0xcd };
	static const uint8_t ask[16] = { 0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27,
					 0xc7, 0x82 };
	_cleanup_buf_ struct buf certs = { 0 };
	static const uint8_t end[24];

	add_der(snp.leaf, vcek, &table, &certs);
	add_der(snp.issuer, ask, &table, &certs);
	assert_int_equal(buf_append(&table, end, sizeof(end)), 0);
	assert_int_equal(buf_append(&table, buf_span(&certs).p, buf_len(&certs)), 0);
}

/* --- a machine with these devices ------------------------------------------------------------------- */

static struct device_fs amd(void)
{
	return (struct device_fs){ .report = snp_report, .arg = &snp, .aux = (const uint8_t *)buf_span(&table).p,
				   .aux_n = buf_len(&table) };
}

static pid_t serves;

static void switch_off(void)
{
	device_fs_stop(serves, root);
	serves = 0;
}

static void machine(const struct device_fs *d)
{
	switch_off();
	serves = device_fs_start(d, root);
	assert_true(serves > 0);
}

static int after(void **state)
{
	switch_off();
	return 0;
}

static const struct attest_config below = { .root = root, .tcti = "swtpm:path=/nonexistent" };

static int collect(const char *policy_hash, struct buf *json)
{
	struct attest_binding b = { .public_key = SPAN(KEY), .policy_hash = span_of(policy_hash), .catalog_hash = SPAN(HASH),
				    .mode = SPAN("enforcing"), .boot_id = SPAN("boot"), .origin = SPAN("node") };
	struct attest_evidence e = { 0 };
	int r = attest_evidence(&below, SPAN("nonce"), &b, &e);

	if (r == 0)
		r = attest_evidence_json(&e, &b, SPAN("nonce"), json);
	attest_evidence_done(&e);
	return r;
}

static const char *detected(bool present[6])
{
	struct attest_found found[8];
	const char *used = "";

	assert_int_equal(attest_detect(&below, found, 8), 6);
	for (unsigned i = 0; i < 6; i++) {
		present[i] = found[i].present;
		if (found[i].used)
			used = found[i].name;
	}
	return used;
}

/* The verdict on one field, and the status of all. */
static enum attest_status judge(const struct buf *json, const char *policy_hash, const char *field, const char *code)
{
	const struct attest_roots roots = { .amd = &pki[snp.product].roots, .intel = &tdx_pki.roots };
	struct attest_bundle_input in = { .nonce = SPAN("nonce"), .have_nonce = true, .silicon.roots = &roots };
	const struct attest_finding *f;
	struct attest_bundle bundle;
	struct policy_error e = { { 0 } };
	struct attest_result res;
	enum attest_status status;
	struct attest_policy p;
	char text[1024], key[65];

	hex_encode((const uint8_t *)KEY, 32, key);
	(void)snprintf(text, sizeof(text), "{\"version\":1,\"optional\":[\"snp.crl\",\"snp.measurement\",\"binding.identity\"],"
		       "\"binding\":{\"public_keys\":\"%s\",\"policy_hashes\":\"%s\",\"catalog_hashes\":\"%s\","
		       "\"modes\":[\"enforcing\"]}}", key, policy_hash + 7, HASH + 7);
	attest_policy_init(&p);
	if (attest_policy_read(&p, span_of(text), &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(attest_bundle_read(buf_span(json), &bundle), 0);
	in.bundle = &bundle;
	attest_result_init(&res, "x", PKI_NOW);
	assert_int_equal(attest_verify_bundle(&in, &p, &res), 0);
	status = attest_appraise(&res, &p);
	f = attest_finding(&res, field);
	if (!f || strcmp(f->code, code) != 0) {
		for (unsigned i = 0; i < res.n_findings; i++)
			print_message("%s %s %s: %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
				      res.findings[i].code, res.findings[i].reason);
		fail_msg("%s is not %s", field, code);
	}
	attest_result_done(&res);
	attest_bundle_done(&bundle);
	attest_policy_done(&p);
	return status;
}

/* Good evidence affirms, and under an edited statement the report's data is another's. */
static void affirms_and_binds(void)
{
	_cleanup_buf_ struct buf json = { 0 }, edited = { 0 };
	char other[] = HASH, *at;

	assert_int_equal(collect(HASH, &json), 0);
	assert_int_equal(judge(&json, HASH, "snp.report_data", "expected"), ATTEST_AFFIRMING);
	other[10] = '2';
	assert_int_equal(buf_append(&edited, buf_span(&json).p, buf_len(&json)), 0);
	at = strstr(buf_cstr(&edited), "\"policy_hash\":\"" HASH);
	assert_non_null(at);
	memcpy(at + strlen("\"policy_hash\":\""), other, strlen(other));
	assert_int_equal(judge(&edited, other, "snp.report_data", "unexpected"), ATTEST_REJECTED);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void configfs_gives_report_and_certificates(void **state)
{
	struct device_fs d = amd();
	bool present[6];

	NEEDS_FUSE();
	d.provider = "sev_guest";
	machine(&d);
	assert_string_equal(detected(present), "sev-snp");
	assert_true(present[1] && !present[2] && !present[3]);
	affirms_and_binds();
	switch_off();
}

static void the_device_gives_the_same(void **state)
{
	struct device_fs d = amd();
	_cleanup_buf_ struct buf json = { 0 };
	uint8_t *huge = calloc(1, 5 * 4096);
	bool present[6];

	NEEDS_FUSE();
	d.sev_guest = true;
	machine(&d);
	assert_string_equal(detected(present), "sev-snp");
	affirms_and_binds();
	switch_off();
	/* A table that is too long for the driver: the report comes without it, and so proves nothing alone. */
	d.aux = huge;
	d.aux_n = 5 * 4096;
	machine(&d);
	assert_int_equal(collect(HASH, &json), 0);
	assert_int_equal(judge(&json, HASH, "snp.certificates", "no-leaf"), ATTEST_REJECTED);
	switch_off();
	free(huge);
}

static void another_writer_is_noticed(void **state)
{
	struct device_fs d = amd();
	_cleanup_buf_ struct buf json = { 0 };

	NEEDS_FUSE();
	d.provider = "sev_guest";
	d.disturb = 2;
	machine(&d);
	assert_int_equal(collect(HASH, &json), 0); /* the third time it is ours */
	assert_int_equal(judge(&json, HASH, "snp.report_data", "expected"), ATTEST_AFFIRMING);
	switch_off();
	d.disturb = 100;
	machine(&d);
	assert_int_equal(collect(HASH, &json), -EAGAIN);
	switch_off();
}

static void firmware_that_refuses_is_no_evidence(void **state)
{
	struct device_fs d = amd();
	_cleanup_buf_ struct buf json = { 0 };

	NEEDS_FUSE();
	d.report = refuses;
	d.provider = "sev_guest";
	machine(&d);
	assert_int_equal(collect(HASH, &json), -EIO); /* and nothing weaker in its place */
	switch_off();
	d.provider = NULL;
	d.sev_guest = true;
	machine(&d);
	assert_int_equal(collect(HASH, &json), -EIO);
	switch_off();
}

static void tdx_gives_a_quote(void **state)
{
	const struct device_fs d = { .provider = "tdx_guest", .report = tdx_quote };
	_cleanup_buf_ struct buf json = { 0 };
	char other[] = HASH, *at;
	bool present[6];

	NEEDS_FUSE();
	machine(&d);
	assert_string_equal(detected(present), "tdx");
	assert_true(!present[1] && present[2]);
	assert_int_equal(collect(HASH, &json), 0);
	switch_off();
	assert_int_equal(judge(&json, HASH, "tdx.report_data", "expected"), ATTEST_INCOMPLETE); /* no collateral */
	(void)judge(&json, HASH, "tdx.signature", "valid");
	other[10] = '2';
	at = strstr(buf_cstr(&json), "\"policy_hash\":\"" HASH);
	assert_non_null(at);
	memcpy(at + strlen("\"policy_hash\":\""), other, strlen(other));
	assert_int_equal(judge(&json, other, "tdx.report_data", "unexpected"), ATTEST_REJECTED);
}

static void a_td_report_affirms_nothing(void **state)
{
	const struct device_fs d = { .tdx_guest = true, .report = td_report };
	_cleanup_buf_ struct buf json = { 0 };
	bool present[6];

	NEEDS_FUSE();
	machine(&d);
	assert_string_equal(detected(present), "tdx");
	assert_int_equal(collect(HASH, &json), 0);
	switch_off();
	assert_int_equal(judge(&json, HASH, "binding.hardware", "no-quote"), ATTEST_INCOMPLETE);
}

static void a_machine_without_devices_says_so(void **state)
{
	const struct device_fs d = { .report = refuses };
	struct attest_config sev = below;
	bool present[6];

	NEEDS_FUSE();
	machine(&d);
	assert_string_equal(detected(present), "software-only");
	sev.provider = "sev-snp";
	assert_false(attest_present(&sev)); /* what is asked for by name is not replaced */
	switch_off();
}

/* The interface itself: nobody's entry stays, and a provider of another name is none. */
static void entries_are_removed(void **state)
{
	struct device_fs d = amd();
	_cleanup_buf_ struct buf report = { 0 }, aux = { 0 };
	const uint8_t data[TSM_DATA_SIZE] = { 1 };

	NEEDS_FUSE();
	d.provider = "sev_guest";
	machine(&d);
	for (unsigned i = 0; i < 40; i++) { /* there is room for 16 */
		assert_int_equal(tsm_report(root, "tdx_guest", data, &report, &aux), -ENODEV);
		assert_false(tsm_present(root, "arm_cca_guest"));
		assert_int_equal(tsm_report(root, "sev_guest", data, &report, &aux), 0);
	}
	assert_int_equal(buf_len(&report), 40 * SNP_REPORT_SIZE);
	switch_off();
	assert_int_equal(tsm_report(root, "sev_guest", data, &report, &aux), -ENODEV);
}

static int group_setup(void **state)
{
	(void)setenv("TSS2_LOG", "all+NONE", 0); /* there is no TPM here */
	here = access("/dev/fuse", R_OK | W_OK) == 0;
	if (!here)
		printf("skip: /dev/fuse is not there\n");
	(void)snprintf(root, sizeof(root), "/tmp/tollgate-devices-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(make_pki(state), 0);
	assert_int_equal(tdx_pki_make(state), 0);
	make(&snp, &(struct make){ .product = SNP_MILAN, .version = 3, .hwid_first = 0xc1 });
	make_table();
	return 0;
}

static int group_teardown(void **state)
{
	buf_done(&table);
	unmake(&snp);
	(void)tdx_pki_drop(state);
	(void)drop_pki(state);
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(configfs_gives_report_and_certificates, after),
		cmocka_unit_test_teardown(the_device_gives_the_same, after),
		cmocka_unit_test_teardown(another_writer_is_noticed, after),
		cmocka_unit_test_teardown(firmware_that_refuses_is_no_evidence, after),
		cmocka_unit_test_teardown(tdx_gives_a_quote, after),
		cmocka_unit_test_teardown(a_td_report_affirms_nothing, after),
		cmocka_unit_test_teardown(a_machine_without_devices_says_so, after),
		cmocka_unit_test_teardown(entries_are_removed, after),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
