/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CEDAR_SCHEMA_H
#define TOLLGATE_POLICY_CEDAR_SCHEMA_H

/*
 * Cedar schemas (language version 4.5): what entity types, actions and contexts exist, and whether
 * policies, entities and requests agree with it. A schema is immutable once made and may be shared
 * between threads. As in cedar.h, functions return 0 or -errno, leave out-parameters untouched on
 * failure and neither log nor exit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/cedar.h"
#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/span.h"

/* Records, sets and entity escapes within each other in one type: bounds the C stack. */
#define CEDAR_SCHEMA_NESTING_MAX 128
/* What common types may unfold to, in nodes: `type A = {x: B, y: B}; type B = {x: C, y: C}; ...`
 * doubles with every line. */
#define CEDAR_SCHEMA_TYPES_MAX (1u << 16)
/* Entity types, actions and common types that a schema may declare, each. */
#define CEDAR_SCHEMA_NAMES_MAX (1u << 17)
/* Memory for a schema's text, declarations and types, each. */
#define CEDAR_SCHEMA_MEMORY_MAX (256u << 20)
/* Types of request, (principal, action, resource), that a schema may declare: policies are checked
 * for each of them. */
#define CEDAR_SCHEMA_ENVIRONMENTS_MAX (1u << 16)
#define CEDAR_FINDINGS_MAX 4096 /* findings kept; more are counted only */
#define CEDAR_POLICY_FINDINGS_MAX 64 /* the same, of one policy */

enum cedar_schema_syntax {
	CEDAR_SCHEMA_ANY = 0, /* JSON when the first character that is no space is `{` */
	CEDAR_SCHEMA_CEDAR,
	CEDAR_SCHEMA_JSON,
};

struct cedar_schema;

/* Reads and resolves a schema; text is copied. -EINVAL when it has errors: they are in *errors
 * (overwritten); -EFBIG, -E2BIG over a limit above (said in *errors), -ENOMEM. */
int cedar_schema_new(struct span text, enum cedar_schema_syntax syntax, struct cedar_errors *errors,
		     struct cedar_schema **ret);
void cedar_schema_free(struct cedar_schema *s);
DEFINE_CLEANUP(struct cedar_schema *, cedar_schema_free)

/* Appends the schema as it was written, before names are resolved, in either syntax. -EINVAL with a
 * reason in *error when the Cedar syntax cannot say it (a JSON schema may name an entity type and a
 * common type alike and mean the former); -ENOMEM. */
int cedar_schema_write(const struct cedar_schema *s, enum cedar_schema_syntax syntax,
		       struct cedar_error *error, struct buf *out);

size_t cedar_schema_entity_types(const struct cedar_schema *s); /* how many it declares */
size_t cedar_schema_actions(const struct cedar_schema *s);

/* --- policies --------------------------------------------------------------------------------- */

enum cedar_severity {
	CEDAR_ERROR = 0, /* the policy is not valid */
	CEDAR_WARNING,
};

enum cedar_finding_kind {
	/* errors */
	CEDAR_UNKNOWN_TYPE = 0,
	CEDAR_UNKNOWN_ACTION,
	CEDAR_UNKNOWN_ENUM_ID,
	CEDAR_UNEXPECTED_TYPE,
	CEDAR_INCOMPATIBLE_TYPES,
	CEDAR_UNKNOWN_ATTRIBUTE,
	CEDAR_OPTIONAL_ATTRIBUTE,
	CEDAR_UNSAFE_TAG,
	CEDAR_EMPTY_SET,
	CEDAR_EXTENSION, /* arity, argument that is no literal or does not parse */
	CEDAR_LEVEL,
	CEDAR_TOO_DEEP, /* a limit: the policy could not be checked */
	/* warnings */
	CEDAR_NO_APPLICABLE_ACTION,
	CEDAR_IMPOSSIBLE_POLICY,
	CEDAR_MIXED_SCRIPTS,
	CEDAR_BIDI,
	CEDAR_CONFUSABLE,
};

struct cedar_finding {
	enum cedar_severity severity;
	enum cedar_finding_kind kind;
	uint32_t policy; /* index in the set; templates are counted behind the policies */
	const char *id;
	const char *text_name; /* as given to cedar_policies_add() */
	uint32_t line, column, offset; /* in the policy's text, as in struct cedar_error */
	const char *message; /* one line of UTF-8 */
	const char *suggestion; /* "did you mean `User`?" or what else to do; NULL without */
};

enum cedar_mode {
	CEDAR_STRICT = 0,
	CEDAR_PERMISSIVE, /* allows empty sets, mixed types in sets and comparisons */
};

struct cedar_check {
	enum cedar_mode mode;
	bool level_checked; /* RFC 76: entities may be dereferenced level times, one after another */
	uint32_t level;
};

struct cedar_findings;

/* Validates all policies (templates and links too). check NULL: strict, any level. 0 also when
 * there are findings: a set is valid when cedar_findings_errors() is 0. -ENOMEM. */
int cedar_validate(const struct cedar_schema *s, const struct cedar_policies *ps,
		   const struct cedar_check *check, struct cedar_findings **ret);
void cedar_findings_free(struct cedar_findings *f);
DEFINE_CLEANUP(struct cedar_findings *, cedar_findings_free)

/* In order of policies; at most CEDAR_FINDINGS_MAX. */
size_t cedar_findings_count(const struct cedar_findings *f);
const struct cedar_finding *cedar_findings_get(const struct cedar_findings *f, size_t i);
/* All that were found, kept or not. */
size_t cedar_findings_errors(const struct cedar_findings *f);
size_t cedar_findings_warnings(const struct cedar_findings *f);
/* Whether the policy (or template, counted as above) has no error. */
bool cedar_findings_valid(const struct cedar_findings *f, uint32_t policy);

/* --- entities and requests -------------------------------------------------------------------- */

/* Adds the action entities of the schema with their parents. */
int cedar_schema_entities(const struct cedar_schema *s, struct cedar_entities *es);

/* Checks every entity of the store: declared type, exactly the declared attributes and tags, parents
 * of declared types, ids of enums, actions as the schema has them. -EINVAL with the reason in
 * *error. */
int cedar_entities_validate(const struct cedar_schema *s, const struct cedar_entities *es,
			    struct cedar_error *error);

/* As cedar_entities_add_json(), but reads each value as the schema declares it (an entity may be
 * {type, id} and an extension value its text, without escapes), adds the action entities of the
 * schema and refuses what does not conform. After a failure the store is not to be used. */
int cedar_entities_add_json_schema(struct cedar_entities *es, const struct cedar_schema *s,
				   struct span text, struct cedar_error *error);

/* Whether the request that was told (principal, action, resource, context) is one the schema
 * allows. -EINVAL with the reason in *error; a value that is not known yet conforms. */
int cedar_request_validate(const struct cedar_schema *s, const struct cedar_request *rq,
			   struct cedar_error *error);

/* Gives the context from JSON, read as the schema (NULL: none) declares it for the action, which
 * must have been told. text must stay until the next cedar_request_begin(). */
int cedar_request_context_json(struct cedar_request *rq, const struct cedar_schema *s,
			       struct span text, struct cedar_error *error);

#endif
