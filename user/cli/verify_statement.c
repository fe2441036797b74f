// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate verify FILE...: judges signed statements about sessions, offline, trusting nothing in them:
 * GatewayClaims, their audit bundles, previous claims and agent manifests, and TRACE Trust Records, in any
 * order. Exit status 0 verified with hardware, 3 sound but not all of it is proven, 1 something is false,
 * 2 usage.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/claim.h"
#include "attest/json_text.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"
#include "user/notary/checkpoint.h"

#define FILES_MAX 1024

const char cli_verify_statements_usage[] =
	"FILE   a GatewayClaim, its audit bundle, the claim before it, its agent manifest (JSON or COSE),\n"
	"       or a TRACE Trust Record; of a DIR all files that end in .json. What belongs together is\n"
	"       found by session, hash and manifest_id.\n"
	"  --key KEY            who must have signed: 64 hex digits, or a verifier key (name+id+base64)\n"
	"  --manifest-key HEX   who must have signed the agent manifest: 64 hex digits\n"
	"  --revoked FILE       revoked manifests: JSON Lines, each with a manifest_id\n"
	"  --policy-hash HASH   the policy that must have been in force: sha256:HEX\n"
	"  --catalog-hash HASH  the catalog that must have been in force\n"
	"  --nonce TEXT         the challenge that the statement must echo, in base64url\n"
	"  --max-age SECONDS    how old it may be (default: what it says of itself, at most a day)\n"
	"  --at TIME            judge as of this time, 2026-11-21T09:00:00Z; now when not given\n"
	"  --evidence FILE      expectations for hardware evidence, as for `tollgate attest verify "
	"--policy`\n"
	"Exit status: 0 verified with hardware, 1 something is false, 2 usage or unreadable input, 3 sound, "
	"but\n"
	"software-only or with something that was not checked.\n";

struct statement {
	char path[PATH_MAX];
	json_t *document;
	enum claim_kind kind;
	struct buf text; /* of a manifest: its signature may be over the bytes */
};

struct work {
	struct statement *all;
	unsigned n;
	struct claim_expect expect;
	int64_t at;
	uint8_t key[ED25519_KEY_SIZE];
	struct manifest_key manifest_key;
	json_t *revoked;
	struct attest_policy evidence;
	struct json_out *j; /* NULL: text */
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "tollgate: verify: %s '%s'; `tollgate verify --help` shows how\n", what, value);
	return CLI_USAGE;
}

static int unreadable(const char *path, const char *why)
{
	fprintf(stderr, "tollgate: read %s: %s\n", path, why);
	return CLI_USAGE;
}

/* --- reading ------------------------------------------------------------------------------------ */

static int add_manifest(struct work *w, struct statement *s, const char *path, struct buf *text)
{
	const char *code;

	/* One in COSE that cannot be taken apart stays without a document; its judgement says why. */
	if (!s->document && agent_manifest_read(buf_span(text), &s->document, &code) == -ENOMEM)
		return unreadable(path, err_text(-ENOMEM));
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->kind = CLAIM_MANIFEST;
	s->text = *text;
	*text = (struct buf){ 0 };
	w->n++;
	return CLI_OK;
}

static int add_file(struct work *w, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	struct statement *s;
	int r;

	if (w->n == FILES_MAX || strlen(path) >= PATH_MAX)
		return unreadable(path, "too many files, or too long a name");
	r = file_read(path, JSON_TEXT_MAX, &text);
	if (r < 0)
		return unreadable(path, err_text(r));
	s = &w->all[w->n];
	if (agent_manifest_is_cose(buf_span(&text)))
		return add_manifest(w, s, path, &text);
	r = json_text_read(buf_span(&text), &s->document, error);
	if (r < 0)
		return unreadable(path, r == -EINVAL ? error : err_text(r));
	s->kind = claim_kind(s->document);
	if (s->kind == CLAIM_MANIFEST)
		return add_manifest(w, s, path, &text);
	strcpy(s->path, path);
	w->n++;
	if (s->kind == CLAIM_UNKNOWN)
		return unreadable(path, "neither a claim, a bundle, an agent manifest nor a Trust Record");
	return CLI_OK;
}

static int add_directory(struct work *w, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = CLI_OK;

	if (!d)
		return unreadable(path, err_text(-errno));
	while (r == CLI_OK && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char full[PATH_MAX];

		if (n <= 5 || strcmp(e->d_name + n - 5, ".json") != 0)
			continue;
		if (snprintf(full, sizeof(full), "%s/%s", path, e->d_name) >= (int)sizeof(full))
			r = unreadable(path, err_text(-ENAMETOOLONG));
		else
			r = add_file(w, full);
	}
	closedir(d);
	return r;
}

static int add(struct work *w, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(w, path);
	return add_file(w, path);
}

/* --- what belongs together ----------------------------------------------------------------------- */

static struct span session_of(const struct statement *s)
{
	return json_member_text(s->kind == CLAIM_BUNDLE ? s->document
							: json_object_get(s->document, "gateway"),
				"session_id");
}

static const json_t *previous_of(const struct work *w, const struct statement *claim)
{
	struct span link = json_member_text(json_object_get(claim->document, "gateway"), "prev_claim_hash");

	for (unsigned i = 0; link.n && i < w->n; i++) {
		uint8_t digest[SHA256_SIZE];
		char text[SHA256_PREFIXED_SIZE];

		if (w->all[i].kind != CLAIM_GATEWAY ||
		    json_canonical_sha256(w->all[i].document, JSON_FORM_ASCII, NULL, digest) < 0)
			continue;
		sha256_prefixed(digest, text);
		if (span_is(link, text))
			return w->all[i].document;
	}
	return NULL;
}

/* A session may have a claim from before its end. The bundle's is the one that ends where it ends, or else one
 * with which it will be found to differ. */
static const struct statement *claim_of(const struct work *w, const struct statement *bundle)
{
	const json_t *entries = json_object_get(bundle->document, "entries");
	const json_t *last = json_array_get(entries, json_array_size(entries) - 1);
	const struct statement *found = NULL;

	for (unsigned i = 0; i < w->n; i++) {
		const struct statement *s = &w->all[i];

		if (s->kind != CLAIM_GATEWAY || !span_eq(session_of(s), session_of(bundle)))
			continue;
		found = s;
		if (span_eq(json_member_text(json_path(s->document, "gateway.audit_chain"), "tip"),
			    json_member_text(last, "entry_hash")))
			break;
	}
	return found;
}

static struct span manifest_of(const struct work *w, const struct statement *claim)
{
	struct span id = json_member_text(json_path(claim->document, "gateway.agent_identity"), "manifest_id");

	for (unsigned i = 0; id.n && i < w->n; i++)
		if (w->all[i].kind == CLAIM_MANIFEST &&
		    span_eq(json_member_text(w->all[i].document, "manifest_id"), id))
			return buf_span(&w->all[i].text);
	return (struct span){ 0 };
}

/* --- judging -------------------------------------------------------------------------------------- */

static int report(struct work *w, const struct statement *s, struct attest_result *res)
{
	enum attest_status status = attest_appraise(res, &w->evidence);
	_cleanup_buf_ struct buf out = { 0 };

	if (!w->j) {
		printf("%s: %s\n", s->path, attest_status_text(status));
		attest_print(res, &w->evidence);
		return attest_exit_status(status);
	}
	if (attest_result_json(res, &w->evidence, &out) < 0)
		return unreadable(s->path, err_text(-ENOMEM));
	json_out_object(w->j);
	json_out_member_str(w->j, "file", s->path);
	json_out_key(w->j, "judgement");
	json_out_raw(w->j, buf_span(&out));
	json_out_object_end(w->j);
	return attest_exit_status(status);
}

static int judge(struct work *w, const struct statement *s)
{
	static const char *const kinds[] = { "", "gateway-claim", "audit-bundle", "trust-record", "agent-manifest" };
	const struct statement *claim = s->kind == CLAIM_BUNDLE ? claim_of(w, s) : s;
	struct claim_expect expect = w->expect;
	struct attest_result res;
	int r;

	attest_result_init(&res, kinds[s->kind], w->at);
	expect.evidence_policy = &w->evidence;
	if (s->kind == CLAIM_TRUST_RECORD) {
		r = trust_record_verify(s->document, &expect, &res);
	} else if (s->kind == CLAIM_MANIFEST) {
		expect.manifest_expect.policy_bundle = expect.policy_hash;
		expect.manifest_expect.tool_catalog = expect.catalog_hash;
		r = agent_manifest_verify(buf_span(&s->text), &expect.manifest_expect, &res);
	} else if (!claim) {
		attest_fail(&res, "bundle.claim", "claim-not-given",
			    "no claim of this bundle's session is given");
		r = 0;
	} else {
		expect.previous = previous_of(w, claim);
		expect.manifest = manifest_of(w, claim);
		r = claim_verify(claim->document, &expect, &res);
		if (r == 0 && s->kind == CLAIM_BUNDLE)
			r = bundle_verify(s->document, claim->document, &expect, &res);
	}
	r = r < 0 ? unreadable(s->path, err_text(r)) : report(w, s, &res);
	attest_result_done(&res);
	return r;
}

/* The worst of all: unreadable, then false, then open. */
static int worse(int a, int b)
{
	static const int order[] = { CLI_USAGE, CLI_FAILED, CLI_INCOMPLETE };

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return CLI_OK;
}

static int judge_all(struct cli *c, struct work *w)
{
	_cleanup_buf_ struct buf out = { .limit = 1u << 30 };
	struct json_out j;
	int r = CLI_OK;

	if (c->json) {
		json_out_init(&j, &out);
		json_out_array(&j);
		w->j = &j;
	}
	for (unsigned i = 0; i < w->n; i++)
		r = worse(r, judge(w, &w->all[i]));
	if (!c->json)
		return r;
	json_out_array_end(&j);
	if (json_out_end(&j) < 0)
		return unreadable("verdict", err_text(-ENOMEM));
	(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
	putchar('\n');
	return r;
}

/* --- options --------------------------------------------------------------------------------------- */

static int take_key(struct work *w, const char *value)
{
	struct verifier_key vk;

	if (strlen(value) == 2 * ED25519_KEY_SIZE &&
	    hex_decode(value, strlen(value), w->key, sizeof(w->key)) == 0) {
		w->expect.key = w->key;
		return CLI_OK;
	}
	if (verifier_key_parse(span_of(value), &vk) < 0)
		return usage("no key:", value);
	memcpy(w->key, vk.pub, sizeof(w->key));
	w->expect.key = w->key;
	return CLI_OK;
}

static int take_manifest_key(struct work *w, const char *value)
{
	if (hex_decode(value, strlen(value), w->manifest_key.key, ED25519_KEY_SIZE) < 0)
		return usage("no key:", value);
	w->expect.manifest_expect.keys = &w->manifest_key;
	w->expect.manifest_expect.n_keys = 1;
	return CLI_OK;
}

static int take_revoked(struct work *w, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	int r = file_read(path, JSON_TEXT_MAX, &text);

	if (r < 0)
		return unreadable(path, err_text(r));
	json_decref(w->revoked);
	w->revoked = json_array();
	while (r == 0 && buf_len(&text)) {
		struct span line = buf_span(&text);
		const char *nl = memchr(line.p, '\n', line.n);
		json_t *v;

		line.n = nl ? (size_t)(nl - line.p) : line.n;
		if (line.n)
			r = json_text_read(line, &v, error);
		if (line.n && r == 0 && json_array_append_new(w->revoked, v) < 0)
			r = -ENOMEM;
		buf_consume(&text, line.n + !!nl);
	}
	w->expect.manifest_expect.revoked = w->revoked;
	return r < 0 ? unreadable(path, r == -EINVAL ? error : err_text(r)) : CLI_OK;
}

static int take_evidence(struct work *w, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct policy_error e = { { 0 } };
	int r = file_read(path, ATTEST_POLICY_MAX, &text);

	if (r == 0)
		r = attest_policy_read(&w->evidence, buf_span(&text), &e);
	return r < 0 ? unreadable(path, e.text[0] ? e.text : err_text(r)) : CLI_OK;
}

static int take(struct work *w, int option, const char *value)
{
	uint64_t ns;
	char *end;

	switch (option) {
	case 'k':
		return take_key(w, value);
	case 'K':
		return take_manifest_key(w, value);
	case 'r':
		return take_revoked(w, value);
	case 'p':
		w->expect.policy_hash = span_of(value);
		return CLI_OK;
	case 'c':
		w->expect.catalog_hash = span_of(value);
		return CLI_OK;
	case 'n':
		w->expect.nonce = span_of(value);
		return CLI_OK;
	case 'm':
		w->expect.max_age = strtoll(value, &end, 10);
		return *value && !*end && w->expect.max_age > 0 ? CLI_OK
								: usage("no number of seconds:", value);
	case 't':
		if (clock_parse_iso(value, &ns) < 0)
			return usage("no time:", value);
		w->at = (int64_t)(ns / 1000000000u);
		return CLI_OK;
	case 'e':
		return take_evidence(w, value);
	default:
		return CLI_USAGE;
	}
}

int cli_verify_statements(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "manifest-key", required_argument, NULL, 'K' },
		{ "revoked", required_argument, NULL, 'r' },
		{ "policy-hash", required_argument, NULL, 'p' },
		{ "catalog-hash", required_argument, NULL, 'c' },
		{ "nonce", required_argument, NULL, 'n' },
		{ "max-age", required_argument, NULL, 'm' },
		{ "at", required_argument, NULL, 't' },
		{ "evidence", required_argument, NULL, 'e' },
		{ 0 },
	};
	_cleanup_free_ struct statement *all = calloc(FILES_MAX, sizeof(*all));
	struct work w = { .all = all, .at = (int64_t)(clock_real_ns() / 1000000000u) };
	int ch, r = all ? CLI_OK : CLI_FAILED;

	if (!all)
		fputs("tollgate: verify: out of memory\n", stderr);
	attest_policy_init(&w.evidence);
	optind = 0; /* also after operands, which main() does not allow */
	while (r == CLI_OK && (ch = getopt_long(argc, argv, "", longs, NULL)) != -1)
		r = take(&w, ch, optarg);
	if (r == CLI_OK && optind == argc)
		r = usage("needs a file", "");
	for (int i = optind; r == CLI_OK && i < argc; i++)
		r = add(&w, argv[i]);
	if (r == CLI_OK)
		r = judge_all(c, &w);
	for (unsigned i = 0; i < w.n; i++) {
		json_decref(w.all[i].document);
		buf_done(&w.all[i].text);
	}
	json_decref(w.revoked);
	attest_policy_done(&w.evidence);
	return r;
}
