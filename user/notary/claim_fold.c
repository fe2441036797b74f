// SPDX-License-Identifier: Apache-2.0
/*
 * Records of one session into the figures of its claim. Runs in the notary, over lines that
 * record_view_parse() accepted.
 */
#include "user/notary/claim_fold.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/notary/chain.h"

#define TOOL_NAME_MAX (3 * RECORD_STRING_MAX + 1)
#define UNCLASSIFIED "unclassified" /* no record named a sensitivity: not the same as public */

struct claim_fold {
	struct claim_folded s;
	EVP_MD_CTX *entries; /* "[" line "," line ... */
	unsigned transcript_cap;
};

DEFINE_CLEANUP(struct claim_fold *, claim_fold_free)

void claim_fold_free(struct claim_fold *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->s.tools_n; i++)
		free(f->s.tools[i]);
	free(f->s.tools);
	free(f->s.passed);
	free(f->s.transcript);
	EVP_MD_CTX_free(f->entries);
	free(f);
}

struct claim_folded *claim_fold_state(struct claim_fold *f)
{
	return &f->s;
}

int claim_text(struct span member, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < member.n; i++) {
		if (member.p[i] == '\\')
			i++;
		if (n + 1 >= size || i == member.n)
			return -EMSGSIZE;
		ret[n++] = member.p[i];
	}
	ret[n] = '\0';
	return 0;
}

static void copy(const json_t *detail, const char *name, char *ret, size_t size)
{
	const char *s = json_string_value(json_object_get(detail, name));

	ret[0] = '\0';
	if (s && strlen(s) < size)
		strcpy(ret, s);
}

/* Only a manifest for the very policy and catalog of the session says anything about it. */
static void read_manifest(struct claim_folded *s, const json_t *d)
{
	char policy[CLAIM_TEXT_SIZE], catalog[CLAIM_TEXT_SIZE];

	copy(d, "manifest_policy_hash", policy, sizeof(policy));
	copy(d, "manifest_catalog_hash", catalog, sizeof(catalog));
	if (strcmp(policy, s->policy_hash) != 0 || strcmp(catalog, s->catalog_hash) != 0)
		return;
	copy(d, "manifest_id", s->manifest.id, sizeof(s->manifest.id));
	copy(d, "manifest_agent_id", s->manifest.agent_id, sizeof(s->manifest.agent_id));
	copy(d, "manifest_issuer", s->manifest.issuer, sizeof(s->manifest.issuer));
	copy(d, "manifest_key_id", s->manifest.key_id, sizeof(s->manifest.key_id));
}

/* The node's facts stand in the first record; what is missing there makes the claim impossible later. */
static int read_facts(struct claim_folded *s, struct span detail)
{
	json_t *d;

	if (!detail.p || detail.p[0] != '{')
		return 0;
	d = json_loadb(detail.p, detail.n, JSON_REJECT_DUPLICATES, NULL);
	if (!d)
		return -ENOMEM; /* the view has judged the text */
	copy(d, "policy_hash", s->policy_hash, sizeof(s->policy_hash));
	copy(d, "catalog_hash", s->catalog_hash, sizeof(s->catalog_hash));
	copy(d, "program_hash", s->program_hash, sizeof(s->program_hash));
	copy(d, "mode", s->mode, sizeof(s->mode));
	read_manifest(s, d);
	copy(d, "continues", s->continues, sizeof(s->continues));
	json_decref(d);
	return 0;
}

/* --- calls ------------------------------------------------------------------------------------- */

static enum record_decision decision_of(const struct record_view *v)
{
	struct span word = record_view_text(v, M_POLICY_DECISION);

	for (int d = 0; d < RECORD_DECISION_COUNT; d++)
		if (span_is(word, record_decision_text((enum record_decision)d)))
			return (enum record_decision)d;
	return RECORD_DENY;
}

/* The index of a name, which is taken in when there is room; CLAIM_TOOLS_MAX when there is none. */
static int find_tool(struct claim_folded *s, const char *name, unsigned *ret)
{
	unsigned i = 0;

	while (i < s->tools_n && strcmp(s->tools[i], name) != 0)
		i++;
	*ret = i;
	if (i < s->tools_n || i == CLAIM_TOOLS_MAX)
		return 0;
	if (!s->tools) {
		s->tools = calloc(CLAIM_TOOLS_MAX, sizeof(*s->tools));
		s->passed = calloc(CLAIM_TOOLS_MAX, sizeof(*s->passed));
	}
	if (!s->tools || !s->passed || !(s->tools[i] = strdup(name)))
		return -ENOMEM;
	s->tools_n++;
	return 0;
}

static int name_call(struct claim_fold *f, unsigned tool, enum record_decision d)
{
	struct claim_folded *s = &f->s;

	if (s->unnamed || tool == CLAIM_TOOLS_MAX || s->calls == CLAIM_CALLS_MAX) {
		s->unnamed = true;
		return 0;
	}
	if (s->calls == f->transcript_cap) {
		unsigned cap = f->transcript_cap ? 2 * f->transcript_cap : 16;
		struct claim_fold_call *more = reallocarray(s->transcript, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->transcript = more;
		f->transcript_cap = cap;
	}
	s->transcript[s->calls] = (struct claim_fold_call){ (uint16_t)tool, (uint8_t)d };
	return 0;
}

static int take_call(struct claim_fold *f, const struct record_view *v)
{
	struct claim_folded *s = &f->s;
	enum record_decision d = decision_of(v);
	char name[TOOL_NAME_MAX];
	unsigned tool;
	int r;

	if (d == RECORD_STEP_UP || d == RECORD_DEFER)
		d = RECORD_DENY; /* claims have no word for an approval that was not given */
	r = claim_text(record_view_text(v, M_TOOL_NAME), name, sizeof(name));
	if (r == 0)
		r = find_tool(s, name, &tool);
	if (r == 0)
		r = name_call(f, tool, d);
	if (r < 0)
		return r;
	s->calls++;
	s->denied += d == RECORD_DENY;
	s->faulted += d == RECORD_DECISION_FAULT;
	if (d != RECORD_DENY && d != RECORD_DECISION_FAULT && tool < CLAIM_TOOLS_MAX)
		s->passed[tool] = true;
	return 0;
}

/* --- records ------------------------------------------------------------------------------------ */

static void take_durability(struct claim_folded *s, const struct record_view *v)
{
	struct span word = record_view_text(v, M_DURABILITY);

	for (int d = RECORD_RING; d < (int)s->weakest; d++)
		if (span_is(word, record_durability_text((enum record_durability)d)))
			s->weakest = (enum record_durability)d;
}

static int hash_line(struct claim_fold *f, struct span line)
{
	return EVP_DigestUpdate(f->entries, f->s.length ? "," : "[", 1) == 1 &&
			       EVP_DigestUpdate(f->entries, line.p, line.n) == 1 ? 0 : -ENOMEM;
}

static int take(struct claim_fold *f, const struct record_view *v)
{
	struct span type = record_view_text(v, M_ENTRY_TYPE), label = record_view_text(v, M_SENSITIVITY_AFTER);
	struct claim_folded *s = &f->s;
	int r = hash_line(f, v->line);

	if (r == 0 && span_is(type, "tool_call"))
		r = take_call(f, v);
	if (r < 0)
		return r;
	if (label.n && claim_text(label, s->data_class, sizeof(s->data_class)) < 0)
		s->broken = "a sensitivity label is too long";
	s->drift |= span_is(type, "catalog_drift") || span_is(record_view_text(v, M_REASON_CODE), "drift");
	s->ended = span_is(type, "session_end");
	take_durability(s, v);
	memcpy(s->tip, v->entry_hash.p, sizeof(s->tip) - 1);
	s->length++;
	return 0;
}

int claim_fold_new(const struct record_view *first, struct claim_fold **ret)
{
	_cleanup_(claim_fold_free_p) struct claim_fold *f = NULL;
	int r;

	if (first->sequence != 0 || !span_is(record_view_text(first, M_ENTRY_TYPE), "session_start") ||
	    !span_is(first->prev, CHAIN_GENESIS))
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->entries = EVP_MD_CTX_new();
	if (!f->entries || EVP_DigestInit_ex(f->entries, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	memcpy(f->s.id, first->session_id.p, CHAIN_ID_SIZE - 1);
	memcpy(f->s.root, first->entry_hash.p, sizeof(f->s.root) - 1);
	strcpy(f->s.data_class, UNCLASSIFIED);
	f->s.weakest = RECORD_SYNCED;
	r = read_facts(&f->s, first->m[M_DETAIL]);
	if (r == 0)
		r = take(f, first);
	if (r < 0)
		return r;
	*ret = take_ptr(f);
	return 0;
}

int claim_fold_take(struct claim_fold *f, const struct record_view *v)
{
	struct claim_folded *s = &f->s;
	int r;

	if (s->ended || v->sequence != s->length || !span_is(v->prev, s->tip))
		s->broken = "its records do not follow each other";
	if (s->broken) {
		s->ended |= span_is(record_view_text(v, M_ENTRY_TYPE), "session_end");
		return 0;
	}
	r = take(f, v);
	if (r < 0)
		s->broken = "there was not enough memory for it";
	return r;
}

int claim_fold_entries(const struct claim_fold *f, uint8_t ret[SHA256_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = -ENOMEM;

	if (ctx && EVP_MD_CTX_copy_ex(ctx, f->entries) == 1 && EVP_DigestUpdate(ctx, "]", 1) == 1 &&
	    EVP_DigestFinal_ex(ctx, ret, NULL) == 1)
		r = 0;
	EVP_MD_CTX_free(ctx);
	return r;
}
