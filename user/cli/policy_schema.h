/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_SCHEMA_H
#define TOLLGATE_CLI_POLICY_SCHEMA_H

#include "policy/cedar_schema.h"
#include "user/base/json_out.h"

/* The part of `tollgate policy check --schema FILE` that is about the schema. */

struct policy_schema {
	const char *path; /* NULL: no schema was asked for */
	struct cedar_check check;
	struct cedar_schema *schema;
	struct buf text;
};

/* Takes one of --schema FILE, --level N at words[i]; how many words it took, 0 when it is none of
 * them, -EINVAL after telling what is wrong with it. */
int policy_schema_option(struct policy_schema *ps, int i, int n, char **words);
void policy_schema_done(struct policy_schema *ps);

/* Reads the schema. Errors are printed or, when j is given, the member "schema" is written. */
bool policy_schema_load(struct policy_schema *ps, struct json_out *j);

/* Validates the set and reports what was found, as lines with the place in the file (read again from
 * its path for the line shown) or as the member "findings". False when there are errors. */
bool policy_schema_validate(const struct policy_schema *ps, const struct cedar_policies *set,
			    struct json_out *j);

#endif
