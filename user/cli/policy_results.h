/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_RESULTS_H
#define TOLLGATE_CLI_POLICY_RESULTS_H

#include <stdbool.h>

#include <jansson.h>

#include "user/base/buf.h"
#include "user/base/json_out.h"

/* What came of the tests of a file: printed as they run, or as one JSON document at the end. */
struct policy_results {
	bool as_json;
	struct buf text;
	struct json_out out; /* to text */
	unsigned passed, failed;
};

void policy_results_begin(struct policy_results *r, bool json);
/* got NULL: there is no memory to say it. */
void policy_results_add(struct policy_results *r, const json_t *test, bool ok, const char *got);
/* The exit status: CLI_OK only when there was a test and none failed. */
int policy_results_end(struct policy_results *r);

/* Whether the policies that decided are those that the test names; without "policies" any will do. n of all
 * total reasons are given. */
bool policy_results_by(const json_t *test, const char *const *reasons, size_t n, size_t total);

#endif
