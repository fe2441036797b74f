// SPDX-License-Identifier: Apache-2.0
/*
 * Provider "tpm": whose key it was that signed. The quote itself is judged in tpm_verify.c.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "attest/tpm_enrolment.h"
#include "attest/tpm_verify.h"
#include "user/base/cleanup.h"

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

#define PEM_KEY_MAX 8192

static const struct attest_policy no_policy;

static int read_pem(struct span bytes, EVP_PKEY **ret)
{
	BIO *bio = BIO_new_mem_buf(bytes.p, (int)bytes.n);
	EVP_PKEY *key;

	if (!bio)
		return -ENOMEM;
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!key)
		return -EBADMSG;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? EVP_PKEY_get_bits(key) < 2048 :
							  EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
		EVP_PKEY_free(key);
		return -EBADMSG;
	}
	*ret = key;
	return 0;
}

int tpm_ak_read(struct span bytes, EVP_PKEY **ret_key, struct tpm_public *ret_pub, bool *ret_has_pub)
{
	static const char begin[] = "-----BEGIN";
	int r;

	if (bytes.n > PEM_KEY_MAX)
		return -EBADMSG;
	if (bytes.n > sizeof(begin) && memcmp(bytes.p, begin, sizeof(begin) - 1) == 0) {
		*ret_has_pub = false;
		return read_pem(bytes, ret_key);
	}
	r = tpm_public_parse(bytes, ret_pub);
	if (r == 0)
		r = tpm_public_key(ret_pub, ret_key);
	*ret_has_pub = r == 0;
	return r;
}

static void judge_attributes(const struct tpm_public *pub, struct attest_result *res)
{
	const uint32_t needed = TPM_OBJ_RESTRICTED | TPM_OBJ_SIGN | TPM_OBJ_FIXED_TPM | TPM_OBJ_FIXED_PARENT |
				TPM_OBJ_SENSITIVE_DATA_ORIGIN;

	if (!pub) {
		attest_unchecked(res, "tpm.ak.attributes", "no-public-area",
				 "only the key itself is known: it may sign what no TPM measured");
		return;
	}
	(void)attest_check(res, (pub->attributes & needed) == needed && !(pub->attributes & TPM_OBJ_DECRYPT),
			   "tpm.ak.attributes", "attributes",
			   "the key's attributes are %08x: an attestation key has %08x and does not decrypt",
			   pub->attributes, needed);
}

/* Adds the certificates of a file; what lies in NV may have padding behind it. */
static int read_certs(struct span bytes, struct x509_certs *ret)
{
	struct span der;
	int r = x509_certs_add(ret, bytes);

	if (r == -EBADMSG && x509_der_trim(bytes, &der) == 0)
		r = x509_certs_add(ret, der);
	return r;
}

static bool judge_certificate(const struct attest_tpm *in, EVP_PKEY *key, struct attest_result *res)
{
	_cleanup_certs_ struct x509_certs certs = { 0 };
	const char *why = "";
	int r;

	if (in->ak_certs.n == 0)
		return false;
	r = read_certs(in->ak_certs, &certs);
	if (r < 0) {
		attest_fail(res, "tpm.ak.certificate", "malformed", "the key's certificate cannot be read");
		return false;
	}
	if (!attest_check(res, EVP_PKEY_eq(X509_get0_pubkey(certs.cert[0]), key) == 1, "tpm.ak.certificate_key",
			  "same-key", "the certificate's key compared with the one that signed the quote"))
		return false;
	if (!in->roots || in->roots->n == 0) {
		attest_unchecked(res, "tpm.ak.certificate", "no-roots",
				 "no roots were given for the key's certificate");
		return false;
	}
	if (X509_get_extension_flags(certs.cert[0]) & EXFLAG_CA) {
		attest_fail(res, "tpm.ak.certificate", "authority", "the key's certificate is one of an authority");
		return false;
	}
	r = x509_verify(certs.cert[0], &(struct x509_trust){ .roots = in->roots, .untrusted = &certs,
							     .at = res->at }, NULL, &why);
	if (r == -ENOMEM)
		res->error = r;
	return attest_check(res, r == 0, "tpm.ak.certificate", "chain",
			    r == 0 ? "the key's certificate chains to a given root%s" : "%s", why);
}

/* The record is an expectation's twin: who may enrol is in the policy. */
static bool judge_enrolment(const struct attest_tpm *in, const struct tpm_name *name,
			    const struct tpm_policy *p, struct attest_result *res)
{
	uint8_t enrolled[TPM_NAME_MAX];
	struct tpm_enrolment e;
	int r = -EKEYREJECTED;

	if (in->enrolment.n == 0)
		return false;
	if (!p->enrollers.given) {
		attest_unchecked(res, "tpm.ak.enrolment", "no-enroller", "the policy names nobody who may enrol keys");
		return false;
	}
	for (unsigned i = 0; i < p->enrollers.n && r == -EKEYREJECTED; i++)
		r = tpm_enrolment_read(in->enrolment, p->enrollers.bytes + (size_t)i * p->enrollers.size, enrolled,
				       &e);
	if (r < 0) {
		attest_fail(res, "tpm.ak.enrolment", r == -EBADMSG ? "malformed" : "signature",
			    r == -EBADMSG ? "the enrolment record is malformed" :
					    "no enroller of the policy signed the enrolment record");
		return false;
	}
	if (e.time > res->at) {
		attest_fail(res, "tpm.ak.enrolment", "future", "the enrolment record is from a later time");
		return false;
	}
	if (!name) {
		attest_unchecked(res, "tpm.ak.enrolment", "no-public-area",
				 "the record is for a Name, which the key alone does not give");
		return false;
	}
	return attest_check(res, span_eq(e.ak_name, tpm_name_span(name)), "tpm.ak.enrolment", "name",
			    "the enrolled Name compared with the key's");
}

static void judge_provenance(const struct attest_tpm *in, EVP_PKEY *key, const struct tpm_public *pub,
			     const struct tpm_policy *p, struct attest_result *res)
{
	struct tpm_name n;
	const struct tpm_name *name = pub && tpm_public_name(pub, &n) == 0 ? &n : NULL;
	bool known = judge_certificate(in, key, res);

	if (judge_enrolment(in, name, p, res))
		known = true;
	if (p->ak_names.given && name)
		known |= attest_check(res, policy_set_has(&p->ak_names, tpm_name_span(name)), "tpm.ak.name", "name",
				      "the key's Name compared with the policy's");
	else if (p->ak_names.given)
		attest_unchecked(res, "tpm.ak.name", "no-public-area", "the key alone does not give its Name");
	if (known)
		attest_pass(res, "tpm.ak.provenance", "provenance", "it is known whose key this is");
	else
		attest_unchecked(res, "tpm.ak.provenance", "unknown-key",
				 "the quote is authentic for this key, but nothing shows that the key lives in a TPM: "
				 "give its certificate and roots, an enrolment record, or its Name in the policy");
}

int attest_verify_tpm(const struct attest_tpm *in, const struct attest_policy *p, struct attest_result *res)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	const struct tpm_public *pub = NULL;
	struct tpm_public area;
	bool has_pub = false;
	int r;

	if (!p)
		p = &no_policy;
	r = tpm_ak_read(in->ak, &key, &area, &has_pub);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		attest_fail(res, "tpm.ak", "malformed",
			    "the attestation key is no public area or PEM key of a size that is accepted");
	} else {
		pub = has_pub ? &area : NULL;
		judge_attributes(pub, res);
		judge_provenance(in, key, pub, &p->tpm, res);
		tpm_judge_quote(&in->quote, key, pub, p, res);
	}
	res->complete = true;
	return 0;
}
