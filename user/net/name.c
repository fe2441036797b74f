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
	if (label == in.n || is_digit(out[label]))
		return -EBADMSG;
	out[in.n] = '\0';
	memcpy(ret, out, in.n + 1);
	return 0;
}
