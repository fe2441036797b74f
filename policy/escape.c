// SPDX-License-Identifier: Apache-2.0
/* Escaping for print. Text in a set is valid UTF-8, so nothing else is expected here. */
#include "policy/escape.h"

#include <string.h>

#include "policy/text.h"
#include "policy/unicode.h"

/* The n bytes at p are c. */
static int escape_char(struct buf *out, const char *p, unsigned n, uint32_t c, bool first)
{
	static const char from[] = "\t\r\n\\\"'", to[] = "trn\\\"'";
	const char *at = c && c < 0x80 ? strchr(from, (int)c) : NULL;
	char e[2] = { '\\', at ? to[at - from] : '0' };

	if (at || c == 0)
		return buf_append(out, e, sizeof(e));
	if (char_prints(c) && !(first && char_extends(c)))
		return buf_append(out, p, n);
	return buf_printf(out, "\\u{%x}", c);
}

int escape_string(struct buf *out, struct span s)
{
	const char *p = s.p, *end = s.p + s.n;
	int r = 0;

	while (r == 0 && p < end) {
		uint32_t c = 0;
		unsigned n = utf8_decode(p, end, &c);

		if (n == 0)
			break;
		r = escape_char(out, p, n, c, p == s.p);
		p += n;
	}
	return r;
}

static int escape_run(struct buf *out, struct span s)
{
	const char *p = s.p, *end = s.p + s.n;
	int r = 0;

	while (r == 0 && p < end) {
		uint32_t c = 0;
		unsigned n = utf8_decode(p, end, &c);

		if (n == 0)
			break;
		r = c == '*' ? buf_append(out, "\\*", 2) : escape_char(out, p, n, c, true);
		p += n;
	}
	return r;
}

int escape_pattern(struct buf *out, const struct pattern *p)
{
	int r = escape_run(out, p->run[0]);

	for (uint32_t i = 1; r == 0 && i < p->n; i++) {
		r = buf_append(out, "*", 1);
		if (r == 0)
			r = escape_run(out, p->run[i]);
	}
	return r;
}
