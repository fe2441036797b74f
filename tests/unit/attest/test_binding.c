// SPDX-License-Identifier: Apache-2.0
#include "attest/attest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "user/base/digest.h"

static struct attest_binding sample(void)
{
	return (struct attest_binding){
		.nonce = SPAN("\x01\x02"), .public_key = SPAN("key"), .policy_hash = SPAN("sha256:p"),
		.catalog_hash = SPAN("sha256:c"), .mode = SPAN("enforcing"), .program_hash = SPAN("sha256:d"),
		.kernel_program_hash = SPAN("sha256:k"), .boot_id = SPAN("boot"), .origin = SPAN("node"),
		.tree_size = 258, .tree_root = SPAN("root"),
	};
}

/* Computed with Python's hashlib from the layout in attest.h. */
static void the_statement_is_as_defined(void **state)
{
	const struct attest_binding b = sample();
	struct attest_digests d;
	char hex[129];

	assert_int_equal(attest_binding(&b, &d), 0);
	hex_encode(d.sha256, 32, hex);
	assert_string_equal(hex, "a866cfcce6245be9a57992e7e12dfcc1ef79e877e8ad5d21aa18f58d916213d4");
	hex_encode(d.sha512, 64, hex);
	assert_string_equal(hex,
			    "5bd924183997183118437e14bfcf5691b2d4c388aaeeb8d6e8649d7675cb4b23"
			    "a3419ce55a3e24051e664b181436587725a45bf76cf1a39f91d0dc90533fa859");
}

/* Moving a byte from one field to its neighbour, or dropping one, is another statement. */
static void no_two_statements_share_bytes(void **state)
{
	struct attest_binding b = sample();
	struct attest_digests d, e;

	assert_int_equal(attest_binding(&b, &d), 0);
	b.policy_hash = SPAN("sha256:ps");
	b.catalog_hash = SPAN("ha256:c");
	assert_int_equal(attest_binding(&b, &e), 0);
	assert_memory_not_equal(d.sha512, e.sha512, 64);
	b = sample();
	b.tree_size = 2;
	assert_int_equal(attest_binding(&b, &e), 0);
	assert_memory_not_equal(d.sha512, e.sha512, 64);
	b = sample();
	b.cosign_key = b.public_key;
	b.public_key = (struct span){ 0 };
	assert_int_equal(attest_binding(&b, &e), 0);
	assert_memory_not_equal(d.sha512, e.sha512, 64);
}

static void limits(void **state)
{
	static char big[ATTEST_TEXT_MAX + 1];
	struct attest_binding b = sample();
	struct attest_digests d;

	b.nonce = (struct span){ big, ATTEST_NONCE_MAX };
	assert_int_equal(attest_binding(&b, &d), 0);
	b.nonce.n++;
	assert_int_equal(attest_binding(&b, &d), -EMSGSIZE);
	b = sample();
	b.policy_hash = (struct span){ big, sizeof(big) };
	assert_int_equal(attest_binding(&b, &d), -EMSGSIZE);
	b = (struct attest_binding){ 0 };
	assert_int_equal(attest_binding(&b, &d), 0);
}

/* Without hardware the evidence says so, and has no quote that could be taken for one. */
static void nothing_pretends(void **state)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct attest_found found[16];
	struct attest_binding b = sample();
	struct attest_evidence e = { 0 };
	struct attest_digests d;
	const struct attest_config c = { .provider = "software-only" }, none = { .provider = "sev-snp" };
	const struct attest_config misspelt = { .provider = "tmp" };
	unsigned n = attest_detect(&c, found, 16);

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(found[i].used, i == n - 1);
	assert_string_equal(found[0].name, "azure");
	assert_string_equal(found[n - 1].name, "software-only");
	assert_true(found[n - 1].present);
	/* What was asked for and is not there is a failure, never something weaker. */
	assert_int_equal(attest_evidence(&none, SPAN("\xaa\xbb"), &b, &e), -ENODEV);
	assert_int_equal(attest_evidence(&misspelt, SPAN("\xaa\xbb"), &b, &e), -ENODEV);
	assert_int_equal(attest_evidence(&c, SPAN("\xaa\xbb"), &b, &e), 0);
	assert_int_equal(e.class, ATTEST_SOFTWARE_ONLY);
	assert_int_equal(e.n_parts, 0);
	b.nonce = SPAN("\xaa\xbb");
	assert_int_equal(attest_binding(&b, &d), 0);
	assert_memory_equal(d.sha256, e.bound.sha256, 32); /* bound to the nonce that was asked */
	assert_int_equal(attest_evidence_json(&e, &b, b.nonce, &json), 0);
	assert_non_null(strstr(buf_cstr(&json), "\"class\":\"software-only\""));
	assert_non_null(strstr(buf_cstr(&json), "\"parts\":{}"));
	assert_non_null(strstr(buf_cstr(&json), "\"nonce\":\"aabb\""));
	attest_evidence_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_statement_is_as_defined),
		cmocka_unit_test(no_two_statements_share_bytes),
		cmocka_unit_test(limits),
		cmocka_unit_test(nothing_pretends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
