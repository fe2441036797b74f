// SPDX-License-Identifier: Apache-2.0
/*
 * Matching for `like`. A pattern of literal runs matches when the first is a prefix, the last a
 * suffix, and the others are found in order between them; taking the earliest place for each is
 * enough.
 */
#include "policy/pattern.h"

#include <string.h>

#include "policy/intern.h"

bool pattern_match(const struct pattern *p, struct span s)
{
	struct span first = p->run[0], last = p->run[p->n - 1];
	const char *at, *end;

	if (p->n == 1)
		return span_eq(first, s);
	if (s.n < first.n || s.n - first.n < last.n)
		return false;
	if (!bytes_equal(s.p, first.p, first.n))
		return false;
	end = s.p + s.n - last.n;
	if (!bytes_equal(end, last.p, last.n))
		return false;
	at = s.p + first.n;
	for (uint32_t i = 1; i + 1 < p->n; i++) {
		struct span run = p->run[i];

		if (run.n == 0)
			continue;
		at = memmem(at, (size_t)(end - at), run.p, run.n);
		if (!at)
			return false;
		at += run.n;
	}
	return true;
}
