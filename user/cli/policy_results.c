// SPDX-License-Identifier: Apache-2.0
/* Expected and real decisions, side by side. */
#include "user/cli/policy_results.h"

#include <stdio.h>
#include <string.h>

#include "user/cli/cli.h"
#include "user/cli/policy_report.h"
#include "user/cli/policy_suite.h"

void policy_results_begin(struct policy_results *r, bool json)
{
	*r = (struct policy_results){ .as_json = json };
	if (!json)
		return;
	json_out_init(&r->out, &r->text);
	json_out_object(&r->out);
	json_out_key(&r->out, "tests");
	json_out_array(&r->out);
}

void policy_results_add(struct policy_results *r, const json_t *test, bool ok, const char *got)
{
	const char *name = policy_suite_text(test, "name"), *want = policy_suite_text(test, "expect");

	r->passed += ok;
	r->failed += !ok;
	if (r->as_json) {
		json_out_object(&r->out);
		json_out_member_str(&r->out, "name", name);
		json_out_member_str(&r->out, "expected", want);
		json_out_member_str(&r->out, "got", got);
		json_out_member_bool(&r->out, "ok", ok);
		json_out_object_end(&r->out);
	} else if (ok) {
		printf("ok %s\n", name ? name : "(no name)");
	} else {
		printf("FAIL %s: expected %s, got %s\n", name ? name : "(no name)", want ? want : "(nothing)",
		       got ? got : "(no memory)");
	}
}

int policy_results_end(struct policy_results *r)
{
	int status = r->failed || !r->passed ? CLI_FAILED : CLI_OK;

	if (r->as_json) {
		json_out_array_end(&r->out);
		json_out_member_int(&r->out, "passed", r->passed);
		json_out_member_int(&r->out, "failed", r->failed);
		json_out_object_end(&r->out);
		if (policy_print_json(&r->text, json_out_end(&r->out)) != CLI_OK)
			status = CLI_FAILED;
		buf_done(&r->text);
	} else {
		printf("%u passed, %u failed\n", r->passed, r->failed);
	}
	return status;
}

bool policy_results_by(const json_t *test, const char *const *reasons, size_t n, size_t total)
{
	const json_t *want = json_object_get(test, "policies");

	if (!json_is_array(want))
		return true;
	for (size_t i = 0; i < json_array_size(want); i++) {
		const char *name = json_string_value(json_array_get(want, i));
		bool found = false;

		for (size_t k = 0; name && k < n; k++)
			found |= strcmp(reasons[k], name) == 0;
		if (!found)
			return false;
	}
	return json_array_size(want) == total;
}
