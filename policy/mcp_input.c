// SPDX-License-Identifier: Apache-2.0
/*
 * From a tool's JSON Schema to the Cedar type of context.input. The schema is a server's text, pinned in
 * the catalog: any JSON, of any size, gives a type or a comment that says why there is none.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/escape.h"
#include "policy/json.h"
#include "policy/mcp_schema.h"

#define POINTER_NAME_MAX 128 /* bytes of one part of a "$ref" */
#define ALTERNATIVE_MAX 4096 /* bytes of a type that alternatives share */

struct converter {
	const struct json *root;
	struct buf *out;
	const char *why; /* of the last schema that has no type */
	int error;	 /* sticks */
};

static bool convert(struct converter *c, const struct json *s, unsigned depth, unsigned level);

static bool refuse(struct converter *c, const char *why)
{
	c->why = why;
	return false;
}

static bool put(struct converter *c, const char *text)
{
	if (c->error == 0)
		c->error = buf_append_str(c->out, text);
	return c->error == 0;
}

static void put_indent(struct converter *c, unsigned level)
{
	while (level-- > 0)
		put(c, "\t");
}

static void put_name(struct converter *c, struct span name)
{
	put(c, "\"");
	if (c->error == 0)
		c->error = escape_string(c->out, name);
	put(c, "\"");
}

/* --- looking at a schema ------------------------------------------------------------------------ */

static bool is_null_type(const struct json *s)
{
	return span_is(json_str(json_get(s, "type")), "null");
}

/* null is dropped from arguments before policy sees them, so what may be null may be absent. */
static bool may_be_null(const struct json *s)
{
	const struct json *type = json_get(s, "type"), *any = json_get(s, "anyOf");

	any = any ? any : json_get(s, "oneOf");
	for (uint32_t i = 0; type && type->kind == JSON_ARRAY && i < type->n; i++)
		if (span_is(json_str(&type->kid[i]), "null"))
			return true;
	for (uint32_t i = 0; any && any->kind == JSON_ARRAY && i < any->n; i++)
		if (is_null_type(&any->kid[i]))
			return true;
	return false;
}

static bool requires(const struct json *object, struct span name)
{
	const struct json *list = json_get(object, "required");

	for (uint32_t i = 0; list && list->kind == JSON_ARRAY && i < list->n; i++)
		if (span_eq(json_str(&list->kid[i]), name))
			return true;
	return false;
}

/* RFC 6901, within this schema. NULL when it leads nowhere. */
static const struct json *follow(const struct json *root, struct span ref)
{
	const struct json *at = root;
	char name[POINTER_NAME_MAX];
	size_t i = 1, n;

	if (!ref.n || ref.p[0] != '#')
		return NULL;
	while (at && i < ref.n) {
		if (ref.p[i++] != '/')
			return NULL;
		for (n = 0; i < ref.n && ref.p[i] != '/'; n++, i++) {
			bool escape = ref.p[i] == '~' && i + 1 < ref.n;

			if (n + 1 == sizeof(name))
				return NULL;
			name[n] = !escape ? ref.p[i] : ref.p[++i] == '0' ? '~' : '/';
		}
		name[n] = '\0';
		at = json_get(at, name);
	}
	return at;
}

/* --- types --------------------------------------------------------------------------------------- */

/* Constants are of the type that they have, when they all have one. */
static bool convert_values(struct converter *c, const struct json *values, uint32_t n)
{
	static const char *const types[] = {
		[JSON_BOOL] = "Bool", [JSON_INT] = "Long", [JSON_STRING] = "String"
	};
	enum json_kind kind = n ? values[0].kind : JSON_NONE;

	for (uint32_t i = 1; i < n; i++)
		if (values[i].kind != kind)
			return refuse(c, "constants of several types");
	if (kind >= sizeof(types) / sizeof(types[0]) || !types[kind])
		return refuse(c, "constants that are no string, integer or boolean");
	return put(c, types[kind]);
}

/* Alternatives must come to one type. */
static bool convert_any(struct converter *c, const struct json *list, unsigned depth, unsigned level)
{
	size_t start = c->out->end - c->out->start, length = 0;
	bool found = false;

	for (uint32_t i = 0; list->kind == JSON_ARRAY && i < list->n; i++) {
		size_t at = buf_len(c->out);
		const char *text;

		if (is_null_type(&list->kid[i]))
			continue;
		if (!convert(c, &list->kid[i], depth + 1, level))
			return false;
		text = buf_span(c->out).p;
		if (!found)
			length = buf_len(c->out) - at;
		else if (buf_len(c->out) - at != length || memcmp(text + start, text + at, length) != 0)
			return refuse(c, "alternatives of several types");
		if (found)
			c->out->end -= length;
		found = true;
	}
	return found || refuse(c, "no alternatives");
}

static bool convert_array(struct converter *c, const struct json *s, unsigned depth, unsigned level)
{
	const struct json *items = json_get(s, "items");

	if (json_get(s, "prefixItems") || !items || items->kind != JSON_OBJECT)
		return refuse(c, "an array whose elements have no one type");
	put(c, "Set<");
	return convert(c, items, depth + 1, level) && put(c, ">");
}

static void put_left_out(struct converter *c, struct span name, unsigned level)
{
	put_indent(c, level);
	put(c, "// ");
	put_name(c, name);
	put(c, " is not for policy: ");
	put(c, c->why);
	put(c, "\n");
}

static void convert_property(struct converter *c, const struct json *object, struct span name,
			     const struct json *s, unsigned depth, unsigned level)
{
	size_t before = c->out->end;

	put_indent(c, level);
	put_name(c, name);
	put(c, requires(object, name) && !may_be_null(s) ? ": " : "?: ");
	if (convert(c, s, depth + 1, level)) {
		put(c, ",\n");
	} else if (c->error == 0) {
		c->out->end = before;
		put_left_out(c, name, level);
	}
}

static bool convert_object(struct converter *c, const struct json *s, unsigned depth, unsigned level)
{
	const struct json *properties = json_get(s, "properties"),
			  *more = json_get(s, "additionalProperties");

	if (!properties && more && more->kind == JSON_OBJECT)
		return refuse(c, "an object with names of the caller's choice");
	put(c, "{\n");
	for (uint32_t i = 0; properties && properties->kind == JSON_OBJECT && i < properties->n; i++)
		convert_property(c, s, properties->key[i], &properties->kid[i], depth, level + 1);
	put_indent(c, level);
	return put(c, "}");
}

static bool convert_type(struct converter *c, struct span type, const struct json *s, unsigned depth,
			 unsigned level)
{
	if (span_is(type, "string"))
		return put(c, "String");
	if (span_is(type, "integer"))
		return put(c, "Long");
	if (span_is(type, "boolean"))
		return put(c, "Bool");
	if (span_is(type, "array"))
		return convert_array(c, s, depth, level);
	if (span_is(type, "object"))
		return convert_object(c, s, depth, level);
	return refuse(c, span_is(type, "number") ? "a number that may be no integer"
						 : "a type that is not known");
}

/* "type": one name, or several of which all but one are null. */
static struct span single_type(const struct json *type)
{
	struct span found = { NULL, 0 };

	if (type->kind != JSON_ARRAY)
		return json_str(type);
	for (uint32_t i = 0; i < type->n; i++) {
		struct span name = json_str(&type->kid[i]);

		if (span_is(name, "null"))
			continue;
		if (found.n)
			return (struct span){ NULL, 0 };
		found = name;
	}
	return found;
}

/* Appends the type and returns true, or names why there is none and returns false; then what was appended
 * is for the caller to take back. */
static bool convert(struct converter *c, const struct json *s, unsigned depth, unsigned level)
{
	const struct json *v;
	struct span type;

	if (depth > MCP_INPUT_DEPTH_MAX)
		return refuse(c, "nested too deep, or without end");
	if (s->kind != JSON_OBJECT)
		return refuse(c, "any value");
	if ((v = json_get(s, "$ref"))) {
		v = follow(c->root, json_str(v));
		return v ? convert(c, v, depth + 1, level) : refuse(c, "a reference that leads nowhere");
	}
	if ((v = json_get(s, "const")))
		return convert_values(c, v, 1);
	if ((v = json_get(s, "enum")) && v->kind == JSON_ARRAY)
		return convert_values(c, v->kid, v->n);
	if ((v = json_get(s, "anyOf")) || (v = json_get(s, "oneOf")))
		return convert_any(c, v, depth, level);
	if ((v = json_get(s, "allOf")))
		return v->kind == JSON_ARRAY && v->n == 1 ? convert(c, &v->kid[0], depth + 1, level)
							  : refuse(c, "several schemas at once");
	if (!(v = json_get(s, "type")))
		return json_get(s, "properties") ? convert_object(c, s, depth, level)
						 : refuse(c, "any value");
	type = single_type(v);
	return type.n ? convert_type(c, type, s, depth, level) : refuse(c, "several types");
}

int mcp_input_type(const struct json *schema, unsigned level, struct buf *out)
{
	struct converter c = { .root = schema, .out = out };
	size_t before = out->end;
	bool record =
		schema->kind == JSON_OBJECT && convert(&c, schema, 0, level) && out->data[before] == '{';

	if (record || c.error < 0)
		return c.error;
	out->end = before;
	put(&c, "{\n");
	put_indent(&c, level + 1);
	put(&c, "// nothing of it is for policy: the input schema is no object with properties\n");
	put_indent(&c, level);
	put(&c, "}");
	return c.error;
}
