// SPDX-License-Identifier: Apache-2.0
/*
 * Entries of the payload escrow. Made in the proxy, which has the recipient's public key and no other; opened in
 * tollgate(1), on another machine.
 */
#include "user/notary/escrow.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/notary/chain.h"
#include "user/notary/view.h"

#define MARK "tollgate-escrow\n"
#define MARK_N (sizeof(MARK) - 1)
#define VERSION 1
#define INFO SPAN("tollgate/escrow/v1")
#define ID_N (CHAIN_ID_SIZE - 1)
#define SEALED_MAX (SALT_SIZE + HPKE_TEXT_MAX + HPKE_OVERHEAD)

static void put_be(uint8_t *to, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static uint64_t get_be(const char *from, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | (uint8_t)from[i];
	return v;
}

int escrow_seal(const uint8_t recipient[HPKE_KEY], const struct chain *c, enum salt_member m, struct span payload,
		struct buf *out)
{
	uint8_t head[ESCROW_HEAD] = MARK, salt[SALT_SIZE];
	const struct span pieces[] = { { (const char *)salt, sizeof(salt) }, payload };
	int r;

	if (payload.n > HPKE_TEXT_MAX - SALT_SIZE)
		return -EMSGSIZE;
	put_be(head + 16, VERSION, 4);
	put_be(head + 20, SALT_SIZE + payload.n + HPKE_OVERHEAD, 4);
	memcpy(head + 24, c->session_id, ID_N);
	put_be(head + 60, c->sequence, 8);
	head[68] = (uint8_t)m;
	salt_derive(c->salt_key, c->sequence, m, salt);
	r = buf_append(out, head, sizeof(head));
	if (r == 0)
		r = hpke_seal(recipient, INFO, (struct span){ (const char *)head, sizeof(head) }, pieces,
			      ARRAY_SIZE(pieces), out);
	OPENSSL_cleanse(salt, sizeof(salt));
	return r;
}

int escrow_put(const struct escrow *e, const struct chain *c, enum salt_member m, struct span payload)
{
	_cleanup_buf_ struct buf entry = { .limit = ESCROW_HEAD + (size_t)SEALED_MAX };
	int r = escrow_seal(e->recipient, c, m, payload, &entry);
	ssize_t n;

	if (r < 0)
		return r;
	do {
		n = write(e->fd, buf_span(&entry).p, buf_len(&entry));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (size_t)n < buf_len(&entry) ? -ENOSPC : 0;
}

/* The text begins with the mark. */
static bool read_entry(struct span text, struct escrow_entry *ret)
{
	uint64_t n;

	if (text.n < ESCROW_HEAD || get_be(text.p + 16, 4) != VERSION || get_be(text.p + 69, 3) != 0)
		return false;
	n = get_be(text.p + 20, 4);
	if (n < HPKE_OVERHEAD + SALT_SIZE || n > text.n - ESCROW_HEAD || memchr(text.p + 24, '\0', ID_N))
		return false;
	*ret = (struct escrow_entry){
		.sequence = get_be(text.p + 60, 8), .member = (enum salt_member)(uint8_t)text.p[68],
		.head = { text.p, ESCROW_HEAD }, .sealed = { text.p + ESCROW_HEAD, (size_t)n },
	};
	memcpy(ret->session_id, text.p + 24, ID_N);
	return true;
}

bool escrow_next(struct span *rest, struct escrow_entry *ret)
{
	const char *end = rest->p + rest->n, *at;

	while (rest->n && (at = memmem(rest->p, rest->n, MARK, MARK_N))) {
		bool good = read_entry((struct span){ at, (size_t)(end - at) }, ret);

		/* After a torn entry the next one begins somewhere inside of what was to be its bytes. */
		rest->p = good ? ret->sealed.p + ret->sealed.n : at + MARK_N;
		rest->n = (size_t)(end - rest->p);
		if (good)
			return true;
	}
	rest->n = 0;
	return false;
}

static enum record_member member_of(enum salt_member m)
{
	return m == SALT_REQUEST ? M_REQUEST_PAYLOAD_HASH : m == SALT_RESPONSE ? M_RESPONSE_PAYLOAD_HASH : M_COUNT;
}

int escrow_open(const struct escrow_entry *e, const uint8_t key[HPKE_KEY], const struct record_view *v, struct buf *out)
{
	_cleanup_buf_ struct buf text = { .limit = SEALED_MAX };
	const enum record_member member = member_of(e->member);
	char commitment[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct span plain;
	int r;

	if (member == M_COUNT || e->sequence != v->sequence || !span_is(v->session_id, e->session_id))
		return -ENOENT;
	r = hpke_open(key, INFO, e->head, e->sealed, &text);
	plain = buf_span(&text);
	if (r == 0 && plain.n < SALT_SIZE)
		r = -EBADMSG;
	if (r == 0) {
		sha256(plain.p + SALT_SIZE, plain.n - SALT_SIZE, digest);
		salt_commit((const uint8_t *)plain.p, digest, commitment);
		if (!span_is(record_view_text(v, member), commitment))
			r = -EUCLEAN;
	}
	if (r == 0)
		r = buf_append(out, plain.p + SALT_SIZE, plain.n - SALT_SIZE);
	if (plain.n)
		OPENSSL_cleanse((void *)(uintptr_t)plain.p, plain.n);
	return r;
}
