// SPDX-License-Identifier: Apache-2.0
/*
 * A TPM over tpm2-tss: opening, errors, sessions, registers.
 */
#include "attest/tpm_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "attest/tpm_esys.h"
#include "user/base/cleanup.h"

#define RESOURCE_MANAGER "/dev/tpmrm0"

DEFINE_CLEANUP(struct tpm_dev *, tpm_dev_close)

int tpm_errno(TSS2_RC rc)
{
	const TSS2_RC layer = rc & 0xff0000u, code = rc & 0xffffu;

	if (rc == TSS2_RC_SUCCESS)
		return 0;
	if ((rc & 0xffffu) == TSS2_BASE_RC_MEMORY && layer != 0)
		return -ENOMEM;
	if (layer != 0 && layer != TSS2_RESMGR_TPM_RC_LAYER)
		return -EIO;
	/* Format-one codes carry the number of a handle, session or parameter beside them. */
	switch (code & TPM2_RC_FMT1 ? code & (TPM2_RC_FMT1 | 0x3fu) : code) {
	case TPM2_RC_POLICY_FAIL:
	case TPM2_RC_PCR_CHANGED:
		return -ESTALE;
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_BAD_AUTH:
	case TPM2_RC_NV_AUTHORIZATION:
	case TPM2_RC_AUTH_MISSING:
		return -EACCES;
	case TPM2_RC_HANDLE:
	case TPM2_RC_NV_UNINITIALIZED:
		return -ENOENT;
	case TPM2_RC_LOCKOUT:
	case TPM2_RC_RETRY:
	case TPM2_RC_OBJECT_MEMORY:
	case TPM2_RC_SESSION_MEMORY:
		return -EBUSY;
	case TPM2_RC_INTEGRITY:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

int tpm_dev_open(const char *tcti, struct tpm_dev **ret)
{
	_cleanup_(tpm_dev_close_p) struct tpm_dev *d = NULL;
	TSS2_RC rc;

	if (!tcti && access(RESOURCE_MANAGER, F_OK) < 0)
		return -ENODEV;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	if (Tss2_TctiLdr_Initialize(tcti ? tcti : "device:" RESOURCE_MANAGER, &d->tcti) != TSS2_RC_SUCCESS)
		return -ENODEV;
	rc = Esys_Initialize(&d->esys, d->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_errno(rc);
	*ret = take_ptr(d);
	return 0;
}

void tpm_dev_close(struct tpm_dev *d)
{
	if (!d)
		return;
	Esys_Finalize(&d->esys);
	Tss2_TctiLdr_Finalize(&d->tcti);
	free(d);
}

void tpm_key_done(struct tpm_key *k)
{
	ESYS_TR tr = k->tr;

	if (!tr)
		return;
	if (k->persistent)
		(void)Esys_TR_Close(k->dev->esys, &tr);
	else
		(void)Esys_FlushContext(k->dev->esys, tr);
	k->tr = 0;
}

TPML_PCR_SELECTION tpm_selection_of(uint32_t mask)
{
	return (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections = { { .hash = TPM2_ALG_SHA256, .sizeofSelect = 3,
				     .pcrSelect = { (uint8_t)mask, (uint8_t)(mask >> 8), (uint8_t)(mask >> 16) } } },
	};
}

static int start_session(struct tpm_dev *d, TPM2_SE type, ESYS_TR salt_key, ESYS_TR *ret)
{
	static const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	static const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
	ESYS_TR s = ESYS_TR_NONE;
	TSS2_RC rc = Esys_StartAuthSession(d->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, NULL, type, salt_key == ESYS_TR_NONE ? &none : &aes,
					   TPM2_ALG_SHA256, &s);

	if (rc == TSS2_RC_SUCCESS && salt_key != ESYS_TR_NONE) {
		rc = Esys_TRSess_SetAttributes(d->esys, s,
					       TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT |
						       TPMA_SESSION_DECRYPT, 0xff);
		if (rc != TSS2_RC_SUCCESS)
			(void)Esys_FlushContext(d->esys, s);
	}
	if (rc != TSS2_RC_SUCCESS)
		return tpm_errno(rc);
	*ret = s;
	return 0;
}

int tpm_hmac_session(struct tpm_dev *d, ESYS_TR salt_key, ESYS_TR *ret)
{
	return start_session(d, TPM2_SE_HMAC, salt_key, ret);
}

int tpm_policy_session(struct tpm_dev *d, uint32_t mask, ESYS_TR salt_key, bool trial, ESYS_TR *ret)
{
	static const TPM2B_DIGEST as_they_are = { 0 };
	const TPML_PCR_SELECTION sel = tpm_selection_of(mask);
	ESYS_TR s;
	int r = start_session(d, trial ? TPM2_SE_TRIAL : TPM2_SE_POLICY, salt_key, &s);

	if (r < 0)
		return r;
	r = tpm_errno(Esys_PolicyPCR(d->esys, s, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &as_they_are, &sel));
	if (r < 0) {
		(void)Esys_FlushContext(d->esys, s);
		return r;
	}
	*ret = s;
	return 0;
}

int tpm_policy_digest(struct tpm_dev *d, uint32_t mask, TPM2B_DIGEST *ret)
{
	_cleanup_esys_ TPM2B_DIGEST *digest = NULL;
	ESYS_TR s;
	int r = tpm_policy_session(d, mask, ESYS_TR_NONE, true, &s);

	if (r < 0)
		return r;
	r = tpm_errno(Esys_PolicyGetDigest(d->esys, s, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest));
	(void)Esys_FlushContext(d->esys, s);
	if (r == 0)
		*ret = *digest;
	return r;
}

int tpm_data_of(struct span s, TPM2B_DATA *ret)
{
	if (s.n > sizeof(ret->buffer))
		return -EMSGSIZE;
	*ret = (TPM2B_DATA){ .size = (UINT16)s.n };
	if (s.n)
		memcpy(ret->buffer, s.p, s.n);
	return 0;
}

int tpm_pcr_extend(struct tpm_dev *d, unsigned pcr, const uint8_t digest[32])
{
	TPML_DIGEST_VALUES v = { .count = 1, .digests = { { .hashAlg = TPM2_ALG_SHA256 } } };

	if (pcr >= 24)
		return -EINVAL;
	memcpy(v.digests[0].digest.sha256, digest, 32);
	return tpm_errno(Esys_PCR_Extend(d->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					 ESYS_TR_NONE, &v));
}
