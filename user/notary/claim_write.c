// SPDX-License-Identifier: Apache-2.0
/*
 * One claim from the folded records into its file. Runs in the notary.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/notary/claims_private.h"

#define SOFTWARE_ONLY "software-only"

/* "enforcing" and "allow" are the records' words; claims have some of their own. */
static struct span mode_word(const char *mode)
{
	return strcmp(mode, "enforcing") == 0 ? SPAN("enforce") : span_of(mode);
}

struct lists {
	struct span *tools;
	struct claim_call *calls;
};

static void lists_done(struct lists *l)
{
	free(l->tools);
	free(l->calls);
}

static int fill_lists(struct lists *l, const struct claim_folded *f, struct claim_facts *facts)
{
	l->tools = calloc(CLAIM_TOOLS_MAX + 1, sizeof(*l->tools));
	l->calls = calloc(f->calls && !f->unnamed ? f->calls : 1, sizeof(*l->calls));
	if (!l->tools || !l->calls)
		return -ENOMEM;
	for (unsigned i = 0; i < f->tools_n; i++)
		if (f->passed[i])
			l->tools[facts->tools_n++] = span_of(f->tools[i]);
	facts->tools = l->tools;
	if (f->unnamed) {
		if (f->tools_n == CLAIM_TOOLS_MAX)
			l->tools[facts->tools_n++] = SPAN("+"); /* and others, as in a record's policy_ids */
		return 0;
	}
	for (uint64_t i = 0; i < f->calls; i++) {
		l->calls[i].tool = span_of(f->tools[f->transcript[i].tool]);
		l->calls[i].decision =
			span_of(record_decision_text((enum record_decision)f->transcript[i].decision));
	}
	facts->transcript = l->calls;
	return 0;
}

/* Where the records are, and the weakest way in which one of them was kept before its message went on: the
 * form has no member for it. */
static int write_uri(const struct claims *c, const struct claim_folded *f, struct buf *out)
{
	int r = buf_append_str(out, "tollgate:");

	for (const char *p = c->cfg.origin; *p && r == 0; p++)
		r = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
				    strchr("-._~/", *p) ?
			    buf_append(out, p, 1) :
			    buf_printf(out, "%%%02X", (unsigned char)*p);
	return r < 0 ? r : buf_printf(out, "?session=%s&durability=%s", f->id, record_durability_text(f->weakest));
}

static int make_documents(const struct claims *c, const struct claims_session *s, uint64_t now_ns,
			  const struct claim_platform *platform, uint64_t attested_ns, struct buf *claim,
			  struct buf *record, struct buf *bundle)
{
	_cleanup_(lists_done) struct lists lists = { 0 };
	const struct claim_folded *f = claim_fold_state(s->fold);
	_cleanup_buf_ struct buf uri = { 0 };
	uint8_t entries[SHA256_SIZE];
	struct claim_facts facts = {
		.session_id = span_of(f->id), .made_ns = now_ns, .producer = span_of(c->cfg.producer),
		.policy_hash = span_of(f->policy_hash), .catalog_hash = span_of(f->catalog_hash),
		.program_hash = span_of(f->program_hash), .mode = mode_word(f->mode),
		.data_class = span_of(f->data_class), .root = span_of(f->root), .tip = span_of(f->tip),
		.length = f->length, .calls = f->calls, .denied = f->denied, .faulted = f->faulted,
		.drift = f->drift, .number = s->number + 1, .platform = platform,
		.attested_ns = attested_ns,
	};
	const struct claim_identity identity = {
		.manifest_id = span_of(f->manifest.id), .agent_id = span_of(f->manifest.agent_id),
		.issuer = span_of(f->manifest.issuer), .issuer_key_id = span_of(f->manifest.key_id),
		.subject_source = SPAN("config"), .policy_bundle_hash = span_of(f->policy_hash),
		.tool_catalog_hash = span_of(f->catalog_hash),
	};
	int r = fill_lists(&lists, f, &facts);

	if (*f->manifest.id)
		facts.identity = &identity;
	if (s->number)
		facts.previous = span_of(s->previous);
	if (r == 0)
		r = write_uri(c, f, &uri);
	facts.transcript_uri = buf_span(&uri);
	if (r == 0)
		r = gateway_claim_make(&facts, &c->cfg.signer, claim);
	if (r == 0)
		r = trust_record_make(&facts, &c->cfg.signer, record);
	if (r == 0)
		r = claim_fold_entries(s->fold, entries);
	return r < 0 ? r : audit_bundle_sign(entries, &c->cfg.signer, bundle);
}

/* The documents of one claim, with what the session's report gives; without one they are software-only. */
static int make_attested(struct claims *c, struct claims_session *s, uint64_t now_ns, struct buf *claim,
			 struct buf *record, struct buf *bundle, struct claim_made *ret)
{
	struct claim_carried carried = { 0 };
	struct claim_report report = { 0 };
	bool attested;
	int r = claims_fresh_report(c, s, now_ns, &report);

	if (r == 0)
		r = claim_report_carry(&report, &carried);
	attested = r == 0;
	(void)snprintf(ret->platform, sizeof(ret->platform), "%.*s",
		       attested ? (int)carried.platform.name.n : (int)strlen(SOFTWARE_ONLY),
		       attested ? carried.platform.name.p : SOFTWARE_ONLY);
	if (r != -ENOMEM)
		r = make_documents(c, s, now_ns, attested ? &carried.platform : NULL,
				   report.taken_s * UINT64_C(1000000000), claim, record, bundle);
	claim_carried_done(&carried);
	claim_report_done(&report);
	return r;
}

int claims_write(struct claims *c, struct claims_session *s, uint64_t now_ns, struct claim_made *ret)
{
	_cleanup_buf_ struct buf claim = { 0 }, record = { 0 }, bundle = { 0 }, file = { 0 };
	char name[CLAIMS_NAME_SIZE];
	uint8_t digest[SHA256_SIZE];
	int r = make_attested(c, s, now_ns, &claim, &record, &bundle, ret);

	if (r == 0)
		r = buf_printf(&file, "{\"bundle_signature\":\"%.*s\",\"claim\":", (int)buf_len(&bundle),
			       buf_span(&bundle).p);
	if (r == 0)
		r = buf_append(&file, buf_span(&claim).p, buf_len(&claim));
	if (r == 0)
		r = buf_append_str(&file, ",\"trust_record\":");
	if (r == 0)
		r = buf_append(&file, buf_span(&record).p, buf_len(&record));
	if (r == 0)
		r = buf_append_str(&file, "}\n");
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%s-%" PRIu64 ".json", s->id, ret->number);
	r = claims_write_file(c, name, buf_span(&file));
	if (r < 0)
		return r;
	sha256(buf_span(&claim).p, buf_len(&claim), digest);
	sha256_prefixed(digest, ret->hash);
	s->made = s->ended;
	return 0;
}
