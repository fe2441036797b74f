// SPDX-License-Identifier: Apache-2.0
/*
 * Policies to JSON. Recursion is as deep as the tree, which the readers bound; chains, which the tree
 * keeps flat and the JSON nests to the left, are written in loops.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/est.h"
#include "policy/text.h"

/* --- expressions ------------------------------------------------------------------------------ */

static void write_expr(struct json_out *j, const struct ast *e);

static void fail(struct json_out *j, int r)
{
	if (j->error == 0)
		j->error = r;
}

/* {"op":{ */
static void open_op(struct json_out *j, const char *op)
{
	json_out_object(j);
	json_out_key(j, op);
	json_out_object(j);
}

static void close_op(struct json_out *j)
{
	json_out_object_end(j);
	json_out_object_end(j);
}

static void write_member(struct json_out *j, const char *name, const struct ast *e)
{
	json_out_key(j, name);
	write_expr(j, e);
}

static void write_uid(struct json_out *j, const struct cedar_uid *uid)
{
	json_out_object(j);
	json_out_member_span(j, "type", uid->type);
	json_out_member_span(j, "id", uid->id);
	json_out_object_end(j);
}

static void write_value(struct json_out *j, const struct ast *e)
{
	json_out_object(j);
	json_out_key(j, "Value");
	switch (e->kind) {
	case AST_BOOL:
		json_out_bool(j, e->num);
		break;
	case AST_LONG:
		json_out_int(j, e->num);
		break;
	case AST_STRING:
		json_out_string(j, e->str);
		break;
	default:
		json_out_object(j);
		json_out_key(j, "__entity");
		write_uid(j, &e->uid);
		json_out_object_end(j);
	}
	json_out_object_end(j);
}

static void write_list(struct json_out *j, const char *op, const struct ast *e)
{
	json_out_object(j);
	json_out_key(j, op);
	json_out_array(j);
	for (uint32_t i = 0; i < e->n; i++)
		write_expr(j, e->kid[i]);
	json_out_array_end(j);
	json_out_object_end(j);
}

static void write_record(struct json_out *j, const struct ast *e)
{
	uint32_t *order;

	if (ast_sort_names(e->names, e->n, &order) < 0) {
		fail(j, -ENOMEM);
		return;
	}
	open_op(j, "Record");
	for (uint32_t i = 0; i < e->n; i++) {
		json_out_key_span(j, e->names[order[i]].s);
		write_expr(j, e->kid[order[i]]);
	}
	close_op(j);
	free(order);
}

static const char *chain_op(const struct ast *e, uint32_t i)
{
	switch (e->kind) {
	case AST_AND:
		return "&&";
	case AST_OR:
		return "||";
	case AST_PRODUCT:
		return "*";
	default:
		return e->places[i].minus ? "-" : "+";
	}
}

static void write_chain(struct json_out *j, const struct ast *e)
{
	for (uint32_t i = e->n - 1; i > 0; i--) {
		open_op(j, chain_op(e, i));
		json_out_key(j, "left");
	}
	write_expr(j, e->kid[0]);
	for (uint32_t i = 1; i < e->n; i++) {
		write_member(j, "right", e->kid[i]);
		close_op(j);
	}
}

static void open_step(struct json_out *j, const struct ast_step *st)
{
	if (st->kind == AST_STEP_EXT) {
		json_out_object(j);
		json_out_key(j, ext_info(st->fn)->name);
		json_out_array(j);
		return;
	}
	open_op(j, st->kind == AST_STEP_ATTR ? "." : ast_method_name(st->method));
	json_out_key(j, st->n == 0 && st->kind == AST_STEP_METHOD ? "arg" : "left");
}

static void close_step(struct json_out *j, const struct ast_step *st)
{
	if (st->kind == AST_STEP_EXT) {
		for (uint32_t i = 0; i < st->n; i++)
			write_expr(j, st->arg[i]);
		json_out_array_end(j);
		json_out_object_end(j);
		return;
	}
	if (st->kind == AST_STEP_ATTR)
		json_out_member_span(j, "attr", st->name);
	else if (st->n)
		write_member(j, "right", st->arg[0]);
	close_op(j);
}

static void write_access(struct json_out *j, const struct ast *e)
{
	for (uint32_t i = e->n_parts; i-- > 0;)
		open_step(j, &e->steps[i]);
	write_expr(j, e->kid[0]);
	for (uint32_t i = 0; i < e->n_parts; i++)
		close_step(j, &e->steps[i]);
}

static void write_unary(struct json_out *j, const char *op, const struct ast *e)
{
	open_op(j, op);
	write_member(j, "arg", e->kid[0]);
	close_op(j);
}

static void write_has(struct json_out *j, const struct ast *e)
{
	open_op(j, "has");
	write_member(j, "left", e->kid[0]);
	json_out_key(j, "attr");
	if (e->n_parts > 1)
		json_out_array(j);
	for (uint32_t i = 0; i < e->n_parts; i++)
		json_out_string(j, e->names[i].s);
	if (e->n_parts > 1)
		json_out_array_end(j);
	close_op(j);
}

/* Each character by itself, as the SDK does. */
static void write_like(struct json_out *j, const struct ast *e)
{
	open_op(j, "like");
	write_member(j, "left", e->kid[0]);
	json_out_key(j, "pattern");
	json_out_array(j);
	for (uint32_t i = 0; i < e->pattern.n; i++) {
		struct span run = e->pattern.run[i];
		uint32_t c;
		unsigned n;

		if (i > 0)
			json_out_string(j, SPAN("Wildcard"));
		for (size_t k = 0; k < run.n; k += n) {
			n = utf8_decode(run.p + k, run.p + run.n, &c);
			json_out_object(j);
			json_out_member_span(j, "Literal", (struct span){ run.p + k, n });
			json_out_object_end(j);
		}
	}
	json_out_array_end(j);
	close_op(j);
}

static void write_is(struct json_out *j, const struct ast *e)
{
	open_op(j, "is");
	write_member(j, "left", e->kid[0]);
	json_out_member_span(j, "entity_type", e->str);
	if (e->n == 2)
		write_member(j, "in", e->kid[1]);
	close_op(j);
}

static void write_if(struct json_out *j, const struct ast *e)
{
	open_op(j, "if-then-else");
	write_member(j, "if", e->kid[0]);
	write_member(j, "then", e->kid[1]);
	write_member(j, "else", e->kid[2]);
	close_op(j);
}

static void write_relation(struct json_out *j, const struct ast *e)
{
	open_op(j, ast_operator(e->kind));
	write_member(j, "left", e->kid[0]);
	write_member(j, "right", e->kid[1]);
	close_op(j);
}

static void write_var(struct json_out *j, const struct ast *e)
{
	json_out_object(j);
	json_out_member_str(j, "Var", ast_var_name((enum ast_var)e->num));
	json_out_object_end(j);
}

static void write_expr(struct json_out *j, const struct ast *e)
{
	if (j->error)
		return;
	switch (e->kind) {
	case AST_BOOL:
	case AST_LONG:
	case AST_STRING:
	case AST_ENTITY:
		write_value(j, e);
		break;
	case AST_VAR:
		write_var(j, e);
		break;
	case AST_SET:
		write_list(j, "Set", e);
		break;
	case AST_RECORD:
		write_record(j, e);
		break;
	case AST_CALL:
		write_list(j, ext_info(e->fn)->name, e);
		break;
	case AST_ACCESS:
		write_access(j, e);
		break;
	case AST_NOT:
		write_unary(j, "!", e);
		break;
	case AST_NEG:
		write_unary(j, "neg", e);
		break;
	case AST_AND:
	case AST_OR:
	case AST_SUM:
	case AST_PRODUCT:
		write_chain(j, e);
		break;
	case AST_HAS:
		write_has(j, e);
		break;
	case AST_LIKE:
		write_like(j, e);
		break;
	case AST_IS:
		write_is(j, e);
		break;
	case AST_IF:
		write_if(j, e);
		break;
	default:
		write_relation(j, e);
	}
}

/* --- policies --------------------------------------------------------------------------------- */

static void write_ref(struct json_out *j, const struct ast_scope *s, const char *slot)
{
	if (s->slot) {
		json_out_member_str(j, "slot", slot);
		return;
	}
	json_out_key(j, "entity");
	write_uid(j, &s->uid);
}

static void write_action_list(struct json_out *j, const struct ast_scope *s)
{
	json_out_key(j, "entities");
	json_out_array(j);
	for (uint32_t i = 0; i < s->n; i++)
		write_uid(j, &s->uids[i]);
	json_out_array_end(j);
}

static void write_scope(struct json_out *j, const char *name, const struct ast_scope *s,
			const char *slot)
{
	static const char *const ops[] = { "All", "==", "in", "is", "is" };

	json_out_key(j, name);
	json_out_object(j);
	json_out_member_str(j, "op", ops[s->op]);
	if (s->op == AST_SCOPE_IS || s->op == AST_SCOPE_IS_IN)
		json_out_member_span(j, "entity_type", s->type);
	if (s->op == AST_SCOPE_IS_IN) {
		json_out_key(j, "in");
		json_out_object(j);
	}
	if (s->list && s->n == 1) {
		json_out_key(j, "entity");
		write_uid(j, &s->uids[0]);
	} else if (s->list) {
		write_action_list(j, s);
	} else if (s->op != AST_ANY && s->op != AST_SCOPE_IS) {
		write_ref(j, s, slot);
	}
	if (s->op == AST_SCOPE_IS_IN)
		json_out_object_end(j);
	json_out_object_end(j);
}

static void write_annotations(struct json_out *j, const struct ast_policy *p)
{
	uint32_t *order;

	if (ast_sort_annotations(p, &order) < 0) {
		fail(j, -ENOMEM);
		return;
	}
	json_out_key(j, "annotations");
	json_out_object(j);
	for (uint32_t i = 0; i < p->n_annotations; i++) {
		const struct ast_annotation *a = &p->annotations[order[i]];

		json_out_key_span(j, a->key);
		if (a->value.p)
			json_out_string(j, a->value);
		else
			json_out_null(j);
	}
	json_out_object_end(j);
	free(order);
}

int est_write_policy(struct json_out *j, const struct ast_policy *p)
{
	json_out_object(j);
	json_out_member_str(j, "effect", p->effect == CEDAR_PERMIT ? "permit" : "forbid");
	write_scope(j, "principal", &p->principal, "?principal");
	write_scope(j, "action", &p->action, NULL);
	write_scope(j, "resource", &p->resource, "?resource");
	json_out_key(j, "conditions");
	json_out_array(j);
	for (uint32_t i = 0; i < p->n_conditions; i++) {
		json_out_object(j);
		json_out_member_str(j, "kind", p->conditions[i].unless ? "unless" : "when");
		write_member(j, "body", p->conditions[i].e);
		json_out_object_end(j);
	}
	json_out_array_end(j);
	if (p->n_annotations)
		write_annotations(j, p);
	json_out_object_end(j);
	return j->error;
}
