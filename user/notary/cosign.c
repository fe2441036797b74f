// SPDX-License-Identifier: Apache-2.0
/*
 * ECDSA signature lines of checkpoints. Appended in the notary only; checked anywhere, on hostile text.
 */
#include "user/notary/cosign.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define ALG_ECDSA 2
#define TEXT_MAX 1024 /* of a key's text */

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static EVP_PKEY *p256_of(struct span spki)
{
	const uint8_t *p = (const uint8_t *)spki.p;
	EVP_PKEY *k = spki.n && spki.n <= COSIGN_SPKI_MAX ? d2i_PUBKEY(NULL, &p, (long)spki.n) : NULL;
	char group[32] = "";

	if (k && p == (const uint8_t *)spki.p + spki.n && EVP_PKEY_is_a(k, "EC") &&
	    EVP_PKEY_get_group_name(k, group, sizeof(group), NULL) && strcmp(group, "prime256v1") == 0)
		return k;
	EVP_PKEY_free(k);
	return NULL;
}

int cosign_key_of(const char *name, struct span spki, struct cosign_key *ret)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = p256_of(spki);
	uint8_t digest[SHA256_SIZE];

	if (!key || !checkpoint_name_valid(name))
		return -EINVAL;
	*ret = (struct cosign_key){ .spki_n = spki.n };
	memcpy(ret->name, name, strlen(name));
	memcpy(ret->spki, spki.p, spki.n);
	sha256(spki.p, spki.n, digest);
	memcpy(ret->id, digest, sizeof(ret->id));
	return 0;
}

int cosign_key_text(const struct cosign_key *k, struct buf *out)
{
	uint8_t key[1 + COSIGN_SPKI_MAX] = { ALG_ECDSA };
	char id[9];
	int r;

	memcpy(key + 1, k->spki, k->spki_n);
	hex_encode(k->id, sizeof(k->id), id);
	r = buf_printf(out, "%s+%s+", k->name, id);
	return r < 0 ? r : base64_append(out, key, 1 + k->spki_n);
}

int cosign_key_parse(struct span text, struct cosign_key *ret)
{
	uint8_t key[1 + COSIGN_SPKI_MAX], id[4];
	char name[CHECKPOINT_NAME_MAX + 1];
	struct cosign_key k;
	struct span t = checkpoint_trim(text), part;
	const char *plus = t.n && t.n <= TEXT_MAX ? memchr(t.p, '+', t.n) : NULL;
	size_t n = plus ? (size_t)(plus - t.p) : 0;

	if (!plus || n > CHECKPOINT_NAME_MAX)
		return -EINVAL;
	memcpy(name, t.p, n);
	name[n] = '\0';
	part = (struct span){ plus + 1, t.n - n - 1 };
	if (strlen(name) != n || part.n < 10 || part.p[8] != '+' || hex_decode(part.p, 8, id, sizeof(id)) < 0 ||
	    base64_decode((struct span){ part.p + 9, part.n - 9 }, key, sizeof(key), &n) < 0 || n < 1 ||
	    key[0] != ALG_ECDSA || cosign_key_of(name, (struct span){ (const char *)key + 1, n - 1 }, &k) < 0 ||
	    memcmp(k.id, id, sizeof(id)) != 0)
		return -EINVAL;
	*ret = k;
	return 0;
}

int cosign_append(struct buf *note, const struct cosign_key *k, cosign_fn sign, void *arg)
{
	_cleanup_buf_ struct buf sig = { 0 }, line = { 0 };
	uint8_t digest[SHA256_SIZE];
	struct checkpoint cp;
	size_t n;
	int r = checkpoint_parse(buf_span(note), &cp, &n);

	if (r < 0)
		return r;
	sha256(buf_span(note).p, n, digest);
	r = buf_append(&sig, k->id, sizeof(k->id));
	if (r == 0)
		r = sign(arg, digest, &sig);
	if (r == 0)
		r = buf_printf(&line, CHECKPOINT_EM_DASH "%s ", k->name);
	if (r == 0)
		r = base64_append(&line, buf_span(&sig).p, buf_len(&sig));
	if (r == 0)
		r = buf_append(&line, "\n", 1);
	return r < 0 ? r : buf_append(note, buf_span(&line).p, buf_len(&line));
}

static bool verifies(const struct cosign_key *k, struct span text, const uint8_t *sig, size_t n)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = p256_of((struct span){ (const char *)k->spki, k->spki_n });
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return key && ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, sig, n, (const uint8_t *)text.p, text.n) == 1;
}

int cosign_check(struct span note, const struct cosign_key *k)
{
	uint8_t sig[CHECKPOINT_SIG_MAX];
	struct checkpoint cp;
	struct span text, rest, name;
	unsigned found = 0;
	size_t n;
	int r = checkpoint_parse(note, &cp, &n);

	if (r < 0)
		return r;
	text = (struct span){ note.p, n };
	rest = (struct span){ note.p + n + 1, note.n - n - 1 };
	while (rest.n) {
		r = checkpoint_next_signature(&rest, &name, sig, &n);
		if (r < 0)
			return r;
		if (!span_is(name, k->name) || memcmp(sig, k->id, sizeof(k->id)) != 0)
			continue;
		if (++found > 1 || n > 4 + COSIGN_SIG_MAX || !verifies(k, text, sig + 4, n - 4))
			return -EKEYREJECTED;
	}
	return found ? 0 : -ENODATA;
}
