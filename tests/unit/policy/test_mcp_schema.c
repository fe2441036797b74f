// SPDX-License-Identifier: Apache-2.0
#include "policy/mcp_schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/cedar_schema.h"
#include "policy/json.h"

/* The type of one property named "p", without white space; "" when it was left out. */
static const char *type_of(const char *property, bool required)
{
	static char text[1024];
	char schema[2048], *to = text;
	_cleanup_buf_ struct buf out = { 0 };
	struct cedar_error error;
	struct arena mem = { 0 };
	struct json v;
	const char *from;

	snprintf(schema, sizeof(schema),
		 "{\"type\":\"object\",\"properties\":{\"p\":%s},\"required\":[%s],\"$defs\":{\"N\":{\"type\":\"integer\"},"
		 "\"L\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/$defs/L\"}}}}}",
		 property, required ? "\"p\"" : "");
	assert_int_equal(json_parse(&mem, span_of(schema), &error, &v), 0);
	assert_int_equal(mcp_input_type(&v, 0, &out), 0);
	arena_done(&mem);
	from = strstr(buf_cstr(&out), "\"p\"");
	if (strstr(buf_cstr(&out), "// \"p\""))
		return "";
	for (; *from && from[1] != '}'; from++)
		if (!strchr(" \t\n", *from) && to < text + sizeof(text) - 1)
			*to++ = *from;
	while (to > text && (to[-1] == ',' || to[-1] == '\n'))
		to--;
	*to = '\0';
	return text;
}

static void properties(void **state)
{
	static const struct {
		const char *schema, *type;
	} cases[] = {
		{ "{\"type\":\"string\"}", "\"p\":String" },
		{ "{\"type\":\"integer\"}", "\"p\":Long" },
		{ "{\"type\":\"boolean\"}", "\"p\":Bool" },
		{ "{\"type\":[\"string\",\"null\"]}", "\"p\"?:String" },
		{ "{\"enum\":[\"a\",\"b\"]}", "\"p\":String" },
		{ "{\"type\":\"string\",\"enum\":[\"a\"]}", "\"p\":String" },
		{ "{\"const\":7}", "\"p\":Long" },
		{ "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "\"p\":Set<String>" },
		{ "{\"$ref\":\"#/$defs/N\"}", "\"p\":Long" },
		{ "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", "\"p\"?:Long" },
		{ "{\"oneOf\":[{\"const\":\"a\"},{\"const\":\"b\"}]}", "\"p\":String" },
		{ "{\"allOf\":[{\"type\":\"boolean\"}]}", "\"p\":Bool" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(type_of(cases[i].schema, true), cases[i].type);
	assert_string_equal(type_of("{\"type\":\"string\"}", false), "\"p\"?:String");
}

/* Left out, so that a policy which reads it is refused; never a wider type. */
static void left_out(void **state)
{
	static const char *const schemas[] = {
		"{\"type\":\"number\"}", "{}", "true", "{\"type\":[\"string\",\"integer\"]}", "{\"type\":\"array\"}",
		"{\"type\":\"array\",\"items\":{\"type\":\"number\"}}", "{\"enum\":[\"a\",1]}", "{\"enum\":[]}",
		"{\"enum\":[1.5]}", "{\"const\":null}", "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
		"{\"anyOf\":[]}", "{\"allOf\":[{\"type\":\"string\"},{\"type\":\"string\"}]}",
		"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}", "{\"type\":\"money\"}",
		"{\"type\":7}", "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"string\"}}",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(schemas); i++)
		assert_string_equal(type_of(schemas[i], true), "");
}

static struct mcp_tool tool = { "read", NULL, { NULL, 0 } };
static const struct mcp_server server = { .name = "fs", .tools = &tool, .n_tools = 1 };
static const char *const methods[] = { "ping", "tools/list" };

static int make(const char *input, struct buf *errors, struct cedar_schema **ret)
{
	struct mcp_model_input in = { .servers = &server, .n_servers = 1, .methods = methods, .n_methods = 2 };
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors found = { 0 };
	int r;

	tool.input_schema = span_of(input);
	r = mcp_schema_write(&in, errors, &text);
	if (r < 0)
		return r;
	r = cedar_schema_new(buf_span(&text), CEDAR_SCHEMA_CEDAR, &found, ret);
	if (r < 0)
		fail_msg("%s\n%s", found.e[0].message, buf_cstr(&text));
	return r;
}

static size_t errors_of(const char *input, const char *policy)
{
	_cleanup_(cedar_findings_free_p) struct cedar_findings *found = NULL;
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	_cleanup_buf_ struct buf errors = { 0 };
	struct cedar_errors parse;

	assert_int_equal(make(input, &errors, &s), 0);
	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_policies_add(ps, "p", span_of(policy), &parse), 0);
	assert_int_equal(cedar_validate(s, ps, NULL, &found), 0);
	return cedar_findings_errors(found);
}

#define PATH "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"},\"n\":{\"type\":\"number\"}}," \
	     "\"required\":[\"path\"]}"
#define ON_READ(body) "permit(principal, action == Action::\"fs/read\", resource) when { " body " };"

static void policies_are_held_to_it(void **state)
{
	assert_int_equal(errors_of(PATH, ON_READ("context.input.path like \"/srv/*\"")), 0);
	assert_true(errors_of(PATH, ON_READ("context.input.pth like \"/srv/*\"")) > 0);
	assert_true(errors_of(PATH, ON_READ("context.input.path == 3")) > 0);
	assert_true(errors_of(PATH, ON_READ("context.input.n == 3")) > 0);
	assert_true(errors_of("", ON_READ("context.input.path == \"x\"")) > 0);
	assert_true(errors_of(PATH, "permit(principal, action == Action::\"fs/raed\", resource);") > 0);
	assert_int_equal(errors_of(PATH, "permit(principal, action == Action::\"method/ping\", resource);"), 0);
	assert_true(errors_of(PATH, "permit(principal, action == Action::\"method/pong\", resource);") > 0);
	assert_int_equal(errors_of(PATH, "permit(principal in AgentGroup::\"g\", action in [Action::\"method\", "
					 "Action::\"server/use\"], resource is Server in Boundary::\"b\");"), 0);
	assert_true(errors_of(PATH, "permit(principal is Robot, action, resource);") > 0);
}

static void hostile_schemas(void **state)
{
	static const char *const bad[] = { "[", "{\"a\":1,\"a\":2}", "nonsense" };
	static const char *const odd[] = {
		"{}", "[]", "7", "{\"type\":\"object\",\"properties\":[]}", "{\"type\":\"string\"}",
		"{\"type\":\"object\",\"properties\":{\"a\\\"\\n//x\":{\"type\":\"string\"},\"\":{\"type\":\"number\"}}}",
		"{\"$ref\":\"#\"}",
		"{\"type\":\"object\",\"properties\":{\"p\":{\"$ref\":\"#/properties/p\"}}}",
	};
	struct cedar_schema *s = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_buf_ struct buf errors = { 0 };

		assert_int_equal(make(bad[i], &errors, &s), -EINVAL);
		assert_non_null(strstr(buf_cstr(&errors), "catalog: tool fs/read: input schema: "));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		_cleanup_(cedar_schema_free_p) struct cedar_schema *one = NULL;
		_cleanup_buf_ struct buf errors = { 0 };

		assert_int_equal(make(odd[i], &errors, &one), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties),
		cmocka_unit_test(left_out),
		cmocka_unit_test(policies_are_held_to_it),
		cmocka_unit_test(hostile_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
