/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_EXT_H
#define TOLLGATE_POLICY_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/* Extension functions, in the order of the table in ext.c. */
enum ext_fn {
	EXT_DECIMAL,
	EXT_IP,
	EXT_DATETIME,
	EXT_DURATION,
	EXT_LESS_THAN,
	EXT_LESS_THAN_OR_EQUAL,
	EXT_GREATER_THAN,
	EXT_GREATER_THAN_OR_EQUAL,
	EXT_IS_IPV4,
	EXT_IS_IPV6,
	EXT_IS_LOOPBACK,
	EXT_IS_MULTICAST,
	EXT_IS_IN_RANGE,
	EXT_OFFSET,
	EXT_DURATION_SINCE,
	EXT_TO_DATE,
	EXT_TO_TIME,
	EXT_TO_MILLISECONDS,
	EXT_TO_SECONDS,
	EXT_TO_MINUTES,
	EXT_TO_HOURS,
	EXT_TO_DAYS,
	EXT_FN_COUNT,
};

struct ext_info {
	const char *name;
	bool method;
	unsigned arity; /* with the receiver */
};

const struct ext_info *ext_info(enum ext_fn fn);
/* EXT_FN_COUNT when there is none. */
enum ext_fn ext_find(struct span name);

struct cip {
	uint8_t v6; /* else the first four bytes of addr */
	uint8_t prefix;
	uint8_t addr[16];
};

/* The address of an IPv4 as a number. */
static inline uint32_t ext_ip_v4(const struct cip *ip)
{
	return (uint32_t)ip->addr[0] << 24 | (uint32_t)ip->addr[1] << 16 |
	       (uint32_t)ip->addr[2] << 8 | ip->addr[3];
}

/* Text forms; all total, all refusing with -EINVAL. Units: 1/10000, milliseconds since the epoch,
 * milliseconds. */
int ext_decimal_parse(struct span s, int64_t *ret);
int ext_ip_parse(struct span s, struct cip *ret);
int ext_datetime_parse(struct span s, int64_t *ret);
int ext_duration_parse(struct span s, int64_t *ret);

/* EXT_IS_IPV4 to EXT_IS_MULTICAST. */
bool ext_ip_is(enum ext_fn what, const struct cip *ip);
bool ext_ip_in_range(const struct cip *ip, const struct cip *range);
bool ext_ip_equal(const struct cip *a, const struct cip *b);

/* Start of the day, and time within it; -ERANGE when it leaves 64 bits. */
int ext_to_date(int64_t ms, int64_t *ret);
int64_t ext_to_time(int64_t ms);
/* EXT_TO_MILLISECONDS to EXT_TO_DAYS, truncating toward zero. */
int64_t ext_duration_in(enum ext_fn unit, int64_t ms);

#endif
