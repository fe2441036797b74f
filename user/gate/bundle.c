// SPDX-License-Identifier: Apache-2.0
/*
 * Length-prefixed items in one buffer.
 */
#include "user/gate/bundle.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int bundle_add(struct buf *b, struct span item)
{
	uint32_t n = (uint32_t)item.n;
	int r;

	if (item.n > BUNDLE_MAX)
		return -EMSGSIZE;
	r = buf_append(b, &n, sizeof(n));
	return r < 0 ? r : buf_append(b, item.p, item.n);
}

int bundle_add_str(struct buf *b, const char *item)
{
	return bundle_add(b, span_of(item));
}

int bundle_next(struct span *rest, struct span *ret)
{
	uint32_t n;

	if (rest->n == 0)
		return 0;
	if (rest->n < sizeof(n))
		return -EBADMSG;
	memcpy(&n, rest->p, sizeof(n));
	if (n > rest->n - sizeof(n))
		return -EBADMSG;
	*ret = (struct span){ rest->p + sizeof(n), n };
	rest->p += sizeof(n) + n;
	rest->n -= sizeof(n) + n;
	return 1;
}

int bundle_next_str(struct span *rest, char **ret)
{
	struct span s;
	int r = bundle_next(rest, &s);
	char *copy;

	if (r <= 0)
		return r;
	if (memchr(s.p, '\0', s.n))
		return -EBADMSG;
	copy = strndup(s.p ? s.p : "", s.n);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 1;
}
