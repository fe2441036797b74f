// SPDX-License-Identifier: Apache-2.0
/*
 * What the node states of itself, bound by its TPM. Runs in the notary, locked in. The hashes are the
 * supervisor's word: self-asserted, and the verifier says so.
 */
#include "user/role/notary_evidence.h"

#include <errno.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/gate/gate.h"
#include "user/notary/key_tpm.h"

/* Of its time the notary spends at most one part in so many on evidence: whoever may ask for it must not be
 * able to keep records waiting. */
#define EVIDENCE_SHARE 4

static struct attest_config config_of(const struct notary_hands *h)
{
	return (struct attest_config){
		.provider = h->platform, .tpm = h->tpm ? key_tpm_device(h->tpm) : NULL,
		.pcrs = h->tpm ? key_tpm_pcrs(h->tpm) : 0, .logs = &h->logs,
	};
}

static int collect(const struct notary_hands *h, const struct attest_binding *b, struct buf *json)
{
	const struct attest_config c = config_of(h);
	struct attest_evidence e = { 0 };
	int r = attest_evidence(&c, b->nonce, b, &e);

	if (r == 0)
		r = attest_evidence_json(&e, b, b->nonce, json);
	attest_evidence_done(&e);
	return r;
}

int notary_session_report(const struct notary_hands *h, const uint8_t nonce[CLAIM_NONCE_SIZE],
			  struct claim_report *ret)
{
	struct attest_config c = config_of(h);

	c.brief = true;
	return claim_report_take(&c, nonce, ret);
}

int notary_evidence(const struct notary_hands *h, struct notary *n, const struct msg_setup *setup,
		    const struct msg_evidence *ask, struct buf *json)
{
	static uint64_t ended, took;
	const uint64_t now = clock_mono_ns();
	const struct verifier_key *key = notary_key(n);
	struct notary_status s;
	struct attest_binding b = {
		.nonce = { (const char *)ask->nonce, ask->nonce_n },
		.public_key = { (const char *)key->pub, sizeof(key->pub) },
		.cosign_key = h->tpm ? key_tpm_cosign_public(h->tpm) : (struct span){ 0 },
		.policy_hash = span_of(ask->policy_hash), .catalog_hash = span_of(ask->catalog_hash),
		.mode = span_of(gate_mode_text((enum gate_mode)setup->mode)),
		.program_hash = span_of(setup->program_hash), .kernel_program_hash = span_of(setup->kernel_hash),
		.boot_id = span_of(setup->boot_id), .origin = span_of(key->name),
	};
	int r;

	if (ended && now - ended < EVIDENCE_SHARE * took)
		return -EBUSY;
	r = notary_checkpoint(n);
	notary_status(n, &s);
	b.tree_size = s.signed_size;
	b.tree_root = (struct span){ (const char *)s.root, sizeof(s.root) };
	if (r == 0)
		r = collect(h, &b, json);
	ended = clock_mono_ns();
	took = ended - now;
	return r;
}

static int keep(const struct notary_hands *h, struct notary *n, const struct msg_setup *setup, const char *path,
		char ret_digest[SHA256_HEX_SIZE])
{
	_cleanup_buf_ struct buf json = { 0 };
	struct msg_evidence ask = { 0 };
	struct notary_status s;
	uint8_t digest[SHA256_SIZE];
	int r;

	notary_status(n, &s);
	ask.nonce_n = (uint32_t)strlen(s.session_id);
	memcpy(ask.nonce, s.session_id, ask.nonce_n);
	memcpy(ask.policy_hash, setup->policy_hash, sizeof(ask.policy_hash));
	memcpy(ask.catalog_hash, setup->catalog_hash, sizeof(ask.catalog_hash));
	r = notary_evidence(h, n, setup, &ask, &json);
	if (r == 0)
		r = file_replace(path, buf_span(&json).p, buf_len(&json), 0640);
	if (r < 0)
		return r;
	sha256(buf_span(&json).p, buf_len(&json), digest);
	hex_encode(digest, sizeof(digest), ret_digest);
	return 0;
}

void notary_evidence_of_start(const struct notary_hands *h, struct notary *n, const struct msg_setup *setup,
			      const char *path)
{
	char digest[SHA256_HEX_SIZE] = "";
	struct record_kv kv[] = { { "evidence_sha256", { NULL, 0 }, 0 }, { "platform", span_of(h->platform), 0 } };
	struct record rec;
	int r;

	if (!h->tpm)
		return;
	r = keep(h, n, setup, path, digest);
	if (r < 0)
		log_warn("keep evidence of this start: %s", err_text(r));
	record_init(&rec, r < 0 ? RECORD_ATTESTATION_STALE : RECORD_ATTESTATION_REFRESH, RECORD_NA);
	rec.reason = r < 0 ? span_of(err_text(r)) :
		     SPAN("evidence of this start, bound to the session id, in evidence.json");
	kv[0].s = span_of(digest);
	rec.detail = r < 0 ? kv + 1 : kv;
	rec.detail_n = r < 0 ? 1 : 2;
	(void)notary_record(n, &rec); /* a log that takes no record has told so */
}
