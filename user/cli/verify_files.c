// SPDX-License-Identifier: Apache-2.0
/*
 * Statements in files and folders, and which of them belong together. Runs in tollgate(1); the files are
 * anybody's.
 */
#include "user/cli/verify_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/json_text.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/cli.h"

#define FILES_MAX 1024

int verify_unreadable(const char *path, const char *why)
{
	fprintf(stderr, "tollgate: read %s: %s\n", path, why);
	return CLI_USAGE;
}

int statements_init(struct statements *w)
{
	w->n = 0;
	w->all = calloc(FILES_MAX, sizeof(*w->all));
	if (!w->all)
		fputs("tollgate: verify: out of memory\n", stderr);
	return w->all ? CLI_OK : CLI_FAILED;
}

void statements_done(struct statements *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		json_decref(w->all[i].document);
		buf_done(&w->all[i].text);
		claim_report_done(&w->all[i].report);
	}
	free(w->all);
}

/* --- reading ------------------------------------------------------------------------------------ */

static int add_manifest(struct statements *w, struct statement *s, const char *path, struct buf *text)
{
	const char *code;

	/* One in COSE that cannot be taken apart stays without a document; its judgement says why. */
	if (!s->document && agent_manifest_read(buf_span(text), &s->document, &code) == -ENOMEM)
		return verify_unreadable(path, err_text(-ENOMEM));
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->kind = CLAIM_MANIFEST;
	s->text = *text;
	*text = (struct buf){ 0 };
	w->n++;
	return CLI_OK;
}

static int add_file(struct statements *w, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	struct statement *s;
	int r;

	if (w->n == FILES_MAX || strlen(path) >= PATH_MAX)
		return verify_unreadable(path, "too many files, or too long a name");
	r = file_read(path, JSON_TEXT_MAX, &text);
	if (r < 0)
		return verify_unreadable(path, err_text(r));
	s = &w->all[w->n];
	if (agent_manifest_is_cose(buf_span(&text)))
		return add_manifest(w, s, path, &text);
	r = json_text_read(buf_span(&text), &s->document, error);
	if (r < 0)
		return verify_unreadable(path, r == -EINVAL ? error : err_text(r));
	s->kind = claim_kind(s->document);
	if (s->kind == CLAIM_REPORT) {
		r = claim_report_read(s->document, &s->report);
		if (r == -ENOMEM)
			return verify_unreadable(path, err_text(r));
		s->has_report = r == 0;
	}
	if (s->kind == CLAIM_MANIFEST)
		return add_manifest(w, s, path, &text);
	strcpy(s->path, path);
	w->n++;
	if (s->kind == CLAIM_UNKNOWN)
		return verify_unreadable(path, "neither a claim, a bundle, evidence of a session, an agent manifest "
					 "nor a Trust Record");
	return CLI_OK;
}

static int add_directory(struct statements *w, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = CLI_OK;

	if (!d)
		return verify_unreadable(path, err_text(-errno));
	while (r == CLI_OK && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char full[PATH_MAX];

		if (n <= 5 || strcmp(e->d_name + n - 5, ".json") != 0)
			continue;
		if (snprintf(full, sizeof(full), "%s/%s", path, e->d_name) >= (int)sizeof(full))
			r = verify_unreadable(path, err_text(-ENAMETOOLONG));
		else
			r = add_file(w, full);
	}
	closedir(d);
	return r;
}

int statements_add(struct statements *w, const char *path)
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

const json_t *statement_previous(const struct statements *w, const struct statement *claim)
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
const struct statement *statement_claim(const struct statements *w, const struct statement *bundle)
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

struct span statement_manifest(const struct statements *w, const struct statement *claim)
{
	struct span id = json_member_text(json_path(claim->document, "gateway.agent_identity"), "manifest_id");

	for (unsigned i = 0; id.n && i < w->n; i++)
		if (w->all[i].kind == CLAIM_MANIFEST &&
		    span_eq(json_member_text(w->all[i].document, "manifest_id"), id))
			return buf_span(&w->all[i].text);
	return (struct span){ 0 };
}

/* A statement and its session's report name the same nonce, each in its own alphabet. */
static bool stands_on(const struct statement *s, const struct statement *report)
{
	const json_t *runtime = json_path(s->document, s->kind == CLAIM_GATEWAY ? "trace.runtime" : "runtime");
	uint8_t nonce[CLAIM_NONCE_SIZE];

	return (s->kind == CLAIM_GATEWAY || s->kind == CLAIM_TRUST_RECORD) && report->has_report &&
	       base64url_decode(json_member_text(runtime, "nonce"), nonce, sizeof(nonce)) == 0 &&
	       memcmp(nonce, report->report.nonce, sizeof(nonce)) == 0;
}

const struct claim_report *statement_report(const struct statements *w, const struct statement *s)
{
	for (unsigned i = 0; i < w->n; i++)
		if (stands_on(s, &w->all[i]))
			return &w->all[i].report;
	return NULL;
}

const struct statement *statement_of_report(const struct statements *w, const struct statement *report)
{
	for (unsigned i = 0; i < w->n; i++)
		if (stands_on(&w->all[i], report))
			return &w->all[i];
	return NULL;
}
