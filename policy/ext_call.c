// SPDX-License-Identifier: Apache-2.0
/* Calls of extension functions, by conditions and by values in JSON. */
#include "policy/ext_call.h"

static enum ext_result type_fault(struct ext_fault *f, uint32_t at, uint32_t expected)
{
	*f = (struct ext_fault){ at, expected };
	return EXT_BAD_TYPE;
}

static enum ext_result construct(struct arena *mem, enum ext_fn fn, struct cval *a,
				 struct ext_fault *f)
{
	struct span text = cval_span(*a);
	struct cip ip, *copy;
	enum cval_tag tag = fn == EXT_DECIMAL    ? V_DECIMAL
			    : fn == EXT_DATETIME ? V_DATETIME
						 : V_DURATION;
	int64_t v = 0;
	int r;

	if (a->tag != V_STRING)
		return type_fault(f, 0, V_BIT(V_STRING));
	if (fn == EXT_IP) {
		if (ext_ip_parse(text, &ip) < 0)
			return EXT_BAD_VALUE;
		copy = arena_alloc(mem, sizeof(*copy));
		if (!copy)
			return EXT_NO_MEMORY;
		*copy = ip;
		*a = (struct cval){ .tag = V_IP, .ip = copy };
		return EXT_OK;
	}
	r = fn == EXT_DECIMAL    ? ext_decimal_parse(text, &v)
	    : fn == EXT_DATETIME ? ext_datetime_parse(text, &v)
				 : ext_duration_parse(text, &v);
	if (r < 0)
		return EXT_BAD_VALUE;
	*a = cval_long(tag, v);
	return EXT_OK;
}

/* The types of receiver and argument; 0 for no argument. */
static void operand_types(enum ext_fn fn, uint32_t *ret_first, uint32_t *ret_second)
{
	*ret_second = 0;
	switch (fn) {
	case EXT_LESS_THAN:
	case EXT_LESS_THAN_OR_EQUAL:
	case EXT_GREATER_THAN:
	case EXT_GREATER_THAN_OR_EQUAL:
		*ret_first = *ret_second = V_BIT(V_DECIMAL);
		break;
	case EXT_IS_IPV4:
	case EXT_IS_IPV6:
	case EXT_IS_LOOPBACK:
	case EXT_IS_MULTICAST:
		*ret_first = V_BIT(V_IP);
		break;
	case EXT_IS_IN_RANGE:
		*ret_first = *ret_second = V_BIT(V_IP);
		break;
	case EXT_OFFSET:
		*ret_first = V_BIT(V_DATETIME);
		*ret_second = V_BIT(V_DURATION);
		break;
	case EXT_DURATION_SINCE:
		*ret_first = *ret_second = V_BIT(V_DATETIME);
		break;
	case EXT_TO_DATE:
	case EXT_TO_TIME:
		*ret_first = V_BIT(V_DATETIME);
		break;
	default:
		*ret_first = V_BIT(V_DURATION);
	}
}

static enum ext_result method(enum ext_fn fn, struct cval *a)
{
	int64_t v = 0;
	int r = 0;

	switch (fn) {
	case EXT_LESS_THAN:
		a[0] = cval_bool(a[0].i < a[1].i);
		return EXT_OK;
	case EXT_LESS_THAN_OR_EQUAL:
		a[0] = cval_bool(a[0].i <= a[1].i);
		return EXT_OK;
	case EXT_GREATER_THAN:
		a[0] = cval_bool(a[0].i > a[1].i);
		return EXT_OK;
	case EXT_GREATER_THAN_OR_EQUAL:
		a[0] = cval_bool(a[0].i >= a[1].i);
		return EXT_OK;
	case EXT_IS_IN_RANGE:
		a[0] = cval_bool(ext_ip_in_range(a[0].ip, a[1].ip));
		return EXT_OK;
	case EXT_IS_IPV4:
	case EXT_IS_IPV6:
	case EXT_IS_LOOPBACK:
	case EXT_IS_MULTICAST:
		a[0] = cval_bool(ext_ip_is(fn, a[0].ip));
		return EXT_OK;
	case EXT_OFFSET:
		r = __builtin_add_overflow(a[0].i, a[1].i, &v);
		break;
	case EXT_DURATION_SINCE:
		r = __builtin_sub_overflow(a[0].i, a[1].i, &v);
		break;
	case EXT_TO_DATE:
		r = ext_to_date(a[0].i, &v);
		break;
	case EXT_TO_TIME:
		v = ext_to_time(a[0].i);
		break;
	default:
		v = ext_duration_in(fn, a[0].i);
	}
	if (r != 0)
		return EXT_BAD_VALUE;
	a[0] = cval_long(fn == EXT_OFFSET || fn == EXT_TO_DATE           ? V_DATETIME
			 : fn == EXT_DURATION_SINCE || fn == EXT_TO_TIME ? V_DURATION
									 : V_LONG,
			 v);
	return EXT_OK;
}

enum ext_result ext_call(struct arena *mem, enum ext_fn fn, struct cval *args, uint32_t n,
			 struct ext_fault *ret_fault)
{
	uint32_t first, second;

	if (n != ext_info(fn)->arity)
		return EXT_BAD_ARITY;
	if (fn <= EXT_DURATION)
		return construct(mem, fn, args, ret_fault);
	operand_types(fn, &first, &second);
	if (!(V_BIT(args[0].tag) & first))
		return type_fault(ret_fault, 0, first);
	if (second && !(V_BIT(args[1].tag) & second))
		return type_fault(ret_fault, 1, second);
	return method(fn, args);
}
