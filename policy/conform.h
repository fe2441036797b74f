/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CONFORM_H
#define TOLLGATE_POLICY_CONFORM_H

#include "policy/entity.h"
#include "policy/json.h"
#include "policy/schema.h"
#include "policy/value.h"

struct cedar_snapshot;

/* Whether values are of the types that a schema declares. */
struct conform {
	const struct cedar_schema *s;
	const struct cedar_snapshot *snap; /* names of known entities; NULL: values have none */
	char fault[CEDAR_MESSAGE_MAX]; /* after a refusal: what does not conform, and why */
};

/* The name of an entity value. */
struct cedar_uid conform_name(const struct cedar_snapshot *snap, struct cval v);
/* what: how the fault calls the value ("the context", "attributes"). */
bool conform_value(struct conform *cf, const char *what, struct cval v, const struct type *t);
/* Whether an entity of this name may be there: a declared type, an id of an enumerated one, a
 * declared action. */
bool conform_uid(struct conform *cf, struct cedar_uid uid);
/* One entity of a store, the action entities too. */
bool conform_entity(struct conform *cf, const struct cedar_entities *es, const struct sentity *e);

/* conform_json.c: puts a value as the type asks for it: {type, id} without escape for an entity, a
 * text for an extension value. What does not fit is put as it stands. */
void conform_put(struct cedar_build *b, const struct json *v, const struct type *t);

/* conform_request.c: cedar_request_context_json() of what is parsed already. */
int conform_context(struct cedar_request *rq, const struct cedar_schema *s, const struct json *v,
		    struct cedar_error *error);

#endif
