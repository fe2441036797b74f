// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as policies in JSON. What is taken is written as JSON and as text; both are taken again and
 * mean the same, and the whole compiles.
 */
#include <stdlib.h>

#include "policy/cedar_text.h"
#include "policy/est.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void write_policies(struct json_out *j, const struct ast_policy *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		must(p[i].linked || est_write_policy(j, &p[i]) == 0);
}

/* Without ids and links, which a text does not keep. */
static void write_all(const struct cedar_policies *ps, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_array(&j);
	write_policies(&j, ps->policies.v, ps->policies.n);
	write_policies(&j, ps->templates.v, ps->templates.n);
	json_out_array_end(&j);
	must(json_out_end(&j) == 0);
}

static void check_json(const struct cedar_policies *ps)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *back = NULL;
	_cleanup_buf_ struct buf json = { 0 }, again = { 0 };
	struct cedar_errors errors;

	must(cedar_policies_new(&back) == 0 && cedar_policies_to_json(ps, &json) == 0);
	must(cedar_policies_add_json(back, "", buf_span(&json), &errors) == 0);
	must(cedar_policies_to_json(back, &again) == 0);
	must(span_eq(buf_span(&json), buf_span(&again)));
}

static void check_text(const struct cedar_policies *ps)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *back = NULL;
	_cleanup_buf_ struct buf text = { 0 }, a = { 0 }, b = { 0 };
	struct cedar_errors errors;

	must(cedar_policies_new(&back) == 0 && cedar_policies_to_text(ps, &text) == 0);
	must(cedar_policies_add_templates(back, "", buf_span(&text), &errors) == 0);
	write_all(ps, &a);
	write_all(back, &b);
	must(span_eq(buf_span(&a), buf_span(&b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct span text = { (const char *)data, size };
	struct cedar_errors errors;
	struct cedar_error error;

	if (cedar_policies_new(&ps) < 0)
		return 0;
	if (cedar_policies_add_json(ps, "", text, &errors) < 0) {
		must(errors.n > 0 && errors.total >= errors.n);
		for (uint32_t i = 0; i < errors.n; i++)
			must(errors.e[i].offset <= size && *errors.e[i].message);
		return 0;
	}
	check_json(ps);
	check_text(ps);
	(void)cedar_snapshot_new(ps, NULL, &error, &s);
	return 0;
}
