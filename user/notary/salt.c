// SPDX-License-Identifier: Apache-2.0
/*
 * Salted commitments to payloads. Runs in every role that records. Never keeps a payload.
 */
#include "user/notary/salt.h"

#include <openssl/crypto.h>
#include <string.h>

#include "user/base/hasher.h"
#include "user/notary/chain.h"

#define INSTANCE_DOMAIN "tollgate/salt/instance/v1"
#define SESSION_DOMAIN "tollgate/salt/session/v1"
#define SALT_DOMAIN "tollgate/salt/v1"

/* Called twice or more per record, where the one-shot digest's set-up would cost most of the record. */
static void digest(const void *p, size_t n, uint8_t ret[SHA256_SIZE])
{
	struct hasher *h = hasher_of_thread();
	const struct span whole = { p, n };

	if (h)
		hasher_sha256(h, &whole, 1, ret);
	else
		sha256(p, n, ret);
}

/* SHA-256 of domain, its NUL, a key and a digest-sized or shorter tail. Every input has a fixed length
 * before the tail and each domain fixes the tail's form, so no two uses share an input. */
static void derive(const char *domain, const uint8_t key[SALT_SIZE], const void *tail, size_t n,
		   uint8_t ret[SALT_SIZE])
{
	uint8_t in[128];
	size_t at = strlen(domain) + 1;

	memcpy(in, domain, at);
	memcpy(in + at, key, SALT_SIZE);
	at += SALT_SIZE;
	memcpy(in + at, tail, n);
	digest(in, at + n, ret);
	OPENSSL_cleanse(in, sizeof(in));
}

void salt_instance_key(const uint8_t node_key[SALT_SIZE], struct span epoch, uint8_t ret[SALT_SIZE])
{
	uint8_t d[SHA256_SIZE];

	digest(epoch.p ? epoch.p : "", epoch.n, d);
	derive(INSTANCE_DOMAIN, node_key, d, sizeof(d), ret);
}

void salt_session_key(const uint8_t instance_key[SALT_SIZE], struct span session_id,
		      uint8_t ret[SALT_SIZE])
{
	uint8_t d[SHA256_SIZE];

	digest(session_id.p ? session_id.p : "", session_id.n, d);
	derive(SESSION_DOMAIN, instance_key, d, sizeof(d), ret);
}

void salt_derive(const uint8_t session_key[SALT_SIZE], uint64_t sequence, enum salt_member m,
		 uint8_t ret[SALT_SIZE])
{
	uint8_t tail[9];

	for (int i = 0; i < 8; i++)
		tail[i] = (uint8_t)(sequence >> (56 - 8 * i));
	tail[8] = (uint8_t)m;
	derive(SALT_DOMAIN, session_key, tail, sizeof(tail), ret);
}

void salt_commit(const uint8_t salt[SALT_SIZE], const uint8_t payload_digest[SHA256_SIZE],
		 char ret[SHA256_PREFIXED_SIZE])
{
	uint8_t in[SALT_SIZE + SHA256_SIZE], d[SHA256_SIZE];

	memcpy(in, salt, SALT_SIZE);
	memcpy(in + SALT_SIZE, payload_digest, SHA256_SIZE);
	digest(in, sizeof(in), d);
	sha256_prefixed(d, ret);
	OPENSSL_cleanse(in, sizeof(in));
}

void salt_commit_digest(const struct chain *c, enum salt_member m, const uint8_t payload_digest[SHA256_SIZE],
			char ret[SHA256_PREFIXED_SIZE])
{
	uint8_t salt[SALT_SIZE];

	salt_derive(c->salt_key, c->sequence, m, salt);
	salt_commit(salt, payload_digest, ret);
	OPENSSL_cleanse(salt, sizeof(salt));
}

void salt_commit_next(const struct chain *c, enum salt_member m, struct span payload,
		      char ret[SHA256_PREFIXED_SIZE])
{
	uint8_t d[SHA256_SIZE];

	digest(payload.p ? payload.p : "", payload.n, d);
	salt_commit_digest(c, m, d, ret);
}
