// SPDX-License-Identifier: Apache-2.0
/*
 * The records of a conversation. What is common to all of them is filled in here and nowhere else.
 */
#include "user/gate/note.h"

#include <errno.h>
#include <string.h>

#include "attest/attest.h"
#include "user/base/cleanup.h"
#include "user/gate/gate.h"
#include "user/gate/snapshot.h"
#include "user/notary/recorder.h"
#include "user/proc/identity.h"

static void fill_server(struct record *rec, const struct gate_conv *c)
{
	const struct proc_identity *id = c->identity;

	rec->server_identity = gate_conv_server(c);
	if (rec->server_identity.n == 0)
		rec->server_identity = span_of(gate_conv_address(c));
	if (!id)
		return;
	rec->server_pid = id->pid;
	rec->server_exe = span_of(id->exe);
	if (*id->script)
		rec->server_script = span_of(id->script);
	if (*id->loader)
		rec->spawn_loader = span_of(id->loader);
	rec->evidence_class = c->measured ? SPAN("spawn-measured") : SPAN("spawn-unmeasured");
}

void note_init(struct record *rec, const struct gate_conv *c, enum record_type type,
	       enum record_decision decision)
{
	const char *name = snapshot_agent_name(c->snap, c->agent);
	const char *outer = snapshot_agent_name(c->snap, c->outer_agent);

	record_init(rec, type, decision);
	rec->agent = span_of(name);
	if (outer)
		rec->outer_agent = span_of(outer);
	if (c->agent_pid) {
		rec->agent_pid = c->agent_pid;
		rec->agent_uid = c->agent_uid;
	}
	rec->transport = span_of(c->transport);
	rec->mode = span_of(gate_mode_text(c->gate->mode));
	rec->policy_epoch = (int64_t)c->snap->epoch;
	rec->catalog_epoch = (int64_t)c->snap->epoch;
	if (c->version != MCP_V_UNKNOWN)
		rec->protocol_version = span_of(mcp_version_text(c->version));
	fill_server(rec, c);
}

int note_put(struct gate_conv *c, struct record *rec)
{
	uint64_t pos;
	int r;

	if (!c->gate->recorder)
		return -EPIPE;
	r = recorder_put(c->gate->recorder, &c->chain, rec, &pos);
	if (r < 0) {
		c->gate->count.unrecorded++;
		return r;
	}
	c->pos = pos;
	return 0;
}

/* Digest of the statement that hardware evidence would be bound to; the proof that this node has none of
 * it stands beside it as the platform's name. */
static int binding_text(const struct gate_conv *c, char ret[SHA256_PREFIXED_SIZE])
{
	const struct gate_facts *f = &c->gate->facts;
	struct attest_binding b = {
		.public_key = { (const char *)f->public_key, sizeof(f->public_key) },
		.policy_hash = span_of(c->snap->policy_hash),
		.catalog_hash = span_of(c->snap->catalog_hash),
		.mode = span_of(gate_mode_text(c->gate->mode)),
		.program_hash = span_of(f->program_hash),
		.kernel_program_hash = span_of(f->kernel_hash),
		.boot_id = span_of(f->boot_id),
		.origin = span_of(f->node),
	};
	struct attest_digests d;
	int r = attest_binding(&b, &d);

	if (r >= 0)
		sha256_prefixed(d.sha256, ret);
	return r;
}

/* The manifest that the agent is bound to; the notary compares its hashes with those in force. */
static void fill_manifest(const struct gate_conv *c, struct record *rec, struct record_kv kv[RECORD_DETAIL_MAX])
{
	static const char *const names[SNAPSHOT_MANIFEST_COUNT] = {
		"manifest_agent_id", "manifest_catalog_hash", "manifest_id", "manifest_issuer", "manifest_key_id",
		"manifest_policy_hash",
	};

	if (c->agent < 1 || c->agent > c->snap->nagents)
		return;
	for (unsigned i = 0; i < SNAPSHOT_MANIFEST_COUNT; i++) {
		const char *s = c->snap->agents[c->agent - 1].manifest[i];

		if (s && rec->detail_n < RECORD_DETAIL_MAX)
			kv[rec->detail_n++] = (struct record_kv){ .key = names[i], .s = span_of(s) };
	}
}

static int fill_facts(struct gate_conv *c, struct record *rec, struct record_kv kv[RECORD_DETAIL_MAX],
		      char binding[SHA256_PREFIXED_SIZE])
{
	const struct gate_facts *f = &c->gate->facts;
	int r = binding_text(c, binding);
	struct record_facts facts = {
		.policy_hash = span_of(c->snap->policy_hash),
		.catalog_hash = span_of(c->snap->catalog_hash),
		.mode = span_of(gate_mode_text(c->gate->mode)),
		.program_hash = span_of(f->program_hash),
		.kernel_program_hash = span_of(f->kernel_hash),
		.boot_id = span_of(f->boot_id),
		.binding_digest = span_of(binding),
		.attestation_platform = span_of(attest_platform()),
		.salt_epoch = span_of(f->salt_epoch),
		.node = span_of(f->node),
	};

	if (r < 0)
		return r;
	rec->detail_n = record_facts_detail(&facts, kv);
	if (*c->snap->pins_hash && rec->detail_n < RECORD_DETAIL_MAX)
		kv[rec->detail_n++] = (struct record_kv){ .key = "catalog_pins_hash",
							  .s = span_of(c->snap->pins_hash) };
	if (c->gate->escrow && rec->detail_n < RECORD_DETAIL_MAX)
		kv[rec->detail_n++] = (struct record_kv){ .key = "escrow_key", .s = span_of(f->escrow_key) };
	fill_manifest(c, rec, kv);
	rec->detail = kv;
	return 0;
}

static void fill_use(struct record *rec, const struct gate_conv *c)
{
	if (!c->server && *c->why_unlisted) {
		rec->reason = span_of(c->why_unlisted);
		rec->reason_code = *c->spawn.refused ? SPAN("spawn_refused") : SPAN("unlisted_server");
	} else if (c->use_denied) {
		rec->reason = SPAN("policy does not let this agent use this server");
		rec->reason_code = SPAN("policy");
	}
}

static enum record_decision use_decision(const struct gate_conv *c)
{
	if (gate_conv_bare(c))
		return RECORD_NA;
	if (c->server && !c->use_denied)
		return RECORD_ALLOW;
	return c->gate->mode == GATE_ENFORCING ? RECORD_DENY : RECORD_ADVISORY_DENY;
}

static int begin(struct gate_conv *c, const char *continues)
{
	struct record_kv kv[RECORD_DETAIL_MAX];
	char binding[SHA256_PREFIXED_SIZE];
	struct record rec;
	int r;

	if (!c->gate->recorder)
		return -EAGAIN;
	note_init(&rec, c, RECORD_SESSION_START, use_decision(c));
	fill_use(&rec, c);
	r = fill_facts(c, &rec, kv, binding);
	if (r < 0)
		return r;
	if (continues && rec.detail_n < RECORD_DETAIL_MAX)
		kv[rec.detail_n++] = (struct record_kv){ .key = "continues", .s = span_of(continues) };
	return recorder_begin(c->gate->recorder, &c->chain, &rec, &c->pos);
}

int note_begin(struct gate_conv *c)
{
	return begin(c, NULL);
}

int note_segment(struct gate_conv *c, uint64_t epoch)
{
	struct chain before = c->chain;
	struct record_kv kv = { .key = "continued_by" };
	struct record rec;
	int r = c->gate->recorder ? recorder_room(c->gate->recorder) : -EAGAIN;

	/* The new one first: while it cannot be had, the old one stays as it is and nothing is judged. */
	if (r == 0)
		r = begin(c, before.session_id);
	if (r < 0)
		return r;
	note_init(&rec, c, RECORD_SESSION_END, RECORD_NA);
	rec.reason = SPAN("policy or catalog was loaded anew");
	rec.reason_code = SPAN("reload");
	rec.policy_epoch = rec.catalog_epoch = (int64_t)epoch;
	kv.s = span_of(c->chain.session_id);
	rec.detail = &kv;
	rec.detail_n = 1;
	if (recorder_put(c->gate->recorder, &before, &rec, &c->pos) < 0)
		c->gate->count.unrecorded++; /* the notary closes it when this process ends */
	chain_done(&before);
	return 0;
}
