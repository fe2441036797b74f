// SPDX-License-Identifier: Apache-2.0
/*
 * What the node states of itself, bound by its TPM. Runs in the notary, locked in. The hashes are the
 * supervisor's word: self-asserted, and the verifier says so.
 */
#include "user/role/notary_evidence.h"

#include <errno.h>

#include "user/base/clock.h"
#include "user/gate/gate.h"
#include "user/notary/key_tpm.h"

/* Of its time the notary spends at most one part in so many on evidence: whoever may ask for it must not be
 * able to keep records waiting. */
#define EVIDENCE_SHARE 4

static int collect(const struct notary_hands *h, const struct attest_binding *b, struct buf *json)
{
	const struct attest_config c = {
		.provider = h->platform, .tpm = h->tpm ? key_tpm_device(h->tpm) : NULL,
		.pcrs = h->tpm ? key_tpm_pcrs(h->tpm) : 0, .logs = &h->logs,
	};
	struct attest_evidence e = { 0 };
	int r = attest_evidence(&c, b->nonce, b, &e);

	if (r == 0)
		r = attest_evidence_json(&e, b, b->nonce, json);
	attest_evidence_done(&e);
	return r;
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
