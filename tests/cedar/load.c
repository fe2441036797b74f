// SPDX-License-Identifier: Apache-2.0
/* Reading of cases and requests, for the programs around the Cedar engine. */
#include "tests/cedar/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/file.h"

bool load_file(const char *path, struct buf *ret)
{
	int r = file_read(path, LOAD_FILE_MAX, ret);

	if (r < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
	return r == 0;
}

bool load_json(const char *path, struct arena *mem, struct buf *text, struct json *ret)
{
	struct cedar_error error;

	if (!load_file(path, text))
		return false;
	if (json_parse(mem, buf_span(text), &error, ret) == 0)
		return true;
	fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column, error.message);
	return false;
}

bool load_policies(const char *path, struct cedar_policies **ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_policies *ps = NULL;
	struct cedar_errors errors = { 0 };

	if (!load_file(path, &text) || cedar_policies_new(&ps) < 0)
		return false;
	if (cedar_policies_add(ps, path, buf_span(&text), &errors) < 0) {
		fprintf(stderr, "%s:%u:%u: %s\n", path, errors.e[0].line, errors.e[0].column,
			errors.e[0].message);
		cedar_policies_free(ps);
		return false;
	}
	*ret = ps;
	return true;
}

bool load_schema(const char *path, struct cedar_schema **ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors = { 0 };

	if (!load_file(path, &text))
		return false;
	if (cedar_schema_new(buf_span(&text), CEDAR_SCHEMA_ANY, &errors, ret) == 0)
		return true;
	fprintf(stderr, "%s:%u:%u: %s\n", path, errors.e[0].line, errors.e[0].column,
		errors.e[0].message);
	return false;
}

bool load_entity_file(const char *path, const struct cedar_schema *schema,
		      struct cedar_entities **ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_entities *es = NULL;
	struct cedar_error error = { 0 };
	int r;

	if (!load_file(path, &text) || cedar_entities_new(&es) < 0)
		return false;
	r = schema ? cedar_entities_add_json_schema(es, schema, buf_span(&text), &error)
		   : cedar_entities_add_json(es, buf_span(&text), &error);
	if (r < 0) {
		fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column, error.message);
		cedar_entities_free(es);
		return false;
	}
	*ret = es;
	return true;
}

bool make_snapshot(const char *what, const struct cedar_policies *ps,
		   const struct cedar_entities *es, struct cedar_snapshot **ret)
{
	struct cedar_error error;

	if (cedar_snapshot_new(ps, es, &error, ret) == 0)
		return true;
	fprintf(stderr, "%s: %s\n", what, error.message);
	return false;
}

struct cedar_uid uid_of(const struct json *v)
{
	struct cedar_uid uid = { SPAN(""), SPAN("") };

	if (!v || !json_uid(v, &uid)) {
		fprintf(stderr, "a request lacks an entity of type and id\n");
		exit(1);
	}
	return uid;
}

bool put_request(struct cedar_request *rq, struct cedar_snapshot *s, const struct json *q)
{
	struct cedar_uid p = uid_of(json_get(q, "principal")), a = uid_of(json_get(q, "action"));
	struct cedar_uid r = uid_of(json_get(q, "resource"));

	return cedar_request_begin(rq, s) == 0 && cedar_request_principal(rq, p.type, p.id) == 0 &&
	       cedar_request_action(rq, a.type, a.id) == 0 &&
	       cedar_request_resource(rq, r.type, r.id) == 0;
}

static bool names(const struct json *list, const struct cedar_snapshot *s, uint32_t policy)
{
	struct cedar_policy_info info;

	cedar_snapshot_policy(s, policy, &info);
	for (uint32_t i = 0; i < list->n; i++) {
		if (span_is(json_str(&list->kid[i]), info.id))
			return true;
	}
	return false;
}

/* Neither side names a policy twice, so equal numbers and one inclusion are enough. */
bool same_reasons(const struct cedar_snapshot *s, const struct json *want,
		  const struct cedar_answer *a)
{
	bool same = want && want->kind == JSON_ARRAY && want->n == a->n_reasons;

	for (size_t i = 0; same && i < a->n_reasons; i++)
		same = names(want, s, a->reasons[i]);
	return same;
}

bool same_errors(const struct cedar_snapshot *s, const struct json *want,
		 const struct cedar_answer *a)
{
	bool same = want && want->kind == JSON_ARRAY && want->n == a->n_failures;

	for (size_t i = 0; same && i < a->n_failures; i++)
		same = names(want, s, a->failures[i].policy);
	return same;
}

bool same_decision(const struct json *want, const struct cedar_answer *a)
{
	const char *got = a->decision == CEDAR_ALLOW  ? "allow"
			  : a->decision == CEDAR_DENY ? "deny"
						      : "depends";

	return want && span_is(json_str(want), got);
}
