// SPDX-License-Identifier: Apache-2.0
/* Types of extension functions. What makes a value from a text takes a literal, which is parsed here. */
#include "policy/validate.h"

static const struct typing none = { NULL, CAPS_NONE };

static const struct {
	enum type_kind ret, arg[2];
} signatures[EXT_FN_COUNT] = {
	[EXT_DECIMAL] = { TYPE_DECIMAL, { TYPE_STRING } },
	[EXT_IP] = { TYPE_IPADDR, { TYPE_STRING } },
	[EXT_DATETIME] = { TYPE_DATETIME, { TYPE_STRING } },
	[EXT_DURATION] = { TYPE_DURATION, { TYPE_STRING } },
	[EXT_LESS_THAN] = { TYPE_BOOL, { TYPE_DECIMAL, TYPE_DECIMAL } },
	[EXT_LESS_THAN_OR_EQUAL] = { TYPE_BOOL, { TYPE_DECIMAL, TYPE_DECIMAL } },
	[EXT_GREATER_THAN] = { TYPE_BOOL, { TYPE_DECIMAL, TYPE_DECIMAL } },
	[EXT_GREATER_THAN_OR_EQUAL] = { TYPE_BOOL, { TYPE_DECIMAL, TYPE_DECIMAL } },
	[EXT_IS_IPV4] = { TYPE_BOOL, { TYPE_IPADDR } },
	[EXT_IS_IPV6] = { TYPE_BOOL, { TYPE_IPADDR } },
	[EXT_IS_LOOPBACK] = { TYPE_BOOL, { TYPE_IPADDR } },
	[EXT_IS_MULTICAST] = { TYPE_BOOL, { TYPE_IPADDR } },
	[EXT_IS_IN_RANGE] = { TYPE_BOOL, { TYPE_IPADDR, TYPE_IPADDR } },
	[EXT_OFFSET] = { TYPE_DATETIME, { TYPE_DATETIME, TYPE_DURATION } },
	[EXT_DURATION_SINCE] = { TYPE_DURATION, { TYPE_DATETIME, TYPE_DATETIME } },
	[EXT_TO_DATE] = { TYPE_DATETIME, { TYPE_DATETIME } },
	[EXT_TO_TIME] = { TYPE_DURATION, { TYPE_DATETIME } },
	[EXT_TO_MILLISECONDS] = { TYPE_LONG, { TYPE_DURATION } },
	[EXT_TO_SECONDS] = { TYPE_LONG, { TYPE_DURATION } },
	[EXT_TO_MINUTES] = { TYPE_LONG, { TYPE_DURATION } },
	[EXT_TO_HOURS] = { TYPE_LONG, { TYPE_DURATION } },
	[EXT_TO_DAYS] = { TYPE_LONG, { TYPE_DURATION } },
};

const struct type *call_argument(enum ext_fn fn, uint32_t i)
{
	return i < ext_info(fn)->arity ? type_simple(signatures[fn].arg[i]) : NULL;
}

static bool text_parses(enum ext_fn fn, struct span s)
{
	struct cip ip;
	int64_t v;

	switch (fn) {
	case EXT_DECIMAL:
		return ext_decimal_parse(s, &v) == 0;
	case EXT_DATETIME:
		return ext_datetime_parse(s, &v) == 0;
	case EXT_DURATION:
		return ext_duration_parse(s, &v) == 0;
	default:
		return ext_ip_parse(s, &ip) == 0;
	}
}

/* The argument of what makes an extension value. */
static bool check_text(struct checker *c, const struct occ *e)
{
	const struct core *arg = e->node->kid[0];
	const char *name = ext_info((enum ext_fn)e->node->num)->name;

	if (arg->op == CORE_STRING && !text_parses((enum ext_fn)e->node->num, arg->str))
		finding(c, CEDAR_EXTENSION, e->kid[0]->pos, NULL, "`%.*s` is no value for %s()",
		     (int)(arg->str.n > 60 ? 60 : arg->str.n), arg->str.p, name);
	else if (arg->op != CORE_STRING && c->strict)
		finding(c, CEDAR_EXTENSION, e->kid[0]->pos, NULL,
		     "%s() takes a string literal only, so that it can be checked here", name);
	else
		return true;
	return false;
}

struct typing type_call(struct checker *c, const struct occ *e, const struct type *const *t)
{
	enum ext_fn fn = (enum ext_fn)e->node->num;
	const struct ext_info *info = ext_info(fn);

	if (e->node->n != info->arity) {
		finding(c, CEDAR_EXTENSION, e->pos, NULL, "%s() takes %u arguments, not %u",
		     info->name, info->arity - info->method, e->node->n - info->method);
		return none;
	}
	for (uint32_t i = 0; i < e->node->n; i++) {
		enum type_kind want = signatures[fn].arg[i];

		if (t[i]->kind != want)
			return type_unexpected(c, e->kid[i], type_words(c, type_simple(want)), t[i]);
	}
	if (!info->method && !check_text(c, e))
		return none;
	return (struct typing){ type_simple(signatures[fn].ret), CAPS_NONE };
}
