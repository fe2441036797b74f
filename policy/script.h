/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_SCRIPT_H
#define TOLLGATE_POLICY_SCRIPT_H

#include <stdint.h>

/* Scripts of characters (UTS 39), by runs: the first character of a run << 9, the set of scripts its
 * characters are used in << 1, and 1 when an identifier may hold them (General Security Profile). */
extern const uint32_t script_runs[];
extern const uint32_t script_runs_n;
/* Bit masks over scripts; what is used in all of them has all bits. */
extern const uint64_t script_sets[][3];

#endif
