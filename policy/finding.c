// SPDX-License-Identifier: Apache-2.0
/* What the validator found, in the order it was found. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/text.h"
#include "policy/validate.h"

static const char *keep(struct checker *c, const char *s)
{
	const char *p = s ? arena_copy(&c->out->mem, span_of(s)).p : NULL;

	if (s && !p)
		c->r = -ENOMEM;
	return p;
}

/* Several types of request make the same error. */
static bool is_there(const struct checker *c, enum cedar_finding_kind kind, uint32_t pos,
		     const char *message)
{
	for (uint32_t i = c->first_finding; i < c->out->v.n; i++) {
		const struct cedar_finding *f = &c->out->v.v[i];

		if (f->kind == kind && f->offset == pos && strcmp(f->message, message) == 0)
			return true;
	}
	return false;
}

void finding(struct checker *c, enum cedar_finding_kind kind, uint32_t pos, const char *suggestion,
	     const char *fmt, ...)
{
	struct cedar_finding f = { .kind = kind, .policy = c->policy, .offset = pos };
	char message[CEDAR_MESSAGE_MAX];
	va_list ap;

	if (!c->loud || c->r < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	message_clean(message);
	if (is_there(c, kind, pos, message))
		return;
	f.severity = kind >= CEDAR_NO_APPLICABLE_ACTION ? CEDAR_WARNING : CEDAR_ERROR;
	if (f.severity == CEDAR_ERROR)
		c->out->errors++;
	else
		c->out->warnings++;
	if (c->out->v.n >= CEDAR_FINDINGS_MAX ||
	    c->out->v.n - c->first_finding >= CEDAR_POLICY_FINDINGS_MAX)
		return;
	text_place(c->text, pos, &f.line, &f.column);
	f.message = keep(c, message);
	f.suggestion = keep(c, suggestion);
	f.id = keep(c, c->id.p);
	f.text_name = keep(c, c->text_name.p);
	if (c->r == 0)
		c->r = vec_push(&c->out->v, f);
}

const char *type_words(struct checker *c, const struct type *t)
{
	struct buf out = { 0 };
	struct span s = { NULL, 0 };

	if (!c->loud)
		return "";
	type_text(c->s, t, &out);
	s = arena_copy(&c->policy_mem, buf_span(&out));
	buf_done(&out);
	return s.p ? s.p : "";
}

void cedar_findings_free(struct cedar_findings *f)
{
	if (!f)
		return;
	arena_done(&f->mem);
	vec_done(&f->v);
	free(f->invalid);
	free(f);
}

size_t cedar_findings_count(const struct cedar_findings *f)
{
	return f->v.n;
}

const struct cedar_finding *cedar_findings_get(const struct cedar_findings *f, size_t i)
{
	return i < f->v.n ? &f->v.v[i] : NULL;
}

size_t cedar_findings_errors(const struct cedar_findings *f)
{
	return f->errors;
}

size_t cedar_findings_warnings(const struct cedar_findings *f)
{
	return f->warnings;
}

bool cedar_findings_valid(const struct cedar_findings *f, uint32_t policy)
{
	return policy < f->n_policies && !f->invalid[policy];
}
