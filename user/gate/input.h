/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_INPUT_H
#define TOLLGATE_GATE_INPUT_H

#include <stdint.h>

struct cedar_build;
struct tape;

struct gate_input {
	const struct tape *tape;
	uint32_t arguments; /* token of the object */
};

/* Builds context.input from a message's arguments; ctx is a struct gate_input. Objects become records,
 * arrays sets, integers Long, other numbers Decimal. A null is left out, as a member that has no value.
 * What Cedar cannot hold exactly (an integer beyond 64 bits, a number with more than four decimals)
 * fails the build, so the message is denied rather than judged on other values than it carries. */
void gate_input_build(void *ctx, struct cedar_build *b);

#endif
