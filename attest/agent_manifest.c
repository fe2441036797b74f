// SPDX-License-Identifier: Apache-2.0
/*
 * The envelope of an agent manifest: which version in which envelope, whose signature, whose agent, from
 * when until when, not revoked. What it binds is agent_manifest_content.c. Nothing in the document is
 * believed: the keys that may sign come from the caller, the document only names one of them.
 */
#include "attest/agent_manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "attest/agent_manifest_internal.h"
#include "attest/ed25519_key.h"
#include "attest/json_text.h"
#include "user/base/clock.h"

#define MEDIA_COSE "application/agent-manifest+cose"
#define MEDIA_JSON "application/agent-manifest+json"
#define ALG_ML_DSA_65 (-49) /* RFC 9964 */
#define YEAR_FAR 2500
#define TIME_FAR 16725225600 /* its first second */

/* What a signature of version 0.1 covers; a document that names another list signs something else. */
static const char *const signed_fields[] = {
	"@context", "@type", "manifest_id", "previous_manifest_id", "agent_id", "agent_instance_id",
	"version", "min_verifier_version", "issued_at", "expires_at", "issuer", "crypto_profile", "profile",
	"unbound_artifacts", "source_bundle", "artifacts", "delegation_chain", "hitl_record",
	"prior_transparency_log_entry", "log_retention", "data_scope", "operational_lifecycle", "intent",
};

int64_t manifest_time(const json_t *v, const char *path)
{
	uint64_t ns = 0;

	/* The clock's nanoseconds end in 2554; who writes 9999 means never. */
	if (atoi(manifest_text(v, path)) >= YEAR_FAR)
		return TIME_FAR;
	return clock_parse_iso(manifest_text(v, path), &ns) < 0 ? 0 : (int64_t)(ns / 1000000000u);
}

/* --- reading ------------------------------------------------------------------------------------ */

bool agent_manifest_is_cose(struct span text)
{
	/* An array, map or tag of CBOR; JSON begins with ASCII. */
	return text.n && (uint8_t)*text.p >= 0x80;
}

bool agent_manifest_is(const json_t *document)
{
	return json_object_get(document, "manifest_id") && json_object_get(document, "artifacts");
}

/* Absent and null are the same to whoever signs. 0 or -ELOOP. */
static int drop_nulls(json_t *v, unsigned depth)
{
	const char *name;
	json_t *member;
	void *next;
	size_t i;
	int r = 0;

	if (depth > MANIFEST_DEPTH_MAX)
		return -ELOOP;
	json_object_foreach_safe (v, next, name, member) {
		if (json_is_null(member))
			json_object_del(v, name);
		else if (r == 0)
			r = drop_nulls(member, depth + 1);
	}
	json_array_foreach (v, i, member)
		if (r == 0)
			r = drop_nulls(member, depth + 1);
	return r;
}

static int read_cose(struct span text, struct cose_sign1 *ret, const char **ret_code)
{
	if (cose_sign1_read(text, ret, ret_code) < 0)
		return -EINVAL;
	*ret_code = !span_is(ret->type, MEDIA_COSE)	    ? "typ-of-manifest" :
		    !span_is(ret->content_type, MEDIA_JSON) ? "content-type-of-manifest" :
		    ret->kid.n != SHA256_SIZE		    ? "kid-malformed" :
							      NULL;
	return *ret_code ? -EINVAL : 0;
}

static int read_document(struct span text, json_t **ret, const char **ret_code)
{
	char error[JSON_TEXT_ERROR_SIZE];
	_cleanup_json_ json_t *v = NULL;
	int r;

	*ret_code = "manifest-too-long";
	if (text.n > MANIFEST_MAX)
		return -EINVAL;
	r = json_text_read(text, &v, error);
	if (r == -ENOMEM)
		return r;
	*ret_code = "json-malformed";
	if (r < 0)
		return -EINVAL;
	*ret_code = "json-too-deep";
	if (drop_nulls(v, 0) < 0)
		return -EINVAL;
	*ret = json_incref(v);
	return 0;
}

static int take_apart(struct span text, struct manifest *ret, const char **ret_code)
{
	struct manifest m = { .is_cose = agent_manifest_is_cose(text) };
	int r = m.is_cose ? read_cose(text, &m.cose, ret_code) : 0;

	if (r == 0)
		r = read_document(m.is_cose ? m.cose.payload : text, &m.document, ret_code);
	if (r == 0)
		*ret = m;
	return r;
}

int agent_manifest_read(struct span text, json_t **ret, const char **ret_code)
{
	struct manifest m;
	int r = take_apart(text, &m, ret_code);

	if (r == 0)
		*ret = m.document;
	return r;
}

/* --- signature ----------------------------------------------------------------------------------- */

static int put_signed(const json_t *document, struct buf *out)
{
	_cleanup_json_ json_t *signed_part = json_object(), *hitl = NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signed_fields); i++) {
		json_t *v = json_object_get(document, signed_fields[i]);

		if (v && r == 0)
			r = json_object_set(signed_part, signed_fields[i], v);
	}
	/* Approvals are given when the manifest is already signed. */
	if (json_object_get(signed_part, "hitl_record")) {
		hitl = json_copy(json_object_get(signed_part, "hitl_record"));
		if (json_object_set_new(hitl, "approvals", json_array()) < 0 ||
		    json_object_set(signed_part, "hitl_record", hitl) < 0)
			r = -1;
	}
	return r < 0 || !signed_part ? -ENOMEM : json_canonical(signed_part, JSON_FORM_JCS, NULL, out);
}

static bool names_signed_fields(const json_t *list)
{
	if (!list)
		return true;
	if (json_array_size(list) != ARRAY_SIZE(signed_fields))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signed_fields); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), signed_fields[i]) != 0)
			return false;
	return true;
}

static void kid_text(const uint8_t key[ED25519_KEY_SIZE], char ret[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256(key, ED25519_KEY_SIZE, digest);
	hex_encode(digest, sizeof(digest), ret);
}

/* The key that the document names, and whether one of its entries is for this issuer. */
static const uint8_t *find_key(const struct manifest_expect *expect, const char *kid, struct span issuer,
			       bool *ret_for_issuer)
{
	const uint8_t *found = NULL;

	*ret_for_issuer = false;
	for (size_t i = 0; i < expect->n_keys; i++) {
		char text[SHA256_HEX_SIZE];

		kid_text(expect->keys[i].key, text);
		if (strcmp(text, kid) != 0)
			continue;
		found = expect->keys[i].key;
		if (expect->keys[i].name.n == 0 || span_eq(expect->keys[i].name, issuer))
			*ret_for_issuer = true;
	}
	return found;
}

static bool verify_signature(const struct manifest *m, const uint8_t *key, struct span message)
{
	if (m->is_cose)
		return cose_sign1_verify(&m->cose, key);
	return ed25519_verify_text(key, message,
				   span_of(manifest_text(m->document, "signature.signature_value")));
}

/* What is signed and with which key id; false when there is nothing to verify. */
static bool check_algorithm(const struct manifest *m, char kid[SHA256_HEX_SIZE], struct attest_result *res)
{
	const char *algorithm = manifest_text(m->document, "signature.algorithm");

	if (m->is_cose) {
		hex_encode(m->cose.kid.p, SHA256_SIZE, kid);
		if (m->cose.alg == ALG_ML_DSA_65)
			attest_unchecked(res, "manifest.signature", "alg-not-available",
					 "ML-DSA-65 is not known here");
		else if (m->cose.alg != COSE_ALG_EDDSA && m->cose.alg != COSE_ALG_ED25519)
			attest_fail(res, "manifest.signature", "alg-unsupported", "alg is %" PRId64,
				    m->cose.alg);
		else
			return true;
		return false;
	}
	if (!json_object_get(m->document, "signature")) {
		attest_fail(res, "manifest.signature", "signature-missing", "the manifest is not signed");
		return false;
	}
	snprintf(kid, SHA256_HEX_SIZE, "%s", manifest_text(m->document, "signature.key_id"));
	return attest_check(res, strcmp(algorithm, "Ed25519") == 0, "manifest.signature", "alg-supported",
			    "algorithm is %.40s", algorithm) &&
	       attest_check(res, names_signed_fields(json_path(m->document, "signature.signed_fields")),
			    "manifest.signature", "signed-fields-fixed",
			    "signed_fields against the list of 0.1");
}

static int check_signature(const struct manifest *m, const struct manifest_expect *expect,
			   struct attest_result *res)
{
	const char *issuer = manifest_text(m->document, "issuer"),
		   *profile = manifest_text(m->document, "crypto_profile");
	_cleanup_buf_ struct buf message = { 0 };
	char kid[SHA256_HEX_SIZE] = "";
	const uint8_t *key;
	bool for_issuer;
	int r = 0;

	if (!check_algorithm(m, kid, res))
		return 0;
	attest_check(res, strcmp(profile, "standard") == 0, "manifest.profile", "profile-met",
		     "crypto_profile is %.20s, the signature Ed25519", profile);
	if (expect->n_keys == 0) {
		attest_unchecked(res, "manifest.signature", "key-not-given",
				 "no issuer's key is at hand; it names %s", kid);
		return 0;
	}
	key = find_key(expect, kid, span_of(issuer), &for_issuer);
	if (!attest_check(res, key, "manifest.signature", "key-trusted", "the key that it names is %s", kid) ||
	    !attest_check(res, ed25519_key_is_sound(key), "manifest.signature", "key-sound",
			  "the key is the one encoding of a point of large order"))
		return 0;
	if (!m->is_cose)
		r = put_signed(m->document, &message);
	if (r == -ENOMEM)
		return r;
	attest_check(res, r == 0 && verify_signature(m, key, buf_span(&message)), "manifest.signature",
		     "signature-valid", "Ed25519 by %s", kid);
	attest_check(res, for_issuer, "manifest.issuer", "key-of-issuer", "the key is one of %.120s", issuer);
	return 0;
}

/* --- whose, when --------------------------------------------------------------------------------- */

static void check_times(const json_t *document, struct attest_result *res)
{
	int64_t from = manifest_time(document, "issued_at"), until = manifest_time(document, "expires_at");

	attest_check(res, from - res->at <= MANIFEST_SKEW_SECONDS && from < until, "manifest.window", "issued",
		     "issued %.40s", manifest_text(document, "issued_at"));
	attest_check(res, res->at < until, "manifest.window", "not-expired", "it expires %.40s",
		     manifest_text(document, "expires_at"));
}

static void check_subject(const json_t *document, const struct manifest_expect *expect,
			  struct attest_result *res)
{
	const char *agent = manifest_text(document, "agent_id");

	if (!expect->subject.n)
		attest_unchecked(res, "manifest.subject", "subject-not-given",
				 "nobody says who authenticated; the manifest is of %.120s", agent);
	else
		attest_check(res, span_is(expect->subject, agent), "manifest.subject", "subject-is-agent",
			     "the manifest is of %.120s", agent);
}

/* A list is believed in its favour only when all of it can be read. Who signed it is the caller's. */
static void check_revocation(const json_t *document, const json_t *revoked, struct attest_result *res)
{
	struct span id = json_member_text(document, "manifest_id");
	bool listed = false, readable = json_is_array(revoked);

	if (!revoked) {
		attest_unchecked(res, "manifest.revocation", "list-not-given",
				 "no revocation list is at hand");
		return;
	}
	for (size_t i = 0; i < json_array_size(revoked); i++) {
		struct span entry = json_member_text(json_array_get(revoked, i), "manifest_id");

		readable = readable && entry.n;
		listed = listed || span_eq(entry, id);
	}
	attest_check(res, readable, "manifest.revocation", "list-readable",
		     "every entry must name a manifest");
	attest_check(res, !listed, "manifest.revocation", "not-revoked", "%.80s against the list", id.p);
}

/* --- all of it ------------------------------------------------------------------------------------ */

/* The envelope follows the version. */
static bool check_version(const struct manifest *m, struct attest_result *res)
{
	const char *version = manifest_text(m->document, "version"), *least;

	if (!attest_check(res, strcmp(version, "0.1") == 0 || strcmp(version, "0.2") == 0, "manifest.version",
			  "version-supported", "version is %.20s", version))
		return false;
	least = manifest_text(m->document, "min_verifier_version");
	if (*least && strcmp(least, "0.1") != 0 && strcmp(least, "0.2") != 0)
		attest_fail(res, "manifest.version", "verifier-too-old",
			    "it asks for a verifier of %.20s", least);
	return attest_check(res, (strcmp(version, "0.2") == 0) == m->is_cose, "manifest.version",
			    "envelope-of-version", "version %s in %s", version,
			    m->is_cose ? "COSE_Sign1" : "JSON with a signature beside it") &&
	       attest_check(res, !m->is_cose || !json_object_get(m->document, "signature"), "manifest.version",
			    "one-signature", "a manifest in COSE has no member signature");
}

int agent_manifest_verify(struct span text, const struct manifest_expect *expect, struct attest_result *res)
{
	char error[SHAPE_ERROR_SIZE];
	struct manifest m = { 0 };
	const char *code;
	int r = take_apart(text, &m, &code);

	if (r == -ENOMEM)
		return r;
	res->complete = true;
	if (r < 0) {
		attest_fail(res, "manifest.envelope", code,
			    "it is not a manifest that has one meaning: %s", code);
		return 0;
	}
	if (!check_version(&m, res)) {
		r = 0;
	} else if (!shape_check(&agent_manifest_shape, m.document, error)) {
		attest_fail(res, "manifest.schema", "manifest-malformed", "%s", error);
	} else {
		r = check_signature(&m, expect, res);
		check_times(m.document, res);
		check_subject(m.document, expect, res);
		check_revocation(m.document, expect->revoked, res);
		if (r == 0)
			r = manifest_check_content(&m, expect, res);
	}
	json_decref(m.document);
	if (r < 0)
		res->complete = false;
	return r;
}
