/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CEDAR_H
#define TOLLGATE_POLICY_CEDAR_H

/*
 * libcedar: the Cedar policy language (language version 4.5) as a library. Policy texts and
 * entities are loaded once into an immutable snapshot; any number of threads then decide requests
 * on it, each with a request object of its own. The library neither logs nor exits; it needs
 * nothing but user/base.
 *
 *	struct cedar_policies	parsed texts
 *	struct cedar_entities	entities, as they were told
 *	struct cedar_snapshot	what cedar_snapshot_new() makes of both
 *	struct cedar_request	one per thread, reused; values and answers live in its memory
 *
 * Functions return 0 or -errno and leave out-parameters untouched on failure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/cleanup.h"
#include "user/base/span.h"

/* --- limits: named, so that whoever is refused can be told why -------------------------------- */

/* Bytes in one policy text: keeps offsets small and load time bounded. */
#define CEDAR_TEXT_MAX (16u << 20)
/* Parentheses, sets, records, ifs within each other: bounds the C stack. */
#define CEDAR_NESTING_MAX 200
/* Sets and records within each other in a value: same reason. */
#define CEDAR_VALUE_DEPTH_MAX 128
/* Values that one expression may hold at once: 16 MiB per request object. */
#define CEDAR_STACK_MAX (1u << 20)
#define CEDAR_ERRORS_MAX 20 /* errors kept for one text; more are counted only */
#define CEDAR_MESSAGE_MAX 256
#define CEDAR_REQUEST_ENTITIES_MAX 8 /* told with a request; they are searched one by one */
#define CEDAR_REQUEST_LIMIT_DEFAULT (8u << 20) /* bytes of request memory */

/* --- errors ----------------------------------------------------------------------------------- */

struct cedar_error {
	uint32_t line, column; /* from 1; the column counts characters, not bytes. 0: no place */
	uint32_t offset; /* bytes from the start of the text */
	char message[CEDAR_MESSAGE_MAX]; /* one line of UTF-8, cut at a character */
};

struct cedar_errors {
	uint32_t n; /* stored in e */
	uint32_t total; /* found */
	struct cedar_error e[CEDAR_ERRORS_MAX];
};

/* --- policies --------------------------------------------------------------------------------- */

struct cedar_policies;

int cedar_policies_new(struct cedar_policies **ret);
void cedar_policies_free(struct cedar_policies *ps);
DEFINE_CLEANUP(struct cedar_policies *, cedar_policies_free)

/* Parses one text and adds its policies. Both name and text are copied. Policies are named policy0,
 * policy1, ... in order over all texts of the set. -EINVAL when the text has errors: they are in
 * *errors (overwritten) and nothing of the text is added; -EFBIG, -ENOMEM. Templates (slots) are
 * refused with an error that says so; cedar_text.h has a function that takes them. */
int cedar_policies_add(struct cedar_policies *ps, const char *name, struct span text,
		       struct cedar_errors *errors);

size_t cedar_policies_count(const struct cedar_policies *ps);

struct cedar_uid {
	struct span type, id;
};

/* --- values ----------------------------------------------------------------------------------- */

/*
 * A value under construction, given piece by piece as a JSON reader meets it: scalars, or open_set
 * / open_record, then elements (each preceded by cedar_key() in a record), then close. The first
 * error sticks and is reported by the function that takes the value: -EINVAL misuse or bad text,
 * -EEXIST duplicate key, -ELOOP too deep, -ENOSPC over the memory limit, -ENOMEM. Strings given to
 * a request's builder are borrowed until the next cedar_request_begin() and must be valid UTF-8;
 * strings given to an entity store's builder are copied.
 */
struct cedar_build;

void cedar_put_bool(struct cedar_build *b, bool v);
void cedar_put_long(struct cedar_build *b, int64_t v);
void cedar_put_string(struct cedar_build *b, struct span s);
void cedar_put_entity(struct cedar_build *b, struct span type, struct span id);
/* What the constructors of the same names take in a policy: "1.50", "10.0.0.0/8",
 * "2026-01-31T09:00:00Z", "1h30m". */
void cedar_put_decimal(struct cedar_build *b, struct span text);
void cedar_put_ip(struct cedar_build *b, struct span text);
void cedar_put_datetime(struct cedar_build *b, struct span text);
void cedar_put_datetime_ms(struct cedar_build *b, int64_t ms_since_epoch);
void cedar_put_duration(struct cedar_build *b, struct span text);
void cedar_put_duration_ms(struct cedar_build *b, int64_t ms);
/* A value that is not known yet. Allowed only as a direct member of a request's context; a policy
 * whose outcome needs it is "depending" (see cedar_answer). */
void cedar_put_unknown(struct cedar_build *b);

void cedar_open_set(struct cedar_build *b);
void cedar_open_record(struct cedar_build *b);
void cedar_key(struct cedar_build *b, struct span name);
void cedar_close(struct cedar_build *b);

/* Marks the value as failed, for callers that meet something they cannot express (null,
 * fractions). */
void cedar_build_fail(struct cedar_build *b, int r);

/* --- entities --------------------------------------------------------------------------------- */

struct cedar_entities;

int cedar_entities_new(struct cedar_entities **ret);
void cedar_entities_free(struct cedar_entities *es);
DEFINE_CLEANUP(struct cedar_entities *, cedar_entities_free)

/* Begins an entity; the calls that follow are about it. Parents need not be entities of the store.
 * type is a normalised name ("A::B"); -EINVAL otherwise. */
int cedar_entities_begin(struct cedar_entities *es, struct span type, struct span id);
int cedar_entities_parent(struct cedar_entities *es, struct span type, struct span id);

/* The builder; each call starts a new value. cedar_entities_attrs() and _tags() take the value that
 * was built, which must be a record. Without them an entity has neither. */
struct cedar_build *cedar_entities_build(struct cedar_entities *es);
int cedar_entities_attrs(struct cedar_entities *es);
int cedar_entities_tags(struct cedar_entities *es);

size_t cedar_entities_count(const struct cedar_entities *es);

/* Reads Cedar's JSON entity format (an array of {uid, attrs, parents, tags}), without a schema.
 * -EINVAL with the place and reason in *error; -ENOMEM. */
int cedar_entities_add_json(struct cedar_entities *es, struct span text, struct cedar_error *error);

/* --- snapshot --------------------------------------------------------------------------------- */

struct cedar_snapshot;

/* Compiles policies and entities (NULL: none), neither of which is needed afterwards. -EINVAL with
 * a reason in *error: an entity given twice with different content, a cycle among parents; -E2BIG
 * an expression too large to compile; -ENOMEM. */
int cedar_snapshot_new(const struct cedar_policies *ps, const struct cedar_entities *es,
		       struct cedar_error *error, struct cedar_snapshot **ret);
struct cedar_snapshot *cedar_snapshot_ref(struct cedar_snapshot *s);
void cedar_snapshot_unref(struct cedar_snapshot *s);
DEFINE_CLEANUP(struct cedar_snapshot *, cedar_snapshot_unref)

enum cedar_effect {
	CEDAR_FORBID = 0,
	CEDAR_PERMIT,
};

/* About a policy, by its index below cedar_snapshot_policies(); strings live as long as the
 * snapshot. */
struct cedar_policy_info {
	const char *id; /* "policy7"; a link's own */
	enum cedar_effect effect;
	const char *text_name; /* as given to cedar_policies_add() */
	uint32_t line, column; /* where the policy begins */
};

size_t cedar_snapshot_policies(const struct cedar_snapshot *s);
/* Whether an entity is of the store that the snapshot was made of. */
bool cedar_snapshot_has(const struct cedar_snapshot *s, struct cedar_uid uid);
void cedar_snapshot_policy(const struct cedar_snapshot *s, uint32_t policy,
			   struct cedar_policy_info *ret);
/* The annotation's text ("" for one without value), NUL-terminated; NULL when there is none. */
const char *cedar_snapshot_annotation(const struct cedar_snapshot *s, uint32_t policy,
				      const char *key);

/* --- requests and decisions ------------------------------------------------------------------- */

struct cedar_request;

/* limit bounds the memory a request may take (0: CEDAR_REQUEST_LIMIT_DEFAULT). */
int cedar_request_new(size_t limit, struct cedar_request **ret);
void cedar_request_free(struct cedar_request *rq);
DEFINE_CLEANUP(struct cedar_request *, cedar_request_free)

/* Forgets the previous request and answer, keeping the memory, and binds to a snapshot, of which it
 * holds a reference until it is bound to another. Everything after this allocates nothing once the
 * memory has grown to what such requests need. */
int cedar_request_begin(struct cedar_request *rq, struct cedar_snapshot *s);

/* Type and id are borrowed like strings. All three must be set. */
int cedar_request_principal(struct cedar_request *rq, struct span type, struct span id);
int cedar_request_action(struct cedar_request *rq, struct span type, struct span id);
int cedar_request_resource(struct cedar_request *rq, struct span type, struct span id);

/* The builder; each call starts a new value. cedar_request_context() takes the value built, which
 * must be a record; without it the context is empty. */
struct cedar_build *cedar_request_build(struct cedar_request *rq);
int cedar_request_context(struct cedar_request *rq);

/* Tells an entity that the store does not hold, for this request only. Its attributes are the value
 * last built when attrs is true, else none; parents may be of the store, or told before. What the
 * store has below it does not come below its parents. -EEXIST when store or request already has it,
 * -ELOOP when it would be its own ancestor, -ENOSPC beyond CEDAR_REQUEST_ENTITIES_MAX. */
int cedar_request_entity(struct cedar_request *rq, struct cedar_uid uid, bool attrs,
			 const struct cedar_uid *parents, size_t n_parents);

enum cedar_decision {
	CEDAR_DENY = 0,
	CEDAR_ALLOW,
	CEDAR_DEPENDS, /* only when the context holds an unknown value */
};

/* A policy whose evaluation failed; cedar_explain() says where and how. */
struct cedar_failure {
	uint32_t policy;
};

/*
 * Cedar's authorisation: a policy that errors is skipped and named; any satisfied forbid denies,
 * else any satisfied permit allows, else deny without reasons. reasons are the satisfied forbids
 * or, without any, the satisfied permits. A policy that could not be decided because of an unknown
 * value is in depending: then ALLOW and DENY are what holds for every such value, and DEPENDS is
 * the rest. Order within the lists means nothing. They live until the next cedar_request_begin().
 */
struct cedar_answer {
	enum cedar_decision decision;
	bool forbid_failed; /* a forbid is among the failures: the caller may want to deny */
	const uint32_t *reasons;
	size_t n_reasons;
	const struct cedar_failure *failures;
	size_t n_failures;
	const uint32_t *depending;
	size_t n_depending;
};

/* -EINVAL when the request is not complete, -ENOSPC over the memory limit, -ENOMEM. The caller must
 * treat every error as a denial; *ret is untouched. */
int cedar_authorize(struct cedar_request *rq, struct cedar_answer *ret);

/* The same decision, found sooner: the search ends with the first forbid that holds, else with the
 * first permit. The lists hold what was met on the way; forbid_failed is exact unless a forbid
 * held. */
int cedar_decide(struct cedar_request *rq, struct cedar_answer *ret);

/* One of many questions that differ in action and resource only. Parents are told as with
 * cedar_request_entity(), for an entity that neither store nor request has; it has no attributes. */
struct cedar_item {
	struct cedar_uid action, resource;
	const struct cedar_uid *action_parents, *resource_parents;
	size_t n_action_parents, n_resource_parents;
};

/* Answers n questions about the principal and context that rq was told: which of these tools may
 * this agent see? What depends on those two alone is found out once. With an unknown in the context
 * the answers say allow, deny or depends, and on which policies. They are as cedar_authorize() would
 * give them one by one, and live until the next cedar_request_begin(). rq's own action and resource
 * are overwritten. -EINVAL, -EEXIST, -ELOOP, -ENOSPC, -ENOMEM; then no element of ret is to be
 * used. */
int cedar_authorize_each(struct cedar_request *rq, const struct cedar_item *items, size_t n,
			 struct cedar_answer *ret);

/* Evaluates a failed policy of rq's last answer once more, to say where it failed and how: a line
 * such as "type error: expected bool, got long". -ENOENT when it does not fail, -ENOSPC. */
int cedar_explain(struct cedar_request *rq, const struct cedar_failure *f, struct cedar_error *ret);

#endif
