/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_MCP_SCHEMA_H
#define TOLLGATE_POLICY_MCP_SCHEMA_H

#include "policy/mcp_model.h"

struct json;

/* JSON Schemas within each other in a tool's input schema, references followed included. */
#define MCP_INPUT_DEPTH_MAX 16

/* Appends the schema of a model in Cedar's syntax: the entity types of MCP, an action for each tool of
 * the catalog and each method, and contexts whose input has the type that the tool's JSON Schema
 * gives it. Only in->servers and in->methods are looked at. 0; -EINVAL when an input schema is no JSON
 * object, with a line in *errors; -ENOMEM, -EMSGSIZE. */
int mcp_schema_write(const struct mcp_model_input *in, struct buf *errors, struct buf *out);

/*
 * Appends the Cedar record type of what a tool takes (JSON Schema 2020-12 and draft 7, as MCP has
 * them), each line indented by level tabs. What Cedar cannot say (numbers that are no integers, maps,
 * alternatives of several types) is left out of the type and named in a comment there, so that a policy
 * which reads it does not validate; nothing is widened. 0, -ENOMEM or -EMSGSIZE.
 */
int mcp_input_type(const struct json *schema, unsigned level, struct buf *out);

#endif
