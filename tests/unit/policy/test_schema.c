// SPDX-License-Identifier: Apache-2.0
/* Schemas in both syntaxes: what is taken, what is refused and where, what is written, and the limits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cedar_schema.h"
#include "policy/schema.h"

static struct cedar_schema *load(const char *text)
{
	struct cedar_schema *s = NULL;
	struct cedar_errors errors;
	int r = cedar_schema_new(span_of(text), CEDAR_SCHEMA_ANY, &errors, &s);

	if (r < 0)
		fail_msg("%s: %u:%u: %s", text, errors.e[0].line, errors.e[0].column, errors.e[0].message);
	return s;
}

static void is_written(const struct cedar_schema *s, enum cedar_schema_syntax syntax, const char *want)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct cedar_error error;

	assert_int_equal(cedar_schema_write(s, syntax, &error, &out), 0);
	assert_string_equal(buf_cstr(&out), want);
}

/* The schema as JSON. */
static void to_json(const char *text, const char *want)
{
	struct cedar_schema *s = load(text);

	is_written(s, CEDAR_SCHEMA_JSON, want);
	cedar_schema_free(s);
}

static void refused(const char *text, unsigned line, unsigned column, const char *what)
{
	struct cedar_schema *s = NULL;
	struct cedar_errors errors;

	if (cedar_schema_new(span_of(text), CEDAR_SCHEMA_ANY, &errors, &s) != -EINVAL || errors.n == 0)
		fail_msg("taken: %s", text);
	if (errors.e[0].line != line || errors.e[0].column != column || !strstr(errors.e[0].message, what))
		fail_msg("%s: want %u:%u %s, got %u:%u %s", text, line, column, what, errors.e[0].line,
			 errors.e[0].column, errors.e[0].message);
	assert_null(s);
}

/* --- taken ------------------------------------------------------------------------------------ */

static void declarations(void **state)
{
	static const char *const good[] = {
		"",
		"// nothing\n",
		"entity A;",
		"entity A, B in [A];",
		"entity A in A;",
		"entity A in [];",
		"entity A = {};",
		"entity A { a: Long, };",
		"entity A = { \"if\": Long, \"a b\"?: Set<Set<Bool>>, c ?: { d: A } };",
		"entity A tags { a: Long };",
		"entity A enum [\"x\", \"x\"]; entity B in [A];",
		"entity entity, action, type, namespace, tags, principal;",
		"entity Long; entity A { l: Long, m: __cedar::Long };",
		"type T = ipaddr; type decimal = Long; entity A { a: T, b: decimal };",
		"type type = Long;",
		"action a, \"b c\" in [\"d e\", g, Action::\"h\"] attributes {}; action \"d e\", g, h;",
		"action a appliesTo { resource: [A, B], principal: A, };  entity A, B;",
		"action a appliesTo { principal: A, resource: A, context: T }; entity A; type T = {};",
		"namespace X::Y { entity A; action a in b; } action b; entity B { a: X::Y::A };",
		"namespace X { entity B { a: A, c: C, t: Action }; type C = A; action x; } entity A;",
		"@a @b(\"\") @if(\"x\") entity A { @c d: Long }; @e namespace N { @f type T = Long; @g action h; }",
		"{}",
		"{\"\":{\"entityTypes\":{},\"actions\":{\"a\":{\"appliesTo\":null,\"memberOf\":null}}}}",
		"{\"N\":{\"entityTypes\":{\"A\":{\"memberOfTypes\":[\"A\"],\"tags\":{\"type\":\"T\"}}},\"actions\":{},"
		"\"commonTypes\":{\"T\":{\"type\":\"Extension\",\"name\":\"datetime\"}}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cedar_schema_free(load(good[i]));
}

static void as_json(void **state)
{
	to_json("entity A;", "{\"\":{\"entityTypes\":{\"A\":{}},\"actions\":{}}}");
	to_json("namespace X { }", "{\"X\":{\"entityTypes\":{},\"actions\":{}}}");
	to_json("entity A in [B, C] { a?: Set<Long>, @n(\"x\") \"b c\": X::T } tags String; entity B, C; "
		"namespace X { type T = { d: Bool }; }",
		"{\"\":{\"entityTypes\":{\"A\":{\"memberOfTypes\":[\"B\",\"C\"],\"shape\":{\"type\":\"Record\",\"attributes\":{\"a\":"
		"{\"type\":\"Set\",\"element\":{\"type\":\"EntityOrCommon\",\"name\":\"Long\"},\"required\":false},\"b c\":{\"type\":"
		"\"EntityOrCommon\",\"name\":\"X::T\",\"annotations\":{\"n\":\"x\"}}}},\"tags\":{\"type\":\"EntityOrCommon\",\"name\":"
		"\"String\"}},\"B\":{},\"C\":{}},\"actions\":{}},\"X\":{\"commonTypes\":{\"T\":{\"type\":\"Record\",\"attributes\":{\"d\":"
		"{\"type\":\"EntityOrCommon\",\"name\":\"Bool\"}}}},\"entityTypes\":{},\"actions\":{}}}");
	/* A context that is a name can only be a common type; an empty one is not written. */
	to_json("entity E enum [\"x\\n\", \"y\"]; action a in [b] appliesTo { principal: E, resource: E, context: T }; "
		"action b appliesTo { principal: [E], resource: [E], context: {} }; type T = {}; @n action c;",
		"{\"\":{\"commonTypes\":{\"T\":{\"type\":\"Record\",\"attributes\":{}}},\"entityTypes\":{\"E\":{\"enum\":[\"x\\u000a\",\"y\"]}},"
		"\"actions\":{\"a\":{\"appliesTo\":{\"resourceTypes\":[\"E\"],\"principalTypes\":[\"E\"],\"context\":{\"type\":\"T\"}},"
		"\"memberOf\":[{\"id\":\"b\"}]},\"b\":{\"appliesTo\":{\"resourceTypes\":[\"E\"],\"principalTypes\":[\"E\"]}},\"c\":"
		"{\"appliesTo\":{\"resourceTypes\":[],\"principalTypes\":[]},\"annotations\":{\"n\":\"\"}}}}}");
}

static void as_text(void **state)
{
	static const char json[] =
		"{\"N\":{\"entityTypes\":{\"A\":{\"memberOfTypes\":[\"B\"],\"shape\":{\"type\":\"Record\",\"attributes\":{\"if\":"
		"{\"type\":\"Boolean\"},\"x\":{\"type\":\"Set\",\"element\":{\"type\":\"Entity\",\"name\":\"B\"},\"required\":false}}}},"
		"\"B\":{\"enum\":[\"q\\\"\"]}},\"actions\":{\"a b\":{\"appliesTo\":{\"principalTypes\":[\"A\"],\"resourceTypes\":[\"B\"],"
		"\"context\":{\"type\":\"Record\",\"attributes\":{\"i\":{\"type\":\"Extension\",\"name\":\"ipaddr\"}}}},\"memberOf\":"
		"[{\"id\":\"g\",\"type\":\"N::Action\"}]},\"g\":{}},\"annotations\":{\"doc\":\"d\"}}}";
	static const char text[] = "@doc(\"d\")\n"
				   "namespace N {\n"
				   "  entity A in [B] = {\n"
				   "    \"if\": __cedar::Bool,\n"
				   "    x?: Set<B>\n"
				   "  };\n"
				   "  entity B enum [\"q\\\"\"];\n"
				   "  action \"a b\" in [N::Action::\"g\"] appliesTo {\n"
				   "    principal: [A],\n"
				   "    resource: [B],\n"
				   "    context: {\n"
				   "      i: __cedar::ipaddr\n"
				   "    }\n"
				   "  };\n"
				   "  action g;\n"
				   "  }\n";
	struct cedar_schema *s = load(json);

	is_written(s, CEDAR_SCHEMA_CEDAR, text);
	cedar_schema_free(s);
	cedar_schema_free(load(text));
}

/* JSON can name an entity type that a common type hides; the Cedar syntax cannot. */
static void unspeakable(void **state)
{
	static const char *const json[] = {
		"{\"\":{\"entityTypes\":{\"A\":{},\"B\":{\"tags\":{\"type\":\"Entity\",\"name\":\"A\"}}},\"actions\":{},"
		"\"commonTypes\":{\"A\":{\"type\":\"Long\"}}}}",
		"{\"\":{\"entityTypes\":{\"B\":{\"shape\":{\"type\":\"T\"}}},\"actions\":{},\"commonTypes\":{\"T\":{\"type\":"
		"\"Record\",\"attributes\":{}}}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(json); i++) {
		_cleanup_buf_ struct buf out = { 0 };
		struct cedar_schema *s = load(json[i]);
		struct cedar_error error;

		assert_int_equal(cedar_schema_write(s, CEDAR_SCHEMA_CEDAR, &error, &out), -EINVAL);
		assert_non_null(strstr(error.message, "the Cedar syntax"));
		cedar_schema_free(s);
	}
}

/* --- meaning ---------------------------------------------------------------------------------- */

static const struct type *attr_of(const struct cedar_schema *s, const char *type, const char *name)
{
	uint32_t t = schema_find_type(s, span_of(type));
	const struct type_attr *a;

	assert_true(t != SCHEMA_NONE);
	a = type_get(s->etypes.v[t].shape, span_of(name));
	assert_non_null(a);
	return a->type;
}

/* Where a bare name is looked for: the namespace, outside, builtins; common types before entity types. */
static void resolved(void **state)
{
	struct cedar_schema *s = load("namespace X { entity E { a: T, b: E, c: Out, d: ipaddr, e: X::T, g: Both, h: Set<C> }; "
				      "type T = Long; type ipaddr = Bool; entity Both; type Both = String; type C = { c: T }; } "
				      "entity Out { a: X::E, b: ipaddr, c: String };");

	assert_int_equal(attr_of(s, "X::E", "a")->kind, TYPE_LONG);
	assert_int_equal(attr_of(s, "X::E", "b")->kind, TYPE_ENTITY);
	assert_ptr_equal(attr_of(s, "X::E", "b"), attr_of(s, "Out", "a"));
	assert_true(attr_of(s, "X::E", "c") == s->etypes.v[schema_find_type(s, SPAN("Out"))].type);
	assert_int_equal(attr_of(s, "X::E", "d")->kind, TYPE_BOOL);
	assert_int_equal(attr_of(s, "X::E", "e")->kind, TYPE_LONG);
	assert_int_equal(attr_of(s, "X::E", "g")->kind, TYPE_STRING);
	assert_int_equal(attr_of(s, "X::E", "h")->element->kind, TYPE_RECORD);
	assert_int_equal(attr_of(s, "Out", "b")->kind, TYPE_IPADDR);
	assert_int_equal(attr_of(s, "Out", "c")->kind, TYPE_STRING);
	assert_int_equal(cedar_schema_entity_types(s), 3);
	cedar_schema_free(s);
}

static void closures(void **state)
{
	struct cedar_schema *s = load("entity A in B; entity B in C; entity C in [A, D]; entity D; "
				      "action a in b; action b in c; action c; action d appliesTo { principal: [A, B], resource: [C, D] };");
	uint32_t a = schema_find_type(s, SPAN("A")), d = schema_find_type(s, SPAN("D"));
	uint32_t x = schema_find_action(s, SPAN("Action"), SPAN("a")), z = schema_find_action(s, SPAN("Action"), SPAN("c"));

	/* Types may go round, actions may not. */
	assert_int_equal(s->etypes.v[a].n_ancestors, 4);
	assert_int_equal(s->etypes.v[d].n_ancestors, 0);
	assert_true(schema_type_in(s, a, d) && !schema_type_in(s, d, a));
	assert_true(schema_action_in(s, x, z) && !schema_action_in(s, z, x));
	assert_int_equal(schema_find_action(s, SPAN("Action"), SPAN("e")), SCHEMA_NONE);
	assert_int_equal(schema_find_action(s, SPAN("A"), SPAN("a")), SCHEMA_NONE);
	assert_int_equal(s->envs.n, 4);
	cedar_schema_free(s);
}

/* --- refused ---------------------------------------------------------------------------------- */

static void refusals(void **state)
{
	refused("entity A", 1, 9, "unexpected end");
	refused("entity A\nentity B;", 2, 1, "unexpected `entity`");
	refused("entity if;", 1, 8, "reserved word");
	refused("entity A; entity A;", 1, 18, "is an entity type of this namespace already");
	refused("type T = Long; type T = Bool;", 1, 21, "is a type of this namespace already");
	refused("action a; action b, a;", 1, 21, "is an action of this namespace already");
	refused("entity A { a: Long, a: Bool };", 1, 21, "is an attribute of this record already");
	refused("@a @a entity A;", 1, 4, "given twice");
	refused("namespace X {} namespace X {}", 1, 26, "is a namespace already");
	refused("namespace __cedar {}", 1, 11, "reserved");
	refused("namespace X::__cedar {}", 1, 11, "reserved");
	refused("type Long = Bool;", 1, 6, "reserved");
	refused("type __cedar = Bool;", 1, 6, "reserved");
	refused("entity Action;", 1, 8, "the type of actions");
	refused("entity A enum [];", 1, 16, "expected a string");
	refused("entity A in [A,];", 1, 16, "expected an entity type");
	refused("entity A tags B;", 1, 15, "is called `B`");
	refused("entity A in B;", 1, 13, "no entity type is called `B`");
	refused("type T = Long; entity A in T;", 1, 28, "no entity type is called `T`");
	refused("entity A { a: Boolean };", 1, 15, "Boolean");
	refused("entity A { a: Set };", 1, 15, "Set");
	refused("entity A { a: __cedar::Foo };", 1, 15, "Foo");
	refused("type A = B; type B = Set<A>;", 1, 6, "defined by itself");
	refused("type A = { a?: A };", 1, 6, "defined by itself");
	refused("entity A; namespace X { entity A; }", 1, 32, "hides the type");
	refused("entity A; namespace X { type A = Long; }", 1, 30, "hides the type");
	refused("action a; namespace X { action a; }", 1, 32, "hides the action");
	refused("action a appliesTo { principal: A }; entity A;", 1, 20, "lacks `resource`");
	refused("action a appliesTo { principal: A, resource: [] }; entity A;", 1, 46, "lists no type");
	refused("action a appliesTo { principal: A, principal: A };", 1, 36, "given twice");
	refused("action a appliesTo { principal: A, resource: A, context: Long }; entity A;", 1, 58, "must be a record");
	refused("action a appliesTo { principal: A, resource: A, context: A }; entity A;", 1, 58, "no type is called `A`");
	refused("action a appliesTo { principal: Action, resource: A }; entity A;", 1, 33, "no entity type");
	refused("action a in a;", 1, 8, "in a group that is in it");
	refused("action a in b; action b in [c]; action c in a;", 1, 8, "in a group that is in it");
	refused("action a in b;", 1, 13, "no action is called `b`");
	refused("action a in X::Action::\"b\"; action b;", 1, 13, "no action");
	refused("action a in X::b;", 1, 13, "found a type");
	refused("entity A { \"\\q\": Long };", 1, 13, "escape");
	refused("entity A & B;", 1, 10, "no operator");
	refused("entity A; \xff", 1, 11, "not valid UTF-8");
	/* Several errors are found in one run. */
	struct cedar_schema *s = NULL;
	struct cedar_errors errors;

	assert_int_equal(cedar_schema_new(SPAN("entity ; namespace X { type ; action ; } entity"), CEDAR_SCHEMA_CEDAR, &errors, &s),
			 -EINVAL);
	assert_int_equal(errors.n, 4);
}

static void json_refusals(void **state)
{
	static const char in[] = "{\"\":{\"entityTypes\":{\"A\":%s},\"actions\":{\"a\":%s}}}";
	static const struct {
		const char *entity, *action, *what;
	} bad[] = {
		{ "{\"foo\":1}", "{}", "unknown key `foo`" },
		{ "{\"memberOfTypes\":null}", "{}", "a list of entity types" },
		{ "{\"shape\":{\"type\":\"Long\"}}", "{}", "must be a record" },
		{ "{\"shape\":{\"type\":\"Record\"}}", "{}", "lacks `attributes`" },
		{ "{\"shape\":{\"type\":\"Record\",\"attributes\":{},\"additionalAttributes\":true}}", "{}", "not supported" },
		{ "{\"shape\":{\"type\":\"Record\",\"attributes\":{\"a\":{\"type\":\"Long\",\"requird\":false}}}}", "{}", "requird" },
		{ "{\"shape\":{\"type\":\"Record\",\"attributes\":{\"a\":{\"type\":\"Long\",\"required\":0}}}}", "{}", "true or false" },
		{ "{\"tags\":{\"type\":\"Set\"}}", "{}", "lacks `element`" },
		{ "{\"tags\":{\"type\":\"Entity\"}}", "{}", "lacks a `name`" },
		{ "{\"tags\":{\"type\":\"Entity\",\"name\":\"B\"}}", "{}", "no entity type is called `B`" },
		{ "{\"tags\":{\"type\":\"Extension\",\"name\":\"B\"}}", "{}", "no extension type" },
		{ "{\"tags\":{\"type\":\"A\"}}", "{}", "no type is called `A`" },
		{ "{\"tags\":{\"type\":\"EntityOrCommon\",\"name\":\"A ::B\"}}", "{}", "A ::B" },
		{ "{\"enum\":[]}", "{}", "needs an id" },
		{ "{\"enum\":[\"x\"],\"tags\":{\"type\":\"Long\"}}", "{}", "unknown key `tags`" },
		{ "{}", "{\"appliesTo\":{\"principalTypes\":[]}}", "needs `principalTypes` and" },
		{ "{}", "{\"appliesTo\":{\"principalTypes\":[\"B\"],\"resourceTypes\":[]}}", "no entity type is called `B`" },
		{ "{}", "{\"memberOf\":[{\"type\":\"Action\"}]}", "lacks its `id`" },
		{ "{}", "{\"memberOf\":[{\"id\":\"b\"}]}", "no action is called `b`" },
		{ "{}", "{\"attributes\":{}}", "cannot have attributes" },
		{ "{}", "{\"annotations\":{\"a b\":\"\"}}", "name of an annotation" },
		{ "{},\"A\":{}", "{}", "a key twice" },
	};
	char text[600];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cedar_schema *s = NULL;
		struct cedar_errors errors;

		snprintf(text, sizeof(text), in, bad[i].entity, bad[i].action);
		assert_int_equal(cedar_schema_new(span_of(text), CEDAR_SCHEMA_ANY, &errors, &s), -EINVAL);
		if (!strstr(errors.e[0].message, bad[i].what) || errors.e[0].line != 1)
			fail_msg("%s: %s", text, errors.e[0].message);
	}
	refused("{\"X\":{\"entityTypes\":{}}}", 1, 6, "needs `entityTypes` and `actions`");
	refused("{\"X Y\":{\"entityTypes\":{},\"actions\":{}}}", 1, 8, "name of a namespace");
	refused("{\"\":{\"entityTypes\":{\"A B\":{}},\"actions\":{}}}", 1, 27, "name of a type");
	refused("{", 1, 2, "expected a key");
	refused("{\"a\":[}", 1, 7, "expected a value");
}

/* --- limits ----------------------------------------------------------------------------------- */

static void over(const char *what, struct buf *text, int want)
{
	struct cedar_schema *s = NULL;
	struct cedar_errors errors;

	assert_int_equal(cedar_schema_new(buf_span(text), CEDAR_SCHEMA_ANY, &errors, &s), want);
	assert_non_null(strstr(errors.e[0].message, what));
	buf_clear(text);
}

static void limits(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	buf_append_str(&b, "type T = ");
	for (unsigned i = 0; i < 100000; i++)
		buf_append_str(&b, "Set<");
	over("nested", &b, -EINVAL);
	buf_append_str(&b, "type T = ");
	for (unsigned i = 0; i < 100000; i++)
		buf_append_str(&b, "{a:");
	over("nested", &b, -EINVAL);
	/* Names that lead from one to the next, and types that double. */
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&b, "type T%u = T%u;", i, i + 1);
	buf_append_str(&b, "type T1000 = Long;");
	over("too deep", &b, -EINVAL);
	for (unsigned i = 40; i > 0; i--)
		buf_printf(&b, "type T%u = {a: T%u, b: T%u};", i, i - 1, i - 1);
	buf_append_str(&b, "type T0 = Long;");
	over("too large", &b, -EINVAL);
	buf_append_str(&b, "type T0 = Long;");
	for (unsigned i = 1; i < 300; i++)
		buf_printf(&b, "type T%u = {a: T%u};", i, i - 1);
	over("too deep", &b, -EINVAL);
	/* Every type with every other as ancestor; every action for every pair of types. */
	buf_append_str(&b, "entity E0 in E2999;");
	for (unsigned i = 1; i < 3000; i++)
		buf_printf(&b, "entity E%u in E%u;", i, i - 1);
	over("too many ancestors", &b, -E2BIG);
	buf_append_str(&b, "entity E0");
	for (unsigned i = 1; i < 300; i++)
		buf_printf(&b, ", E%u", i);
	buf_append_str(&b, "; action a appliesTo { principal: [E0");
	for (unsigned i = 1; i < 300; i++)
		buf_printf(&b, ", E%u", i);
	buf_append_str(&b, "], resource: [E0");
	for (unsigned i = 1; i < 300; i++)
		buf_printf(&b, ", E%u", i);
	buf_append_str(&b, "] };");
	over("combinations", &b, -E2BIG);
	buf_append_str(&b, "entity E");
	for (unsigned i = 0; i < CEDAR_SCHEMA_NAMES_MAX; i++)
		buf_printf(&b, ", E%u", i);
	buf_append_str(&b, ";");
	over("names of one kind", &b, -E2BIG);
	for (unsigned i = 0; i < 300; i++)
		buf_printf(&b, "@a%u ", i);
	buf_append_str(&b, "entity A;");
	over("annotations", &b, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declarations), cmocka_unit_test(as_json),  cmocka_unit_test(as_text),
		cmocka_unit_test(unspeakable),	cmocka_unit_test(resolved), cmocka_unit_test(closures),
		cmocka_unit_test(refusals),	cmocka_unit_test(json_refusals), cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
