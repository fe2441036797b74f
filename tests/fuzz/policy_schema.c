// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a schema in Cedar's syntax: refused with a place inside the text, or written in both syntaxes and read again
 * as the same. */
#include <stdlib.h>

#include "policy/cedar_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct cedar_schema *s, enum cedar_schema_syntax syntax, const struct buf *json)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *t = NULL;
	_cleanup_buf_ struct buf out = { 0 }, out2 = { 0 };
	struct cedar_errors errors;
	struct cedar_error error;

	if (cedar_schema_write(s, syntax, &error, &out) < 0 ||
	    cedar_schema_new(buf_span(&out), syntax, &errors, &t) < 0 ||
	    cedar_schema_write(t, CEDAR_SCHEMA_JSON, &error, &out2) < 0)
		abort();
	if (!span_eq(buf_span(json), buf_span(&out2)) ||
	    cedar_schema_actions(s) != cedar_schema_actions(t))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	_cleanup_buf_ struct buf json = { 0 };
	struct span text = { (const char *)data, size };
	struct cedar_errors errors;
	struct cedar_error error;

	if (cedar_schema_new(text, CEDAR_SCHEMA_CEDAR, &errors, &s) < 0) {
		if (errors.n == 0 || errors.total < errors.n)
			abort();
		for (uint32_t i = 0; i < errors.n; i++) {
			if (errors.e[i].offset > size)
				abort();
		}
		return 0;
	}
	if (cedar_schema_write(s, CEDAR_SCHEMA_JSON, &error, &json) < 0)
		abort();
	again(s, CEDAR_SCHEMA_CEDAR, &json);
	again(s, CEDAR_SCHEMA_JSON, &json);
	return 0;
}
