// SPDX-License-Identifier: Apache-2.0
/*
 * GatewayClaims out of what a log has recorded. Runs in the notary. Nothing is added, rounded or assumed
 * here: what the facts leave out is left out, and no hardware is named that gave no evidence.
 */
#include "attest/claim_make.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attest/claim_make_internal.h"
#include "attest/claim_shape.h"
#include "attest/json_text.h"
#include "user/base/clock.h"

#define VALIDITY_SECONDS 86400 /* TRACE v0.2: a statement is fresh for a day */
/* What upstream writes where nothing was measured. */
#define NOTHING_MEASURED "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define NO_FIRMWARE "software-only-dev-mode"

void make_set(struct making *m, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		m->failed = true;
}

void make_text(struct making *m, json_t *object, const char *name, struct span s)
{
	make_set(m, object, name, json_stringn(s.p ? s.p : "", s.n));
}

void make_may(struct making *m, json_t *object, const char *name, struct span s)
{
	if (s.p)
		make_text(m, object, name, s);
}

void make_count(struct making *m, json_t *object, const char *name, uint64_t n)
{
	make_set(m, object, name, json_integer((json_int_t)n));
}

json_t *make_object(struct making *m, json_t *object, const char *name)
{
	make_set(m, object, name, json_object());
	return json_object_get(object, name);
}

/* --- base64url ---------------------------------------------------------------------------------- */

static void make_base64url(struct making *m, json_t *object, const char *name, const void *p, size_t n)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (base64url_append(p, n, &b) < 0)
		m->failed = true;
	make_text(m, object, name, buf_span(&b));
}

/* --- parts of both documents --------------------------------------------------------------------- */

int claim_nonce(const uint8_t key[ED25519_KEY_SIZE], struct span root_hex, uint8_t ret[CLAIM_NONCE_SIZE])
{
	uint8_t root[SHA256_SIZE];

	if (hex_decode(root_hex.p, root_hex.n, root, sizeof(root)) < 0)
		return -EINVAL;
	jwk_ed25519_thumbprint(key, ret);
	sha256(root, sizeof(root), ret + SHA256_SIZE);
	return 0;
}

static bool is_software(const struct claim_facts *f)
{
	return !f->platform || span_is(f->platform->name, "software-only");
}

static void make_runtime(struct making *m, json_t *object, const struct claim_facts *f, const struct claim_signer *s)
{
	json_t *runtime = make_object(m, object, "runtime");
	uint8_t nonce[CLAIM_NONCE_SIZE];

	if (is_software(f)) {
		make_text(m, runtime, "platform", SPAN("software-only"));
		make_text(m, runtime, "measurement", SPAN(NOTHING_MEASURED));
		make_text(m, runtime, "firmware_version", SPAN(NO_FIRMWARE));
		return;
	}
	make_text(m, runtime, "platform", f->platform->name);
	make_text(m, runtime, "measurement", f->platform->measurement);
	make_may(m, runtime, "firmware_version", f->platform->firmware_version);
	if (claim_nonce(s->public_key, f->root, nonce) < 0)
		m->failed = true;
	else
		make_base64url(m, runtime, "nonce", nonce, sizeof(nonce));
}

static void make_key(struct making *m, json_t *object, const struct claim_signer *s)
{
	json_t *jwk = make_object(m, make_object(m, object, "cnf"), "jwk");
	char hex[2 * ED25519_KEY_SIZE + 1], text[64];

	hex_encode(s->public_key, ED25519_KEY_SIZE, hex);
	make_text(m, jwk, "kty", SPAN("OKP"));
	make_text(m, jwk, "crv", SPAN("Ed25519"));
	make_base64url(m, jwk, "x", s->public_key, ED25519_KEY_SIZE);
	(void)snprintf(text, sizeof(text), "cmcp-%.8s", hex);
	make_text(m, jwk, "kid", span_of(text));
	(void)snprintf(text, sizeof(text), "spiffe://cmcp.gateway/tee/%.16s", hex);
	make_text(m, object, "subject", span_of(text));
}

void make_head(struct making *m, json_t *object, const struct claim_facts *f, const struct claim_signer *s)
{
	json_t *policy;

	make_text(m, object, "eat_profile", SPAN(TRACE_PROFILE));
	make_count(m, object, "iat", f->made_ns / 1000000000u);
	make_runtime(m, object, f, s);
	policy = make_object(m, object, "policy");
	make_text(m, policy, "bundle_hash", f->policy_hash);
	make_text(m, policy, "enforcement_mode", f->mode);
	make_may(m, policy, "version", f->policy_version);
	make_text(m, object, "data_class", f->data_class);
	make_key(m, object, s);
}

void make_transcript(struct making *m, json_t *object, const struct claim_facts *f, bool entries)
{
	json_t *transcript = make_object(m, object, "tool_transcript"), *list;
	char hash[SHA256_PREFIXED_SIZE];

	(void)snprintf(hash, sizeof(hash), "sha256:%.*s", (int)(f->tip.n < 64 ? f->tip.n : 64), f->tip.p);
	make_text(m, transcript, "hash", span_of(hash));
	make_count(m, transcript, "call_count", f->calls);
	make_may(m, transcript, "transcript_uri", f->transcript_uri);
	if (!entries || (!f->transcript && f->calls))
		return;
	make_set(m, transcript, "entries", json_array());
	list = json_object_get(transcript, "entries");
	for (uint64_t i = 0; i < f->calls && !m->failed; i++) {
		json_t *entry = json_object();

		make_text(m, entry, "tool_name", f->transcript[i].tool);
		make_text(m, entry, "data_class", f->data_class);
		make_text(m, entry, "decision", f->transcript[i].decision);
		if (json_array_append_new(list, entry) < 0)
			m->failed = true;
	}
}

/* --- signing ------------------------------------------------------------------------------------ */

static int append_signature(const void *p, size_t n, const struct claim_signer *s, struct buf *out)
{
	uint8_t raw[ED25519_SIGNATURE_SIZE];
	int r = s->sign(s->arg, p, n, raw);

	return r < 0 ? r : base64url_append(raw, sizeof(raw), out);
}

/* Both forms of what is signed, which must be one. */
static int canonical(const json_t *document, struct buf *ret)
{
	_cleanup_buf_ struct buf other = { .limit = JSON_TEXT_MAX };
	int r = json_canonical(document, JSON_FORM_ASCII, "signature", ret);

	if (r == 0)
		r = json_canonical(document, JSON_FORM_JCS, "signature", &other);
	if (r == 0 && !span_eq(buf_span(ret), buf_span(&other)))
		r = -EINVAL;
	return r == -ENOMEM ? r : r < 0 ? -EINVAL : 0;
}

int make_sign(struct making *m, const struct shape *shape, const struct claim_signer *s, struct buf *out)
{
	_cleanup_json_ json_t *document = m->document;
	_cleanup_buf_ struct buf text = { .limit = JSON_TEXT_MAX }, signature = { 0 };
	char error[SHAPE_ERROR_SIZE];
	int r;

	m->document = NULL;
	if (!document)
		return -ENOMEM;
	if (m->failed)
		return -EINVAL;
	r = canonical(document, &text);
	if (r == 0)
		r = append_signature(buf_span(&text).p, buf_len(&text), s, &signature);
	if (r < 0)
		return r;
	make_text(m, document, "signature", buf_span(&signature));
	if (m->failed)
		return -ENOMEM;
	return shape_check(shape, document, error) ? json_canonical(document, JSON_FORM_ASCII, NULL, out) : -EINVAL;
}

int audit_bundle_sign(const uint8_t entries_digest[SHA256_SIZE], const struct claim_signer *s, struct buf *out)
{
	return append_signature(entries_digest, SHA256_SIZE, s, out);
}

/* --- the claim ---------------------------------------------------------------------------------- */

static void make_summary(struct making *m, json_t *gateway, const struct claim_facts *f)
{
	json_t *summary = make_object(m, gateway, "call_summary"), *graph, *tools;

	make_count(m, summary, "tool_calls_total", f->calls);
	make_count(m, summary, "tool_calls_allowed", f->calls - f->denied - f->faulted);
	make_count(m, summary, "tool_calls_denied", f->denied);
	make_count(m, summary, "tool_calls_faulted", f->faulted);
	make_set(m, summary, "tools_invoked", json_array());
	tools = json_object_get(summary, "tools_invoked");
	for (unsigned i = 0; i < f->tools_n; i++)
		if (json_array_append_new(tools, json_stringn(f->tools[i].p, f->tools[i].n)) < 0)
			m->failed = true;
	make_text(m, summary, "session_max_sensitivity", f->data_class);
	/* Records name no compliance domain, so none is claimed to have been touched or crossed. */
	graph = make_object(m, summary, "call_graph_summary");
	make_set(m, graph, "compliance_domains_touched", json_array());
	make_set(m, graph, "cross_boundary_events", json_array());
}

static void make_identity(struct making *m, json_t *gateway, const struct claim_identity *i)
{
	json_t *identity = make_object(m, gateway, "agent_identity");

	make_text(m, identity, "manifest_id", i->manifest_id);
	make_text(m, identity, "agent_id", i->agent_id);
	make_text(m, identity, "authenticated_subject", i->agent_id);
	make_text(m, identity, "subject_source", i->subject_source);
	make_text(m, identity, "issuer", i->issuer);
	make_text(m, identity, "issuer_key_id", i->issuer_key_id);
	make_text(m, identity, "policy_bundle_hash", i->policy_bundle_hash);
	make_text(m, identity, "tool_catalog_hash", i->tool_catalog_hash);
	make_may(m, identity, "intent_hash", i->intent_hash);
}

static void make_evidence(struct making *m, json_t *gateway, const struct claim_platform *p)
{
	const struct {
		const char *name;
		struct span bytes;
	} parts[] = { { "raw_evidence", p->raw_evidence }, { "quote_signature", p->quote_signature },
		      { "cert_chain", p->cert_chain }, { "ek_cert_chain", p->ek_cert_chain } };
	json_t *evidence = make_object(m, gateway, "attestation_evidence");

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i].bytes.n)
			make_base64url(m, evidence, parts[i].name, parts[i].bytes.p, parts[i].bytes.n);
}

static void make_gateway(struct making *m, json_t *gateway, const struct claim_facts *f)
{
	char iso[CLOCK_ISO_SIZE];
	json_t *part;

	make_text(m, gateway, "session_id", f->session_id);
	make_text(m, gateway, "gateway_version", f->producer);
	make_count(m, gateway, "sequence_number", f->number);
	make_may(m, gateway, "prev_claim_hash", f->previous);
	part = make_object(m, gateway, "audit_chain");
	make_text(m, part, "root", f->root);
	make_text(m, part, "tip", f->tip);
	make_count(m, part, "length", f->length);
	make_summary(m, gateway, f);
	part = make_object(m, gateway, "catalog");
	make_text(m, part, "hash", f->catalog_hash);
	make_set(m, part, "drift_detected", json_boolean(f->drift));
	if (f->identity)
		make_identity(m, gateway, f->identity);
	clock_iso(f->attested_ns ? f->attested_ns : f->made_ns, iso);
	make_text(m, gateway, "attestation_generated_at", span_of(iso));
	make_count(m, gateway, "attestation_validity_seconds", VALIDITY_SECONDS);
	make_set(m, gateway, "attestation_stale", json_false());
	make_set(m, gateway, "catalog_exceptions", json_array());
	make_set(m, gateway, "kill_switch_triggered", json_false());
	if (!is_software(f))
		make_evidence(m, gateway, f->platform);
}

int gateway_claim_make(const struct claim_facts *f, const struct claim_signer *s, struct buf *out)
{
	struct making m = { .document = json_object() };
	json_t *trace;

	if (f->denied > f->calls || f->faulted > f->calls - f->denied || (f->number <= 1) != !f->previous.p)
		m.failed = true;
	make_text(&m, m.document, "cmcp_version", SPAN("1.0"));
	trace = make_object(&m, m.document, "trace");
	make_head(&m, trace, f, s);
	make_transcript(&m, trace, f, true);
	make_gateway(&m, make_object(&m, m.document, "gateway"), f);
	return make_sign(&m, &claim_shape, s, out);
}
