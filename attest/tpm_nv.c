// SPDX-License-Identifier: Apache-2.0
/*
 * Indices in a TPM's non-volatile memory.
 */
#include <errno.h>
#include <string.h>

#include "attest/tpm_esys.h"
#include "attest/tpm_public.h"

#define NV_CHUNK 512 /* every TPM takes so much in one command */
/* The owner reads and defines; extending and counting need only the index's own, empty authorisation: they
 * can be done once too often by any root, which shows, and never be undone. */
#define NV_ATTRIBUTES \
	(TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA)

static int find(struct tpm_dev *d, uint32_t index, ESYS_TR *ret)
{
	return tpm_errno(Esys_TR_FromTPMPublic(d->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret));
}

static int read_index(struct tpm_dev *d, ESYS_TR nv, uint16_t size, struct buf *out)
{
	int r = 0;

	for (uint16_t at = 0; at < size && r == 0;) {
		uint16_t n = (uint16_t)(size - at < NV_CHUNK ? size - at : NV_CHUNK);
		_cleanup_esys_ TPM2B_MAX_NV_BUFFER *data = NULL;

		r = tpm_errno(Esys_NV_Read(d->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					   ESYS_TR_NONE, n, at, &data));
		if (r == -EACCES) /* what the platform made may be its own to read */
			r = tpm_errno(Esys_NV_Read(d->esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, n,
						   at, &data));
		if (r == 0)
			r = data->size == n ? buf_append(out, data->buffer, n) : -EIO;
		at = (uint16_t)(at + n);
	}
	return r;
}

static int size_of(struct tpm_dev *d, ESYS_TR nv, uint16_t *ret)
{
	_cleanup_esys_ TPM2B_NV_PUBLIC *public = NULL;
	int r = tpm_errno(Esys_NV_ReadPublic(d->esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL));

	if (r == 0)
		*ret = public->nvPublic.dataSize;
	return r;
}

int tpm_nv_read(struct tpm_dev *d, uint32_t index, struct buf *out)
{
	uint16_t size;
	ESYS_TR nv;
	int r = find(d, index, &nv);

	if (r < 0)
		return r;
	r = size_of(d, nv, &size);
	if (r == 0)
		r = read_index(d, nv, size, out);
	(void)Esys_TR_Close(d->esys, &nv);
	return r;
}

static int find_or_define(struct tpm_dev *d, uint32_t index, TPMA_NV kind, uint16_t size, ESYS_TR *ret)
{
	static const TPM2B_AUTH no_auth = { 0 };
	const TPM2B_NV_PUBLIC public = {
		.nvPublic = { .nvIndex = index, .nameAlg = TPM2_ALG_SHA256, .attributes = NV_ATTRIBUTES | kind,
			      .dataSize = size },
	};
	int r = find(d, index, ret);

	if (r != -ENOENT)
		return r;
	return tpm_errno(Esys_NV_DefineSpace(d->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					     ESYS_TR_NONE, &no_auth, &public, ret));
}

int tpm_nv_extend(struct tpm_dev *d, uint32_t index, const uint8_t digest[32])
{
	TPM2B_MAX_NV_BUFFER data = { .size = 32 };
	ESYS_TR nv;
	int r = find_or_define(d, index, TPM_NT_EXTEND, 32, &nv);

	if (r < 0)
		return r;
	memcpy(data.buffer, digest, 32);
	r = tpm_errno(Esys_NV_Extend(d->esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data));
	(void)Esys_TR_Close(d->esys, &nv);
	return r;
}

int tpm_nv_increment(struct tpm_dev *d, uint32_t index, uint64_t *ret)
{
	struct buf value = { 0 };
	uint64_t v = 0;
	ESYS_TR nv;
	int r = find_or_define(d, index, TPM_NT_COUNTER, 8, &nv);

	if (r < 0)
		return r;
	r = tpm_errno(Esys_NV_Increment(d->esys, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));
	if (r == 0)
		r = read_index(d, nv, 8, &value);
	for (size_t i = 0; r == 0 && i < 8; i++)
		v = v << 8 | (uint8_t)buf_span(&value).p[i];
	if (r == 0)
		*ret = v;
	buf_done(&value);
	(void)Esys_TR_Close(d->esys, &nv);
	return r;
}

static int certify(struct tpm_dev *d, const struct tpm_key *ak, ESYS_TR nv, const TPM2B_DATA *data,
		   struct buf *attest, struct buf *signature, struct buf *public)
{
	static const TPMT_SIG_SCHEME keys_own = { .scheme = TPM2_ALG_NULL };
	_cleanup_esys_ TPM2B_NV_PUBLIC *area = NULL;
	_cleanup_esys_ TPM2B_ATTEST *info = NULL;
	_cleanup_esys_ TPMT_SIGNATURE *sig = NULL;
	uint8_t bytes[TPM_PUBLIC_MAX];
	size_t n = 0;
	int r = tpm_errno(Esys_NV_ReadPublic(d->esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, NULL));

	if (r == 0)
		r = tpm_errno(Esys_NV_Certify(d->esys, ak->tr, nv, nv, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD,
					      ESYS_TR_NONE, data, &keys_own, area->nvPublic.dataSize, 0, &info, &sig));
	if (r == 0 && Tss2_MU_TPMS_NV_PUBLIC_Marshal(&area->nvPublic, bytes, sizeof(bytes), &n) != TSS2_RC_SUCCESS)
		r = -EIO;
	if (r == 0)
		r = buf_append(public, bytes, n);
	if (r == 0)
		r = buf_append(attest, info->attestationData, info->size);
	return r < 0 ? r : tpm_put_signature(sig, signature);
}

int tpm_nv_certify(struct tpm_dev *d, const struct tpm_key *ak, uint32_t index, struct span qualifying,
		   struct buf *attest, struct buf *signature, struct buf *public)
{
	TPM2B_DATA data;
	ESYS_TR nv;
	int r = tpm_data_of(qualifying, &data);

	if (r == 0)
		r = find(d, index, &nv);
	if (r < 0)
		return r;
	r = certify(d, ak, nv, &data, attest, signature, public);
	(void)Esys_TR_Close(d->esys, &nv);
	return r;
}
