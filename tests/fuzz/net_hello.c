// SPDX-License-Identifier: Apache-2.0
/* A ClientHello: no fault, and a part of one asks for more or gives the same answer. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/net/hello.h"

static void check(const struct tls_hello *h)
{
	char name[NAME_SIZE];

	if (strnlen(h->name, sizeof(h->name)) == sizeof(h->name) || h->alpn_n > HELLO_ALPN_MAX)
		abort();
	if (*h->name && (name_read(span_of(h->name), name) < 0 || strcmp(name, h->name) != 0))
		abort();
	for (unsigned i = 0; i < h->alpn_n; i++) {
		size_t n = strnlen(h->alpn[i], sizeof(h->alpn[i]));

		if (n == 0 || n == sizeof(h->alpn[i]))
			abort();
		for (size_t k = 0; k < n; k++)
			if (h->alpn[i][k] <= ' ' || h->alpn[i][k] >= 0x7f)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_hello h = { 0 }, again = { 0 };
	struct span in = { (const char *)data, size };
	int r = hello_read(in, &h);

	if (r == 0)
		check(&h);
	for (size_t n = 0; r == 0 && n < size; n += size / 16 + 1) {
		int s = hello_read((struct span){ in.p, n }, &again);

		if (s != -EAGAIN && (s != 0 || memcmp(&h, &again, sizeof(h)) != 0))
			abort();
	}
	return 0;
}
