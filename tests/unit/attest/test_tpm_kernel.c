// SPDX-License-Identifier: Apache-2.0
/* Evidence through the kernel's own interfaces: resource manager, firmware log, measurement list. Runs where
 * there is a TPM, which scripts/check-vm gives its guests. */
#include "attest/attest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attest/bundle.h"
#include "attest/tpm_public.h"
#include "user/base/digest.h"

#define LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define LIST "/sys/kernel/security/ima/binary_runtime_measurements"

static enum attest_verdict verdict(const struct attest_result *res, const char *field)
{
	const struct attest_finding *f = attest_finding(res, field);

	if (!f)
		fail_msg("no finding %s", field);
	return f->verdict;
}

/* The key is pinned from the evidence itself: the machine and its verifier are one here. */
static void read_policy(const struct attest_bundle *b, struct attest_policy *p)
{
	struct policy_error e = { { 0 } };
	char ak[69], pcr[65], text[1024];
	struct tpm_public pub;
	struct tpm_name n;

	assert_int_equal(tpm_public_parse(attest_evidence_part(&b->evidence, "ak_public"), &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &n), 0);
	hex_encode(n.bytes, n.n, ak);
	hex_encode(attest_evidence_part(&b->evidence, "pcrs").p, 32, pcr);
	(void)snprintf(text, sizeof(text),
		       "{\"version\":1,\"optional\":[\"binding.public_key\",\"binding.policy_hash\",\"binding.catalog_hash\","
		       "\"binding.identity\",\"tpm.identity\"],\"tpm\":{\"ak_names\":\"%s\",\"pcrs\":{\"sha256\":{\"0\":\"%s\"}}}}",
		       ak, pcr);
	attest_policy_init(p);
	assert_int_equal(attest_policy_read(p, span_of(text), &e), 0);
}

static void the_kernels_tpm_gives_evidence_that_affirms(void **state)
{
	const struct attest_config c = { 0 };
	struct attest_binding b = { .mode = SPAN("enforcing"), .boot_id = SPAN("boot") };
	struct buf cosign = { 0 }, json = { 0 };
	struct attest_evidence e = { 0 };
	struct attest_bundle bundle;
	struct attest_policy p;

	if (access("/dev/tpmrm0", F_OK) < 0) {
		printf("skip: no /dev/tpmrm0: scripts/check-vm runs this in guests that have a TPM\n");
		skip();
	}
	assert_int_equal(attest_cosign_key(&c, &cosign), 0);
	b.cosign_key = buf_span(&cosign);
	assert_int_equal(attest_evidence(&c, SPAN("nonce"), &b, &e), 0);
	assert_string_equal(e.platform, "tpm");
	assert_int_equal(attest_evidence_json(&e, &b, SPAN("nonce"), &json), 0);
	attest_evidence_done(&e);
	assert_int_equal(attest_bundle_read(buf_span(&json), &bundle), 0);
	read_policy(&bundle, &p);
	for (unsigned i = 0; i < 2; i++) {
		struct attest_bundle_input in = { .bundle = &bundle, .have_nonce = true };
		struct attest_result res;

		in.nonce = i ? SPAN("replayed") : SPAN("nonce");
		attest_result_init(&res, "tpm", time(NULL));
		assert_int_equal(attest_verify_bundle(&in, &p, &res), 0);
		assert_int_equal(attest_appraise(&res, &p), i ? ATTEST_REJECTED : ATTEST_AFFIRMING);
		if (access(LOG, R_OK) == 0)
			assert_int_equal(verdict(&res, "tpm.eventlog"), ATTEST_PASS);
		if (access(LIST, R_OK) == 0)
			assert_int_equal(verdict(&res, "tpm.ima"), ATTEST_PASS);
		attest_result_done(&res);
	}
	attest_policy_done(&p);
	attest_bundle_done(&bundle);
	buf_done(&json);
	buf_done(&cosign);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernels_tpm_gives_evidence_that_affirms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
