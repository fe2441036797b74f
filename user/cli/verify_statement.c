// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate verify FILE...: judges signed statements about sessions, offline, trusting nothing in them:
 * GatewayClaims, their audit bundles, previous claims and agent manifests, and TRACE Trust Records, in any
 * order. Exit status 0 verified with hardware, 3 sound but not all of it is proven, 1 something is false,
 * 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "attest/json_text.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"
#include "user/cli/verify_files.h"
#include "user/cli/verify_hardware.h"
#include "user/notary/checkpoint.h"

const char cli_verify_statements_usage[] =
	"FILE   a GatewayClaim, its audit bundle, its hardware evidence, the claim before it, its agent\n"
	"       manifest (JSON or COSE), or a TRACE Trust Record; of a DIR all files that end in .json. What\n"
	"       belongs together is found by session, hash, nonce and manifest_id.\n"
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
	"  --ak-cert FILE       certificate of the TPM's attestation key, then intermediates\n"
	"  --roots DIR          the only roots that it may end at\n"
	"  --enrolment FILE     record of an enroller that the expectations name\n"
	"  --proof FILE         sev-snp, azure: certificates of the chip\n"
	"  --crl FILE, --collateral FILE  as for `tollgate attest verify`; may be repeated\n"
	"Exit status: 0 verified with hardware that is pinned, 1 something is false, 2 usage or unreadable\n"
	"input, 3 sound, but software-only or with something that was not checked.\n";

struct work {
	struct statements files;
	struct claim_expect expect;
	int64_t at;
	uint8_t key[ED25519_KEY_SIZE];
	struct manifest_key manifest_key;
	json_t *revoked;
	struct attest_policy evidence;
	struct verify_hardware hardware;
	struct json_out *j; /* NULL: text */
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "tollgate: verify: %s '%s'; `tollgate verify --help` shows how\n", what, value);
	return CLI_USAGE;
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
		return verify_unreadable(s->path, err_text(-ENOMEM));
	json_out_object(w->j);
	json_out_member_str(w->j, "file", s->path);
	json_out_key(w->j, "judgement");
	json_out_raw(w->j, buf_span(&out));
	json_out_object_end(w->j);
	return attest_exit_status(status);
}

/* By itself it says nothing: it is judged with the statements that stand on it. */
static void judge_report(const struct work *w, const struct statement *s, struct attest_result *res)
{
	const struct statement *for_whom = statement_of_report(&w->files, s);

	if (!s->has_report)
		attest_fail(res, "evidence.form", "malformed", "this is no evidence of a session");
	else
		attest_check(res, for_whom, "evidence.statement", "statement-given",
			     for_whom ? "judged with the statement that has its nonce" :
					"no statement that is given has its nonce");
	res->complete = true;
}

static int judge(struct work *w, const struct statement *s)
{
	static const char *const kinds[] = { "", "gateway-claim", "audit-bundle", "trust-record", "agent-manifest",
					     "evidence" };
	const struct statement *claim = s->kind == CLAIM_BUNDLE ? statement_claim(&w->files, s) : s;
	struct claim_hardware hardware = *verify_hardware_known(&w->hardware);
	struct claim_expect expect = w->expect;
	struct attest_result res;
	int r;

	attest_result_init(&res, kinds[s->kind], w->at);
	expect.evidence_policy = &w->evidence;
	expect.hardware = &hardware;
	hardware.report = claim ? statement_report(&w->files, claim) : NULL;
	if (s->kind == CLAIM_REPORT) {
		judge_report(w, s, &res);
		r = 0;
	} else if (s->kind == CLAIM_TRUST_RECORD) {
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
		expect.previous = statement_previous(&w->files, claim);
		expect.manifest = statement_manifest(&w->files, claim);
		r = claim_verify(claim->document, &expect, &res);
		if (r == 0 && s->kind == CLAIM_BUNDLE)
			r = bundle_verify(s->document, claim->document, &expect, &res);
	}
	r = r < 0 ? verify_unreadable(s->path, err_text(r)) : report(w, s, &res);
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
	for (unsigned i = 0; i < w->files.n; i++)
		r = worse(r, judge(w, &w->files.all[i]));
	if (!c->json)
		return r;
	json_out_array_end(&j);
	if (json_out_end(&j) < 0)
		return verify_unreadable("verdict", err_text(-ENOMEM));
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
		return verify_unreadable(path, err_text(r));
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
	return r < 0 ? verify_unreadable(path, r == -EINVAL ? error : err_text(r)) : CLI_OK;
}

static int take_evidence(struct work *w, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct policy_error e = { { 0 } };
	int r = file_read(path, ATTEST_POLICY_MAX, &text);

	if (r == 0)
		r = attest_policy_read(&w->evidence, buf_span(&text), &e);
	return r < 0 ? verify_unreadable(path, e.text[0] ? e.text : err_text(r)) : CLI_OK;
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
		return verify_hardware_take(&w->hardware, option, value);
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
		{ "ak-cert", required_argument, NULL, VERIFY_AK_CERT },
		{ "roots", required_argument, NULL, VERIFY_ROOTS },
		{ "enrolment", required_argument, NULL, VERIFY_ENROLMENT },
		{ "proof", required_argument, NULL, VERIFY_PROOF },
		{ "crl", required_argument, NULL, VERIFY_CRL },
		{ "collateral", required_argument, NULL, VERIFY_COLLATERAL },
		{ 0 },
	};
	struct work w = { .at = (int64_t)(clock_real_ns() / 1000000000u) };
	int ch, r = statements_init(&w.files);

	attest_policy_init(&w.evidence);
	optind = 0; /* also after operands, which main() does not allow */
	while (r == CLI_OK && (ch = getopt_long(argc, argv, "", longs, NULL)) != -1)
		r = take(&w, ch, optarg);
	if (r == CLI_OK && optind == argc)
		r = usage("needs a file", "");
	for (int i = optind; r == CLI_OK && i < argc; i++)
		r = statements_add(&w.files, argv[i]);
	if (r == CLI_OK)
		r = judge_all(c, &w);
	statements_done(&w.files);
	verify_hardware_done(&w.hardware);
	json_decref(w.revoked);
	attest_policy_done(&w.evidence);
	return r;
}
