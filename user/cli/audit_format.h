/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AUDIT_FORMAT_H
#define TOLLGATE_AUDIT_FORMAT_H

#include <jansson.h>

#include "user/base/buf.h"

/* What an export looks like: row is {"leaf":N,"record":{...}} as the audit socket gives it. */
struct audit_format {
	const char *name, *head; /* head: first line, or NULL */
	int (*row)(const json_t *row, struct buf *out); /* appends whole lines; 0 or -errno */
};

/* jsonl: rows as they are. csv: RFC 4180 with a head. ocsf: class API Activity (6003) of OCSF 1.3, one
 * object a line; what the schema has no place for is in unmapped. NULL: no such format. */
const struct audit_format *audit_format_find(const char *name);

#endif
