/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CATALOG_WRITE_H
#define TOLLGATE_MCP_CATALOG_WRITE_H

#include "user/base/buf.h"
#include "user/base/span.h"
#include "user/mcp/tape.h"

/* For the command line: entries and pins from a definition that a server sent. */
struct catalog_approval {
	const char *added_at; /* RFC 3339 */
	const char *approved_by;
};

/* Appends one entry of catalog.json for the definition at token (an object with a name). server is
 * the JSON text of the server object. What is absent on the wire is written as its default:
 * description "", input_schema {}, output_schema null. 0, -EINVAL (no object, no name, or a member
 * of the wrong type), -ENOMEM, -EMSGSIZE. */
int catalog_write_entry(const struct tape *t, uint32_t definition, struct span server,
			const struct catalog_approval *a, struct buf *out);

/* Appends one element of catalog.pins.json:
 * {"server","tool_name","member_digests":{NAME:"sha256:..."},"digest"}; a member's digest is that
 * of its value in form C, `digest` that of the object member_digests in form C. Same errors. */
int catalog_write_pin(const struct tape *t, uint32_t definition, struct span server_name, struct buf *out);

#endif
