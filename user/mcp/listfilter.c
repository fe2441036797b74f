// SPDX-License-Identifier: Apache-2.0
/*
 * Lists without what the agent may not use. Runs in the proxy.
 */
#include "user/mcp/listfilter.h"

#include <errno.h>

#include "user/base/cleanup.h"

int list_private(struct splice *s, const struct tape *t, uint32_t result)
{
	uint32_t scope = tape_get(t, result, "cacheScope");
	struct span raw = tape_raw(t, scope);

	if (!tape_text_is(t, scope, "public"))
		return 0;
	return splice_add(s, (size_t)(raw.p - t->bytes.p), raw.n, SPAN("\"private\""));
}

int list_filter(const struct tape *t, uint32_t result, uint32_t array, const uint8_t *drop, size_t n,
		bool force_private, struct buf *out)
{
	_cleanup_(splice_done) struct splice s = { 0 };
	int r;

	if (!tape_is(t, array, TAPE_ARRAY))
		return -EINVAL;
	r = splice_cut(&s, t, array, drop, n);
	if (r == 0 && (s.n || force_private))
		r = list_private(&s, t, result);
	if (r < 0 || s.n == 0)
		return r;
	r = splice_apply(&s, t->bytes, out);
	return r < 0 ? r : 1;
}
