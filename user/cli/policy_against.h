/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_AGAINST_H
#define TOLLGATE_CLI_POLICY_AGAINST_H

#include "policy/cedar_schema.h"
#include "user/base/json_out.h"

/* The part of `tollgate policy check` that is about the schema. */

struct policy_against {
	const char *path; /* NULL: no schema was asked for */
	bool catalog; /* path is a catalog, whose schema is meant */
	struct cedar_check check;
	struct cedar_schema *schema;
	struct buf text;
};

/* Takes one of --schema FILE, --catalog FILE, --level N at words[i]; how many words it took, 0 when it is none of
 * them, -EINVAL after telling what is wrong with it. */
int policy_against_option(struct policy_against *ps, int i, int n, char **words);
void policy_against_done(struct policy_against *ps);

/* Reads the schema. Errors are printed or, when j is given, the member "schema" is written. */
bool policy_against_load(struct policy_against *ps, struct json_out *j);

/* Validates the set and reports what was found, as lines with the place in the file (read again from
 * its path for the line shown) or as the member "findings". False when there are errors. */
bool policy_against_validate(const struct policy_against *ps, const struct cedar_policies *set,
			    struct json_out *j);

#endif
