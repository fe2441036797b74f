// SPDX-License-Identifier: Apache-2.0
/*
 * Judges a TPM quote. Nothing is believed that the signature does not cover, and nothing passes for want
 * of an expectation.
 */
#include "attest/tpm_verify.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "attest/tpm_signature.h"
#include "user/base/cleanup.h"

static const struct attest_policy no_policy;

/* "0,4,7" into a text that a reason or a claim carries. */
static const char *mask_text(uint32_t mask, char ret[96])
{
	size_t n = 0;

	ret[0] = 0;
	for (unsigned i = 0; i < TPM_PCRS; i++)
		if (mask >> i & 1)
			n += (size_t)snprintf(ret + n, 96 - n, "%s%u", n ? "," : "", i);
	return ret;
}

static void claim(const struct tpm_attest *a, struct attest_result *res)
{
	struct json_out *j = &res->claims;
	char text[96];

	json_out_key(j, "tpm");
	json_out_object(j);
	json_out_member_int(j, "clock_ms", (int64_t)(a->clock & INT64_MAX));
	(void)snprintf(text, sizeof(text), "%016" PRIx64, a->firmware);
	json_out_member_str(j, "firmware", text);
	attest_claim_hex(res, "qualifying_data", a->extra);
	json_out_member_int(j, "resets", a->resets);
	json_out_member_int(j, "restarts", a->restarts);
	json_out_member_bool(j, "safe", a->safe);
	json_out_key(j, "selection");
	json_out_object(j);
	for (unsigned i = 0; i < a->selection.n; i++)
		json_out_member_str(j, tpm_hash_name(a->selection.bank[i].alg),
				    mask_text(a->selection.bank[i].mask, text));
	json_out_object_end(j);
	attest_claim_hex(res, "signer", a->signer);
	json_out_object_end(j);
}

static bool judge_header(const struct tpm_attest *a, struct attest_result *res)
{
	/* A restricted key signs any bytes that do not begin with the magic: only the TPM writes it. */
	if (!attest_check(res, a->magic == TPM_GENERATED_MAGIC, "tpm.magic", "tpm-generated",
			  "the signed structure begins with %08x, a TPM writes %08x", a->magic,
			  TPM_GENERATED_MAGIC))
		return false;
	return attest_check(res, a->type == TPM_ST_QUOTE, "tpm.type", "quote",
			    "the signed structure has type %04x, a quote has %04x", a->type, TPM_ST_QUOTE);
}

/* Returns the hash of the signing scheme, which the PCR digest uses too, 0 when nothing is signed. */
static uint16_t judge_signature(struct span data, struct span bytes, EVP_PKEY *key,
				const struct tpm_public *pub, const char *field, struct attest_result *res)
{
	struct tpm_signature sig;
	int r = tpm_signature_parse(bytes, key, &sig);

	if (r == -EOPNOTSUPP) {
		attest_fail(res, field, "signature-scheme",
			    "the signature's scheme or hash is not accepted: RSASSA, RSAPSS or ECDSA with SHA-256 "
			    "to SHA-512");
		return 0;
	}
	if (r < 0) {
		attest_fail(res, field, "signature-malformed", "the signature is malformed");
		return 0;
	}
	if (pub && pub->scheme != TPM_ALG_NULL) {
		if (sig.bare)
			sig.scheme = pub->scheme, sig.hash = pub->scheme_hash;
		if (sig.scheme != pub->scheme || sig.hash != pub->scheme_hash) {
			attest_fail(res, field, "signature-scheme",
				    "the signature is scheme %04x with hash %04x, the key allows %04x with %04x",
				    sig.scheme, sig.hash, pub->scheme, pub->scheme_hash);
			return 0;
		}
	}
	r = tpm_signature_verify(&sig, key, data);
	if (r == -ENOMEM)
		res->error = r;
	if (!attest_check(res, r == 0, field, "signature", r == 0 ? "signed by the key, %s" :
			  "the key did not sign this (%s)", tpm_hash_name(sig.hash)))
		return 0;
	return sig.hash;
}

static void judge_nonce(const struct tpm_quote *in, const struct tpm_attest *a, struct attest_result *res)
{
	bool same;

	if (!in->have_nonce) {
		attest_unchecked(res, "tpm.nonce", "no-nonce",
				 "no nonce was given to compare with: the quote may be old");
		return;
	}
	same = in->nonce.n > 0 && a->extra.n == in->nonce.n &&
	       CRYPTO_memcmp(a->extra.p, in->nonce.p, a->extra.n) == 0;
	(void)attest_check(res, same, "tpm.nonce", a->extra.n == 0 ? "nonce-empty" : "nonce",
			   same ? "the qualifying data is what was asked for" :
			   a->extra.n == 0 ? "the quote has no qualifying data, a nonce is required" :
					     "the qualifying data is not what was asked for");
}

static void judge_state(const struct tpm_attest *a, const struct tpm_policy *p, struct attest_result *res)
{
	uint8_t firmware[8];

	for (int i = 0; i < 8; i++)
		firmware[i] = (uint8_t)(a->firmware >> (56 - 8 * i));
	if (p->min_resets)
		(void)attest_check(res, a->resets >= p->min_resets, "tpm.resets", "resets",
				   "the TPM counts %" PRIu32 " resets, at least %" PRIu32 " are expected",
				   a->resets, p->min_resets);
	else
		attest_skipped(res, "tpm.resets", "no-expectation",
			       "the TPM counts %" PRIu32 " resets, no number was expected", a->resets);
	if (p->firmware.given)
		(void)attest_check(res, policy_set_has(&p->firmware, (struct span){ (char *)firmware, 8 }),
				   "tpm.firmware", "firmware", "the firmware's version is %016" PRIx64, a->firmware);
	else
		attest_skipped(res, "tpm.firmware", "no-expectation",
			       "the firmware's version is %016" PRIx64 ", none was expected", a->firmware);
}

static bool expects_values(const struct tpm_policy *p)
{
	for (unsigned b = 0; b < TPM_POLICY_BANKS; b++)
		for (unsigned i = 0; i < TPM_PCRS; i++)
			if (p->pcrs[b][i].given)
				return true;
	return false;
}

static void judge_selection(const struct tpm_attest *a, const struct tpm_policy *p, bool carrier,
			    struct attest_result *res)
{
	struct tpm_selection want = { 0 };
	uint32_t all = 0, here = 0;
	char text[96];

	for (unsigned i = 0; i < a->selection.n; i++)
		all |= a->selection.bank[i].mask;
	for (unsigned b = 0; b < TPM_POLICY_BANKS; b++)
		if (p->selection[b]) {
			want.bank[want.n].alg = tpm_policy_algs[b];
			want.bank[want.n++].mask = p->selection[b];
			here += tpm_selection_mask(&a->selection, tpm_policy_algs[b]) == p->selection[b];
		}
	if (want.n)
		(void)attest_check(res, a->selection.n == want.n && here == want.n, "tpm.selection", "selection",
				   "the quote covers PCRs %s of %u bank(s)", mask_text(all, text), a->selection.n);
	else if (expects_values(p))
		attest_skipped(res, "tpm.selection", "no-expectation",
			       "the quote covers PCRs %s; which beyond the expected was not said",
			       mask_text(all, text));
	else
		attest_unchecked(res, "tpm.selection", "no-expectation",
				 "the quote covers PCRs %s, no selection was expected", mask_text(all, text));
	if (tpm_selection_mask(&a->selection, TPM_HASH_SHA1))
		attest_unmet(res, "tpm.bank", "sha1-bank", "the quote is over the SHA-1 bank: values can be forged");
	else
		attest_pass(res, "tpm.bank", "bank", "no SHA-1 bank is quoted");
	if (all & ~TPM_PCRS_RESETTABLE)
		attest_pass(res, "tpm.resettable", "resettable", "PCRs that only a reboot clears are quoted");
	else if (carrier)
		attest_unmet(res, "tpm.resettable", "only-resettable",
			     "the quote shows whose it is, and of PCRs only what software can reset (%s)",
			     mask_text(all, text));
	else
		attest_fail(res, "tpm.resettable", "only-resettable",
			    "the quote covers only PCRs that software can reset (%s)", mask_text(all, text));
	if (all & TPM_PCRS_RESETTABLE && all & ~TPM_PCRS_RESETTABLE)
		attest_skipped(res, "tpm.resettable_among", "resettable",
			       "PCRs %s can be reset by software and count as nothing",
			       mask_text(all & TPM_PCRS_RESETTABLE, text));
}

/* True when the values are the ones the TPM hashed. */
static bool judge_values(const struct tpm_quote *in, const struct tpm_attest *a, uint16_t hash,
			 struct tpm_pcrs *pcrs, struct attest_result *res)
{
	uint8_t digest[TPM_HASH_SIZE_MAX];
	bool same;

	if (in->pcrs.n == 0) {
		attest_unchecked(res, "tpm.pcrs", "no-values",
				 "no PCR values were given: the quote's digest says nothing");
		return false;
	}
	if (tpm_pcrs_parse(in->pcrs, &a->selection, pcrs) < 0) {
		attest_fail(res, "tpm.pcrs", "values-malformed",
			    "the PCR values are in no known form for the quote's selection");
		return false;
	}
	if (hash == 0) {
		attest_unchecked(res, "tpm.pcrs", "not-signed", "without a signature no digest is to be compared");
		return false;
	}
	same = tpm_pcrs_digest(pcrs, hash, digest) == 0 && a->pcr_digest.n == tpm_hash_size(hash) &&
	       CRYPTO_memcmp(digest, a->pcr_digest.p, a->pcr_digest.n) == 0;
	return attest_check(res, same, "tpm.pcrs", "digest", same ? "the values have the quoted digest" :
			    "the values do not have the quoted digest");
}

static void judge_expected(const struct tpm_pcrs *pcrs, const struct tpm_policy *p, struct attest_result *res)
{
	if (!expects_values(p)) {
		attest_unchecked(res, "tpm.expected", "no-expectation",
				 "no PCR values were expected: what booted was not judged");
		return;
	}
	for (unsigned b = 0; b < TPM_POLICY_BANKS; b++)
		for (unsigned i = 0; i < TPM_PCRS; i++) {
			const char *bank = tpm_hash_name(tpm_policy_algs[b]);
			struct span v;

			if (!p->pcrs[b][i].given)
				continue;
			if (TPM_PCRS_RESETTABLE >> i & 1) {
				attest_fail(res, "tpm.expected", "resettable-pcr",
					    "a value is expected in PCR %u, which software can reset", i);
				continue;
			}
			v = pcrs ? tpm_pcrs_value(pcrs, tpm_policy_algs[b], i) : (struct span){ 0 };
			if (v.n == 0)
				attest_fail(res, "tpm.expected", "pcr-not-quoted",
					    "%s PCR %u is expected and was not proven", bank, i);
			else
				(void)attest_check(res, policy_set_has(&p->pcrs[b][i], v), "tpm.expected", "pcr",
						   "%s PCR %u compared with the expected values", bank, i);
		}
}

void tpm_judge_quote(const struct tpm_quote *in, EVP_PKEY *key, const struct tpm_public *pub,
		     const struct attest_policy *p, struct attest_result *res)
{
	const struct tpm_pcrs *proven = NULL;
	struct tpm_pcrs pcrs;
	struct tpm_attest a;
	uint16_t hash;

	if (!p)
		p = &no_policy;
	if (tpm_attest_parse(in->quote, &a) < 0) {
		attest_fail(res, "tpm.quote", "malformed", "the quote is no TPMS_ATTEST of %zu bytes", in->quote.n);
		return;
	}
	claim(&a, res);
	hash = judge_signature(in->quote, in->signature, key, pub, "tpm.signature", res);
	if (!judge_header(&a, res))
		return;
	judge_nonce(in, &a, res);
	judge_state(&a, &p->tpm, res);
	judge_selection(&a, &p->tpm, in->carrier, res);
	if (judge_values(in, &a, hash, &pcrs, res))
		proven = &pcrs;
	judge_expected(proven, &p->tpm, res);
	tpm_judge_event_log(in->event_log, proven, res);
	tpm_judge_ima(in->ima, proven, p, res);
}

/* What TPM2_Certify and TPM2_NV_Certify have in common. */
static bool judge_signed(struct span attest, struct span signature, EVP_PKEY *ak, uint16_t type,
			 const char *field, struct tpm_attest *a, struct attest_result *res)
{
	if (tpm_attest_parse(attest, a) < 0) {
		attest_fail(res, field, "malformed", "the structure is no TPMS_ATTEST");
		return false;
	}
	if (judge_signature(attest, signature, ak, NULL, field, res) == 0)
		return false;
	if (a->magic == TPM_GENERATED_MAGIC && a->type == type)
		return true;
	attest_fail(res, field, "header", "the signed structure has magic %08x and type %04x", a->magic, a->type);
	return false;
}

void tpm_judge_certify(struct span attest, struct span signature, EVP_PKEY *ak, struct span object_public,
		       struct attest_result *res)
{
	const uint32_t needed = TPM_OBJ_FIXED_TPM | TPM_OBJ_FIXED_PARENT | TPM_OBJ_SENSITIVE_DATA_ORIGIN;
	struct tpm_public pub;
	struct tpm_attest a;
	struct tpm_name name;

	if (!judge_signed(attest, signature, ak, TPM_ST_CERTIFY, "tpm.certify.signature", &a, res))
		return;
	if (tpm_public_parse(object_public, &pub) < 0 || tpm_public_name(&pub, &name) < 0) {
		attest_fail(res, "tpm.certify.name", "public-malformed", "the object's public area is malformed");
		return;
	}
	(void)attest_check(res, span_eq(a.name, tpm_name_span(&name)), "tpm.certify.name", "name",
			   "the certified Name compared with that of the object's public area");
	(void)attest_check(res, (pub.attributes & needed) == needed, "tpm.certify.attributes", "attributes",
			   "the object's attributes are %08x: born in this TPM and never outside it needs %08x",
			   pub.attributes, needed);
}

struct span tpm_judge_nv(struct span attest, struct span signature, EVP_PKEY *ak, struct span nv_public,
			 uint32_t kind, struct span nonce, struct attest_result *res)
{
	struct tpm_nv_public pub;
	struct tpm_attest a;
	struct tpm_name name;
	bool ok;

	if (!judge_signed(attest, signature, ak, TPM_ST_NV, "tpm.nv.signature", &a, res))
		return (struct span){ 0 };
	if (tpm_nv_public_parse(nv_public, &pub) < 0 || tpm_name_of(pub.name_alg, pub.bytes, &name) < 0) {
		attest_fail(res, "tpm.nv.name", "public-malformed", "the index's public area is malformed");
		return (struct span){ 0 };
	}
	/* The Name covers the attributes: without it any index could stand in for a counter. */
	ok = attest_check(res, span_eq(a.nv_name, tpm_name_span(&name)), "tpm.nv.name", "name",
			  "the certified Name compared with that of index %08x", pub.index);
	if (!attest_check(res, (pub.attributes & TPM_NT_MASK) == kind && (pub.attributes & TPM_NV_WRITTEN),
			  "tpm.nv.attributes", "attributes", "the index has attributes %08x", pub.attributes))
		ok = false;
	if (!attest_check(res, span_eq(a.extra, nonce) && nonce.n, "tpm.nv.nonce", "nonce",
			  "the qualifying data compared with what was asked for"))
		ok = false;
	if (!attest_check(res, a.nv_offset == 0 && a.nv_contents.n == pub.size, "tpm.nv.contents", "whole",
			  "%zu bytes from offset %u of an index of %u are certified", a.nv_contents.n, a.nv_offset,
			  pub.size))
		ok = false;
	return ok ? a.nv_contents : (struct span){ 0 };
}
