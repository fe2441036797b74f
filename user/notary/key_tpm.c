// SPDX-License-Identifier: Apache-2.0
/*
 * The notary's side of its TPM. Runs in the notary only. Secrets are wiped and never printed.
 */
#include "user/notary/key_tpm.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "attest/tpm_device.h"
#include "attest/tpm_public.h"
#include "attest/tpm_signature.h"
#include "user/base/cleanup.h"

struct key_tpm {
	struct tpm_dev *dev;
	struct tpm_key cosign;
	uint32_t pcrs;
	struct buf spki;
};

DEFINE_CLEANUP(struct key_tpm *, key_tpm_free)
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

static int load_cosign(struct key_tpm *t, struct buf *spki)
{
	_cleanup_buf_ struct buf public = { 0 };
	int r;

	tpm_key_done(&t->cosign);
	r = tpm_cosign_load(t->dev, t->pcrs, &t->cosign, &public);
	return r < 0 ? r : tpm_public_spki(buf_span(&public), spki);
}

int key_tpm_open(const char *tcti, uint32_t pcrs, struct key_tpm **ret)
{
	_cleanup_(key_tpm_free_p) struct key_tpm *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->pcrs = pcrs;
	r = tpm_dev_open(tcti, &t->dev);
	if (r == 0)
		r = load_cosign(t, &t->spki);
	if (r < 0)
		return r;
	*ret = take_ptr(t);
	return 0;
}

void key_tpm_free(struct key_tpm *t)
{
	if (!t)
		return;
	tpm_key_done(&t->cosign);
	tpm_dev_close(t->dev);
	buf_done(&t->spki);
	free(t);
}

struct tpm_dev *key_tpm_device(struct key_tpm *t)
{
	return t->dev;
}

uint32_t key_tpm_pcrs(const struct key_tpm *t)
{
	return t->pcrs;
}

struct span key_tpm_cosign_public(const struct key_tpm *t)
{
	return buf_span(&t->spki);
}

/* TPMT_SIGNATURE to the DER of a note. */
static int der_of(struct span tpmt, struct span spki, struct buf *der)
{
	const uint8_t *p = (const uint8_t *)spki.p;
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.n);
	_cleanup_(ECDSA_SIG_free_p) ECDSA_SIG *sig = ECDSA_SIG_new();
	struct tpm_signature s = { 0 };
	uint8_t *out = NULL;
	BIGNUM *rb, *sb;
	int n, r = key && sig ? tpm_signature_parse(tpmt, key, &s) : -ENOMEM;

	if (r < 0)
		return r;
	rb = BN_bin2bn((const uint8_t *)s.r.p, (int)s.r.n, NULL);
	sb = BN_bin2bn((const uint8_t *)s.s.p, (int)s.s.n, NULL);
	if (!rb || !sb || !ECDSA_SIG_set0(sig, rb, sb)) {
		BN_free(rb);
		BN_free(sb);
		return -ENOMEM;
	}
	n = i2d_ECDSA_SIG(sig, &out);
	r = n > 0 ? buf_append(der, out, (size_t)n) : -ENOMEM;
	OPENSSL_free(out);
	return r;
}

int key_tpm_cosign(void *arg, const uint8_t digest[32], struct buf *der)
{
	_cleanup_buf_ struct buf sig = { 0 }, spki = { 0 };
	struct key_tpm *t = arg;
	int r = t->cosign.tr ? tpm_cosign_sign(t->dev, &t->cosign, t->pcrs, digest, &sig) : -ENOENT;

	if (r < 0) { /* what was loaded does not outlive a suspend */
		r = load_cosign(t, &spki);
		/* Registers changed under us: the template gives another key now, which nobody was told of. */
		if (r == 0 && !span_eq(buf_span(&spki), buf_span(&t->spki)))
			r = -ESTALE;
		if (r == 0)
			r = tpm_cosign_sign(t->dev, &t->cosign, t->pcrs, digest, &sig);
	}
	return r < 0 ? r : der_of(buf_span(&sig), buf_span(&t->spki), der);
}

int key_tpm_counter(struct key_tpm *t, uint64_t *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	uint64_t v = 0;
	int r = tpm_nv_read(t->dev, TPM_INDEX_COUNTER, &b);

	if (r == -ENOENT) /* none, or never raised */
		return tpm_nv_increment(t->dev, TPM_INDEX_COUNTER, ret);
	if (r < 0)
		return r;
	if (buf_len(&b) != 8)
		return -EIO;
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)buf_span(&b).p[i];
	*ret = v;
	return 0;
}

int key_tpm_counter_raise(struct key_tpm *t, uint64_t *ret)
{
	return tpm_nv_increment(t->dev, TPM_INDEX_COUNTER, ret);
}

int key_tpm_seal(struct key_tpm *t, const uint8_t seed[KEY_SIZE], struct buf *blob)
{
	return tpm_seal(t->dev, t->pcrs, (struct span){ (const char *)seed, KEY_SIZE }, blob);
}

int key_tpm_unseal(struct key_tpm *t, struct span blob, uint8_t ret[KEY_SIZE], uint32_t *ret_pcrs)
{
	size_t n = 0;
	int r = tpm_sealed_mask(blob, ret_pcrs);

	if (r == 0)
		r = tpm_unseal(t->dev, blob, ret, KEY_SIZE, &n);
	return r < 0 ? r : n == KEY_SIZE ? 0 : -EBADMSG;
}
