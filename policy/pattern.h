/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_PATTERN_H
#define TOLLGATE_POLICY_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/* The right side of `like`: literal runs with one wildcard between each two of them. "a*" is {"a",
 * ""}, "**" is {"", "", ""}. */
struct pattern {
	const struct span *run;
	uint32_t n; /* at least 1 */
};

/* Bytes may be compared because UTF-8 synchronises itself. Runs in O(pattern + subject) per run,
 * never backtracks. */
bool pattern_match(const struct pattern *p, struct span s);

#endif
