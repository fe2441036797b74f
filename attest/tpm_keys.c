// SPDX-License-Identifier: Apache-2.0
/*
 * Keys of a TPM and what they sign.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "attest/tpm_attest.h"
#include "attest/tpm_esys.h"
#include "attest/tpm_pcrs.h"
#include "attest/tpm_public.h"
#include "attest/x509.h"
#include "user/base/cleanup.h"

#define QUOTE_TRIES 4 /* a register may be extended between its reading and the quote */
#define INDEX_EK_CERT_RSA 0x01c00002u

#define BORN_HERE (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN)

#define P256(attributes, scheme_) \
	{ .publicArea = { .type = TPM2_ALG_ECC, .nameAlg = TPM2_ALG_SHA256, .objectAttributes = (attributes), \
			  .parameters.eccDetail = { .symmetric.algorithm = TPM2_ALG_NULL, .scheme = scheme_, \
						    .curveID = TPM2_ECC_NIST_P256, \
						    .kdf.scheme = TPM2_ALG_NULL } } }
#define ECDSA { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 }

int tpm_put_public(const TPM2B_PUBLIC *p, struct buf *out)
{
	uint8_t bytes[TPM_PUBLIC_MAX];
	size_t n = 0;

	if (Tss2_MU_TPMT_PUBLIC_Marshal(&p->publicArea, bytes, sizeof(bytes), &n) != TSS2_RC_SUCCESS)
		return -EIO;
	return buf_append(out, bytes, n);
}

int tpm_put_signature(const TPMT_SIGNATURE *s, struct buf *out)
{
	uint8_t bytes[sizeof(*s) + 16];
	size_t n = 0;

	if (Tss2_MU_TPMT_SIGNATURE_Marshal(s, bytes, sizeof(bytes), &n) != TSS2_RC_SUCCESS)
		return -EIO;
	return buf_append(out, bytes, n);
}

int tpm_primary(struct tpm_dev *d, ESYS_TR hierarchy, const TPM2B_PUBLIC *template, struct tpm_key *ret,
		struct buf *public)
{
	static const TPM2B_SENSITIVE_CREATE no_auth = { 0 };
	static const TPM2B_DATA no_data = { 0 };
	static const TPML_PCR_SELECTION no_pcrs = { 0 };
	_cleanup_esys_ TPM2B_PUBLIC *out = NULL;
	struct tpm_key k = { .dev = d };
	int r = tpm_errno(Esys_CreatePrimary(d->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					     &no_auth, template, &no_data, &no_pcrs, &k.tr, &out, NULL, NULL,
					     NULL));

	if (r == 0 && public)
		r = tpm_put_public(out, public);
	if (r < 0) {
		tpm_key_done(&k);
		return r;
	}
	*ret = k;
	return 0;
}

/* Exempt from the lock-out for guessed authorisations: it has none to guess, and power cuts count as guesses. */
int tpm_ak_load(struct tpm_dev *d, struct tpm_key *ret, struct buf *public)
{
	static const TPM2B_PUBLIC template = P256(BORN_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
							  TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT,
						  ECDSA);

	return tpm_primary(d, ESYS_TR_RH_ENDORSEMENT, &template, ret, public);
}

int tpm_srk_load(struct tpm_dev *d, struct tpm_key *ret)
{
	TPM2B_PUBLIC template = P256(BORN_HERE | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
					     TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
				     { .scheme = TPM2_ALG_NULL });

	template.publicArea.parameters.eccDetail.symmetric =
		(TPMT_SYM_DEF_OBJECT){ .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	return tpm_primary(d, ESYS_TR_RH_OWNER, &template, ret, NULL);
}

/* Without user-with-auth only the policy opens it: whoever changed a register of the mask cannot sign, and
 * another policy would be another template and so another key. */
int tpm_cosign_load(struct tpm_dev *d, uint32_t mask, struct tpm_key *ret, struct buf *public)
{
	static const char label[] = "tollgate/cosign/v1";
	TPM2B_PUBLIC template = P256(BORN_HERE | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT, ECDSA);
	TPMS_ECC_POINT *unique = &template.publicArea.unique.ecc;
	int r = tpm_policy_digest(d, mask, &template.publicArea.authPolicy);

	if (r < 0)
		return r;
	unique->x.size = sizeof(label) - 1; /* a key of its own, whoever else uses the same template */
	memcpy(unique->x.buffer, label, sizeof(label) - 1);
	return tpm_primary(d, ESYS_TR_RH_OWNER, &template, ret, public);
}

int tpm_key_persistent(struct tpm_dev *d, uint32_t handle, struct tpm_key *ret, struct buf *public)
{
	_cleanup_esys_ TPM2B_PUBLIC *out = NULL;
	struct tpm_key k = { .dev = d, .persistent = true };
	int r = tpm_errno(Esys_TR_FromTPMPublic(d->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &k.tr));

	if (r == 0)
		r = tpm_errno(Esys_ReadPublic(d->esys, k.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &out, NULL,
					      NULL));
	if (r == 0)
		r = tpm_put_public(out, public);
	if (r < 0) {
		tpm_key_done(&k);
		return r;
	}
	*ret = k;
	return 0;
}

int tpm_ek_certificate(struct tpm_dev *d, struct buf *certificate)
{
	_cleanup_buf_ struct buf index = { 0 };
	struct span der;
	int r = tpm_nv_read(d, INDEX_EK_CERT_RSA, &index);

	if (r == 0) /* the index may be longer than what lies in it */
		r = x509_der_trim(buf_span(&index), &der);
	return r < 0 ? r : buf_append(certificate, der.p, der.n);
}

int tpm_ek_load(struct tpm_dev *d, struct tpm_key *ret, struct buf *public, struct buf *certificate)
{
	/* PolicySecret of the endorsement hierarchy, as the profile gives it. */
	static const TPM2B_PUBLIC template = {
		.publicArea = {
			.type = TPM2_ALG_RSA, .nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = BORN_HERE | TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED |
					    TPMA_OBJECT_DECRYPT,
			.authPolicy = { .size = 32, .buffer = {
				0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
				0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
				0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa } },
			.parameters.rsaDetail = {
				.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128,
					       .mode.aes = TPM2_ALG_CFB },
				.scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048 },
			.unique.rsa.size = 256,
		},
	};
	int r = tpm_primary(d, ESYS_TR_RH_ENDORSEMENT, &template, ret, public);

	if (r < 0)
		return r;
	r = tpm_ek_certificate(d, certificate);
	if (r < 0)
		tpm_key_done(ret);
	return r;
}

/* The values of the mask's registers in their order. */
static int read_pcrs(struct tpm_dev *d, uint32_t mask, struct buf *values)
{
	while (mask) {
		_cleanup_esys_ TPML_PCR_SELECTION *read = NULL;
		_cleanup_esys_ TPML_DIGEST *digests = NULL;
		const TPML_PCR_SELECTION sel = tpm_selection_of(mask);
		uint32_t got;
		int r = tpm_errno(Esys_PCR_Read(d->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &sel, NULL, &read,
						&digests));

		if (r < 0)
			return r;
		if (read->count != 1 || digests->count == 0)
			return -ENODATA; /* the bank is switched off */
		got = (uint32_t)read->pcrSelections[0].pcrSelect[0] |
		      (uint32_t)read->pcrSelections[0].pcrSelect[1] << 8 |
		      (uint32_t)read->pcrSelections[0].pcrSelect[2] << 16;
		if ((got & ~mask) || (unsigned)__builtin_popcount(got) != digests->count)
			return -EIO;
		for (unsigned i = 0; i < digests->count && r == 0; i++)
			r = buf_append(values, digests->digests[i].buffer, digests->digests[i].size);
		if (r < 0)
			return r;
		mask &= ~got;
	}
	return 0;
}

/* Values and quote are two commands: they belong together when the digest says so. */
static bool belong(struct span quote, struct span values)
{
	uint8_t digest[TPM_HASH_SIZE_MAX];
	struct tpm_attest a;
	struct tpm_pcrs p;

	return tpm_attest_parse(quote, &a) == 0 && tpm_pcrs_parse(values, &a.selection, &p) == 0 &&
	       tpm_pcrs_digest(&p, TPM_HASH_SHA256, digest) == 0 && a.pcr_digest.n == 32 &&
	       CRYPTO_memcmp(digest, a.pcr_digest.p, 32) == 0;
}

static int quote_once(struct tpm_dev *d, const struct tpm_key *ak, uint32_t mask, const TPM2B_DATA *data,
		      struct buf *quote, struct buf *signature, struct buf *values)
{
	static const TPMT_SIG_SCHEME keys_own = { .scheme = TPM2_ALG_NULL };
	const TPML_PCR_SELECTION sel = tpm_selection_of(mask);
	_cleanup_esys_ TPM2B_ATTEST *attest = NULL;
	_cleanup_esys_ TPMT_SIGNATURE *sig = NULL;
	int r = read_pcrs(d, mask, values);

	if (r == 0)
		r = tpm_errno(Esys_Quote(d->esys, ak->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, data,
					 &keys_own, &sel, &attest, &sig));
	if (r == 0)
		r = buf_append(quote, attest->attestationData, attest->size);
	return r < 0 ? r : tpm_put_signature(sig, signature);
}

int tpm_quote_make(struct tpm_dev *d, const struct tpm_key *ak, uint32_t mask, struct span qualifying,
		   struct buf *quote, struct buf *signature, struct buf *values)
{
	TPM2B_DATA data;
	int r = tpm_data_of(qualifying, &data);

	for (unsigned i = 0; i < QUOTE_TRIES && r == 0; i++) {
		buf_clear(quote);
		buf_clear(signature);
		buf_clear(values);
		r = quote_once(d, ak, mask, &data, quote, signature, values);
		if (r == 0 && belong(buf_span(quote), buf_span(values)))
			return 0;
	}
	return r < 0 ? r : -EAGAIN;
}

int tpm_certify_make(struct tpm_dev *d, const struct tpm_key *ak, const struct tpm_key *object,
		     struct span qualifying, struct buf *attest, struct buf *signature)
{
	static const TPMT_SIG_SCHEME keys_own = { .scheme = TPM2_ALG_NULL };
	_cleanup_esys_ TPM2B_ATTEST *info = NULL;
	_cleanup_esys_ TPMT_SIGNATURE *sig = NULL;
	TPM2B_DATA data;
	int r = tpm_data_of(qualifying, &data);

	if (r == 0)
		r = tpm_errno(Esys_Certify(d->esys, object->tr, ak->tr, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD,
					   ESYS_TR_NONE, &data, &keys_own, &info, &sig));
	if (r == 0)
		r = buf_append(attest, info->attestationData, info->size);
	return r < 0 ? r : tpm_put_signature(sig, signature);
}

int tpm_cosign_sign(struct tpm_dev *d, const struct tpm_key *k, uint32_t mask, const uint8_t digest[32],
		    struct buf *signature)
{
	static const TPMT_SIG_SCHEME keys_own = { .scheme = TPM2_ALG_NULL };
	/* No ticket: the digest is not of the TPM's making, and the key is not restricted. */
	static const TPMT_TK_HASHCHECK no_ticket = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
	_cleanup_esys_ TPMT_SIGNATURE *sig = NULL;
	TPM2B_DIGEST in = { .size = 32 };
	ESYS_TR s;
	int r = tpm_policy_session(d, mask, ESYS_TR_NONE, false, &s);

	if (r < 0)
		return r;
	memcpy(in.buffer, digest, 32);
	r = tpm_errno(Esys_Sign(d->esys, k->tr, s, ESYS_TR_NONE, ESYS_TR_NONE, &in, &keys_own, &no_ticket, &sig));
	(void)Esys_FlushContext(d->esys, s);
	return r < 0 ? r : tpm_put_signature(sig, signature);
}
