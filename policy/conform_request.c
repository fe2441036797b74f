// SPDX-License-Identifier: Apache-2.0
/* Requests against a schema. */
#include <errno.h>

#include "policy/conform.h"
#include "policy/request.h"
#include "policy/text.h"

static int check_side(struct conform *cf, struct cedar_uid uid, const char *what,
		      const uint32_t *types, uint32_t n, struct cedar_error *error)
{
	uint32_t t = schema_find_type(cf->s, uid.type);

	if (!conform_uid(cf, uid))
		return error_set(error, NULL, 0, "the %s %s", what, cf->fault);
	if (!numbers_have(types, n, t))
		return error_set(error, NULL, 0,
				 "the action does not apply to a %s of type `%.*s`", what,
				 (int)(uid.type.n > 100 ? 100 : uid.type.n), uid.type.p);
	return 0;
}

static const struct schema_action *find_action(const struct cedar_schema *s,
					       const struct cedar_request *rq,
					       struct cedar_error *error)
{
	struct cedar_uid uid;
	uint32_t a;

	if (!rq->snap || rq->var[AST_ACTION].tag != V_ENTITY) {
		error_set(error, NULL, 0, "the request has no action yet");
		return NULL;
	}
	uid = conform_name(rq->snap, rq->var[AST_ACTION]);
	a = schema_find_action(s, uid.type, uid.id);
	if (a == SCHEMA_NONE) {
		error_set(error, NULL, 0, "the schema has no action `%.*s::\"%.*s\"`",
			  (int)(uid.type.n > 80 ? 80 : uid.type.n), uid.type.p,
			  (int)(uid.id.n > 80 ? 80 : uid.id.n), uid.id.p);
		return NULL;
	}
	return &s->actions.v[a];
}

int cedar_request_validate(const struct cedar_schema *s, const struct cedar_request *rq,
			   struct cedar_error *error)
{
	static const struct crecord empty = { 0 };
	struct conform cf = { .s = s, .snap = rq->snap };
	const struct schema_action *a;
	struct cval context = rq->context;
	int r;

	*error = (struct cedar_error){ 0 };
	a = find_action(s, rq, error);
	if (!a)
		return -EINVAL;
	if (rq->var[AST_PRINCIPAL].tag != V_ENTITY || rq->var[AST_RESOURCE].tag != V_ENTITY)
		return error_set(error, NULL, 0, "the request lacks its principal or resource");
	r = check_side(&cf, conform_name(rq->snap, rq->var[AST_PRINCIPAL]), "principal", a->principals,
		       a->n_principals, error);
	if (r == 0)
		r = check_side(&cf, conform_name(rq->snap, rq->var[AST_RESOURCE]), "resource", a->resources,
			       a->n_resources, error);
	if (context.tag == V_NONE)
		context = (struct cval){ .tag = V_RECORD, .record = &empty };
	if (r == 0 && !conform_value(&cf, "context", context, a->context))
		r = error_set(error, NULL, 0, "%s", cf.fault);
	return r;
}

int conform_context(struct cedar_request *rq, const struct cedar_schema *s, const struct json *v,
		    struct cedar_error *error)
{
	struct cedar_build *b = cedar_request_build(rq);
	const struct schema_action *a = NULL;
	int r;

	*error = (struct cedar_error){ 0 };
	if (s) {
		a = find_action(s, rq, error);
		if (!a)
			return -EINVAL;
	}
	if (a)
		conform_put(b, v, a->context);
	else
		json_put(b, v);
	r = cedar_request_context(rq);
	return r == -EINVAL ? error_set(error, NULL, 0, "the context cannot be read as values") : r;
}

int cedar_request_context_json(struct cedar_request *rq, const struct cedar_schema *s,
			       struct span text, struct cedar_error *error)
{
	struct json v;
	int r;

	*error = (struct cedar_error){ 0 };
	r = json_parse(&rq->mem, text, error, &v);
	return r < 0 ? r : conform_context(rq, s, &v, error);
}
