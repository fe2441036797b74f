/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CEDAR_LOAD_H
#define TESTS_CEDAR_LOAD_H

#include "policy/cedar.h"
#include "policy/cedar_schema.h"
#include "policy/json.h"
#include "user/base/buf.h"

/* What the programs around the Cedar engine share. Each function says on standard error what went
 * wrong and returns false, or exits where nothing can go on. */

#define LOAD_FILE_MAX (64u << 20)

bool load_file(const char *path, struct buf *ret);
/* Parses JSON of text, which must stay as long as *ret is used. */
bool load_json(const char *path, struct arena *mem, struct buf *text, struct json *ret);
bool load_policies(const char *path, struct cedar_policies **ret);

bool load_schema(const char *path, struct cedar_schema **ret);
/* Entities in JSON, read with a schema when it is not NULL. */
bool load_entity_file(const char *path, const struct cedar_schema *schema,
		      struct cedar_entities **ret);
bool make_snapshot(const char *what, const struct cedar_policies *ps,
		   const struct cedar_entities *es, struct cedar_snapshot **ret);

struct cedar_uid uid_of(const struct json *v);
/* Principal, action and resource of a request in JSON. */
bool put_request(struct cedar_request *rq, struct cedar_snapshot *s, const struct json *q);

/* Whether a JSON list of policy ids names exactly these policies, in any order. */
bool same_reasons(const struct cedar_snapshot *s, const struct json *want,
		  const struct cedar_answer *a);
bool same_errors(const struct cedar_snapshot *s, const struct json *want,
		 const struct cedar_answer *a);
bool same_decision(const struct json *want, const struct cedar_answer *a);

#endif
