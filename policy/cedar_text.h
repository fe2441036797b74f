/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CEDAR_TEXT_H
#define TOLLGATE_POLICY_CEDAR_TEXT_H

#include "policy/cedar.h"

struct buf;

/*
 * The forms of Cedar policies beside the compiled one: templates and their links, text, and JSON.
 * Functions return 0 or -errno and leave out-parameters untouched on failure. Those that write append
 * to a buffer, whose limit bounds them: -EMSGSIZE beyond it; what was appended by then is to be
 * dropped.
 */

/* --- templates -------------------------------------------------------------------------------- */

/* Like cedar_policies_add(), but the text may also hold templates: policies with ?principal or
 * ?resource in their scope. Templates are named by the same counter. A template by itself decides
 * nothing; its links do. */
int cedar_policies_add_templates(struct cedar_policies *ps, const char *name, struct span text,
				 struct cedar_errors *errors);
size_t cedar_templates_count(const struct cedar_policies *ps);
size_t cedar_links_count(const struct cedar_policies *ps); /* of cedar_policies_count() */

/* Adds the policy that a template becomes with entities in its slots; NULL where it has no slot. The
 * link is evaluated, explained and reported by its own id, and counted among the policies. -EINVAL
 * with a reason in *error: no such template, an id in use, an entity missing or too many; -ENOMEM. */
int cedar_policies_link(struct cedar_policies *ps, struct span template_id, struct span id,
			const struct cedar_uid *principal, const struct cedar_uid *resource,
			struct cedar_error *error);

/* --- JSON ------------------------------------------------------------------------------------- */

/* Adds what a document of Cedar's JSON policy format holds: one policy or template (named by the
 * counter, as if it stood in a text) or a policy set {"templates", "staticPolicies",
 * "templateLinks"}, whose ids are kept. Strict: unknown or repeated keys, missing members, numbers
 * beyond 64 bits, halves of surrogates are errors. Errors and places are as for a text. */
int cedar_policies_add_json(struct cedar_policies *ps, const char *name, struct span text,
			    struct cedar_errors *errors);

/* The set as {"templates", "staticPolicies", "templateLinks"}; one policy, by its index, as its
 * object. As SDK 4.13 writes them, in ASCII and with sorted names. */
int cedar_policies_to_json(const struct cedar_policies *ps, struct buf *out);
int cedar_policy_to_json(const struct cedar_policies *ps, size_t policy, struct buf *out);

/* --- text ------------------------------------------------------------------------------------- */

/* Static policies and templates as text, in the plain layout of the SDK; one policy, by its index. A
 * text has no place for links, nor for ids: read again, policies are named by their order, static
 * ones first. */
int cedar_policies_to_text(const struct cedar_policies *ps, struct buf *out);
int cedar_policy_to_text(const struct cedar_policies *ps, size_t policy, struct buf *out);

/* Formatting takes up to 256 bytes of memory for each of the text, and the text's JSON, in which what
 * it means is compared, must fit in a buffer: an operator of one character takes some twenty there. */
#define CEDAR_FORMAT_TEXT_MAX (2u << 20)
/* Whether something fits is looked up again and again, up to this far. */
#define CEDAR_FORMAT_WIDTH_MAX 1000
#define CEDAR_FORMAT_WIDTH_DEFAULT 80

/* Lays a text out anew, as the formatter of the SDK does: indented by two, lines not longer than width
 * where that can be, comments kept, strings untouched. Templates are taken. The result is parsed
 * again and means the same. -EINVAL with the text's errors in *errors (none: a width that is not
 * allowed); -EFBIG; -ENOMEM; -EMSGSIZE; -EBADMSG when the result would not mean the same, which is a
 * fault of the formatter. Nothing is appended on failure. */
int cedar_format(struct span text, unsigned width, struct buf *out, struct cedar_errors *errors);

#endif
