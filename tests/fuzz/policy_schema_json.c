// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a schema in JSON: refused with a reason, or written and read again as the same. What the Cedar syntax cannot
 * say is refused by its writer; what it wrote is read. */
#include <errno.h>
#include <stdlib.h>

#include "policy/cedar_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL, *t = NULL, *u = NULL;
	_cleanup_buf_ struct buf json = { 0 }, json2 = { 0 }, cedar = { 0 };
	struct span text = { (const char *)data, size };
	struct cedar_errors errors;
	struct cedar_error error;
	int r;

	if (cedar_schema_new(text, CEDAR_SCHEMA_JSON, &errors, &s) < 0) {
		if (errors.n == 0)
			abort();
		return 0;
	}
	if (cedar_schema_write(s, CEDAR_SCHEMA_JSON, &error, &json) < 0 ||
	    cedar_schema_new(buf_span(&json), CEDAR_SCHEMA_JSON, &errors, &t) < 0 ||
	    cedar_schema_write(t, CEDAR_SCHEMA_JSON, &error, &json2) < 0 ||
	    !span_eq(buf_span(&json), buf_span(&json2)))
		abort();
	r = cedar_schema_write(s, CEDAR_SCHEMA_CEDAR, &error, &cedar);
	if (r == -EINVAL)
		return 0;
	if (r < 0 || cedar_schema_new(buf_span(&cedar), CEDAR_SCHEMA_CEDAR, &errors, &u) < 0 ||
	    cedar_schema_entity_types(s) != cedar_schema_entity_types(u) ||
	    cedar_schema_actions(s) != cedar_schema_actions(u))
		abort();
	return 0;
}
