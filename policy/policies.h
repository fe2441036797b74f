/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_POLICIES_H
#define TOLLGATE_POLICY_POLICIES_H

#include "policy/ast.h"

/* The policy set, as what reads texts and what reads JSON fill it. */

/* What is to be dropped again when a text turns out bad. */
struct policies_mark {
	uint32_t texts, policies, templates, numbered;
	bool named;
};

struct policies_mark policies_mark(const struct cedar_policies *ps);
void policies_rewind(struct cedar_policies *ps, struct policies_mark to);

/* Copies a text, which then is the last. -EFBIG with words in *errors; -ENOMEM. */
int policies_add_source(struct cedar_policies *ps, const char *name, struct span text,
			struct cedar_errors *errors);

/* Adds p, of the last text, to the policies or the templates; the first names it by its place in
 * the texts ("policy7"), the second copies p->id. 0 or -ENOMEM. */
int policies_push_numbered(struct cedar_policies *ps, struct ast_policy *p);
int policies_push_named(struct cedar_policies *ps, struct ast_policy *p);

/* The policy or template of this id, or NULL. Linear. */
const struct ast_policy *policies_find(const struct cedar_policies *ps, struct span id);

/* Whether all ids of the set differ and can be told. -EINVAL with words in *error otherwise; -ENOMEM. */
int policies_check_ids(const struct cedar_policies *ps, struct cedar_error *error);

/* Links a template by its number; the ids are not checked. As cedar_policies_link(). */
int policies_link(struct cedar_policies *ps, uint32_t template, struct span id,
		  const struct cedar_uid *principal, const struct cedar_uid *resource,
		  struct cedar_error *error);

/* parse.c: the policies of the last text. templates: whether slots are allowed. 0, -EINVAL with the
 * errors, -ENOMEM. */
int parse_policies(struct cedar_policies *ps, bool templates, struct cedar_errors *errors);

#endif
