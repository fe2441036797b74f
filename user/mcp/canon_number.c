// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers of form C. Python's float repr is the shortest decimal that reads back as the same
 * double, of those the closest, with an exponent below 1e-4 and from 1e16 on. The process keeps the
 * C locale, so the decimal point of strtod() and printf() is a point.
 */
#include "user/mcp/canon_number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17 /* enough for every double */

/* A decimal d.ddd times ten to the exp. */
struct decimal {
	char digit[DIGITS_MAX + 1];
	int n, exp;
};

static double read_back(const struct decimal *d)
{
	char text[DIGITS_MAX + 16];

	snprintf(text, sizeof(text), "%c.%se%d", d->digit[0], d->n > 1 ? d->digit + 1 : "0", d->exp);
	return strtod(text, NULL);
}

/* The next decimal of as many digits, away from zero. */
static void step_up(struct decimal *d)
{
	int i = d->n - 1;

	while (i >= 0 && d->digit[i] == '9')
		d->digit[i--] = '0';
	if (i >= 0) {
		d->digit[i]++;
	} else {
		d->digit[0] = '1';
		d->exp++;
	}
}

static void nearest(double v, int n, struct decimal *ret)
{
	char text[DIGITS_MAX + 16];
	char *e;

	snprintf(text, sizeof(text), "%.*e", n - 1, v);
	e = strchr(text, 'e');
	ret->n = n;
	ret->exp = atoi(e + 1);
	ret->digit[0] = text[0];
	if (n > 1)
		memcpy(ret->digit + 1, text + 2, (size_t)n - 1);
	ret->digit[n] = '\0';
}

/* v > 0 and finite. The nearest decimal of n digits, when it lies below v, may fail to read back
 * where the next above does: at powers of two the doubles below are twice as dense as those
 * above. */
static void shortest(double v, struct decimal *ret)
{
	for (int n = 1; n <= DIGITS_MAX; n++) {
		nearest(v, n, ret);
		if (read_back(ret) == v)
			return;
		step_up(ret);
		if (read_back(ret) == v)
			return;
	}
	nearest(v, DIGITS_MAX, ret);
}

static int put_repeat(struct buf *out, int n)
{
	int r = 0;

	while (n-- > 0 && r == 0)
		r = buf_append(out, "0", 1);
	return r;
}

static int put_plain(const struct decimal *d, struct buf *out)
{
	int whole = d->exp + 1; /* digits before the point */
	int r;

	if (whole <= 0) {
		r = buf_append(out, "0.", 2);
		if (r == 0)
			r = put_repeat(out, -whole);
		return r < 0 ? r : buf_append(out, d->digit, (size_t)d->n);
	}
	if (whole >= d->n) {
		r = buf_append(out, d->digit, (size_t)d->n);
		if (r == 0)
			r = put_repeat(out, whole - d->n);
		return r < 0 ? r : buf_append(out, ".0", 2);
	}
	return buf_printf(out, "%.*s.%s", whole, d->digit, d->digit + whole);
}

static int put_double(double v, struct buf *out)
{
	struct decimal d;
	int r = signbit(v) ? buf_append(out, "-", 1) : 0;

	v = fabs(v);
	if (r < 0)
		return r;
	if (isinf(v))
		return buf_append_str(out, "Infinity");
	if (v == 0)
		return buf_append_str(out, "0.0");
	shortest(v, &d);
	if (d.exp >= -4 && d.exp < 16)
		return put_plain(&d, out);
	return buf_printf(out, "%c%s%se%c%02d", d.digit[0], d.n > 1 ? "." : "", d.digit + 1,
			  d.exp < 0 ? '-' : '+', abs(d.exp));
}

int canon_number(struct span raw, struct buf *out)
{
	char text[CANON_NUMBER_MAX + 1];

	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] == '.' || (raw.p[i] | 0x20) == 'e')
			goto real;
	if (span_is(raw, "-0"))
		return buf_append(out, "0", 1);
	return buf_append(out, raw.p, raw.n);
real:
	if (raw.n > CANON_NUMBER_MAX)
		return -EMSGSIZE;
	memcpy(text, raw.p, raw.n);
	text[raw.n] = '\0';
	return put_double(strtod(text, NULL), out);
}
