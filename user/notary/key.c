// SPDX-License-Identifier: Apache-2.0
/*
 * Key files of the notary. Runs in the notary; the checking of a signature also in verifiers. Secrets
 * are wiped and never printed.
 */
#include "user/notary/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"

/* One line: a word that says what it is, a space, 64 hex digits. */
#define KEY_WORD "tollgate-ed25519-seed "
#define SALT_WORD "tollgate-salt-key "
#define KEY_FILE_MAX 128

struct log_key {
	EVP_PKEY *pkey;
	EVP_MD_CTX *ctx;
	uint8_t pub[KEY_SIZE];
};

DEFINE_CLEANUP(struct log_key *, log_key_free)

static int read_secret(int fd, const char *word, uint8_t ret[KEY_SIZE])
{
	char text[KEY_FILE_MAX] = "";
	size_t at = strlen(word);
	struct stat st;
	ssize_t n;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_mode & 077 || st.st_uid != geteuid())
		return -EPERM;
	n = pread(fd, text, sizeof(text), 0);
	if (n < 0)
		r = -errno;
	else if ((size_t)n != at + 2 * KEY_SIZE + 1 || memcmp(text, word, at) != 0 ||
		 text[n - 1] != '\n' || hex_decode(text + at, 2 * KEY_SIZE, ret, KEY_SIZE) < 0)
		r = -EBADMSG;
	OPENSSL_cleanse(text, sizeof(text));
	return r;
}

/* Written whole under another name and linked into place: a crash leaves a key or none, and two
 * starters never overwrite each other's. */
static int make_secret(const char *path, const char *word, uint8_t ret[KEY_SIZE])
{
	_cleanup_free_ char *tmp = NULL, *dir = strdup(path);
	_cleanup_close_ int fd = -1, dirfd = -1;
	char text[KEY_FILE_MAX];
	size_t at = strlen(word);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int r = 0;

	if (!dir || asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		return -ENOMEM;
	}
	if (getrandom(ret, KEY_SIZE, 0) != KEY_SIZE)
		return errno ? -errno : -EIO;
	memcpy(text, word, at);
	hex_encode(ret, KEY_SIZE, text + at);
	text[at + 2 * KEY_SIZE] = '\n';
	fd = mkostemp(tmp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, at + 2 * KEY_SIZE + 1);
	OPENSSL_cleanse(text, sizeof(text));
	if (r == 0 && (fsync(fd) < 0 || link(tmp, path) < 0))
		r = -errno;
	(void)unlink(tmp);
	if (r < 0)
		return r;
	if (slash)
		*(slash == dir ? slash + 1 : slash) = '\0';
	dirfd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 || fsync(dirfd) < 0 ? -errno : 0;
}

static int open_secret(const char *path, const char *word, uint8_t ret[KEY_SIZE])
{
	for (int attempt = 0;; attempt++) {
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		int r;

		if (fd >= 0)
			return read_secret(fd, word, ret);
		if (errno != ENOENT)
			return -errno;
		r = make_secret(path, word, ret);
		if (r != -EEXIST || attempt > 0)
			return r;
	}
}

static int key_of_seed(const uint8_t seed[KEY_SIZE], struct log_key *k)
{
	size_t n = KEY_SIZE;

	k->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SIZE);
	k->ctx = EVP_MD_CTX_new();
	if (!k->pkey || !k->ctx)
		return -ENOMEM;
	if (!EVP_PKEY_get_raw_public_key(k->pkey, k->pub, &n) || n != KEY_SIZE)
		return -EBADMSG;
	return 0;
}

int log_key_of_seed(const uint8_t seed[KEY_SIZE], struct log_key **ret)
{
	_cleanup_(log_key_free_p) struct log_key *k = calloc(1, sizeof(*k));
	int r = k ? key_of_seed(seed, k) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = take_ptr(k);
	return 0;
}

int log_key_open(const char *path, struct log_key **ret)
{
	uint8_t seed[KEY_SIZE];
	int r;

	if (path)
		r = open_secret(path, KEY_WORD, seed);
	else
		r = getrandom(seed, sizeof(seed), 0) == sizeof(seed) ? 0 : -EIO;
	if (r == 0)
		r = log_key_of_seed(seed, ret);
	OPENSSL_cleanse(seed, sizeof(seed));
	return r;
}

void log_key_free(struct log_key *k)
{
	if (!k)
		return;
	EVP_MD_CTX_free(k->ctx);
	EVP_PKEY_free(k->pkey); /* wipes the private part */
	free(k);
}

void log_key_public(const struct log_key *k, uint8_t ret[KEY_SIZE])
{
	memcpy(ret, k->pub, KEY_SIZE);
}

int log_key_sign(struct log_key *k, const void *p, size_t n, uint8_t ret[KEY_SIG_SIZE])
{
	size_t len = KEY_SIG_SIZE;

	if (!EVP_MD_CTX_reset(k->ctx) || !EVP_DigestSignInit(k->ctx, NULL, NULL, NULL, k->pkey) ||
	    !EVP_DigestSign(k->ctx, ret, &len, p, n) || len != KEY_SIG_SIZE)
		return -EIO;
	return 0;
}

int log_key_check(const uint8_t pub[KEY_SIZE], const void *p, size_t n,
		  const uint8_t sig[KEY_SIG_SIZE])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = -EBADMSG;

	if (k && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k) == 1 &&
	    EVP_DigestVerify(ctx, sig, KEY_SIG_SIZE, p, n) == 1)
		r = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(k);
	return r;
}

int salt_key_open(const char *path, uint8_t ret[KEY_SIZE])
{
	return open_secret(path, SALT_WORD, ret);
}
