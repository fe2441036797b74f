// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the server name from a TLS ClientHello, in the proxy. Total on any bytes; nothing else of
 * TLS is understood here.
 */
#include "user/net/sni.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	RECORD_HANDSHAKE = 22,
	HELLO_CLIENT = 1,
	EXT_SERVER_NAME = 0,
	NAME_TYPE_HOST = 0,
};

/* Bytes not read yet; once something did not fit, everything after fails too. */
struct reader {
	const uint8_t *p;
	size_t n;
	bool bad;
};

static struct reader take(struct reader *r, size_t n)
{
	struct reader part = { r->p, n, r->bad };

	if (r->bad || n > r->n) {
		r->bad = true;
		return (struct reader){ .bad = true };
	}
	r->p += n;
	r->n -= n;
	return part;
}

static size_t number(struct reader *r, unsigned width)
{
	struct reader b = take(r, width);
	size_t v = 0;

	for (size_t i = 0; !b.bad && i < width; i++)
		v = v << 8 | b.p[i];
	return v;
}

static struct reader vector(struct reader *r, unsigned width)
{
	return take(r, number(r, width));
}

static int host_name(struct reader ext, char ret[SNI_SIZE])
{
	struct reader list = vector(&ext, 2), name;
	char out[SNI_SIZE];
	size_t type;

	type = number(&list, 1);
	name = vector(&list, 2);
	if (ext.n || list.n || ext.bad || list.bad || name.bad || type != NAME_TYPE_HOST)
		return -EBADMSG;
	if (name.n == 0 || name.n >= SNI_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t ch = name.p[i];

		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' ||
		      ch == '.' || ch == '_'))
			return -EBADMSG;
		out[i] = (char)ch;
	}
	out[name.n] = '\0';
	memcpy(ret, out, name.n + 1);
	return 1;
}

static int hello(struct reader h, char ret[SNI_SIZE])
{
	struct reader exts;
	bool found = false;

	take(&h, 2 + 32); /* version, random */
	vector(&h, 1); /* session id */
	vector(&h, 2); /* cipher suites */
	vector(&h, 1); /* compression methods */
	if (h.bad)
		return -EBADMSG;
	if (h.n == 0)
		return 0;
	exts = vector(&h, 2);
	if (h.bad || h.n)
		return -EBADMSG;
	while (exts.n) {
		size_t type = number(&exts, 2);
		struct reader ext = vector(&exts, 2);

		if (exts.bad)
			return -EBADMSG;
		if (type != EXT_SERVER_NAME)
			continue;
		if (found || host_name(ext, ret) < 0)
			return -EBADMSG;
		found = true;
	}
	return found;
}

int sni_parse(struct span in, char ret[SNI_SIZE])
{
	struct reader r = { (const uint8_t *)in.p, in.n, false };
	uint8_t msg[SNI_HELLO_MAX];
	size_t have = 0, want = 4;
	char name[SNI_SIZE];
	int found;

	while (have < want) {
		size_t type, n;
		struct reader body;

		if (r.n < 5) {
			if ((r.n > 0 && r.p[0] != RECORD_HANDSHAKE) || (r.n > 1 && r.p[1] != 3))
				return -EBADMSG;
			return -EAGAIN;
		}
		type = number(&r, 1);
		if (type != RECORD_HANDSHAKE || r.p[0] != 3)
			return -EBADMSG;
		take(&r, 2);
		n = number(&r, 2);
		if (n == 0 || n > sizeof(msg) - have)
			return -EBADMSG;
		body = (struct reader){ r.p, n < r.n ? n : r.n, false };
		memcpy(msg + have, body.p, body.n);
		have += body.n;
		if (have >= 4) {
			want = 4 + ((size_t)msg[1] << 16 | (size_t)msg[2] << 8 | msg[3]);
			if (msg[0] != HELLO_CLIENT || want > sizeof(msg))
				return -EBADMSG;
		}
		if (body.n < n && have < want)
			return -EAGAIN;
		take(&r, body.n);
	}
	found = hello((struct reader){ msg + 4, want - 4, false }, name);
	if (found > 0)
		memcpy(ret, name, sizeof(name));
	return found;
}
