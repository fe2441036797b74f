// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a policy text. What parses is formatted (once is enough), printed, and written as JSON;
 * whatever is read from these again means what the text meant.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/cedar_text.h"
#include "policy/est.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The policies and templates, without their ids, which forms of text do not keep. */
static void write_all(const struct cedar_policies *ps, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_array(&j);
	for (uint32_t i = 0; i < ps->policies.n; i++)
		must(est_write_policy(&j, &ps->policies.v[i]) == 0);
	for (uint32_t i = 0; i < ps->templates.n; i++)
		must(est_write_policy(&j, &ps->templates.v[i]) == 0);
	json_out_array_end(&j);
	must(json_out_end(&j) == 0);
}

static void check_printed(const struct cedar_policies *ps, const struct buf *want)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *back = NULL;
	_cleanup_buf_ struct buf text = { 0 }, got = { 0 };
	struct cedar_errors errors;

	must(cedar_policies_new(&back) == 0 && cedar_policies_to_text(ps, &text) == 0);
	must(cedar_policies_add_templates(back, "", buf_span(&text), &errors) == 0);
	write_all(back, &got);
	must(span_eq(buf_span(want), buf_span(&got)));
}

static void check_json(const struct cedar_policies *ps, const struct buf *want)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *back = NULL;
	_cleanup_buf_ struct buf json = { 0 }, got = { 0 };
	struct cedar_errors errors;

	must(cedar_policies_new(&back) == 0 && cedar_policies_to_json(ps, &json) == 0);
	must(cedar_policies_add_json(back, "", buf_span(&json), &errors) == 0);
	write_all(back, &got);
	must(span_eq(buf_span(want), buf_span(&got)));
}

static void check_format(struct span text, unsigned width)
{
	_cleanup_buf_ struct buf out = { 0 }, again = { 0 };
	struct cedar_errors errors;

	must(cedar_format(text, width, &out, &errors) == 0);
	must(cedar_format(buf_span(&out), width, &again, &errors) == 0);
	must(span_eq(buf_span(&out), buf_span(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct span text = { (const char *)data, size };
	_cleanup_buf_ struct buf want = { 0 };
	struct cedar_errors errors;

	if (cedar_policies_new(&ps) < 0 || cedar_policies_add_templates(ps, "", text, &errors) < 0)
		return 0;
	write_all(ps, &want);
	check_printed(ps, &want);
	check_json(ps, &want);
	check_format(text, CEDAR_FORMAT_WIDTH_DEFAULT);
	check_format(text, 1);
	return 0;
}
