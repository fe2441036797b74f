// SPDX-License-Identifier: Apache-2.0
/*
 * Values of JSON-RPC messages as the cMCP runtime hands them to Cedar: nulls left out, floats as text. The
 * numbers must come out as Python writes them, or policies would compare other texts here than there.
 */
#include "policy/cmcp_value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17 /* tell any double from its neighbours */
/* Exponents below and from which Python writes one. */
#define EXPONENT_LOW (-4)
#define EXPONENT_HIGH 16

/* digits (no point among them, so that no locale matters) times ten to exponent. */
static double from_digits(const char *digits, int exponent)
{
	char text[CMCP_NUMBER_MAX + 24];

	(void)snprintf(text, sizeof(text), "%se%d", digits, exponent);
	return strtod(text, NULL);
}

/* The fewest digits of |v|, not ending in 0, and the exponent of the first. */
static int shortest(double v, char digits[DIGITS_MAX + 1])
{
	char text[CMCP_FLOAT_SIZE];
	int exponent = 0;

	for (int n = 1; n <= DIGITS_MAX; n++) {
		const char *e;
		int k = 0;

		(void)snprintf(text, sizeof(text), "%.*e", n - 1, v);
		e = strchr(text, 'e');
		for (const char *p = text; p < e; p++)
			if (*p >= '0' && *p <= '9')
				digits[k++] = *p;
		digits[k] = '\0';
		exponent = atoi(e + 1);
		if (from_digits(digits, exponent - (n - 1)) == v)
			break;
	}
	return exponent;
}

void cmcp_float_text(double v, char ret[CMCP_FLOAT_SIZE])
{
	char digits[DIGITS_MAX + 1];
	const char *sign = signbit(v) ? "-" : "";
	int exponent, n;

	if (isinf(v) || isnan(v)) {
		(void)snprintf(ret, CMCP_FLOAT_SIZE, "%s%s", isnan(v) ? "" : sign, isnan(v) ? "nan" : "inf");
		return;
	}
	exponent = shortest(fabs(v), digits);
	n = (int)strlen(digits);
	if (exponent < EXPONENT_LOW || exponent >= EXPONENT_HIGH)
		(void)snprintf(ret, CMCP_FLOAT_SIZE, "%s%c%s%se%c%02d", sign, digits[0], n > 1 ? "." : "",
			       digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
	else if (exponent < 0)
		(void)snprintf(ret, CMCP_FLOAT_SIZE, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
	else if (exponent + 1 < n)
		(void)snprintf(ret, CMCP_FLOAT_SIZE, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
	else
		(void)snprintf(ret, CMCP_FLOAT_SIZE, "%s%s%.*s.0", sign, digits, exponent + 1 - n,
			       "0000000000000000");
}

/* The number at p, which is one of JSON's with a fraction or an exponent. */
static int read_float(const char *p, const char *end, double *ret)
{
	char digits[CMCP_NUMBER_MAX + 1];
	bool point = false, fraction = false;
	int n = 0, shift = 0;
	long exponent = 0;

	for (; p < end && ((*p >= '0' && *p <= '9') || *p == '.' || *p == '-'); p++) {
		if (n == CMCP_NUMBER_MAX)
			return -ERANGE;
		if (*p == '.')
			point = fraction = true;
		else
			digits[n++] = *p;
		shift += point && *p != '.';
	}
	digits[n] = '\0';
	if (p < end && (*p | 0x20) == 'e') {
		bool minus = p + 1 < end && p[1] == '-';

		fraction = true;
		p += p + 1 < end && (p[1] == '-' || p[1] == '+') ? 2 : 1;
		/* Past five digits it is zero or infinite anyway. */
		for (; p < end && *p >= '0' && *p <= '9'; p++)
			exponent = exponent < 99999 ? exponent * 10 + (*p - '0') : exponent;
		exponent = minus ? -exponent : exponent;
	}
	if (!fraction)
		return -ERANGE; /* an integer beyond 64 bits */
	*ret = from_digits(digits, (int)exponent - shift);
	return 0;
}

static void put_float(struct cedar_build *b, struct arena *mem, struct span text, const struct json *v)
{
	char words[CMCP_FLOAT_SIZE];
	struct span copy;
	double d;
	int r = read_float(text.p + v->pos, text.p + text.n, &d);

	if (r < 0) {
		cedar_build_fail(b, r);
		return;
	}
	cmcp_float_text(d, words);
	copy = arena_copy(mem, span_of(words));
	if (copy.p)
		cedar_put_string(b, copy);
	else
		cedar_build_fail(b, -ENOSPC);
}

static bool is_escape(const struct json *v)
{
	return json_get(v, "__entity") || json_get(v, "__extn") || json_get(v, "__expr");
}

static void put_object(struct cedar_build *b, struct arena *mem, struct span text, const struct json *v)
{
	if (is_escape(v)) {
		cedar_build_fail(b, -EINVAL);
		return;
	}
	cedar_open_record(b);
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->kid[i].kind == JSON_NULL)
			continue;
		cedar_key(b, v->key[i]);
		cmcp_put(b, mem, text, &v->kid[i]);
	}
	cedar_close(b);
}

void cmcp_put(struct cedar_build *b, struct arena *mem, struct span text, const struct json *v)
{
	switch (v->kind) {
	case JSON_BOOL:
		cedar_put_bool(b, v->num);
		break;
	case JSON_INT:
		cedar_put_long(b, v->num);
		break;
	case JSON_FRACTION:
		put_float(b, mem, text, v);
		break;
	case JSON_STRING:
		cedar_put_string(b, v->str);
		break;
	case JSON_ARRAY:
		cedar_open_set(b);
		for (uint32_t i = 0; i < v->n; i++)
			if (v->kid[i].kind != JSON_NULL)
				cmcp_put(b, mem, text, &v->kid[i]);
		cedar_close(b);
		break;
	case JSON_OBJECT:
		put_object(b, mem, text, v);
		break;
	default:
		cedar_build_fail(b, -EINVAL);
	}
}
