// SPDX-License-Identifier: Apache-2.0
/*
 * From the tape to Cedar values: policy sees the very tokens that will be forwarded. Runs in the proxy on
 * hostile input; depth and size are bounded by the tape's limits and by the builder's.
 */
#include "user/gate/input.h"

#include <errno.h>
#include <stdio.h>

#include "policy/cedar.h"
#include "user/mcp/tape.h"

#define DECIMALS_MAX 4 /* of Cedar's decimal */

/* Cedar's decimal wants digits on both sides of the point and no exponent. */
static void put_fraction(struct cedar_build *b, struct span s)
{
	const char *dot = memchr(s.p, '.', s.n);

	if (!dot || memchr(s.p, 'e', s.n) || memchr(s.p, 'E', s.n) ||
	    (size_t)(s.p + s.n - dot - 1) > DECIMALS_MAX)
		cedar_build_fail(b, -ERANGE);
	else
		cedar_put_decimal(b, s);
}

static void put_value(struct cedar_build *b, const struct tape *t, uint32_t i)
{
	int64_t v;

	switch (t->tok[i].type) {
	case TAPE_FALSE:
	case TAPE_TRUE:
		cedar_put_bool(b, t->tok[i].type == TAPE_TRUE);
		break;
	case TAPE_NUMBER:
		if (tape_int64(t, i, &v) == 0)
			cedar_put_long(b, v);
		else
			put_fraction(b, tape_raw(t, i));
		break;
	case TAPE_STRING:
		cedar_put_string(b, tape_text(t, i));
		break;
	case TAPE_ARRAY:
		cedar_open_set(b);
		for (uint32_t e = tape_first(t, i); e != TAPE_NONE; e = tape_next(t, i, e))
			if (!tape_is(t, e, TAPE_NULL))
				put_value(b, t, e);
		cedar_close(b);
		break;
	case TAPE_OBJECT:
		cedar_open_record(b);
		for (uint32_t e = tape_first(t, i); e != TAPE_NONE; e = tape_next(t, i, e))
			if (!tape_is(t, e + 1, TAPE_NULL)) {
				cedar_key(b, tape_text(t, e));
				put_value(b, t, e + 1);
			}
		cedar_close(b);
		break;
	default:
		cedar_build_fail(b, -EINVAL);
	}
}

void gate_input_build(void *ctx, struct cedar_build *b)
{
	const struct gate_input *in = ctx;

	put_value(b, in->tape, in->arguments);
}
