// SPDX-License-Identifier: Apache-2.0
/*
 * Secrets that a TPM gives back only to the same boot state; and credential activation.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "attest/bytes.h"
#include "attest/tpm_esys.h"
#include "attest/tpm_public.h"

/* A blob is this word, the mask of PCRs as u32be, and the TPM's own public and private part. */
static const char magic[16] = "tollgate-sealed";
#define SEALED_MAX 128

static int put_object(const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, uint8_t *ret, size_t max,
		      size_t *ret_n)
{
	*ret_n = 0;
	return Tss2_MU_TPM2B_PUBLIC_Marshal(public, ret, max, ret_n) == TSS2_RC_SUCCESS &&
	       Tss2_MU_TPM2B_PRIVATE_Marshal(private, ret, max, ret_n) == TSS2_RC_SUCCESS ? 0 : -EIO;
}

int tpm_seal(struct tpm_dev *d, uint32_t mask, struct span secret, struct buf *blob)
{
	static const TPM2B_DATA no_data = { 0 };
	static const TPML_PCR_SELECTION no_pcrs = { 0 };
	_cleanup_tpm_key_ struct tpm_key srk = { 0 };
	_cleanup_esys_ TPM2B_PRIVATE *private = NULL;
	_cleanup_esys_ TPM2B_PUBLIC *public = NULL;
	TPM2B_PUBLIC template = {
		.publicArea = { .type = TPM2_ALG_KEYEDHASH, .nameAlg = TPM2_ALG_SHA256,
				.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT,
				.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL },
	};
	TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	uint8_t bytes[sizeof(*public) + sizeof(*private)];
	const uint8_t be[4] = { (uint8_t)(mask >> 24), (uint8_t)(mask >> 16), (uint8_t)(mask >> 8), (uint8_t)mask };
	ESYS_TR s = ESYS_TR_NONE;
	size_t n;
	int r;

	if (secret.n == 0 || secret.n > SEALED_MAX)
		return -EINVAL;
	r = tpm_srk_load(d, &srk);
	if (r == 0)
		r = tpm_policy_digest(d, mask, &template.publicArea.authPolicy);
	if (r == 0)
		r = tpm_hmac_session(d, srk.tr, &s);
	if (r < 0)
		return r;
	sensitive.sensitive.data.size = (UINT16)secret.n;
	memcpy(sensitive.sensitive.data.buffer, secret.p, secret.n);
	r = tpm_errno(Esys_Create(d->esys, srk.tr, s, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template, &no_data,
				  &no_pcrs, &private, &public, NULL, NULL, NULL));
	OPENSSL_cleanse(&sensitive, sizeof(sensitive));
	(void)Esys_FlushContext(d->esys, s);
	if (r < 0)
		return r;
	r = put_object(public, private, bytes, sizeof(bytes), &n);
	if (r == 0)
		r = buf_append(blob, magic, sizeof(magic));
	if (r == 0)
		r = buf_append(blob, be, sizeof(be));
	return r < 0 ? r : buf_append(blob, bytes, n);
}

static int parse_blob(struct span blob, uint32_t *mask, TPM2B_PUBLIC *public, TPM2B_PRIVATE *private)
{
	struct bytes b = bytes_of(blob);
	struct span word = bytes_take(&b, sizeof(magic));
	uint8_t again[sizeof(*public) + sizeof(*private)];
	size_t at = 0, n;

	*mask = bytes_u32be(&b);
	if (b.failed || memcmp(word.p, magic, sizeof(magic)) != 0 ||
	    Tss2_MU_TPM2B_PUBLIC_Unmarshal(b.p, b.n, &at, public) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_PRIVATE_Unmarshal(b.p, b.n, &at, private) != TSS2_RC_SUCCESS || at != b.n)
		return -EBADMSG;
	/* The library does not look at the outer length of a public area. */
	if (put_object(public, private, again, sizeof(again), &n) < 0 || n != b.n || memcmp(again, b.p, n) != 0)
		return -EBADMSG;
	return 0;
}

int tpm_sealed_mask(struct span blob, uint32_t *ret)
{
	TPM2B_PRIVATE private = { 0 };
	TPM2B_PUBLIC public = { 0 };

	return parse_blob(blob, ret, &public, &private);
}

int tpm_unseal(struct tpm_dev *d, struct span blob, uint8_t *ret, size_t max, size_t *ret_n)
{
	_cleanup_tpm_key_ struct tpm_key srk = { 0 }, object = { .dev = d };
	TPM2B_SENSITIVE_DATA *data = NULL;
	TPM2B_PRIVATE private = { 0 };
	TPM2B_PUBLIC public = { 0 };
	ESYS_TR s = ESYS_TR_NONE;
	uint32_t mask;
	int r = parse_blob(blob, &mask, &public, &private);

	if (r == 0)
		r = tpm_srk_load(d, &srk);
	if (r == 0)
		r = tpm_errno(Esys_Load(d->esys, srk.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &private,
					&public, &object.tr));
	if (r == 0)
		r = tpm_policy_session(d, mask, srk.tr, false, &s);
	if (r < 0)
		return r;
	r = tpm_errno(Esys_Unseal(d->esys, object.tr, s, ESYS_TR_NONE, ESYS_TR_NONE, &data));
	(void)Esys_FlushContext(d->esys, s);
	if (r == 0 && data->size > max)
		r = -EMSGSIZE;
	if (r == 0) {
		memcpy(ret, data->buffer, data->size);
		*ret_n = data->size;
	}
	if (data)
		OPENSSL_cleanse(data, sizeof(*data));
	Esys_Free(data);
	return r;
}

int tpm_credential_make(struct tpm_dev *d, struct span ek_public, struct span ak_name, struct span secret,
			struct buf *blob)
{
	_cleanup_esys_ TPM2B_ENCRYPTED_SECRET *wrapped = NULL;
	_cleanup_tpm_key_ struct tpm_key ek = { .dev = d };
	_cleanup_esys_ TPM2B_ID_OBJECT *id = NULL;
	uint8_t bytes[sizeof(*id) + sizeof(*wrapped)];
	TPM2B_DIGEST credential = { .size = (UINT16)secret.n };
	TPM2B_NAME name = { .size = (UINT16)ak_name.n };
	TPM2B_PUBLIC public = { 0 };
	size_t n = 0;
	int r;

	if (secret.n > 32 || ak_name.n > sizeof(name.name) ||
	    Tss2_MU_TPMT_PUBLIC_Unmarshal((const uint8_t *)ek_public.p, ek_public.n, &n, &public.publicArea) !=
		    TSS2_RC_SUCCESS || n != ek_public.n)
		return -EBADMSG;
	memcpy(credential.buffer, secret.p, secret.n);
	memcpy(name.name, ak_name.p, ak_name.n);
	r = tpm_errno(Esys_LoadExternal(d->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &public,
					TPM2_RH_NULL, &ek.tr));
	if (r == 0)
		r = tpm_errno(Esys_MakeCredential(d->esys, ek.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &credential,
						  &name, &id, &wrapped));
	OPENSSL_cleanse(&credential, sizeof(credential));
	if (r < 0)
		return r;
	n = 0;
	if (Tss2_MU_TPM2B_ID_OBJECT_Marshal(id, bytes, sizeof(bytes), &n) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Marshal(wrapped, bytes, sizeof(bytes), &n) != TSS2_RC_SUCCESS)
		return -EIO;
	return buf_append(blob, bytes, n);
}

/* The endorsement key's policy: whoever knows the hierarchy's authorisation, which is empty. */
static int ek_session(struct tpm_dev *d, ESYS_TR *ret)
{
	static const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	int r = tpm_errno(Esys_StartAuthSession(d->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
						ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, ret));

	if (r < 0)
		return r;
	r = tpm_errno(Esys_PolicySecret(d->esys, ESYS_TR_RH_ENDORSEMENT, *ret, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL));
	if (r < 0)
		(void)Esys_FlushContext(d->esys, *ret);
	return r;
}

int tpm_credential_activate(struct tpm_dev *d, const struct tpm_key *ek, const struct tpm_key *ak,
			    struct span blob, uint8_t *ret, size_t max, size_t *ret_n)
{
	TPM2B_ENCRYPTED_SECRET wrapped = { 0 };
	TPM2B_ID_OBJECT id = { 0 };
	TPM2B_DIGEST *secret = NULL;
	size_t at = 0;
	ESYS_TR s;
	int r;

	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal((const uint8_t *)blob.p, blob.n, &at, &id) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal((const uint8_t *)blob.p, blob.n, &at, &wrapped) !=
		    TSS2_RC_SUCCESS || at != blob.n)
		return -EBADMSG;
	r = ek_session(d, &s);
	if (r < 0)
		return r;
	r = tpm_errno(Esys_ActivateCredential(d->esys, ak->tr, ek->tr, ESYS_TR_PASSWORD, s, ESYS_TR_NONE, &id,
					      &wrapped, &secret));
	(void)Esys_FlushContext(d->esys, s);
	if (r == 0 && secret->size > max)
		r = -EMSGSIZE;
	if (r == 0) {
		memcpy(ret, secret->buffer, secret->size);
		*ret_n = secret->size;
	}
	if (secret)
		OPENSSL_cleanse(secret, sizeof(*secret));
	Esys_Free(secret);
	return r;
}
