// SPDX-License-Identifier: Apache-2.0
/*
 * Enrolment records: written by whoever activated a credential, read by a verifier.
 */
#include "attest/tpm_enrolment.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "attest/tpm_public.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/json_out.h"

#define TYPE "tollgate/tpm-enrolment/v1" /* signed with its NUL */
#define METHOD "credential-activation"
#define SIGNATURE_SIZE 64

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(json_t *, json_decref)

static int put_lp(struct buf *b, struct span s)
{
	uint8_t n[4] = { (uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8), (uint8_t)s.n };
	int r = buf_append(b, n, sizeof(n));

	return r < 0 ? r : buf_append(b, s.p, s.n);
}

static int signed_bytes(const struct tpm_enrolment *e, struct buf *out)
{
	uint8_t time[8];
	int r;

	for (int i = 0; i < 8; i++)
		time[i] = (uint8_t)((uint64_t)e->time >> (56 - 8 * i));
	r = buf_append(out, TYPE, sizeof(TYPE));
	if (r == 0)
		r = put_lp(out, e->ak_name);
	if (r == 0)
		r = put_lp(out, (struct span){ (const char *)e->ek_certificate, sizeof(e->ek_certificate) });
	if (r == 0)
		r = put_lp(out, SPAN(METHOD));
	return r < 0 ? r : buf_append(out, time, sizeof(time));
}

int tpm_enrolment_write(const struct tpm_enrolment *e, EVP_PKEY *enroller, struct buf *out)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	_cleanup_buf_ struct buf text = { 0 }, b64 = { 0 };
	char name[2 * TPM_NAME_MAX + 1], ek[65];
	uint8_t sig[SIGNATURE_SIZE];
	size_t n = sizeof(sig);
	struct json_out j;
	int r;

	if (e->ak_name.n > TPM_NAME_MAX || e->time < 0)
		return -EINVAL;
	r = signed_bytes(e, &text);
	if (r < 0)
		return r;
	if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, enroller) <= 0 ||
	    EVP_DigestSign(ctx, sig, &n, (const uint8_t *)buf_span(&text).p, buf_len(&text)) <= 0 ||
	    n != sizeof(sig) || base64_append(&b64, sig, n) < 0)
		return -EINVAL;
	hex_encode(e->ak_name.p, e->ak_name.n, name);
	hex_encode(e->ek_certificate, sizeof(e->ek_certificate), ek);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "ak_name", name);
	json_out_member_str(&j, "ek_certificate", ek);
	json_out_member_str(&j, "method", METHOD);
	json_out_member_span(&j, "signature", buf_span(&b64));
	json_out_member_int(&j, "time", e->time);
	json_out_member_str(&j, "type", TYPE);
	json_out_object_end(&j);
	return json_out_end(&j);
}

static int verify(struct span text, const uint8_t *sig, const uint8_t enroller[32])
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, enroller, 32);
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!key || !ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) <= 0)
		return -ENOMEM;
	return EVP_DigestVerify(ctx, sig, SIGNATURE_SIZE, (const uint8_t *)text.p, text.n) == 1 ? 0 : -EKEYREJECTED;
}

int tpm_enrolment_read(struct span json, const uint8_t enroller[32], uint8_t *name, struct tpm_enrolment *ret)
{
	_cleanup_(json_decref_p) json_t *root = NULL;
	const char *ak, *ek, *method, *sig, *type;
	_cleanup_buf_ struct buf text = { 0 };
	uint8_t raw[SIGNATURE_SIZE];
	struct tpm_enrolment e;
	json_int_t when;
	size_t n;
	int r;

	if (json.n > TPM_ENROLMENT_MAX)
		return -EBADMSG;
	root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);
	if (!root || json_unpack(root, "{s:s,s:s,s:s,s:s,s:I,s:s!}", "ak_name", &ak, "ek_certificate", &ek, "method",
				 &method, "signature", &sig, "time", &when, "type", &type) < 0)
		return -EBADMSG;
	n = strlen(ak) / 2;
	if (strcmp(type, TYPE) != 0 || strcmp(method, METHOD) != 0 || when < 0 || n > TPM_NAME_MAX ||
	    hex_decode(ak, strlen(ak), name, n) < 0 || hex_decode(ek, strlen(ek), e.ek_certificate, 32) < 0)
		return -EBADMSG;
	e.ak_name = (struct span){ (const char *)name, n };
	e.time = when;
	if (base64_decode(span_of(sig), raw, sizeof(raw), &n) < 0 || n != sizeof(raw))
		return -EBADMSG;
	r = signed_bytes(&e, &text);
	if (r == 0)
		r = verify(buf_span(&text), raw, enroller);
	if (r == 0)
		*ret = e;
	return r;
}
