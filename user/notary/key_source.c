// SPDX-License-Identifier: Apache-2.0
/*
 * The log key at start. Runs in the notary, as root, before it is locked in. Secrets are wiped and never
 * printed.
 */
#include "user/notary/key_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/notary/key_tpm.h"

#define SEALED_FILE_MAX 4096
#define LOST ".lost"
#define NEXT ".next"

const char *key_tier_text(enum key_tier t)
{
	return t == KEY_SEALED ? "tpm-sealed" : "software-only";
}

void key_source_done(struct key_source *s)
{
	log_key_free(s->key);
	log_key_free(s->before);
	*s = (struct key_source){ 0 };
}

/* A key that signed must be found again after a power loss. */
static int sync_folder(const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int fd = dir ? open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (!dir)
		return -ENOMEM;
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_sealed(struct key_tpm *t, const char *path, const uint8_t seed[KEY_SIZE])
{
	_cleanup_buf_ struct buf blob = { 0 };
	int r = key_tpm_seal(t, seed, &blob);

	if (r == 0)
		r = file_replace(path, buf_span(&blob).p, buf_len(&blob), 0600);
	return r < 0 ? r : sync_folder(path);
}

/* The folder is the notary's, and we are root: nothing in it is followed or waited for. */
static int read_sealed(const char *path, struct buf *blob)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? file_read_fd(fd, SEALED_FILE_MAX, blob) : -EBADMSG;
}

static int make_sealed(struct key_tpm *t, const char *path, struct log_key **ret)
{
	uint8_t seed[KEY_SIZE];
	int r = getrandom(seed, sizeof(seed), 0) == sizeof(seed) ? 0 : -EIO;

	if (r == 0)
		r = write_sealed(t, path, seed);
	if (r == 0)
		r = log_key_of_seed(seed, ret);
	OPENSSL_cleanse(seed, sizeof(seed));
	return r;
}

static int beside(const char *path, const char *suffix, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s%s", path, suffix) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int key_source_next(struct key_tpm *t, const char *sealed_path, struct log_key **ret)
{
	char next[PATH_MAX];
	int r = beside(sealed_path, NEXT, next);

	return r < 0 ? r : make_sealed(t, next, ret);
}

int key_source_commit(const char *sealed_path)
{
	char next[PATH_MAX];
	int r = beside(sealed_path, NEXT, next);

	if (r == 0 && rename(next, sealed_path) < 0)
		r = -errno;
	return r < 0 ? r : sync_folder(sealed_path);
}

static void pcr_list(uint32_t mask, char *ret, size_t size)
{
	size_t at = 0;

	*ret = '\0';
	for (unsigned i = 0; i < 24 && at < size; i++)
		if (mask >> i & 1)
			at += (size_t)snprintf(ret + at, size - at, "%s%u", at ? ", " : "", i);
}

/* What cannot come back is set aside: to the boot state that it was sealed to, it still opens. */
static int give_up(struct key_tpm *t, const char *path, int why, uint32_t pcrs, struct key_source *s)
{
	char lost[PATH_MAX], list[128];

	int r = beside(path, LOST, lost);

	if (r == 0 && rename(path, lost) < 0)
		r = -errno;
	if (r < 0)
		return r;
	pcr_list(pcrs, list, sizeof(list));
	if (why == -ESTALE)
		(void)snprintf(s->why, sizeof(s->why), "the log key cannot be unsealed: PCR %s are not as they were "
			       "when it was sealed (firmware, its settings or Secure Boot keys changed). A new key was "
			       "made, without a hand-over. If that change was not yours, treat this machine as "
			       "altered; if it was, give the new log.vkey to whoever verifies this log. The old key is "
			       "kept in log.sealed" LOST " and opens again in the old state", list);
	else
		(void)snprintf(s->why, sizeof(s->why), "the log key cannot be unsealed: its file is damaged or of "
			       "another TPM. A new key was made, without a hand-over. Restore log.sealed from where it "
			       "was kept, or give the new log.vkey to whoever verifies this log; the file is kept as "
			       "log.sealed" LOST);
	return make_sealed(t, path, &s->key);
}

static int open_sealed(struct key_tpm *t, const char *path, struct key_source *s)
{
	_cleanup_buf_ struct buf blob = { 0 };
	uint8_t seed[KEY_SIZE] = { 0 };
	uint32_t pcrs = 0;
	int r = read_sealed(path, &blob);

	if (r == -ENOENT)
		return make_sealed(t, path, &s->key);
	if (r < 0)
		return r;
	r = key_tpm_unseal(t, buf_span(&blob), seed, &pcrs);
	if (r == -ESTALE || r == -EBADMSG)
		return give_up(t, path, r, pcrs, s);
	if (r == 0 && pcrs != key_tpm_pcrs(t)) /* other registers are configured now */
		r = write_sealed(t, path, seed);
	if (r == 0)
		r = log_key_of_seed(seed, &s->key);
	OPENSSL_cleanse(seed, sizeof(seed));
	return r;
}

/* A rotation that a crash cut short: the key in force signs for the one that was made. */
static int finish_rotation(struct key_tpm *t, const char *path, struct key_source *s)
{
	char next[PATH_MAX];
	int r = beside(path, NEXT, next);

	if (r < 0 || access(next, F_OK) < 0 || s->why[0])
		return r;
	log_key_free(s->before);
	s->before = take_ptr(s->key);
	r = key_source_commit(path);
	return r < 0 ? r : open_sealed(t, path, s);
}

/* This boot's key signs for the sealed one that replaces it. It goes with the boot. */
static int succeed_boot_key(const char *boot_path, struct key_source *s)
{
	if (access(boot_path, F_OK) < 0)
		return 0;
	return log_key_open(boot_path, &s->before);
}

static int open_with(struct key_tpm *t, const char *sealed_path, const char *boot_path, struct key_source *s)
{
	int r;

	if (!t) {
		if (access(sealed_path, F_OK) == 0)
			(void)snprintf(s->why, sizeof(s->why), "the log key is sealed to a TPM that is not there or "
				       "not to be used. A key of this boot signs in its place, without a hand-over: "
				       "bring the TPM back and start again to have the sealed key");
		return log_key_open(boot_path, &s->key);
	}
	s->tier = KEY_SEALED;
	r = succeed_boot_key(boot_path, s);
	if (r == 0)
		r = open_sealed(t, sealed_path, s);
	return r < 0 ? r : finish_rotation(t, sealed_path, s);
}

int key_source_open(struct key_tpm *t, const char *sealed_path, const char *boot_path, struct key_source *ret)
{
	struct key_source s = { 0 };
	int r = open_with(t, sealed_path, boot_path, &s);

	if (r < 0)
		key_source_done(&s);
	else
		*ret = s;
	return r;
}

int key_boot_path(const char *run_dir, const char *boot_id, char *ret, size_t size)
{
	char name[64], path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	if (snprintf(name, sizeof(name), "log-%s.key", boot_id) >= (int)sizeof(name) ||
	    snprintf(ret, size, "%s/%s", run_dir, name) >= (int)size)
		return -ENAMETOOLONG;
	d = opendir(run_dir);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		const size_t n = strlen(e->d_name);

		if (n > 8 && strncmp(e->d_name, "log-", 4) == 0 && strcmp(e->d_name + n - 4, ".key") == 0 &&
		    strcmp(e->d_name, name) != 0 &&
		    snprintf(path, sizeof(path), "%s/%s", run_dir, e->d_name) < (int)sizeof(path))
			(void)unlink(path);
	}
	(void)closedir(d);
	return 0;
}
