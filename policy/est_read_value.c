// SPDX-License-Identifier: Apache-2.0
/*
 * What stands below "Value": scalars, arrays, objects, and the two escapes for entities and extension
 * values, which count as such only where they stand alone and have the shape.
 */
#include "policy/est.h"
#include "policy/parse_node.h"

struct ast *est_read_list(struct parser *ps, enum ast_kind kind, const struct json *v,
			  struct ast *(*read)(struct parser *, const struct json *))
{
	_cleanup_kids_ struct kids k = { 0 };

	for (uint32_t i = 0; i < v->n; i++) {
		if (!node_push(ps, &k, read(ps, &v->kid[i])))
			return NULL;
	}
	return node_with(ps, node_new(ps, kind, v->pos), k.v, k.n);
}

struct ast *est_read_record(struct parser *ps, const struct json *v,
			    struct ast *(*read)(struct parser *, const struct json *))
{
	struct ast *e;

	if (v->kind != JSON_OBJECT)
		return node_fail(ps, v->pos, "a record is an object");
	e = node_sealed(est_read_list(ps, AST_RECORD, v, read));
	if (!e)
		return NULL;
	e->n_parts = v->n;
	e->names = arena_array(ps->mem, v->n, sizeof(*e->names));
	for (uint32_t i = 0; e->names && i < v->n; i++) {
		e->names[i] = (struct ast_name){ arena_copy(ps->mem, v->key[i]), v->kid[i].pos };
		if (!e->names[i].s.p)
			e->names = NULL;
	}
	if (!e->names)
		parser_no_memory(ps);
	return e->names ? e : NULL;
}

/* {"fn": F, "arg": A} or {"fn": F, "args": [...]}. A method's first argument is what it is called
 * on. */
static struct ast *read_extn(struct parser *ps, const struct json *v)
{
	const struct json *name = json_get(v, "fn"), *args = json_get(v, "args"),
			  *arg = json_get(v, "arg");
	struct json one = { .kind = JSON_ARRAY, .pos = v->pos, .n = 1, .kid = (struct json *)arg };
	enum ext_fn fn = ext_find(json_str(name));
	struct ast *e, *of;

	if (fn == EXT_FN_COUNT)
		return node_fail(ps, name->pos, "there is no such extension function");
	e = est_read_list(ps, AST_CALL, arg ? &one : args, est_read_value);
	if (!e)
		return NULL;
	e->fn = fn;
	if (!ext_info(fn)->method)
		return node_sealed(e);
	if (e->n == 0)
		return node_fail(ps, v->pos, "the method is called on nothing");
	of = node_unary(ps, AST_ACCESS, v->pos, e->kid[0]);
	if (!of)
		return NULL;
	of->n_parts = 1;
	of->steps = arena_zalloc(ps->mem, sizeof(*of->steps));
	if (!of->steps) {
		parser_no_memory(ps);
		return NULL;
	}
	*of->steps = (struct ast_step){
		.kind = AST_STEP_EXT, .pos = v->pos, .fn = fn, .n = e->n - 1, .arg = e->kid + 1
	};
	return of;
}

static bool is_extn(const struct json *v)
{
	const struct json *args = json_get(v, "args");

	return json_str(json_get(v, "fn")).p &&
	       (json_get(v, "arg") || (args && args->kind == JSON_ARRAY));
}

static struct ast *read_object(struct parser *ps, const struct json *v)
{
	struct cedar_uid uid;
	struct ast *e;

	if (v->n == 1 && span_is(v->key[0], "__expr"))
		return node_fail(ps, v->pos, "`__expr` is no longer a value of Cedar");
	if (v->n == 1 && span_is(v->key[0], "__extn") && is_extn(&v->kid[0]))
		return read_extn(ps, &v->kid[0]);
	if (v->n != 1 || !span_is(v->key[0], "__entity") || !json_uid(v, &uid))
		return est_read_record(ps, v, est_read_value);
	e = node_new(ps, AST_ENTITY, v->pos);
	if (!e || !est_uid(ps, &v->kid[0], &e->uid))
		return NULL;
	e->constant = true;
	return e;
}

static struct ast *read_scalar(struct parser *ps, const struct json *v)
{
	enum ast_kind kind = v->kind == JSON_BOOL  ? AST_BOOL
			     : v->kind == JSON_INT ? AST_LONG
						   : AST_STRING;
	struct ast *e = node_new(ps, kind, v->pos);

	if (!e)
		return NULL;
	if (kind == AST_STRING && !est_string(ps, v, "a string", &e->str))
		return NULL;
	if (kind != AST_STRING)
		e->num = v->num;
	e->constant = true;
	return e;
}

/* Nesting counts as that of expressions does. */
struct ast *est_read_value(struct parser *ps, const struct json *v)
{
	struct ast *e = NULL;

	if (ps->depth == EST_DEPTH_MAX)
		return node_fail(ps, v->pos, "the value is nested too deep");
	ps->depth++;
	switch (v->kind) {
	case JSON_BOOL:
	case JSON_INT:
	case JSON_STRING:
		e = read_scalar(ps, v);
		break;
	case JSON_ARRAY:
		e = node_sealed(est_read_list(ps, AST_SET, v, est_read_value));
		break;
	case JSON_OBJECT:
		e = read_object(ps, v);
		break;
	case JSON_FRACTION:
		node_fail(ps, v->pos, "numbers are whole and fit in 64 bits");
		break;
	default:
		node_fail(ps, v->pos, "null is no value of Cedar");
	}
	ps->depth--;
	return e;
}
