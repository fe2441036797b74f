// SPDX-License-Identifier: Apache-2.0
/* What a program needs to ask libcedar one question, with nothing but what was installed. Prints the decision. */
#include <stdio.h>

#include <policy/cedar.h>
#include <policy/cedar_schema.h>
#include <policy/cedar_text.h>

#define POLICY "permit(principal == User::\"ada\", action, resource) when { context.n < 10 };"
#define SCHEMA "entity User, File; action read appliesTo { principal: [User], resource: [File], context: { n: Long } };"

int main(void)
{
	struct cedar_policies *ps = NULL;
	struct cedar_snapshot *s = NULL;
	struct cedar_schema *schema = NULL;
	struct cedar_findings *found = NULL;
	struct cedar_request *rq = NULL;
	struct cedar_errors errors;
	struct cedar_error error;
	struct cedar_answer a;
	struct cedar_build *b;

	if (cedar_policies_new(&ps) || cedar_policies_add(ps, "p", SPAN(POLICY), &errors) ||
	    cedar_schema_new(SPAN(SCHEMA), CEDAR_SCHEMA_ANY, &errors, &schema) ||
	    cedar_validate(schema, ps, NULL, &found) || cedar_findings_errors(found) ||
	    cedar_snapshot_new(ps, NULL, &error, &s) || cedar_request_new(0, &rq) || cedar_request_begin(rq, s) ||
	    cedar_request_principal(rq, SPAN("User"), SPAN("ada")) ||
	    cedar_request_action(rq, SPAN("Action"), SPAN("read")) ||
	    cedar_request_resource(rq, SPAN("File"), SPAN("x")))
		return 1;
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("n"));
	cedar_put_long(b, 3);
	cedar_close(b);
	if (cedar_request_context(rq) || cedar_request_validate(schema, rq, &error) || cedar_authorize(rq, &a))
		return 1;
	puts(a.decision == CEDAR_ALLOW ? "allow" : "deny");
	cedar_request_free(rq);
	cedar_snapshot_unref(s);
	cedar_findings_free(found);
	cedar_schema_free(schema);
	cedar_policies_free(ps);
	return 0;
}
