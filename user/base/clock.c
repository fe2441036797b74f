// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks, and the one text form of a time that records and the API use.
 */
#include "user/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull

static uint64_t read_clock(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

bool clock_is_steady(struct clock_steady *c, uint64_t mono, uint64_t real, uint64_t step_ns, uint64_t for_ns)
{
	uint64_t went = mono - c->mono, said = real - c->real;
	uint64_t apart = said > went ? said - went : went - said;

	if (!c->since || real < c->real || apart > step_ns)
		c->since = mono;
	c->mono = mono;
	c->real = real;
	return mono - c->since >= for_ns;
}

void clock_iso(uint64_t real_ns, char ret[CLOCK_ISO_SIZE])
{
	time_t s = (time_t)(real_ns / NS_PER_S);
	unsigned us = (unsigned)(real_ns % NS_PER_S / 1000);
	struct tm tm = { 0 };
	char date[CLOCK_ISO_SIZE];

	(void)gmtime_r(&s, &tm);
	if (strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) != 19)
		memcpy(date, "9999-12-31T23:59:59", 20);
	(void)snprintf(ret, CLOCK_ISO_SIZE, "%.19s.%06u+00:00", date, us);
}

int clock_parse_iso(const char *s, uint64_t *ret_real_ns)
{
	int y, mo, d, h = 0, mi = 0, se = 0, oh = 0, om = 0, n = 0;
	uint64_t frac = 0, scale = NS_PER_S;
	struct tm tm = { 0 };
	time_t t;

	if (sscanf(s, "%4d-%2d-%2d%n", &y, &mo, &d, &n) != 3 || n != 10)
		return -EINVAL;
	s += n;
	if (*s == 'T') {
		n = 0;
		if (sscanf(s, "T%2d:%2d:%2d%n", &h, &mi, &se, &n) != 3 || n != 9)
			return -EINVAL;
		s += n;
		if (*s == '.')
			for (s++; *s >= '0' && *s <= '9'; s++)
				if (scale > 1)
					frac += (uint64_t)(*s - '0') * (scale /= 10);
		if (*s == '+' || *s == '-') {
			n = 0;
			if (sscanf(s + 1, "%2d:%2d%n", &oh, &om, &n) != 2 || n != 5 || oh > 23 ||
			    om > 59)
				return -EINVAL;
			if (*s == '-') {
				oh = -oh;
				om = -om;
			}
			s += 6;
		} else if (*s++ != 'Z') {
			return -EINVAL;
		}
	}
	if (*s || y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || se > 59)
		return -EINVAL;
	tm.tm_year = y - 1900;
	tm.tm_mon = mo - 1;
	tm.tm_mday = d;
	tm.tm_hour = h;
	tm.tm_min = mi;
	tm.tm_sec = se;
	t = timegm(&tm) - (oh * 3600 + om * 60);
	if (t < 0)
		return -EINVAL;
	*ret_real_ns = (uint64_t)t * NS_PER_S + frac;
	return 0;
}
