// SPDX-License-Identifier: Apache-2.0
/*
 * The audit bundle of a GatewayClaim: every entry's hash, the chain, the numbering, and that bundle and
 * claim tell the same story.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "attest/claim.h"
#include "attest/claim_shape.h"
#include "attest/json_text.h"
#include "user/base/clock.h"

#define FIRST_PREVIOUS "genesis"

struct walk {
	const json_t *bundle, *claim, *entries;
	const struct claim_expect *expect;
	struct attest_result *res;
	uint64_t last_ns;
	json_int_t calls, denied, faulted; /* tool calls met so far */
	bool transcript_differs;
};

/* What a decision of the log is called in a claim's transcript, whose words are fewer. */
static const char *narrowed(const char *decision)
{
	return strcmp(decision, "step_up") == 0 || strcmp(decision, "defer") == 0 ? "deny" : decision;
}

static int check_hash(struct walk *w, const json_t *e, size_t i)
{
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE] = "none";
	int r = json_canonical_sha256(e, JSON_FORM_ASCII, "entry_hash", digest);

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		hex_encode(digest, sizeof(digest), hex);
	if (!span_is(json_member_text(e, "entry_hash"), hex))
		attest_fail(w->res, "bundle.entry", "entry-hash", "entry %zu: its hash is %s, it says %.64s",
			    i, hex, json_member_text(e, "entry_hash").p);
	return 0;
}

static void check_place(struct walk *w, const json_t *e, size_t i)
{
	struct span previous =
		i ? json_member_text(json_array_get(w->entries, i - 1), "entry_hash") : SPAN(FIRST_PREVIOUS);
	json_int_t number = json_integer_value(json_object_get(e, "sequence_number"));
	struct span session = json_member_text(json_object_get(w->claim, "gateway"), "session_id");
	uint64_t ns;

	if (!span_eq(json_member_text(e, "prev_entry_hash"), previous))
		attest_fail(w->res, "bundle.chain", "chain-broken",
			    "entry %zu follows %.64s, not the entry before it", i,
			    json_member_text(e, "prev_entry_hash").p);
	if (number != (json_int_t)i)
		attest_fail(w->res, "bundle.sequence", "sequence-gap",
			    "entry %zu has sequence_number %" JSON_INTEGER_FORMAT, i, number);
	if (!span_eq(json_member_text(e, "session_id"), session))
		attest_fail(w->res, "bundle.session", "foreign-entry", "entry %zu is of session %.64s", i,
			    json_member_text(e, "session_id").p);
	if (clock_parse_iso(json_member_text(e, "timestamp_utc").p, &ns) < 0 || ns < w->last_ns)
		attest_fail(w->res, "bundle.time", "time-goes-back", "entry %zu: timestamp_utc %.40s", i,
			    json_member_text(e, "timestamp_utc").p);
	else
		w->last_ns = ns;
}

/* A receipt of somebody else's about the call. Who is not known proves nothing, and denies nothing. */
static int check_external(struct walk *w, const json_t *e, size_t i)
{
	const json_t *x = json_object_get(e, "external_execution_evidence");
	struct span id, hex;
	uint8_t key[ED25519_KEY_SIZE], digest[SHA256_SIZE];
	char fingerprint[SHA256_HEX_SIZE];
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (!json_is_object(x))
		return 0;
	if (!span_eq(json_member_text(x, "linked_call_id"), json_member_text(e, "call_id")))
		attest_fail(w->res, "bundle.external", "receipt-of-another-call",
			    "entry %zu: linked_call_id %.64s", i, json_member_text(x, "linked_call_id").p);
	id = json_member_text(x, "issuer_key_id");
	hex = json_member_text(w->expect->external_keys, id.p);
	if (!hex.n) {
		attest_unchecked(w->res, "bundle.external", "issuer-unknown",
				 "entry %zu: no key is known of %.64s", i, id.p);
		return 0;
	}
	if (hex_decode(hex.p, hex.n, key, sizeof(key)) < 0) {
		attest_fail(w->res, "bundle.external", "issuer-key-malformed",
			    "the key given for %.64s is none", id.p);
		return 0;
	}
	sha256(key, sizeof(key), digest);
	hex_encode(digest, sizeof(digest), fingerprint);
	r = json_canonical(x, JSON_FORM_ASCII, "signature", &b);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !span_is(id, fingerprint) ||
	    !ed25519_verify_text(key, buf_span(&b), json_member_text(x, "signature")))
		attest_fail(w->res, "bundle.external", "receipt-signature",
			    "entry %zu: the receipt is not its issuer's", i);
	return 0;
}

static void count_call(struct walk *w, const json_t *e)
{
	const json_t *told = json_path(w->claim, "trace.tool_transcript.entries"), *line;
	const char *decision = narrowed(json_member_text(e, "policy_decision").p);

	if (!span_is(json_member_text(e, "entry_type"), "tool_call"))
		return;
	line = json_array_get(told, (size_t)w->calls);
	w->calls++;
	w->denied += strcmp(decision, "deny") == 0;
	w->faulted += strcmp(decision, "fault") == 0;
	if (told &&
	    (!line || !span_eq(json_member_text(line, "tool_name"), json_member_text(e, "tool_name")) ||
	     !span_is(json_member_text(line, "decision"), decision)))
		w->transcript_differs = true;
}

static int64_t summary(const struct walk *w, const char *name)
{
	return json_integer_value(json_object_get(json_path(w->claim, "gateway.call_summary"), name));
}

static void check_story(struct walk *w)
{
	size_t n = json_array_size(w->entries);
	const json_t *first = json_array_get(w->entries, 0), *last = json_array_get(w->entries, n - 1);
	const json_t *chain = json_path(w->claim, "gateway.audit_chain");
	struct attest_result *res = w->res;

	attest_check(res, span_eq(json_member_text(first, "entry_hash"), json_member_text(chain, "root")),
		     "bundle.root", "root-of-claim", "the chain begins at %.64s",
		     json_member_text(first, "entry_hash").p);
	attest_check(res, span_eq(json_member_text(last, "entry_hash"), json_member_text(chain, "tip")),
		     "bundle.tip", "tip-of-claim", "the chain ends at %.64s",
		     json_member_text(last, "entry_hash").p);
	attest_check(res, json_integer_value(json_object_get(chain, "length")) == (json_int_t)n,
		     "bundle.length", "length-of-claim", "%zu entries, the claim says %" JSON_INTEGER_FORMAT,
		     n, json_integer_value(json_object_get(chain, "length")));
	attest_check(res,
		     w->calls == summary(w, "tool_calls_total") &&
			     w->denied == summary(w, "tool_calls_denied") &&
			     w->faulted == summary(w, "tool_calls_faulted"),
		     "bundle.counts", "counts-of-claim",
		     "%" JSON_INTEGER_FORMAT " calls, %" JSON_INTEGER_FORMAT " denied, %" JSON_INTEGER_FORMAT
		     " faulted",
		     w->calls, w->denied, w->faulted);
	if (json_path(w->claim, "trace.tool_transcript.entries"))
		attest_check(res, !w->transcript_differs, "bundle.transcript", "transcript-of-claim",
			     "tools and decisions in the claim's transcript, one by one");
	attest_check(res,
		     span_eq(json_member_text(w->bundle, "session_id"),
			     json_member_text(json_object_get(w->claim, "gateway"), "session_id")),
		     "bundle.session", "session-of-claim", "the bundle is of session %.64s",
		     json_member_text(w->bundle, "session_id").p);
}

/* Hardware is bound to the chain's root, and the root is the hash of the first record: what that states of policy and
 * catalog is bound with it, and must be what the claim states. */
static void check_stated(struct walk *w, const char *member, const char *path, const char *field)
{
	struct span stated = json_member_text(json_path(json_array_get(w->entries, 0), "detail"), member);

	if (stated.n)
		attest_check(w->res, span_is(stated, json_string_value(json_path(w->claim, path))), field,
			     "stated-in-root", "the first record says %.110s", stated.p);
	else
		attest_skipped(w->res, field, "not-stated", "the first record states no %s", member);
}

static void check_facts(struct walk *w)
{
	const struct attest_policy *p = w->expect->evidence_policy;
	struct span program = json_member_text(json_path(json_array_get(w->entries, 0), "detail"), "program_hash");
	uint8_t digest[SHA256_SIZE] = { 0 };
	bool known;

	check_stated(w, "policy_hash", "trace.policy.bundle_hash", "bundle.policy");
	check_stated(w, "catalog_hash", "gateway.catalog.hash", "bundle.catalog");
	if (!p || !p->binding.program_hashes.given)
		return;
	known = program.n == 7 + 2 * SHA256_SIZE &&
		hex_decode(program.p + 7, 2 * SHA256_SIZE, digest, sizeof(digest)) == 0;
	attest_check(w->res, known && policy_set_has(&p->binding.program_hashes,
						     (struct span){ (char *)digest, sizeof(digest) }),
		     "bundle.program", "stated-in-root", "the first record says of the daemon: %.110s",
		     program.n ? program.p : "nothing");
}

static int check_signature(struct walk *w)
{
	uint8_t digest[SHA256_SIZE], key[ED25519_KEY_SIZE];
	int r = json_canonical_sha256(w->entries, JSON_FORM_ASCII, NULL, digest);

	if (r == -ENOMEM)
		return r;
	attest_check(w->res,
		     r == 0 && jwk_ed25519(json_path(w->claim, "trace.cnf.jwk"), key) == 0 &&
			     ed25519_verify_text(key, (struct span){ (const char *)digest, sizeof(digest) },
						 json_member_text(w->bundle, "bundle_signature")),
		     "bundle.signature", "signed-by-claim-key",
		     "Ed25519 by the claim's key over the hash of the entries");
	return 0;
}

int bundle_verify(const json_t *bundle, const json_t *claim, const struct claim_expect *expect,
		  struct attest_result *res)
{
	struct walk w = { .bundle = bundle, .claim = claim, .expect = expect, .res = res };
	char error[SHAPE_ERROR_SIZE];
	unsigned before = res->n_findings;
	int r = 0;

	w.entries = json_object_get(bundle, "entries");
	if (!shape_check(&bundle_shape, bundle, error) || !json_array_size(w.entries)) {
		attest_fail(res, "bundle.schema", "bundle-malformed", "%s",
			    json_is_array(w.entries) && !json_array_size(w.entries)
				    ? "entries: there are none"
				    : error);
		res->complete = true;
		return 0;
	}
	for (size_t i = 0; r == 0 && i < json_array_size(w.entries); i++) {
		const json_t *e = json_array_get(w.entries, i);

		r = check_hash(&w, e, i);
		check_place(&w, e, i);
		count_call(&w, e);
		if (r == 0)
			r = check_external(&w, e, i);
	}
	if (r == 0 && res->n_findings == before)
		attest_pass(res, "bundle.chain", "chain-whole",
			    "%zu entries, each with its hash and its place", json_array_size(w.entries));
	check_story(&w);
	check_facts(&w);
	if (r == 0)
		r = check_signature(&w);
	if (r < 0)
		return r;
	res->complete = true;
	return 0;
}
