/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_CATALOG_REPORT_H
#define TOLLGATE_CLI_CATALOG_REPORT_H

#include <stdbool.h>

#include "user/base/buf.h"
#include "user/base/json_out.h"
#include "user/base/span.h"

/* What a catalog command found, as lines of text or one JSON document:
 * {"changes":[{"change","server","tool","detail"}], ...members added by the caller}. */
struct catalog_report {
	bool json;
	struct buf out;
	struct json_out j;
	unsigned n;
};

void catalog_report_begin(struct catalog_report *r, bool json);

/* change: "added", "removed", "changed", "approved", "server". detail may be "". tool p NULL: of
 * the server. */
void catalog_report_add(struct catalog_report *r, const char *change, struct span server, struct span tool,
			const char *detail);

/* Prints. The members (name, text pairs, NULL-ended) follow the changes in the document; text
 * output has them as "name text" lines. Frees. 0 or -errno. */
int catalog_report_end(struct catalog_report *r, const char *const *members);

#endif
