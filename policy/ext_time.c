// SPDX-License-Identifier: Apache-2.0
/* datetime and duration: both are milliseconds in 64 bits. No time zones, no leap seconds, no
 * clock. */
#include "policy/ext.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "policy/intern.h"

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* Exactly n digits at *p. */
static bool take_digits(struct span *s, unsigned n, int *ret)
{
	int v = 0;

	if (s->n < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = (struct span){ s->p + n, s->n - n };
	*ret = v;
	return true;
}

static bool take_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (struct span){ s->p + 1, s->n - 1 };
	return true;
}

/* Days from 1970-01-01 to a day of year 100 c + y, y below 100, in the proleptic Gregorian calendar;
 * -EINVAL when there is no such day. */
static inline __attribute__((always_inline)) int days_of(unsigned c, unsigned y, unsigned m, unsigned d,
							 int64_t *ret)
{
	static const uint16_t before[] = { 0,   31,  59,  90,  120, 151, 181,
					   212, 243, 273, 304, 334, 365 };
	unsigned leap = ((y ? y : c) & 3) == 0, leaps;

	if (m - 1 > 11 || d - 1 >= before[m] - before[m - 1] + (m == 2 ? leap : 0u))
		return -EINVAL;
	/* of the centuries before: 24 each, and one more in each fourth, year 0 being a leap year;
	 * 719528 days lie between 0000-01-01 and the epoch */
	leaps = 24 * c + (c + 3) / 4 + (y ? (y - 1) / 4 + ((c & 3) == 0) : 0);
	*ret = (int64_t)(365 * (100 * c + y) + leaps + before[m - 1] + (m > 2 ? leap : 0u) + d) - 1 - 719528;
	return 0;
}

/* "hh:mm:ss", ".SSS" or not, then Z or an offset: the time of day in UTC, which may lie outside the
 * day. */
static int parse_time(struct span *s, int64_t *ret)
{
	int h, m, sec, ms = 0, oh = 0, om = 0, sign = 0;

	if (!take_digits(s, 2, &h) || !take_char(s, ':') || !take_digits(s, 2, &m) ||
	    !take_char(s, ':') || !take_digits(s, 2, &sec) || h > 23 || m > 59 || sec > 59)
		return -EINVAL;
	if (take_char(s, '.') && !take_digits(s, 3, &ms))
		return -EINVAL;
	if (!take_char(s, 'Z')) {
		sign = take_char(s, '+') ? 1 : take_char(s, '-') ? -1 : 0;
		if (sign == 0 || !take_digits(s, 2, &oh) || !take_digits(s, 2, &om) || oh > 23 ||
		    om > 59)
			return -EINVAL;
	}
	*ret = (h - sign * oh) * HOUR_MS + (m - sign * om) * MINUTE_MS + sec * SECOND_MS + ms;
	return 0;
}

/*
 * Text in which digits and other characters have fixed places, eight bytes at a time: form has '0'
 * where a digit is and what must be there elsewhere. True when it fits; then byte k of *ret is the
 * number that digits k and k + 1 are.
 */
static inline bool take_form(const char *p, const char *form, uint64_t *ret)
{
	const uint64_t ones = 0x0101010101010101, high = 0xf0f0f0f0f0f0f0f0;
	uint64_t f = le64toh(load_u64(form)), x = le64toh(load_u64(p)) ^ f;
	uint64_t other = ((f ^ '0' * ones) + 0x7f * ones) >> 7 & ones; /* 1 where form has no '0' */

	/* A digit is up to 9 now, all else 0: 6 (15) more than that reaches the upper half. */
	if ((x | (x + 6 * ones + 9 * other)) & high)
		return false;
	*ret = x * 10 + (x >> 8);
	return true;
}

/* "YYYY-MM-DDThh:mm:ssZ", which most are; false for all else, good or not. */
static bool parse_plain(struct span s, int64_t *ret)
{
	uint64_t date, time, end;
	unsigned h, min, sec;
	int64_t days;

	if (s.n != 20 || !take_form(s.p, "0000-00-", &date) || !take_form(s.p + 8, "00T00:00", &time) ||
	    !take_form(s.p + 12, "0:00:00Z", &end))
		return false;
	h = time >> 24 & 0xff;
	min = time >> 48 & 0xff;
	sec = end >> 40 & 0xff;
	if (h > 23 || min > 59 || sec > 59 ||
	    days_of(date & 0xff, date >> 16 & 0xff, date >> 40 & 0xff, time & 0xff, &days) < 0)
		return false;
	*ret = days * DAY_MS + h * HOUR_MS + min * MINUTE_MS + sec * SECOND_MS;
	return true;
}

int ext_datetime_parse(struct span s, int64_t *ret)
{
	int64_t days, time = 0;
	int c, y, m, d;

	if (parse_plain(s, ret))
		return 0;
	if (!take_digits(&s, 2, &c) || !take_digits(&s, 2, &y) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &m) || !take_char(&s, '-') || !take_digits(&s, 2, &d) ||
	    days_of(c, y, m, d, &days) < 0)
		return -EINVAL;
	if (take_char(&s, 'T') && parse_time(&s, &time) < 0)
		return -EINVAL;
	if (s.n)
		return -EINVAL;
	*ret = days * DAY_MS + time;
	return 0;
}

/* One "<digits><unit>"; 0 when the text does not go on with it, 1 when it was taken, else
 * -EINVAL. */
static int take_unit(struct span *s, const char *unit, int64_t ms, unsigned __int128 *total)
{
	size_t digits = 0, n = strlen(unit);
	uint64_t v = 0;

	while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9')
		digits++;
	if (digits == 0 || s->n - digits < n || memcmp(s->p + digits, unit, n) != 0)
		return 0;
	/* "1ms" is no minute: the s of ms belongs to the unit */
	if (unit[0] == 'm' && n == 1 && s->n - digits > 1 && s->p[digits + 1] == 's')
		return 0;
	for (size_t i = 0; i < digits; i++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s->p[i] - '0'), &v))
			return -EINVAL;
	}
	*total += (unsigned __int128)v * (uint64_t)ms;
	*s = (struct span){ s->p + digits + n, s->n - digits - n };
	return 1;
}

int ext_duration_parse(struct span s, int64_t *ret)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "d", DAY_MS },
		      { "h", HOUR_MS },
		      { "m", MINUTE_MS },
		      { "s", SECOND_MS },
		      { "ms", 1 } };
	bool negative = take_char(&s, '-');
	unsigned __int128 total = 0;
	int taken = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int r = take_unit(&s, units[i].unit, units[i].ms, &total);

		if (r < 0)
			return r;
		taken += r;
	}
	if (taken == 0 || s.n || total > (uint64_t)INT64_MAX + negative)
		return -EINVAL;
	*ret = negative ? (int64_t)(0 - (uint64_t)total) : (int64_t)total;
	return 0;
}

int ext_to_date(int64_t ms, int64_t *ret)
{
	int64_t day = ms - ms % DAY_MS;

	if (ms % DAY_MS < 0 && __builtin_sub_overflow(day, DAY_MS, &day))
		return -ERANGE;
	*ret = day;
	return 0;
}

int64_t ext_to_time(int64_t ms)
{
	int64_t t = ms % DAY_MS;

	return t < 0 ? t + DAY_MS : t;
}

int64_t ext_duration_in(enum ext_fn unit, int64_t ms)
{
	switch (unit) {
	case EXT_TO_SECONDS:
		return ms / SECOND_MS;
	case EXT_TO_MINUTES:
		return ms / MINUTE_MS;
	case EXT_TO_HOURS:
		return ms / HOUR_MS;
	case EXT_TO_DAYS:
		return ms / DAY_MS;
	default:
		return ms;
	}
}
