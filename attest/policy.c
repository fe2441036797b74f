// SPDX-License-Identifier: Apache-2.0
/*
 * The verifier's policy file: a strict reader driven by one table a section.
 */
#include "attest/policy.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define POLICY_VERSION 1

static const struct policy_key top_keys[] = {
	{ .name = "version", .kind = POLICY_UINT, .offset = offsetof(struct attest_policy, version),
	  .max = POLICY_VERSION },
	{ .name = "require", .kind = POLICY_TEXTS, .offset = offsetof(struct attest_policy, require) },
	{ .name = "optional", .kind = POLICY_TEXTS, .offset = offsetof(struct attest_policy, optional) },
	{ .name = "snp", .kind = POLICY_OBJECT, .offset = offsetof(struct attest_policy, snp),
	  .keys = snp_policy_keys },
	{ .name = "tdx", .kind = POLICY_OBJECT, .offset = offsetof(struct attest_policy, tdx),
	  .keys = tdx_policy_keys },
	{ .name = "binding", .kind = POLICY_OBJECT, .offset = offsetof(struct attest_policy, binding),
	  .keys = binding_policy_keys },
	{ .name = "tpm", .kind = POLICY_OBJECT, .offset = offsetof(struct attest_policy, tpm),
	  .keys = tpm_policy_keys },
	{ 0 },
};

bool policy_set_has(const struct policy_set *s, struct span bytes)
{
	bool found = false;

	if (bytes.n != s->size)
		return false;
	for (unsigned i = 0; i < s->n; i++)
		if (CRYPTO_memcmp(s->bytes + (size_t)i * s->size, bytes.p, s->size) == 0)
			found = true;
	return found;
}

int policy_set_only(struct policy_set *s, struct span bytes)
{
	uint8_t *p = malloc(bytes.n ? bytes.n : 1);

	if (!p)
		return -ENOMEM;
	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	policy_set_done(s);
	*s = (struct policy_set){ .bytes = p, .n = 1, .size = (unsigned)bytes.n, .given = true };
	return 0;
}

void policy_set_done(struct policy_set *s)
{
	free(s->bytes);
	*s = (struct policy_set){ 0 };
}

bool policy_texts_have(const struct policy_texts *t, const char *text)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->text[i], text) == 0)
			return true;
	return false;
}

void policy_texts_done(struct policy_texts *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free(t->text[i]);
	free(t->text);
	*t = (struct policy_texts){ 0 };
}

static int wrong(struct policy_error *e, const char *where, const char *what)
{
	(void)snprintf(e->text, sizeof(e->text), "%s: %s", where, what);
	return -EINVAL;
}

static int read_set(const struct policy_key *k, const char *where, const json_t *v, struct policy_set *ret,
		    struct policy_error *e)
{
	const size_t n = json_is_string(v) ? 1 : json_array_size(v);
	_cleanup_free_ uint8_t *bytes = NULL;

	if (!json_is_string(v) && !json_is_array(v))
		return wrong(e, where, "must be a string of hex digits or an array of them");
	if (n > POLICY_LIST_MAX)
		return wrong(e, where, "has too many entries");
	bytes = calloc(n ? n : 1, k->max);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const json_t *s = json_is_string(v) ? v : json_array_get(v, i);

		if (!json_is_string(s) || hex_decode(json_string_value(s), json_string_length(s),
						     bytes + i * k->max, k->max) < 0) {
			(void)snprintf(e->text, sizeof(e->text), "%s: entry %zu must be %u hex digits", where, i,
				       2 * k->max);
			return -EINVAL;
		}
	}
	policy_set_done(ret);
	*ret = (struct policy_set){ .bytes = take_ptr(bytes), .n = (unsigned)n, .size = k->max, .given = true };
	return 0;
}

static int read_texts(const char *where, const json_t *v, struct policy_texts *ret, struct policy_error *e)
{
	struct policy_texts t = { .given = true };
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > POLICY_LIST_MAX)
		return wrong(e, where, "must be an array of strings");
	t.text = calloc(n ? n : 1, sizeof(*t.text));
	for (size_t i = 0; t.text && i < n; i++) {
		const json_t *s = json_array_get(v, i);

		if (!json_is_string(s) || json_string_length(s) > POLICY_TEXT_MAX) {
			policy_texts_done(&t);
			return wrong(e, where, "must be an array of short strings");
		}
		t.text[t.n] = strdup(json_string_value(s));
		if (!t.text[t.n++])
			break;
	}
	if (!t.text || t.n != n || (n && !t.text[n - 1])) {
		policy_texts_done(&t);
		return -ENOMEM;
	}
	policy_texts_done(ret);
	*ret = t;
	return 0;
}

static int read_words(const struct policy_key *k, const char *where, const json_t *v, uint32_t *ret,
		      struct policy_error *e)
{
	uint32_t bits = 0;

	if (!json_is_array(v))
		return wrong(e, where, "must be an array of words");
	for (size_t i = 0; i < json_array_size(v); i++) {
		const char *s = json_string_value(json_array_get(v, i));
		unsigned w = 0;

		while (s && k->words[w] && strcmp(k->words[w], s) != 0)
			w++;
		if (!s || !k->words[w])
			return wrong(e, where, "has a word that is not known");
		bits |= 1u << w;
	}
	*ret = bits;
	return 0;
}

static int read_object(const struct policy_key *keys, const char *where, json_t *v, char *base,
		       struct policy_error *e);

static int read_value(const struct policy_key *k, const char *where, json_t *v, char *base,
		      struct policy_error *e)
{
	void *at = base + k->offset;

	switch (k->kind) {
	case POLICY_BOOL:
		if (!json_is_boolean(v))
			return wrong(e, where, "must be true or false");
		*(bool *)at = json_is_true(v);
		return 0;
	case POLICY_UINT:
		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > k->max)
			return wrong(e, where, "must be a whole number in its range");
		*(uint32_t *)at = (uint32_t)json_integer_value(v);
		return 0;
	case POLICY_SET:
		return read_set(k, where, v, at, e);
	case POLICY_TEXTS:
		return read_texts(where, v, at, e);
	case POLICY_WORDS:
		return read_words(k, where, v, at, e);
	case POLICY_OBJECT:
		return read_object(k->keys, where, v, at, e);
	}
	return -EINVAL;
}

/* Recursion is as deep as the tables, not as the file. */
static int read_object(const struct policy_key *keys, const char *where, json_t *v, char *base,
		       struct policy_error *e)
{
	const char *name;
	json_t *member;
	int r = 0;

	if (!json_is_object(v))
		return wrong(e, where, "must be an object");
	json_object_foreach(v, name, member) {
		const struct policy_key *k = keys;
		char path[128];

		while (k->name && strcmp(k->name, name) != 0)
			k++;
		(void)snprintf(path, sizeof(path), "%s%s%.60s", where, *where ? "." : "", name);
		if (!k->name)
			return wrong(e, path, "is not known");
		r = read_value(k, path, member, base, e);
		if (r < 0)
			return r;
	}
	return r;
}

void attest_policy_init(struct attest_policy *p)
{
	*p = (struct attest_policy){ 0 };
	snp_policy_defaults(&p->snp);
	tdx_policy_defaults(&p->tdx);
}

void attest_policy_done(struct attest_policy *p)
{
	policy_texts_done(&p->require);
	policy_texts_done(&p->optional);
	snp_policy_done(&p->snp);
	tdx_policy_done(&p->tdx);
	tpm_policy_done(&p->tpm);
	binding_policy_done(&p->binding);
	*p = (struct attest_policy){ 0 };
}

int attest_policy_read(struct attest_policy *p, struct span json, struct policy_error *e)
{
	struct attest_policy fresh;
	json_error_t je;
	json_t *root;
	int r;

	if (json.n > ATTEST_POLICY_MAX)
		return wrong(e, "policy", "is too large");
	root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, &je);
	if (!root) {
		(void)snprintf(e->text, sizeof(e->text), "line %d: %.200s", je.line, je.text);
		return -EINVAL;
	}
	attest_policy_init(&fresh);
	r = read_object(top_keys, "", root, (char *)&fresh, e);
	if (r == 0 && fresh.version != POLICY_VERSION)
		r = wrong(e, "version", "must be 1");
	json_decref(root);
	if (r < 0) {
		attest_policy_done(&fresh);
		return r;
	}
	attest_policy_done(p);
	*p = fresh;
	return 0;
}
