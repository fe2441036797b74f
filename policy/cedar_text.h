/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CEDAR_TEXT_H
#define TOLLGATE_POLICY_CEDAR_TEXT_H

#include "policy/cedar.h"

/*
 * The forms of Cedar policies beside the compiled one: templates and their links. Functions return 0
 * or -errno and leave out-parameters untouched on failure.
 */

/* Like cedar_policies_add(), but the text may also hold templates: policies with ?principal or
 * ?resource in their scope. Templates are named by the same counter. A template by itself decides
 * nothing; its links do. */
int cedar_policies_add_templates(struct cedar_policies *ps, const char *name, struct span text,
				 struct cedar_errors *errors);
size_t cedar_templates_count(const struct cedar_policies *ps);

/* Adds the policy that a template becomes with entities in its slots; NULL where it has no slot. The
 * link is evaluated, explained and reported by its own id, and counted among the policies. -EINVAL
 * with a reason in *error: no such template, an id in use, an entity missing or too many; -ENOMEM. */
int cedar_policies_link(struct cedar_policies *ps, struct span template_id, struct span id,
			const struct cedar_uid *principal, const struct cedar_uid *resource,
			struct cedar_error *error);

#endif
