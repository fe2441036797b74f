// SPDX-License-Identifier: Apache-2.0
/*
 * Reads where a connection is to go from a TLS ClientHello, in the proxy. Total on any bytes; nothing
 * else of TLS is understood here.
 */
#include "user/net/hello.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

enum {
	RECORD_HANDSHAKE = 22,
	HELLO_CLIENT = 1,
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	EXT_ECH_FIRST = 0xfe08, /* the drafts' numbers, up to the final one */
	EXT_ECH = 0xfe0d,
	EXT_ESNI = 0xffce, /* what came before it */
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

static int host_name(struct reader ext, struct tls_hello *h)
{
	struct reader list = vector(&ext, 2), name;
	size_t type;

	type = number(&list, 1);
	name = vector(&list, 2);
	if (ext.n || list.n || ext.bad || list.bad || name.bad || type != NAME_TYPE_HOST)
		return -EBADMSG;
	return name_read((struct span){ (const char *)name.p, name.n }, h->name);
}

/* Policies compare text, so what is none (the random values of RFC 8701) is spelled out. */
static void protocol_text(struct reader p, char ret[HELLO_PROTOCOL_SIZE])
{
	bool plain = true;

	for (size_t i = 0; i < p.n; i++)
		plain &= p.p[i] > 0x20 && p.p[i] < 0x7f;
	if (plain) {
		memcpy(ret, p.p, p.n);
		ret[p.n] = '\0';
		return;
	}
	memcpy(ret, "0x", 3);
	for (size_t i = 0; i < p.n; i++)
		(void)snprintf(ret + 2 + 2 * i, 3, "%02x", p.p[i]);
}

static int protocols(struct reader ext, struct tls_hello *h)
{
	struct reader list = vector(&ext, 2);

	if (ext.n || list.bad || list.n == 0)
		return -EBADMSG;
	while (list.n) {
		struct reader p = vector(&list, 1);

		if (p.bad || p.n == 0 || p.n > HELLO_PROTOCOL_MAX || h->alpn_n == HELLO_ALPN_MAX)
			return -EBADMSG;
		protocol_text(p, h->alpn[h->alpn_n++]);
	}
	return 0;
}

static int extension(size_t type, struct reader ext, struct tls_hello *h)
{
	if (type == EXT_SERVER_NAME)
		return *h->name ? -EBADMSG : host_name(ext, h);
	if (type == EXT_ALPN)
		return h->alpn_n ? -EBADMSG : protocols(ext, h);
	if ((type >= EXT_ECH_FIRST && type <= EXT_ECH) || type == EXT_ESNI)
		h->encrypted = true;
	return 0;
}

static int hello(struct reader r, struct tls_hello *ret)
{
	struct reader exts;

	take(&r, 2 + 32); /* version, random */
	vector(&r, 1); /* session id */
	vector(&r, 2); /* cipher suites */
	vector(&r, 1); /* compression methods */
	if (r.bad)
		return -EBADMSG;
	if (r.n == 0)
		return 0;
	exts = vector(&r, 2);
	if (r.bad || r.n)
		return -EBADMSG;
	while (exts.n) {
		size_t type = number(&exts, 2);
		struct reader ext = vector(&exts, 2);

		if (exts.bad || extension(type, ext, ret) < 0)
			return -EBADMSG;
	}
	return 0;
}

int hello_read(struct span in, struct tls_hello *ret)
{
	struct reader r = { (const uint8_t *)in.p, in.n, false };
	uint8_t msg[HELLO_MAX];
	size_t have = 0, want = 4;
	struct tls_hello found = { 0 };
	int rc;

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
	rc = hello((struct reader){ msg + 4, want - 4, false }, &found);
	if (rc == 0)
		*ret = found;
	return rc;
}
