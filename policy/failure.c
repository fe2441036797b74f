// SPDX-License-Identifier: Apache-2.0
/* Errors of evaluation in words, made only when someone asks. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/request.h"
#include "policy/text.h"

#define QUOTED_MAX 60 /* bytes of a value shown */

struct out {
	char *p;
	size_t n, at;
};

static void add(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int k;

	if (o->at >= o->n)
		return;
	va_start(ap, fmt);
	k = vsnprintf(o->p + o->at, o->n - o->at, fmt, ap);
	va_end(ap);
	if (k > 0)
		o->at += (size_t)k;
}

static void add_quoted(struct out *o, struct span s)
{
	size_t n = s.n > QUOTED_MAX ? QUOTED_MAX : s.n;

	while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	add(o, "`%.*s`%s", (int)n, n ? s.p : "", n < s.n ? "..." : "");
}

struct cedar_uid request_uid(const struct cedar_request *rq, struct cval v)
{
	const struct centity *e;

	if (v.n == ENTITY_UNKNOWN)
		return *v.uid;
	e = &rq->snap->entities.e.v[v.n];
	return (struct cedar_uid){ rq->snap->names.names.v[e->type], e->id };
}

static void add_entity(struct out *o, const struct cedar_request *rq, struct cval v)
{
	struct cedar_uid uid = request_uid(rq, v);
	size_t n = uid.id.n > QUOTED_MAX ? QUOTED_MAX : uid.id.n;

	add(o, "`%.*s::\"%.*s\"`", (int)(uid.type.n > QUOTED_MAX ? QUOTED_MAX : uid.type.n),
	    uid.type.p, (int)n, n ? uid.id.p : "");
}

static void add_types(struct out *o, uint32_t bits)
{
	bool many = (bits & (bits - 1)) != 0;
	const char *sep = many ? "one of [" : "";

	for (unsigned tag = 0; tag < 32; tag++) {
		if (bits & V_BIT(tag)) {
			add(o, "%s%s", sep, cval_type_name(tag));
			sep = ", ";
		}
	}
	if (many)
		add(o, "]");
}

static void add_failure(struct out *o, const struct cedar_request *rq, const struct fail *f)
{
	static const char *const verbs[] = { [OP_NEG] = "negating",
					     [OP_ADD] = "adding",
					     [OP_SUB] = "subtracting",
					     [OP_MUL] = "multiplying" };

	switch ((enum fail_code)f->code) {
	case FAIL_TYPE:
		add(o, "type error: expected ");
		add_types(o, f->arg);
		add(o, ", got %s", cval_type_name(f->v.tag));
		if (f->v.tag == V_ENTITY) {
			add(o, " ");
			add_entity(o, rq, f->v);
		}
		break;
	case FAIL_OVERFLOW:
		add(o, "integer overflow in %s", verbs[f->arg]);
		break;
	case FAIL_NO_ENTITY:
		add(o, "entity ");
		add_entity(o, rq, f->v);
		add(o, " does not exist");
		break;
	case FAIL_NO_ATTR:
		if (f->v.tag == V_ENTITY)
			add_entity(o, rq, f->v);
		else
			add(o, "the record");
		add(o, " does not have the attribute ");
		add_quoted(o, rq->snap->names.names.v[f->arg]);
		break;
	case FAIL_NO_TAG:
		add_entity(o, rq, f->v);
		add(o, " does not have the tag ");
		add_quoted(o, cval_span(f->w));
		break;
	case FAIL_EXT:
		if (f->v.tag == V_STRING) {
			add(o, "%s: not well-formed: ", ext_info((enum ext_fn)f->arg)->name);
			add_quoted(o, cval_span(f->v));
		} else {
			add(o, "%s: the result does not fit in 64 bits",
			    ext_info((enum ext_fn)f->arg)->name);
		}
		break;
	case FAIL_ARITY:
		add(o, "%s: wrong number of values: %u instead of %u",
		    ext_info((enum ext_fn)f->arg)->name, f->got,
		    ext_info((enum ext_fn)f->arg)->arity);
		break;
	case FAIL_NONE:
		break;
	}
}

int cedar_explain(struct cedar_request *rq, const struct cedar_failure *failure,
		  struct cedar_error *ret)
{
	const struct cedar_snapshot *s = rq->snap;
	const struct cpolicy *p;

	*ret = (struct cedar_error){ 0 };
	if (!s || failure->policy >= s->policies.n)
		return -ENOENT;
	p = &s->policies.v[failure->policy];
	for (uint32_t i = 0; i < p->n_parts; i++) {
		const struct cpart *part = &s->parts.v[p->part + i];
		uint32_t pc = s->conjuncts.v[part->conjunct].pc;
		struct out o = { ret->message, sizeof(ret->message), 0 };

		switch (eval_conjunct(rq, pc)) {
		case OUT_TRUE:
			continue;
		case OUT_ERROR:
			ret->offset = s->where.v[part->where + rq->fail.pc - pc];
			snapshot_place(s, failure->policy, ret->offset, &ret->line, &ret->column);
			add_failure(&o, rq, &rq->fail);
			message_clean(ret->message);
			return 0;
		case OUT_NO_MEMORY:
			return -ENOSPC;
		default:
			return -ENOENT;
		}
	}
	return -ENOENT;
}
