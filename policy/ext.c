// SPDX-License-Identifier: Apache-2.0
/* The table of extension functions, and decimal. */
#include "policy/ext.h"

#include <errno.h>

#include "user/base/cleanup.h"

#define DECIMAL_FRACTION 4

static const struct ext_info table[EXT_FN_COUNT] = {
	[EXT_DECIMAL] = { "decimal", false, 1 },
	[EXT_IP] = { "ip", false, 1 },
	[EXT_DATETIME] = { "datetime", false, 1 },
	[EXT_DURATION] = { "duration", false, 1 },
	[EXT_LESS_THAN] = { "lessThan", true, 2 },
	[EXT_LESS_THAN_OR_EQUAL] = { "lessThanOrEqual", true, 2 },
	[EXT_GREATER_THAN] = { "greaterThan", true, 2 },
	[EXT_GREATER_THAN_OR_EQUAL] = { "greaterThanOrEqual", true, 2 },
	[EXT_IS_IPV4] = { "isIpv4", true, 1 },
	[EXT_IS_IPV6] = { "isIpv6", true, 1 },
	[EXT_IS_LOOPBACK] = { "isLoopback", true, 1 },
	[EXT_IS_MULTICAST] = { "isMulticast", true, 1 },
	[EXT_IS_IN_RANGE] = { "isInRange", true, 2 },
	[EXT_OFFSET] = { "offset", true, 2 },
	[EXT_DURATION_SINCE] = { "durationSince", true, 2 },
	[EXT_TO_DATE] = { "toDate", true, 1 },
	[EXT_TO_TIME] = { "toTime", true, 1 },
	[EXT_TO_MILLISECONDS] = { "toMilliseconds", true, 1 },
	[EXT_TO_SECONDS] = { "toSeconds", true, 1 },
	[EXT_TO_MINUTES] = { "toMinutes", true, 1 },
	[EXT_TO_HOURS] = { "toHours", true, 1 },
	[EXT_TO_DAYS] = { "toDays", true, 1 },
};

const struct ext_info *ext_info(enum ext_fn fn)
{
	return &table[fn];
}

enum ext_fn ext_find(struct span name)
{
	for (unsigned i = 0; i < EXT_FN_COUNT; i++) {
		if (span_is(name, table[i].name))
			return (enum ext_fn)i;
	}
	return EXT_FN_COUNT;
}

/* Digits and one point, up to four digits behind it. The sign is taken from the text, so -0.5 keeps
 * it. */
int ext_decimal_parse(struct span s, int64_t *ret)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = negative, whole = 0, fraction = 0;
	uint64_t v = 0;

	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, whole++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return -EINVAL;
	}
	if (whole == 0 || i == s.n || s.p[i++] != '.')
		return -EINVAL;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		if (++fraction > DECIMAL_FRACTION || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return -EINVAL;
	}
	if (fraction == 0 || i != s.n)
		return -EINVAL;
	for (; fraction < DECIMAL_FRACTION; fraction++) {
		if (__builtin_mul_overflow(v, 10, &v))
			return -EINVAL;
	}
	if (v > (uint64_t)INT64_MAX + negative)
		return -EINVAL;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}
