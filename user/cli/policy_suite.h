/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_SUITE_H
#define TOLLGATE_CLI_POLICY_SUITE_H

#include <jansson.h>

#include "policy/mcp_model.h"
#include "user/base/buf.h"

struct catalog_model;

/* Policies, a catalog and a file of requests (tollgate-policy(7), Tests), as commands put the ones to the
 * others. */

#define POLICY_SUITE_FILES_MAX 4096
#define POLICY_SUITE_LIST_MAX 64 /* labels, groups or policy names of one test */

struct policy_suite {
	const char *command; /* for messages: "test" */
	const char *catalog, *tests; /* paths */
	bool json; /* --json was among the words */
	struct mcp_policy_text *texts;
	struct buf *contents; /* of texts */
	size_t n_texts;
	json_t *document;
	struct mcp_agent *agents;
	size_t n_agents;
	const char *lists[POLICY_SUITE_LIST_MAX]; /* groups of all agents, one after the other */
	struct catalog_model *model;
	struct mcp_model_input in; /* all of it */
};

/* Takes the words of a command: --catalog FILE, --tests FILE, --json, the one that it adds (option NULL: none) and
 * policies. Then reads the files. 0; -EINVAL after telling what is wrong; -EDOM when the words make no sense.
 * policy_suite_done() in any case. */
int policy_suite_load(struct policy_suite *s, const char *command, const char *option, const char **ret_option,
		      int n, char **words);
/* The file of tests alone, whose path is in s->tests. Same errors. */
int policy_suite_load_tests(struct policy_suite *s);
void policy_suite_done(struct policy_suite *s);
#define _cleanup_policy_suite_ _cleanup_(policy_suite_done)

/* Tells what is wrong with a file; -EINVAL. */
int policy_suite_complain(const struct policy_suite *s, const char *path, const char *what);

/* The text of a member, or NULL. */
const char *policy_suite_text(const json_t *object, const char *name);

/* What a request borrows. */
struct policy_suite_room {
	const char *lists[3][POLICY_SUITE_LIST_MAX];
	struct span alpn[POLICY_SUITE_LIST_MAX];
	struct mcp_connection connection;
};

/* What one test asks. -EINVAL: nothing that can be judged. */
int policy_suite_request(const json_t *test, struct policy_suite_room *room, struct mcp_request *rq);

#endif
