// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence from a TPM 2.0: a quote of all registers that only a reboot clears, the certified co-signing key,
 * what the indices hold, and the logs that explain the registers.
 */
#include <errno.h>
#include <openssl/x509.h>

#include "attest/provider.h"
#include "attest/tpm_device.h"
#include "attest/tpm_public.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

/* Logs of the TPM that the kernel shows; a TPM reached otherwise has none here. */
#define EVENT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define IMA_LIST "/sys/kernel/security/ima/binary_runtime_measurements"
#define LOG_MAX (16u << 20) /* a longer one is left out, and what it would show stays open */

DEFINE_CLEANUP(struct tpm_dev *, tpm_dev_close)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

static bool tpm_present(const struct attest_config *c)
{
	_cleanup_(tpm_dev_close_p) struct tpm_dev *d = NULL;

	return tpm_dev_open(c->tcti, &d) == 0;
}

static int add_log(struct attest_evidence *e, const char *name, const char *path)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct buf *part;

	if (file_read(path, LOG_MAX, &b) < 0 || buf_len(&b) == 0)
		return 0;
	part = attest_evidence_add(e, name);
	return part ? buf_append(part, buf_span(&b).p, buf_len(&b)) : -ENOSPC;
}

/* Two or three parts at once; none when the index is not there. */
static int add_nv(struct tpm_dev *d, const struct tpm_key *ak, uint32_t index, struct span qualifying,
		  const char *const names[3], struct attest_evidence *e)
{
	_cleanup_buf_ struct buf attest = { 0 }, signature = { 0 }, public = { 0 };
	const struct buf *from[] = { &attest, &signature, &public };
	int r = tpm_nv_certify(d, ak, index, qualifying, &attest, &signature, &public);

	if (r == -ENOENT)
		return 0;
	for (unsigned i = 0; i < 3 && r == 0; i++) {
		struct buf *part = attest_evidence_add(e, names[i]);

		r = part ? buf_append(part, buf_span(from[i]).p, buf_len(from[i])) : -ENOSPC;
	}
	return r;
}

static int add_cosign(struct tpm_dev *d, const struct tpm_key *ak, struct span qualifying, struct attest_evidence *e)
{
	_cleanup_tpm_key_ struct tpm_key key = { 0 };
	struct buf *public = attest_evidence_add(e, "cosign_public");
	struct buf *certify = attest_evidence_add(e, "cosign_certify");
	struct buf *signature = attest_evidence_add(e, "cosign_certify_signature");
	int r;

	if (!public || !certify || !signature)
		return -ENOSPC;
	r = tpm_cosign_load(d, TPM_COSIGN_MASK, &key, public);
	return r < 0 ? r : tpm_certify_make(d, ak, &key, qualifying, certify, signature);
}

static int add_quote(struct tpm_dev *d, const struct tpm_key *ak, struct span qualifying, struct attest_evidence *e)
{
	struct buf *quote = attest_evidence_add(e, "quote"), *signature = attest_evidence_add(e, "signature");
	struct buf *pcrs = attest_evidence_add(e, "pcrs");

	if (!quote || !signature || !pcrs)
		return -ENOSPC;
	return tpm_quote_make(d, ak, TPM_QUOTE_MASK, qualifying, quote, signature, pcrs);
}

static int add_ek_certificate(struct tpm_dev *d, struct attest_evidence *e)
{
	_cleanup_buf_ struct buf public = { 0 }, certificate = { 0 };
	_cleanup_tpm_key_ struct tpm_key ek = { 0 };
	struct buf *part;

	/* Many TPMs have none, or another kind of key; the quote does not depend on it. */
	if (tpm_ek_load(d, &ek, &public, &certificate) < 0)
		return 0;
	part = attest_evidence_add(e, "ek_certificate");
	return part ? buf_append(part, buf_span(&certificate).p, buf_len(&certificate)) : -ENOSPC;
}

static int tpm_collect(const struct attest_config *c, const struct attest_digests *bound, struct attest_evidence *e)
{
	static const char *const measured[] = { "nv_measured", "nv_measured_signature", "nv_measured_public" };
	static const char *const counter[] = { "nv_counter", "nv_counter_signature", "nv_counter_public" };
	const struct span qualifying = { (const char *)bound->sha256, sizeof(bound->sha256) };
	_cleanup_(tpm_dev_close_p) struct tpm_dev *d = NULL;
	struct buf *public = attest_evidence_add(e, "ak_public");
	int r = public ? tpm_dev_open(c->tcti, &d) : -ENOSPC;
	struct tpm_key ak = { 0 };

	if (r < 0)
		return r;
	r = tpm_ak_load(d, &ak, public);
	if (r == 0)
		r = add_quote(d, &ak, qualifying, e);
	if (r == 0)
		r = add_cosign(d, &ak, qualifying, e);
	if (r == 0)
		r = add_nv(d, &ak, TPM_INDEX_MEASURED, qualifying, measured, e);
	if (r == 0)
		r = add_nv(d, &ak, TPM_INDEX_COUNTER, qualifying, counter, e);
	if (r == 0)
		r = add_ek_certificate(d, e);
	if (r == 0 && !c->tcti)
		r = add_log(e, "event_log", EVENT_LOG);
	if (r == 0 && !c->tcti)
		r = add_log(e, "ima", IMA_LIST);
	tpm_key_done(&ak);
	return r;
}

/* The co-signing key as SubjectPublicKeyInfo. */
static int tpm_cosign_key(const struct attest_config *c, struct buf *spki)
{
	_cleanup_(tpm_dev_close_p) struct tpm_dev *d = NULL;
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *pkey = NULL;
	_cleanup_buf_ struct buf public = { 0 };
	struct tpm_key key = { 0 };
	struct tpm_public area;
	uint8_t *der = NULL;
	int r = tpm_dev_open(c->tcti, &d), n;

	if (r == 0)
		r = tpm_cosign_load(d, TPM_COSIGN_MASK, &key, &public);
	tpm_key_done(&key);
	if (r == 0)
		r = tpm_public_parse(buf_span(&public), &area);
	if (r == 0)
		r = tpm_public_key(&area, &pkey);
	if (r < 0)
		return r;
	n = i2d_PUBKEY(pkey, &der);
	r = n > 0 ? buf_append(spki, der, (size_t)n) : -ENOMEM;
	OPENSSL_free(der);
	return r;
}

const struct attest_provider attest_tpm = {
	.name = "tpm",
	.class = ATTEST_HARDWARE,
	.present = tpm_present,
	.collect = tpm_collect,
	.cosign_key = tpm_cosign_key,
};
