// SPDX-License-Identifier: Apache-2.0
/*
 * The formatter: parses, lays out policy by policy, takes out the empty lines that comments left, and
 * makes sure that the result means the same before anybody gets it.
 */
#include "policy/format.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/cedar_text.h"
#include "policy/text.h"
#include "user/base/cleanup.h"

/* --- empty lines ------------------------------------------------------------------------------ */

static bool is_blank(struct span s)
{
	while (s.n > 0) {
		uint32_t c;
		unsigned n = utf8_decode(s.p, s.p + s.n, &c);

		if (n == 0 || !char_is_space(c))
			return false;
		s = (struct span){ s.p + n, s.n - n };
	}
	return true;
}

/* Copies what lies between strings and comments without its blank lines. The end of the line on which
 * the string or comment before it stands (behind) stays, and so does what begins the line that goes on
 * with the next. */
static int copy_between(struct span s, bool behind, struct buf *out)
{
	int r = 0;

	while (r == 0 && s.n > 0) {
		const char *eol = memchr(s.p, '\n', s.n);
		struct span line = { s.p, eol ? (size_t)(eol + 1 - s.p) : s.n };

		if (!eol || !is_blank(line))
			r = buf_append(out, line.p, line.n);
		else if (behind)
			r = buf_append(out, "\n", 1);
		behind = false;
		s = (struct span){ s.p + line.n, s.n - line.n };
	}
	return r;
}

/* The string or comment that begins at p; the quote of a string is never within a comment. */
static const char *end_of(const char *p, const char *end)
{
	if (*p == '/') {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		return eol ? eol : end;
	}
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p < end ? p + 1 : end;
}

static int drop_blank_lines(struct span s, struct buf *out)
{
	const char *p = s.p, *end = s.p + s.n, *from = p;
	int r = 0;

	while (r == 0 && p < end) {
		const char *q;

		if (*p != '"' && !(*p == '/' && p + 1 < end && p[1] == '/')) {
			p++;
			continue;
		}
		r = copy_between((struct span){ from, (size_t)(p - from) }, from > s.p, out);
		q = end_of(p, end);
		if (r == 0)
			r = buf_append(out, p, (size_t)(q - p));
		from = p = q;
	}
	return r < 0 ? r
		     : copy_between((struct span){ from, (size_t)(end - from) }, from > s.p, out);
}

static struct span trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\n'))
		s = (struct span){ s.p + 1, s.n - 1 };
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

/* --- policies --------------------------------------------------------------------------------- */

static int append_policy(struct formatter *f, unsigned width, bool first, struct buf *out)
{
	_cleanup_buf_ struct buf laid = { 0 }, dense = { 0 };
	const struct doc *d = format_policy(f);
	int r = doc_ok(&f->docs) ? doc_render(d, width, &laid) : -ENOMEM;
	struct span s;

	arena_reset(&f->docs.mem);
	if (r == 0)
		r = drop_blank_lines(buf_span(&laid), &dense);
	if (r == 0 && !first)
		r = buf_append(out, "\n", 1);
	s = trim(buf_span(&dense));
	if (r == 0)
		r = buf_append(out, s.p, s.n);
	return r < 0 ? r : buf_append(out, "\n", 1);
}

static int append_comments(struct formatter *f, const struct format_token *t, struct buf *out)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < t->n_lead; i++) {
		struct span c = f->comments.v[t->lead + i];

		r = buf_append(out, c.p, c.n);
		if (r == 0)
			r = buf_append(out, "\n", 1);
	}
	return r;
}

static int format_all(struct formatter *f, struct span text, unsigned width, struct buf *out)
{
	bool first = true;
	int r = format_tokens(f, text);

	while (r == 0 && format_peek(f)->kind != TOK_END) {
		r = append_policy(f, width, first, out);
		first = false;
	}
	return r < 0 ? r : append_comments(f, format_peek(f), out);
}

static int parse(struct span text, struct cedar_errors *errors, struct buf *json)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	int r = cedar_policies_new(&ps);

	if (r == 0)
		r = cedar_policies_add_templates(ps, "", text, errors);
	return r < 0 ? r : cedar_policies_to_json(ps, json);
}

/* What both mean is the same when their JSON is. */
static int check_same(struct span before, struct span after)
{
	struct cedar_errors errors;
	_cleanup_buf_ struct buf a = { 0 }, b = { 0 };
	int r = parse(before, &errors, &a);

	if (r == 0)
		r = parse(after, &errors, &b);
	if (r == -ENOMEM || r == -EMSGSIZE)
		return r;
	return r < 0 || !span_eq(buf_span(&a), buf_span(&b)) ? -EBADMSG : 0;
}

int cedar_format(struct span text, unsigned width, struct buf *out, struct cedar_errors *errors)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_buf_ struct buf made = { 0 };
	struct formatter f = { 0 };
	int r = cedar_policies_new(&ps);

	*errors = (struct cedar_errors){ 0 };
	if (text.n > CEDAR_FORMAT_TEXT_MAX) {
		error_add(errors, NULL, 0, "the text is larger than the %u bytes that are formatted",
			  CEDAR_FORMAT_TEXT_MAX);
		return -EFBIG;
	}
	if (width == 0 || width > CEDAR_FORMAT_WIDTH_MAX)
		return -EINVAL;
	if (r == 0)
		r = cedar_policies_add_templates(ps, "", text, errors);
	if (r == 0)
		r = format_all(&f, text, width, &made);
	vec_done(&f.tokens);
	vec_done(&f.comments);
	arena_done(&f.docs.mem);
	if (r == 0)
		r = check_same(text, buf_span(&made));
	return r < 0 ? r : buf_append(out, buf_span(&made).p, buf_len(&made));
}
