// SPDX-License-Identifier: Apache-2.0
/* A schema, a NUL, policies, a NUL, entities: whatever is read is validated in both modes and at a level. What is valid in
 * strict mode is valid in permissive mode; findings lie inside their text. */
#include <stdlib.h>
#include <string.h>

#include "policy/cedar_schema.h"
#include "policy/cedar_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span part(struct span *rest)
{
	const char *end = rest->n ? memchr(rest->p, 0, rest->n) : NULL;
	size_t n = end ? (size_t)(end - rest->p) : rest->n;
	struct span s = { rest->p, n };

	n += end != NULL;
	*rest = (struct span){ rest->p ? rest->p + n : NULL, rest->n - n };
	return s;
}

static size_t errors_of(const struct cedar_schema *s, const struct cedar_policies *ps, const struct cedar_check *how,
			size_t size)
{
	_cleanup_(cedar_findings_free_p) struct cedar_findings *f = NULL;

	if (cedar_validate(s, ps, how, &f) < 0)
		abort();
	for (size_t i = 0; i < cedar_findings_count(f); i++) {
		const struct cedar_finding *x = cedar_findings_get(f, i);

		if (x->offset > size || x->line == 0 || !x->message[0] || !x->id)
			abort();
	}
	return cedar_findings_errors(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cedar_check permissive = { .mode = CEDAR_PERMISSIVE };
	static const struct cedar_check level = { .level_checked = true, .level = 1 };
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct span rest = { (const char *)data, size }, schema = part(&rest), policies = part(&rest);
	struct cedar_errors errors;
	struct cedar_error error;
	size_t strict;

	if (cedar_schema_new(schema, CEDAR_SCHEMA_ANY, &errors, &s) < 0 || cedar_policies_new(&ps) < 0 ||
	    cedar_entities_new(&es) < 0)
		return 0;
	if (cedar_entities_add_json_schema(es, s, rest, &error) == 0 && cedar_entities_validate(s, es, &error) < 0)
		abort();
	if (cedar_policies_add_templates(ps, "fuzz", policies, &errors) < 0)
		return 0;
	strict = errors_of(s, ps, NULL, policies.n);
	if (strict == 0 && errors_of(s, ps, &permissive, policies.n))
		abort();
	if (strict && errors_of(s, ps, &level, policies.n) == 0)
		abort();
	return 0;
}
