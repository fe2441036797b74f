// SPDX-License-Identifier: Apache-2.0
#include "attest/x509.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "attest/roots.h"
#include "tests/unit/attest/pki.h"
#include "user/base/cleanup.h"

static struct {
	EVP_PKEY *root_key, *ca_key, *leaf_key;
	X509 *root, *ca, *leaf;
	struct x509_certs roots, untrusted;
} pki;

static int setup(void **state)
{
	pki.root_key = pki_ec("P-256");
	pki.ca_key = pki_ec("P-256");
	pki.leaf_key = pki_ec("P-256");
	pki.root = pki_signed(pki_cert("root", pki.root_key, NULL, 1, true, true), pki.root_key, PKI_ECDSA_SHA256);
	pki.ca = pki_signed(pki_cert("ca", pki.ca_key, pki.root, 2, true, true), pki.root_key, PKI_ECDSA_SHA256);
	pki.leaf = pki_signed(pki_cert("leaf", pki.leaf_key, pki.ca, 3, false, true), pki.ca_key, PKI_ECDSA_SHA256);
	return x509_certs_ref(&pki.roots, pki.root) + x509_certs_ref(&pki.untrusted, pki.ca);
}

static int teardown(void **state)
{
	x509_certs_done(&pki.roots);
	x509_certs_done(&pki.untrusted);
	X509_free(pki.root);
	X509_free(pki.ca);
	X509_free(pki.leaf);
	EVP_PKEY_free(pki.root_key);
	EVP_PKEY_free(pki.ca_key);
	EVP_PKEY_free(pki.leaf_key);
	return 0;
}

static struct x509_trust trust(void)
{
	return (struct x509_trust){ .roots = &pki.roots, .untrusted = &pki.untrusted, .at = PKI_NOW, .strict = true };
}

static int verify(X509 *leaf, const struct x509_trust *t)
{
	const char *why = NULL;
	int r = x509_verify(leaf, t, NULL, &why);

	assert_non_null(why);
	assert_true((r == 0) == (why[0] == '\0'));
	return r;
}

static void files_are_read_whole_or_not(void **state)
{
	_cleanup_certs_ struct x509_certs c = { 0 };
	_cleanup_buf_ struct buf pem = { 0 }, der = { 0 }, many = { 0 };
	struct span s;

	pki_pem(pki.leaf, &pem);
	pki_pem(pki.ca, &pem);
	s = buf_span(&pem);
	assert_int_equal(x509_certs_add(&c, s), 0);
	assert_int_equal(c.n, 2);
	assert_int_equal(buf_append_str(&pem, "text between\n"), 0);
	pki_pem(pki.root, &pem);
	assert_int_equal(buf_append(&pem, "\0-----BEGIN CERTIFICATE-----\nrubbish", 36), 0); /* a NUL ends it */
	assert_int_equal(x509_certs_add(&c, buf_span(&pem)), 0);
	assert_int_equal(c.n, 5);
	buf_clear(&pem);
	pki_pem(pki.leaf, &pem);
	assert_int_equal(buf_append_str(&pem, "-----BEGIN CERTIFICATE-----\nMIIB\n"), 0); /* the second is cut */
	assert_int_equal(x509_certs_add(&c, buf_span(&pem)), -EBADMSG);
	assert_int_equal(c.n, 5);
	pki_der(pki.leaf, &der);
	s = buf_span(&der);
	assert_int_equal(x509_certs_add(&c, s), 0);
	for (size_t n = 0; n < s.n; n++)
		assert_int_equal(x509_certs_add(&c, (struct span){ s.p, n }), -EBADMSG);
	assert_int_equal(buf_append(&der, "", 1), 0);
	assert_int_equal(x509_certs_add(&c, buf_span(&der)), -EBADMSG); /* a byte behind it */
	assert_int_equal(x509_certs_add(&c, SPAN("no certificate")), -EBADMSG);
	assert_int_equal(c.n, 6);
	for (unsigned i = 0; i < X509_CERTS_MAX; i++)
		pki_pem(pki.leaf, &many);
	assert_int_equal(x509_certs_add(&c, buf_span(&many)), -EMSGSIZE);
	assert_int_equal(c.n, 6);
}

static void a_chain_ends_at_a_pinned_root(void **state)
{
	_cleanup_certs_ struct x509_certs chain = { 0 }, others = { 0 };
	EVP_PKEY *key = pki_ec("P-256");
	X509 *twin = pki_signed(pki_cert("root", key, NULL, 1, true, true), key, PKI_ECDSA_SHA256);
	struct x509_trust t = trust();
	const char *why;

	assert_int_equal(x509_verify(pki.leaf, &t, &chain, &why), 0);
	assert_int_equal(chain.n, 3);
	assert_ptr_equal(chain.cert[0], pki.leaf);
	assert_int_equal(X509_cmp(chain.cert[2], pki.root), 0);
	t.untrusted = NULL;
	assert_int_equal(verify(pki.leaf, &t), -EKEYREJECTED);
	t = trust();
	assert_int_equal(x509_certs_ref(&others, twin), 0); /* called as the root is, but another */
	t.roots = &others;
	assert_int_equal(verify(pki.leaf, &t), -EKEYREJECTED);
	assert_int_equal(x509_certs_ref(&others, pki.ca), 0);
	t = trust();
	t.untrusted = &others; /* brought along, it is not trusted and not in the way */
	assert_int_equal(verify(pki.leaf, &t), 0);
	X509_free(twin);
	EVP_PKEY_free(key);
}

static void times_are_those_of_the_caller(void **state)
{
	struct x509_trust t = trust();

	t.at = PKI_NOW + 179 * PKI_DAY;
	assert_int_equal(verify(pki.leaf, &t), 0);
	t.at = PKI_NOW + 181 * PKI_DAY;
	assert_int_equal(verify(pki.leaf, &t), -EKEYREJECTED);
	t.at = PKI_NOW - 181 * PKI_DAY;
	assert_int_equal(verify(pki.leaf, &t), -EKEYREJECTED);
	t.at = 0; /* is a time, not "now" */
	assert_int_equal(verify(pki.leaf, &t), -EKEYREJECTED);
}

static void a_leaf_cannot_issue(void **state)
{
	X509 *below = pki_signed(pki_cert("below", pki.leaf_key, pki.leaf, 9, false, true), pki.leaf_key, PKI_ECDSA_SHA256);
	_cleanup_certs_ struct x509_certs both = { 0 };
	struct x509_trust t = trust();

	assert_int_equal(x509_certs_ref(&both, pki.leaf) + x509_certs_ref(&both, pki.ca), 0);
	t.untrusted = &both;
	assert_int_equal(verify(below, &t), -EKEYREJECTED);
	t.strict = false;
	assert_int_equal(verify(below, &t), -EKEYREJECTED);
	X509_free(below);
}

static void weak_keys_are_refused(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(1024);
	X509 *weak = pki_signed(pki_cert("weak", key, pki.ca, 9, false, true), pki.ca_key, PKI_ECDSA_SHA256);
	struct x509_trust t = trust();

	assert_int_equal(verify(weak, &t), -EKEYREJECTED);
	X509_free(weak);
	EVP_PKEY_free(key);
	weak = pki_cert("weak", pki.leaf_key, pki.ca, 9, false, true);
	assert_true(X509_sign(weak, pki.ca_key, EVP_sha1()) > 0);
	assert_int_equal(verify(weak, &t), -EKEYREJECTED);
	X509_free(weak);
}

static void add_crl(struct x509_crls *c, X509_CRL *x)
{
	_cleanup_buf_ struct buf der = { 0 };

	pki_crl_der(x, &der);
	assert_int_equal(x509_crls_add(c, buf_span(&der)), 0);
	X509_CRL_free(x);
}

static void revocation_needs_every_list(void **state)
{
	_cleanup_crls_ struct x509_crls crls = { 0 };
	struct x509_trust t = trust();
	const char *why;

	t.crls = &crls;
	assert_int_equal(x509_verify(pki.leaf, &t, NULL, &why), -EKEYREJECTED);
	assert_true(x509_lacks_crl(why));
	add_crl(&crls, pki_crl(pki.ca, pki.ca_key, PKI_ECDSA_SHA256, 99, true));
	assert_int_equal(x509_verify(pki.leaf, &t, NULL, &why), -EKEYREJECTED);
	assert_true(x509_lacks_crl(why));
	add_crl(&crls, pki_crl(pki.root, pki.root_key, PKI_ECDSA_SHA256, -1, true));
	assert_int_equal(verify(pki.leaf, &t), 0);
	t.at = PKI_NOW + 16 * PKI_DAY; /* past the next update */
	assert_int_equal(x509_verify(pki.leaf, &t, NULL, &why), -EKEYREJECTED);
	assert_false(x509_lacks_crl(why));
	t.at = PKI_NOW;
	x509_crls_done(&crls);
	add_crl(&crls, pki_crl(pki.ca, pki.ca_key, PKI_ECDSA_SHA256, 3, true));
	add_crl(&crls, pki_crl(pki.root, pki.root_key, PKI_ECDSA_SHA256, -1, true));
	assert_int_equal(x509_verify(pki.leaf, &t, NULL, &why), -EKEYREJECTED);
	assert_false(x509_lacks_crl(why));
}

static void a_forged_list_is_told(void **state)
{
	_cleanup_crls_ struct x509_crls good = { 0 }, forged = { 0 }, foreign = { 0 };
	_cleanup_certs_ struct x509_certs chain = { 0 };
	struct x509_trust t = trust();
	const char *why;

	assert_int_equal(x509_verify(pki.leaf, &t, &chain, &why), 0);
	add_crl(&good, pki_crl(pki.ca, pki.ca_key, PKI_ECDSA_SHA256, -1, true));
	add_crl(&forged, pki_crl(pki.ca, pki.leaf_key, PKI_ECDSA_SHA256, -1, true));
	add_crl(&foreign, pki_crl(pki.leaf, pki.leaf_key, PKI_ECDSA_SHA256, -1, true));
	assert_false(x509_crls_forged(&good, &chain));
	assert_true(x509_crls_forged(&forged, &chain));
	chain.n--; /* the root is not asked about here */
	assert_false(x509_crls_forged(&good, &chain));
	chain.n++;
	assert_false(x509_crls_forged(&foreign, &chain)); /* signed by the one it names */
}

static void names_and_extensions(void **state)
{
	X509 *x = pki_cert("one", pki.leaf_key, NULL, 1, false, false);
	struct span v;
	char text[8];

	assert_true(x509_cn_is(X509_get_subject_name(x), "one"));
	assert_false(x509_cn_is(X509_get_subject_name(x), "on"));
	assert_string_equal(x509_cn(X509_get_subject_name(x), text, sizeof(text)), "one");
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"two", -1, -1, 0), 1);
	assert_false(x509_cn_is(X509_get_subject_name(x), "one")); /* two names are none */
	assert_string_equal(x509_cn(X509_get_subject_name(x), text, sizeof(text)), "?");
	assert_int_equal(x509_extension(x, "1.2.3.4", &v), -ENOENT);
	pki_raw_ext(x, "1.2.3.4", "value", 5);
	assert_int_equal(x509_extension(x, "1.2.3.4", &v), 0);
	assert_true(span_is(v, "value"));
	pki_raw_ext(x, "1.2.3.4", "other", 5);
	assert_int_equal(x509_extension(x, "1.2.3.4", &v), -EBADMSG);
	X509_free(x);
}

static void der_in_a_larger_area(void **state)
{
	_cleanup_buf_ struct buf der = { 0 };
	struct span cut;
	size_t n;

	pki_der(pki.leaf, &der);
	n = buf_len(&der);
	assert_int_equal(x509_der_trim(buf_span(&der), &cut), 0);
	assert_int_equal(cut.n, n);
	assert_int_equal(buf_append(&der, "\xff\xff\xff", 3), 0);
	assert_int_equal(x509_der_trim(buf_span(&der), &cut), 0);
	assert_int_equal(cut.n, n);
	assert_int_equal(buf_append(&der, "", 1), 0); /* neither the one nor the other */
	assert_int_equal(x509_der_trim(buf_span(&der), &cut), -EBADMSG);
	assert_int_equal(x509_der_trim((struct span){ der.data, n - 1 }, &cut), -EBADMSG);
	assert_int_equal(x509_der_trim(SPAN("\x30\x80\0\0"), &cut), -EBADMSG); /* no definite length */
	assert_int_equal(x509_der_trim((struct span){ 0 }, &cut), -EBADMSG);
}

static void raw_signatures(void **state)
{
	uint8_t sig[64], xy[64], zero[32] = { 0 };
	EVP_PKEY *key = NULL;
	unsigned char *p = NULL;

	assert_int_equal(EVP_PKEY_get1_encoded_public_key(pki.leaf_key, &p), 65);
	memcpy(xy, p + 1, 64);
	OPENSSL_free(p);
	assert_int_equal(x509_p256_key(xy, &key), 0);
	pki_raw_sign(pki.leaf_key, EVP_sha256(), "data", 4, sig, 32);
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), SPAN("data"), sig, sig + 32, 32), 0);
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), SPAN("date"), sig, sig + 32, 32), -EKEYREJECTED);
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), SPAN("data"), sig + 32, sig, 32), -EKEYREJECTED);
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), SPAN("data"), zero, zero, 32), -EKEYREJECTED);
	memset(zero, 0xff, sizeof(zero)); /* above the order of the curve */
	assert_int_equal(x509_ecdsa_verify(key, EVP_sha256(), SPAN("data"), zero, zero, 32), -EKEYREJECTED);
	EVP_PKEY_free(key);
	xy[63] ^= 1;
	assert_int_equal(x509_p256_key(xy, &key), -EBADMSG); /* off the curve */
	memset(xy, 0, sizeof(xy));
	assert_int_equal(x509_p256_key(xy, &key), -EBADMSG);
}

static void the_pinned_roots_are_whole(void **state)
{
	_cleanup_certs_ struct x509_certs amd = { 0 }, known = { 0 }, intel = { 0 };
	struct x509_trust t = { .roots = &amd, .at = PKI_NOW };

	assert_int_equal(attest_roots_amd(&amd), 0);
	assert_int_equal(attest_roots_amd_intermediates(&known), 0);
	assert_int_equal(attest_roots_intel(&intel), 0);
	assert_int_equal(amd.n, 3);
	assert_int_equal(known.n, 6);
	assert_int_equal(intel.n, 1);
	for (unsigned i = 0; i < known.n; i++)
		assert_int_equal(verify(known.cert[i], &t), 0);
	t.roots = &intel;
	t.strict = true;
	assert_int_equal(verify(intel.cert[0], &t), 0);
	assert_true(x509_cn_is(X509_get_subject_name(intel.cert[0]), "Intel SGX Root CA"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read_whole_or_not),
		cmocka_unit_test(a_chain_ends_at_a_pinned_root),
		cmocka_unit_test(times_are_those_of_the_caller),
		cmocka_unit_test(a_leaf_cannot_issue),
		cmocka_unit_test(weak_keys_are_refused),
		cmocka_unit_test(revocation_needs_every_list),
		cmocka_unit_test(a_forged_list_is_told),
		cmocka_unit_test(names_and_extensions),
		cmocka_unit_test(der_in_a_larger_area),
		cmocka_unit_test(raw_signatures),
		cmocka_unit_test(the_pinned_roots_are_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
