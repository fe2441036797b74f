// SPDX-License-Identifier: Apache-2.0
/*
 * Signed JSON: which bytes a signature of Intel covers. The text is known to be JSON when it is walked
 * here, so the walk only needs to see strings, brackets and commas.
 */
#include "attest/tdx_tcb.h"

#include <errno.h>
#include <string.h>

#include "user/base/digest.h"

struct walk {
	const char *p, *end;
};

static void skip_space(struct walk *w)
{
	while (w->p < w->end && strchr(" \t\r\n", *w->p) && *w->p)
		w->p++;
}

static bool take_char(struct walk *w, char c)
{
	skip_space(w);
	if (w->p == w->end || *w->p != c)
		return false;
	w->p++;
	return true;
}

/* The text between the quotes, escapes as they stand. */
static bool take_string(struct walk *w, struct span *ret)
{
	const char *start;

	if (!take_char(w, '"'))
		return false;
	for (start = w->p; w->p < w->end; w->p++) {
		if (*w->p == '"') {
			*ret = (struct span){ start, (size_t)(w->p++ - start) };
			return true;
		}
		if (*w->p == '\\' && ++w->p == w->end)
			return false;
	}
	return false;
}

/* An object or array from its first to its last bracket. */
static bool take_bracketed(struct walk *w, struct span *ret)
{
	size_t depth = 0;
	const char *start;
	struct span s;

	skip_space(w);
	for (start = w->p; w->p < w->end;) {
		char c = *w->p;

		if (c == '"') {
			if (!take_string(w, &s))
				return false;
			continue;
		}
		w->p++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0) {
			*ret = (struct span){ start, (size_t)(w->p - start) };
			return true;
		}
		if (depth == 0)
			return false;
	}
	return false;
}

static bool is_json_object(struct span text)
{
	json_t *o = text.n && text.n <= TDX_JSON_MAX ?
			    json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL) :
			    NULL;
	bool is = json_is_object(o);

	json_decref(o);
	return is;
}

int tdx_statement_find(struct span text, const char *member, struct tdx_statement *ret)
{
	struct walk w = { text.p, text.p + text.n };
	struct tdx_statement s = { 0 };
	bool have_body = false, have_signature = false;

	if (!is_json_object(text) || !take_char(&w, '{'))
		return -EBADMSG;
	do {
		struct span key, hex;

		if (!take_string(&w, &key) || !take_char(&w, ':'))
			return -EBADMSG;
		if (span_is(key, member) && !have_body) {
			if (!take_bracketed(&w, &s.body))
				return -EBADMSG;
			have_body = true;
		} else if (span_is(key, "signature") && !have_signature) {
			if (!take_string(&w, &hex) ||
			    hex_decode(hex.p, hex.n, s.signature, sizeof(s.signature)) < 0)
				return -EBADMSG;
			have_signature = true;
		} else {
			return have_body ? -EBADMSG : -ENOENT;
		}
	} while (take_char(&w, ','));
	if (!take_char(&w, '}') || !have_body || !have_signature)
		return -EBADMSG;
	*ret = s;
	return 0;
}
