// SPDX-License-Identifier: Apache-2.0
/* Validation: conditions and scopes with their verdicts in both modes, messages with places, warnings, templates, levels,
 * limits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cedar_schema.h"
#include "policy/cedar_text.h"
#include "policy/validate.h"

static const char schema_text[] =
	"entity Group;\n"
	"entity User in [Group] = { n: Long, s: String, o?: Long, b: Bool, f: User, fo?: User, set: Set<Long>, us: Set<User>,\n"
	"  r: { x: Long, y?: String, z?: { w?: Long } }, ip: ipaddr, d: decimal, t: datetime, du: duration } tags String;\n"
	"entity Kind enum [\"public\", \"secret\"];\n"
	"entity Doc in [Doc, Group] = { owner: User, kind: Kind, \"a b\"?: Long };\n"
	"entity Plain tags Set<Long>;\n"
	"action read; action view, edit in [read] appliesTo { principal: [User, Plain], resource: [Doc, Kind],\n"
	"  context: { c: Long, oc?: String, u: User, rec?: { a: Long } } };\n"
	"action nothing; action other appliesTo { principal: User, resource: User };\n"
	"namespace X { entity P; action pa appliesTo { principal: P, resource: P }; }\n";

static struct cedar_schema *schema;

static int set_up(void **state)
{
	struct cedar_errors errors;

	return cedar_schema_new(span_of(schema_text), CEDAR_SCHEMA_CEDAR, &errors, &schema);
}

static int tear_down(void **state)
{
	cedar_schema_free(schema);
	return 0;
}

static struct cedar_policies *parse(const char *text)
{
	struct cedar_policies *ps = NULL;
	struct cedar_errors errors;

	assert_int_equal(cedar_policies_new(&ps), 0);
	if (cedar_policies_add_templates(ps, "p", span_of(text), &errors) < 0)
		fail_msg("%.200s: %s", text, errors.e[0].message);
	return ps;
}

static struct cedar_findings *check(const char *text, const struct cedar_check *how)
{
	struct cedar_policies *ps = parse(text);
	struct cedar_findings *f = NULL;

	assert_int_equal(cedar_validate(schema, ps, how, &f), 0);
	cedar_policies_free(ps);
	return f;
}

static const struct cedar_finding *first(const struct cedar_findings *f, const char *text)
{
	const struct cedar_finding *x = cedar_findings_get(f, 0);

	if (!x)
		fail_msg("nothing found in %s", text);
	return x;
}

static bool is_valid(const char *text, enum cedar_mode mode)
{
	struct cedar_check how = { .mode = mode };
	struct cedar_findings *f = check(text, &how);
	bool ok = cedar_findings_errors(f) == 0;

	assert_int_equal(ok, cedar_findings_valid(f, 0));
	cedar_findings_free(f);
	return ok;
}

#define PREFIX "permit(principal is User, action == Action::\"view\", resource is Doc) when { "

static const char *condition(const char *e)
{
	static char text[4000];

	snprintf(text, sizeof(text), PREFIX "%s };", e);
	return text;
}

/* --- conditions ------------------------------------------------------------------------------- */

static void accepted(void **state)
{
	static const char *const good[] = {
		"principal.n == 1 && resource.owner.f.f.s like \"*\"",
		"principal.n + 2 * -resource.owner.n < 3 - 1",
		"principal.t.offset(duration(\"1h\")) > datetime(\"2026-01-01\") && principal.du.toHours() == 1",
		"principal.ip.isInRange(ip(\"10.0.0.0/8\")) && principal.d.lessThan(decimal(\"1.5\"))",
		"principal has o && principal.o == 1",
		"principal.r has z.w && principal.r.z.w == 1",
		"principal has r.z.w && principal.r.z.w == 1",
		"principal has fo && principal.fo has o && principal.fo.o == principal.fo.n",
		"(principal has o || false) && principal.o == 1",
		"(principal has o || principal has o) && principal.o == 1",
		"if principal has o then principal.o == 1 else false",
		"(if principal.b then principal has o else principal has o) && principal.o == 1",
		"principal.f has o && principal[\"f\"].o == 1",
		"User::\"x\" has o && User::\"x\".o == 1",
		"resource has \"a b\" && resource[\"a b\"] == 1",
		"context has rec.a && context.rec.a == context.c",
		"principal.hasTag(\"t\") && principal.getTag(\"t\") == \"\"",
		"principal.hasTag(principal.s) && principal.getTag(principal.s) == \"\"",
		"resource.kind == Kind::\"secret\"",
		"principal in [Group::\"a\"] || principal in Group::\"b\" || principal in principal.us",
		"action in Action::\"read\" && action == Action::\"view\"",
		"{a: 1, b: true} == {b: false, a: 2}",
		"[true, false].contains(principal.b) && [{a: true}, {a: false}].contains({a: principal.b})",
		/* Literals are joined when they are read, and then known to `==`. */
		"(true && false) == \"x\" || (false || true && true) == 1 || principal.b",
		/* What cannot be reached is not typed, but for what it names. */
		"(1 == 2 && principal.zz) || true",
		"principal is Plain && principal.zz",
		"if action == Action::\"view\" then true else principal.zz",
		"principal has zz && principal.zz.yy",
		"!(principal == resource) || principal.zz",
		"principal in Plain::\"x\" && principal.zz",
		"!(resource.hasTag(\"x\")) || resource.getTag(\"x\") == 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!is_valid(condition(good[i]), CEDAR_STRICT))
			fail_msg("refused: %s", good[i]);
	}
}

struct refusal {
	const char *e;
	bool permissive; /* valid there */
	enum cedar_finding_kind kind;
	unsigned column; /* in the condition */
	const char *what, *suggestion;
};

static void refused(void **state)
{
	static const struct refusal bad[] = {
		{ "1", false, CEDAR_UNEXPECTED_TYPE, 1, "expected Bool, found Long", NULL },
		{ "principal.zz", false, CEDAR_UNKNOWN_ATTRIBUTE, 11, "no attribute `zz` in User", NULL },
		{ "resource.ownr == principal", false, CEDAR_UNKNOWN_ATTRIBUTE, 10, "`ownr`", "did you mean `owner`?" },
		{ "principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 11, "optional", "test it with `has` before" },
		{ "principal has o || principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 30, "optional", NULL },
		{ "principal has o && principal.fo.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 30, "`fo`", NULL },
		{ "!(principal has o) && principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 33, "`o`", NULL },
		{ "(principal has o || principal has fo) && principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 52, "`o`", NULL },
		{ "(if principal.b then principal has o else principal.b) && principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE,
		  69, "`o`", NULL },
		{ "(if principal has o then true else false) && principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 56, "`o`", NULL },
		{ "(principal has o) == true && principal.o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 40, "`o`", NULL },
		{ "User::\"x\" has o && User::\"y\".o == 1", false, CEDAR_OPTIONAL_ATTRIBUTE, 30, "`o`", NULL },
		{ "principal.getTag(\"t\") == \"\"", false, CEDAR_UNSAFE_TAG, 11, "may not be there", "test it with `hasTag` before" },
		{ "principal.hasTag(\"t\") && principal.getTag(\"u\") == \"\"", false, CEDAR_UNSAFE_TAG, 36, "may not be there", NULL },
		{ "resource.getTag(\"t\") == \"\"", false, CEDAR_UNSAFE_TAG, 10, "Doc has no tags", NULL },
		{ "action.foo", false, CEDAR_UNKNOWN_ATTRIBUTE, 8, "in Action", NULL },
		{ "principal.n == \"x\"", true, CEDAR_INCOMPATIBLE_TYPES, 13, "Long and String", NULL },
		{ "(principal.b && true) == \"x\"", true, CEDAR_INCOMPATIBLE_TYPES, 23, "Bool and String", NULL },
		{ "{a: 1} == {b: 1}", true, CEDAR_INCOMPATIBLE_TYPES, 8, "{a: Long} and {b: Long}", NULL },
		{ "principal.r == {x: 1}", true, CEDAR_INCOMPATIBLE_TYPES, 13, "not compatible", NULL },
		{ "[1].contains(\"a\")", true, CEDAR_INCOMPATIBLE_TYPES, 5, "Long and String", NULL },
		{ "[1].containsAny([\"a\"])", true, CEDAR_INCOMPATIBLE_TYPES, 5, "Set<Long> and Set<String>", NULL },
		{ "[].isEmpty()", true, CEDAR_EMPTY_SET, 1, "empty set", NULL },
		{ "[principal, resource].contains(principal)", true, CEDAR_INCOMPATIBLE_TYPES, 13, "User and Doc", NULL },
		{ "[1, \"a\"].isEmpty()", false, CEDAR_INCOMPATIBLE_TYPES, 5, "Long and String", NULL },
		{ "(if principal.b then principal else resource) == principal", true, CEDAR_INCOMPATIBLE_TYPES, 2, "branches", NULL },
		{ "(if principal.b then 1 else \"x\") == 1", false, CEDAR_INCOMPATIBLE_TYPES, 2, "Long and String", NULL },
		{ "principal == Usr::\"x\"", false, CEDAR_UNKNOWN_TYPE, 14, "`Usr`", "did you mean `User`?" },
		{ "1 == 2 && P::\"x\" == principal", false, CEDAR_UNKNOWN_TYPE, 11, "`P`", "did you mean `X::P`?" },
		{ "principal is Zzzzz", false, CEDAR_UNKNOWN_TYPE, 11, "`Zzzzz`", NULL },
		{ "action == Action::\"veiw\"", false, CEDAR_UNKNOWN_ACTION, 11, "Action::\"veiw\"", "did you mean `Action::\"view\"`?" },
		{ "resource.kind == Kind::\"secrt\"", false, CEDAR_UNKNOWN_ENUM_ID, 18, "`secrt`", "did you mean `Kind::\"secret\"`?" },
		{ "principal.n < \"x\"", false, CEDAR_UNEXPECTED_TYPE, 15, "found String", NULL },
		{ "principal.t < principal.du", false, CEDAR_INCOMPATIBLE_TYPES, 13, "datetime and duration", NULL },
		{ "principal.n + \"x\" == 2", false, CEDAR_UNEXPECTED_TYPE, 15, "expected Long", NULL },
		{ "principal.n like \"*\"", false, CEDAR_UNEXPECTED_TYPE, 11, "expected String", NULL },
		{ "!principal.n", false, CEDAR_UNEXPECTED_TYPE, 12, "expected Bool", NULL },
		{ "true && 1", false, CEDAR_UNEXPECTED_TYPE, 9, "expected Bool", NULL },
		{ "principal.b || 1", false, CEDAR_UNEXPECTED_TYPE, 16, "expected Bool", NULL },
		{ "if principal.n then true else false", false, CEDAR_UNEXPECTED_TYPE, 14, "expected Bool", NULL },
		{ "principal.n in Group::\"x\"", false, CEDAR_UNEXPECTED_TYPE, 11, "expected an entity", NULL },
		{ "principal in 1", false, CEDAR_UNEXPECTED_TYPE, 14, "an entity or a set", NULL },
		{ "principal.n is User", false, CEDAR_UNEXPECTED_TYPE, 11, "expected an entity", NULL },
		{ "principal.n has x", false, CEDAR_UNEXPECTED_TYPE, 11, "an entity or a record", NULL },
		{ "principal.n.x", false, CEDAR_UNEXPECTED_TYPE, 11, "an entity or a record", NULL },
		{ "principal.hasTag(1)", false, CEDAR_UNEXPECTED_TYPE, 18, "expected String", NULL },
		{ "principal.n.contains(1)", false, CEDAR_UNEXPECTED_TYPE, 11, "expected a set", NULL },
		{ "principal.set.containsAll(1)", false, CEDAR_UNEXPECTED_TYPE, 27, "expected a set", NULL },
		{ "principal.b.isEmpty()", false, CEDAR_UNEXPECTED_TYPE, 11, "expected a set", NULL },
		{ "ip(\"x\") == principal.ip", false, CEDAR_EXTENSION, 4, "no value for ip()", NULL },
		{ "decimal(\"1.23456\") == principal.d", false, CEDAR_EXTENSION, 9, "decimal()", NULL },
		{ "datetime(\"2026-13-01\") == principal.t", false, CEDAR_EXTENSION, 10, "datetime()", NULL },
		{ "duration(\"1x\") == principal.du", false, CEDAR_EXTENSION, 10, "duration()", NULL },
		{ "ip(principal.s) == principal.ip", true, CEDAR_EXTENSION, 14, "string literal only", NULL },
		{ "ip(\"1.1.1.1\", \"x\") == principal.ip", false, CEDAR_EXTENSION, 1, "takes 1 argument", NULL },
		{ "principal.ip.isIpv4(1)", false, CEDAR_EXTENSION, 14, "takes 0 arguments", NULL },
		{ "ip(1) == principal.ip", false, CEDAR_UNEXPECTED_TYPE, 4, "expected String, found Long", NULL },
		{ "principal.ip.isInRange(principal.d)", false, CEDAR_UNEXPECTED_TYPE, 34, "expected ipaddr", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *text = condition(bad[i].e);
		struct cedar_findings *f = check(text, NULL);
		const struct cedar_finding *x = first(f, text);

		if (x->kind != bad[i].kind || x->severity != CEDAR_ERROR || x->line != 1 ||
		    x->column != strlen(PREFIX) + bad[i].column || x->offset + 1 != x->column ||
		    !strstr(x->message, bad[i].what) || (bad[i].suggestion && strcmp(x->suggestion, bad[i].suggestion) != 0))
			fail_msg("%s: kind %d at %d: %s; %s", bad[i].e, x->kind, (int)x->column - (int)strlen(PREFIX), x->message,
				 x->suggestion ? x->suggestion : "");
		assert_string_equal(x->id, "policy0");
		if (is_valid(text, CEDAR_PERMISSIVE) != bad[i].permissive)
			fail_msg("%s: permissive", bad[i].e);
		cedar_findings_free(f);
	}
}

/* One run names the errors of several places, and each once, however many types of request there are. */
static void several(void **state)
{
	struct cedar_findings *f = check("permit(principal, action, resource);\n"
					 "permit(principal is User, action == Action::\"view\", resource) when {\n"
					 "  [principal.zz, principal.o].contains(1) };",
					 NULL);

	assert_int_equal(cedar_findings_errors(f), 2);
	assert_int_equal(cedar_findings_count(f), 2);
	assert_true(cedar_findings_valid(f, 0) && !cedar_findings_valid(f, 1) && !cedar_findings_valid(f, 2));
	assert_int_equal(cedar_findings_get(f, 0)->policy, 1);
	assert_int_equal(cedar_findings_get(f, 0)->line, 3);
	assert_int_equal(cedar_findings_get(f, 0)->column, 14);
	assert_int_equal(cedar_findings_get(f, 1)->column, 28);
	assert_null(cedar_findings_get(f, 2));
	cedar_findings_free(f);
}

/* Actions whose contexts differ: what is known of one is not taken for the other. */
static void contexts(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} list[] = {
		{ "permit(principal, action == Action::\"a\", resource) when { context.x == 1 };", true },
		{ "permit(principal, action == Action::\"b\", resource) when { context.x == 1 };", false },
		{ "permit(principal, action, resource) when { context.x == 1 };", false },
		{ "permit(principal, action in [Action::\"a\", Action::\"c\"], resource) when { context.x == 1 };", true },
		{ "permit(principal, action, resource) when { context has y && context.y == principal };", true },
		{ "permit(principal, action, resource) when { if action == Action::\"b\" then context.x == \"s\" else context.x == 1 };",
		  true },
		{ "permit(principal, action, resource) when { if action == Action::\"c\" then context.x == \"s\" else context.x == 1 };",
		  false },
	};
	struct cedar_schema *old = schema;
	struct cedar_errors errors;

	assert_int_equal(cedar_schema_new(SPAN("entity U; action a, c appliesTo { principal: U, resource: U, context: { x: Long } };"
					       "action b appliesTo { principal: U, resource: U, context: { x: String, y: U } };"),
					  CEDAR_SCHEMA_CEDAR, &errors, &schema),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		if (is_valid(list[i].text, CEDAR_STRICT) != list[i].valid)
			fail_msg("%s", list[i].text);
	}
	cedar_schema_free(schema);
	schema = old;
}

/* --- scopes and warnings ---------------------------------------------------------------------- */

struct scope {
	const char *text;
	bool valid;
	unsigned kinds; /* bits, of warnings or errors */
};

#define BIT(kind) (1u << (kind))
#define NOWHERE (BIT(CEDAR_NO_APPLICABLE_ACTION) | BIT(CEDAR_IMPOSSIBLE_POLICY))

static void scopes(void **state)
{
	static const struct scope list[] = {
		{ "permit(principal, action, resource);", true, 0 },
		{ "permit(principal == User::\"x\", action in [Action::\"read\", Action::\"other\"], resource);", true, 0 },
		{ "permit(principal is User in Group::\"g\", action, resource in Doc::\"d\");", true, 0 },
		{ "permit(principal == Usr::\"x\", action, resource);", false, BIT(CEDAR_UNKNOWN_TYPE) },
		{ "permit(principal, action, resource is Dok);", false, BIT(CEDAR_UNKNOWN_TYPE) },
		{ "permit(principal, action == Action::\"vieww\", resource);", false, BIT(CEDAR_UNKNOWN_ACTION) },
		{ "permit(principal, action in [Action::\"view\", Y::Action::\"x\"], resource);", false, BIT(CEDAR_UNKNOWN_ACTION) },
		{ "permit(principal, action, resource == Kind::\"other\");", false, BIT(CEDAR_UNKNOWN_ENUM_ID) },
		{ "permit(principal, action in [], resource);", false, BIT(CEDAR_EMPTY_SET) },
		{ "permit(principal is Doc, action in [], resource);", true, NOWHERE },
		{ "permit(principal, action in [Action::\"view\", X::Action::\"pa\"], resource);", false,
		  BIT(CEDAR_INCOMPATIBLE_TYPES) },
		{ "permit(principal is Doc, action, resource);", true, NOWHERE },
		{ "permit(principal is User in Doc::\"x\", action, resource);", true, NOWHERE },
		{ "permit(principal is X::P, action == Action::\"view\", resource);", true, NOWHERE },
		{ "permit(principal, action == Action::\"nothing\", resource);", true, NOWHERE },
		{ "permit(principal is Action, action, resource);", true, NOWHERE },
		{ "permit(principal, action, resource) when { false };", true, BIT(CEDAR_IMPOSSIBLE_POLICY) },
		{ "forbid(principal, action, resource) unless { true };", true, BIT(CEDAR_IMPOSSIBLE_POLICY) },
		{ "permit(principal is User, action, resource) when { principal is Plain };", true, BIT(CEDAR_IMPOSSIBLE_POLICY) },
		{ "permit(principal, action in Action::\"read\", resource) when { action == Action::\"other\" };", true,
		  BIT(CEDAR_IMPOSSIBLE_POLICY) },
		/* A condition holds for those behind it, `unless` for none. */
		{ "permit(principal is User, action, resource) when { principal has o } when { principal.o == 1 };", true, 0 },
		{ "permit(principal is User, action, resource) when { principal has o } unless { principal.o == 1 };", true, 0 },
		{ "permit(principal is User, action, resource) unless { principal has o } when { principal.o == 1 };", false,
		  BIT(CEDAR_OPTIONAL_ATTRIBUTE) },
		/* For one of the types that may come it does not hold. */
		{ "permit(principal, action, resource) when { principal.n == 1 };", false, BIT(CEDAR_UNKNOWN_ATTRIBUTE) },
		{ "permit(principal, action, resource) when { principal is User && principal.n == 1 };", true, 0 },
		{ "permit(principal, action, resource) when { context.c == 1 };", false, BIT(CEDAR_UNKNOWN_ATTRIBUTE) },
		{ "permit(principal, action, resource) when { context has c && context.c == 1 };", true, 0 },
		/* Characters. */
		{ "permit(principal == User::\"a\\u{200b}b\", action, resource);", true, BIT(CEDAR_CONFUSABLE) },
		{ "permit(principal == User::\"p\\u{430}ypal\", action, resource);", true, BIT(CEDAR_MIXED_SCRIPTS) },
		{ "permit(principal == User::\"caf\\u{e9} \\u{3b1}\", action, resource);", true, BIT(CEDAR_MIXED_SCRIPTS) },
		{ "permit(principal == User::\"\\u{6f22}\\u{5b57}\\u{304b}\\u{306a}\", action, resource);", true, 0 },
		{ "permit(principal, action, resource) when { \"x\\u{202e}y\" == \"z\" || true };", true, BIT(CEDAR_BIDI) },
		{ "permit(principal, action, resource) when { \"\\u{0}\\n\" == \"z\" || true };", true, 0 },
		{ "permit(principal is User, action, resource) when { principal.s like \"*a\\u{430}\" };", true,
		  BIT(CEDAR_MIXED_SCRIPTS) },
		{ "permit(principal, action, resource) when { {\"\\u{1}\": 1} has \"\\u{1}\" };", true, BIT(CEDAR_CONFUSABLE) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct cedar_findings *f = check(list[i].text, NULL);
		unsigned kinds = 0;

		for (size_t k = 0; k < cedar_findings_count(f); k++)
			kinds |= BIT(cedar_findings_get(f, k)->kind);
		if ((cedar_findings_errors(f) == 0) != list[i].valid || kinds != list[i].kinds)
			fail_msg("%s: kinds %x: %s", list[i].text, kinds,
				 cedar_findings_count(f) ? cedar_findings_get(f, 0)->message : "");
		assert_int_equal(cedar_findings_errors(f) + cedar_findings_warnings(f), cedar_findings_count(f));
		cedar_findings_free(f);
	}
}

/* A slot stands for whatever fits; a link is checked with what is in it. */
static void templates(void **state)
{
	static const char text[] = "permit(principal in ?principal, action, resource == ?resource) when { resource is Doc };"
				   "permit(principal == ?principal, action == Action::\"view\", resource) when { principal.zz };";
	struct cedar_uid group = { SPAN("Group"), SPAN("g") }, doc = { SPAN("Doc"), SPAN("d") }, none = { SPAN("Nope"), SPAN("d") };
	struct cedar_policies *ps = parse(text);
	struct cedar_findings *f = NULL;
	struct cedar_error error;

	assert_int_equal(cedar_policies_link(ps, SPAN("policy0"), SPAN("good"), &group, &doc, &error), 0);
	assert_int_equal(cedar_policies_link(ps, SPAN("policy0"), SPAN("never"), &doc, &doc, &error), 0);
	assert_int_equal(cedar_policies_link(ps, SPAN("policy0"), SPAN("wrong"), &group, &none, &error), 0);
	assert_int_equal(cedar_validate(schema, ps, NULL, &f), 0);
	assert_true(cedar_findings_valid(f, 0) && cedar_findings_valid(f, 1) && !cedar_findings_valid(f, 2));
	assert_true(cedar_findings_valid(f, 3) && !cedar_findings_valid(f, 4));
	assert_int_equal(cedar_findings_get(f, 0)->kind, CEDAR_NO_APPLICABLE_ACTION);
	assert_string_equal(cedar_findings_get(f, 0)->id, "never");
	assert_int_equal(cedar_findings_get(f, 2)->kind, CEDAR_UNKNOWN_TYPE);
	assert_string_equal(cedar_findings_get(f, 2)->id, "wrong");
	assert_int_equal(cedar_findings_get(f, 3)->kind, CEDAR_UNKNOWN_ATTRIBUTE);
	assert_string_equal(cedar_findings_get(f, 3)->id, "policy1");
	cedar_findings_free(f);
	cedar_policies_free(ps);
}

/* --- levels ----------------------------------------------------------------------------------- */

/* The lowest level at which the text is valid; 9: none. */
static unsigned level_of(const char *text)
{
	for (unsigned level = 0; level < 9; level++) {
		struct cedar_check how = { .level_checked = true, .level = level };
		struct cedar_findings *f = check(text, &how);
		bool ok = cedar_findings_errors(f) == 0;

		if (!ok)
			assert_int_equal(cedar_findings_get(f, 0)->kind, CEDAR_LEVEL);
		cedar_findings_free(f);
		if (ok)
			return level;
	}
	return 9;
}

static void levels(void **state)
{
	static const struct {
		const char *e;
		unsigned level;
	} list[] = {
		{ "true", 0 },
		{ "principal == User::\"a\" && principal is User", 0 },
		{ "context.c == 1 && context has oc", 0 },
		{ "context.u == principal", 0 },
		{ "context.u.n == 1", 1 },
		{ "principal.n == 1", 1 },
		{ "principal has o", 1 },
		{ "principal in Group::\"g\"", 1 },
		{ "principal.hasTag(\"x\") && principal.getTag(\"x\") == \"\"", 1 },
		{ "principal.r.x == 1", 1 },
		{ "resource.owner.n == 1", 2 },
		{ "resource.owner in Group::\"g\"", 2 },
		{ "resource.owner.f.f.n == 1", 4 },
		{ "principal.us.contains(resource.owner)", 1 },
		{ "Group::\"g\" in principal", 9 },
		{ "User::\"x\".n == 1", 9 },
		{ "User::\"x\" in Group::\"g\"", 9 },
		{ "User::\"x\" has o", 9 },
		{ "action in Action::\"read\"", 1 },
		{ "{u: principal}.u.n == 1", 1 },
		{ "{u: principal, v: resource.owner}.u.n == 1", 1 },
		{ "{u: resource.owner.f, v: principal}.u.n == 1", 3 },
		{ "(if principal.b then principal else resource.owner).n == 1", 2 },
		{ "(if principal.b then principal else User::\"x\").n == 1", 9 },
		{ "1 == 1 || resource.owner.n == 1", 0 },
		{ "principal is Plain && principal.f.f.f == principal", 0 },
		{ "if action == Action::\"view\" then true else resource.owner.n == 1", 0 },
		{ "[resource.owner.n].contains(1)", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		unsigned got = level_of(condition(list[i].e));

		if (got != list[i].level)
			fail_msg("%s: want level %u, got %u", list[i].e, list[i].level, got);
	}
	assert_int_equal(level_of("permit(principal == User::\"x\", action == Action::\"view\", resource);"), 0);
	assert_int_equal(level_of("permit(principal in Group::\"x\", action, resource);"), 1);
}

/* --- limits ----------------------------------------------------------------------------------- */

static struct cedar_findings *check_long(struct buf *b)
{
	struct cedar_findings *f = check(buf_cstr(b), NULL);

	buf_clear(b);
	return f;
}

static void limits(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct cedar_findings *f;

	/* A chain is no nesting. */
	buf_append_str(&b, PREFIX "true");
	for (unsigned i = 0; i < 10000; i++)
		buf_append_str(&b, " && principal has o");
	buf_append_str(&b, " && principal.o == 1 };");
	f = check_long(&b);
	assert_int_equal(cedar_findings_errors(f), 0);
	cedar_findings_free(f);
	/* A path is. */
	buf_append_str(&b, PREFIX "principal");
	for (unsigned i = 0; i < 900; i++)
		buf_append_str(&b, ".f");
	buf_append_str(&b, ".b };");
	f = check_long(&b);
	assert_int_equal(cedar_findings_errors(f), 0);
	cedar_findings_free(f);
	buf_append_str(&b, PREFIX "principal");
	for (unsigned i = 0; i < 100000; i++)
		buf_append_str(&b, ".f");
	buf_append_str(&b, ".b };");
	f = check_long(&b);
	assert_int_equal(cedar_findings_errors(f), 1);
	assert_int_equal(cedar_findings_get(f, 0)->kind, CEDAR_TOO_DEEP);
	cedar_findings_free(f);
	/* Each `hasTag` is one more thing that is known. */
	buf_append_str(&b, PREFIX "true");
	for (unsigned i = 0; i < CAPS_MAX + 1; i++)
		buf_printf(&b, " && principal.hasTag(\"%u\")", i);
	buf_append_str(&b, " };");
	f = check_long(&b);
	assert_int_equal(cedar_findings_get(f, 0)->kind, CEDAR_TOO_DEEP);
	cedar_findings_free(f);
	/* Findings are counted beyond what is kept. */
	for (unsigned i = 0; i < CEDAR_FINDINGS_MAX + 10; i++)
		buf_append_str(&b, "permit(principal is Nope, action, resource);");
	f = check_long(&b);
	assert_int_equal(cedar_findings_count(f), CEDAR_FINDINGS_MAX);
	assert_int_equal(cedar_findings_errors(f), CEDAR_FINDINGS_MAX + 10);
	assert_false(cedar_findings_valid(f, CEDAR_FINDINGS_MAX + 9));
	cedar_findings_free(f);
}

/* What `has` and `is in` say twice of their left side must not double the work at each level of nesting. */
static void nested(void **state)
{
	static const struct {
		const char *before, *behind;
		bool strict;
	} list[] = {
		{ "(if ", " has fo.b then principal else principal)", true },
		{ "(if ", " is User in Group::\"g\" then principal else principal.f)", true },
		{ "(if ", " is Zed in Group::\"g\" then principal else principal.f)", false },
		{ "(if ", " is User in Nope::\"g\" then principal else principal.f)", false },
		{ "(if ", " has zz.b then principal else principal.zz)", false },
		{ "(", " is User in Group::\"g\")", false },
		{ "(", " has fo.b)", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct cedar_check how = { .level_checked = true, .level = 8 };
		_cleanup_buf_ struct buf b = { 0 };
		struct cedar_findings *f;

		buf_append_str(&b, PREFIX);
		for (unsigned k = 0; k < 60; k++)
			buf_append_str(&b, list[i].before);
		buf_append_str(&b, "principal");
		for (unsigned k = 0; k < 60; k++)
			buf_append_str(&b, list[i].behind);
		buf_append_str(&b, " has o };");
		assert_int_equal(is_valid(buf_cstr(&b), CEDAR_STRICT), list[i].strict);
		f = check(buf_cstr(&b), &how);
		assert_true(cedar_findings_errors(f) > 0);
		if (list[i].strict)
			assert_int_equal(cedar_findings_get(f, 0)->kind, CEDAR_TOO_DEEP);
		cedar_findings_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),  cmocka_unit_test(refused), cmocka_unit_test(several), cmocka_unit_test(contexts), cmocka_unit_test(scopes),
		cmocka_unit_test(templates), cmocka_unit_test(levels),	cmocka_unit_test(limits),
		cmocka_unit_test(nested),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
