/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_TAPE_KEYS_H
#define TOLLGATE_MCP_TAPE_KEYS_H

#include <stdint.h>

#include "user/mcp/tape.h"

/* Private to the tape: finds names that occur twice in an object in linear time. The names of all
 * open objects are one stack; those of the innermost object are its top. */
struct tape_key {
	uint64_t hash;
	uint32_t tok;
};

/* Pushes the name at token tok; base is the stack height where its object began. 0, -EEXIST,
 * -ENOMEM. A large object is only checked when it ends. */
int tape_keys_push(struct tape *t, uint32_t base, uint32_t tok);

/* The object that began at base ends. 0; -EEXIST with the second occurrence in *ret_tok;
 * -ENOMEM. */
int tape_keys_pop(struct tape *t, uint32_t base, uint32_t *ret_tok);

/* Room for the unescaped text of every string, made when the first escape is met. */
int tape_shadow_ensure(struct tape *t);

#endif
