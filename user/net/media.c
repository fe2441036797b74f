// SPDX-License-Identifier: Apache-2.0
/*
 * What a media type says about its bytes. Runs in the proxy on hostile text; wherever the word stands it is taken for
 * the parameter, as lenient readers search the value for it.
 */
#include "user/net/media.h"

#include "user/net/head.h"

static bool starts(struct span s, const char *lower)
{
	size_t n = strlen(lower);

	return s.n >= n && span_caseeq((struct span){ s.p, n }, lower);
}

/* What follows the word: ="utf-8", with or without quotes, and then the end or another parameter. */
static bool names_utf8(struct span s)
{
	bool quoted = starts(s, "=\"utf-8\"");
	size_t n = quoted ? 8 : 6;

	return (quoted || starts(s, "=utf-8")) && (s.n == n || memchr("; \t", s.p[n], 3));
}

bool http_media_is_utf8(struct span type)
{
	static const char word[] = "charset";

	for (size_t i = 0; i + sizeof(word) - 1 <= type.n; i++) {
		struct span rest = { type.p + i, type.n - i };

		if (starts(rest, word) &&
		    !names_utf8((struct span){ rest.p + sizeof(word) - 1, rest.n - (sizeof(word) - 1) }))
			return false;
	}
	return true;
}
