// SPDX-License-Identifier: Apache-2.0
/*
 * The producer's end of a session's hash chain. Runs in every role that records.
 */
#include "user/notary/chain.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/random.h>

#include "user/base/span.h"
#include "user/notary/record.h"
#include "user/notary/salt.h"

int chain_start(struct chain *c, const uint8_t instance_key[SHA256_SIZE])
{
	static const uint8_t dashes[] = { 8, 13, 18, 23 };
	uint8_t u[16];
	char hex[33];
	size_t at = 0;

	if (getrandom(u, sizeof(u), 0) != (ssize_t)sizeof(u))
		return errno ? -errno : -EIO;
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40); /* RFC 9562: version 4, variant 10 */
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	hex_encode(u, sizeof(u), hex);
	*c = (struct chain){ .prev = CHAIN_GENESIS };
	for (size_t i = 0; i < CHAIN_ID_SIZE - 1; i++)
		c->session_id[i] = memchr(dashes, (int)i, sizeof(dashes)) ? '-' : hex[at++];
	salt_session_key(instance_key, span_of(c->session_id), c->salt_key);
	return 0;
}

void chain_advance(struct chain *c, const struct record_line *line)
{
	memcpy(c->prev, line->entry_hash, sizeof(c->prev));
	c->last_ns = line->real_ns;
	c->sequence++;
}

void chain_done(struct chain *c)
{
	OPENSSL_cleanse(c->salt_key, sizeof(c->salt_key));
}
