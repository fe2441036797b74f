// SPDX-License-Identifier: Apache-2.0
/*
 * Host names as TLS, HTTP and DNS say them. Runs in the proxy; total on any bytes.
 */
#include "user/net/name.h"

#include <errno.h>
#include <stdbool.h>

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* "1", "0x1f": with such a last label some clients take the whole for an address. */
static bool is_number(const char *s)
{
	const char *digits = "0123456789";

	if (s[0] == '0' && s[1] == 'x') {
		digits = "0123456789abcdef";
		s += 2;
	}
	return s[strspn(s, digits)] == '\0';
}

int name_read(struct span in, char ret[NAME_SIZE])
{
	char out[NAME_SIZE];
	size_t label = 0; /* where the last one begins */

	if (in.n == 0 || in.n >= NAME_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < in.n; i++) {
		char ch = in.p[i];

		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		out[i] = ch;
		if (ch == '.') {
			if (i == label)
				return -EBADMSG;
			label = i + 1;
		} else if (!((ch >= 'a' && ch <= 'z') || is_digit(ch) || ch == '-' || ch == '_')) {
			return -EBADMSG;
		} else if (i - label >= NAME_LABEL_MAX) {
			return -EBADMSG;
		}
	}
	out[in.n] = '\0';
	if (label == in.n || is_number(out + label))
		return -EBADMSG;
	memcpy(ret, out, in.n + 1);
	return 0;
}
