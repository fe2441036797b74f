// SPDX-License-Identifier: Apache-2.0
/*
 * Digests of packages. Runs in the supervisor when a server starts, and on the command line. What is measured may be
 * hostile: every open is confined to the tree, to its file system and to no links, so no name leads elsewhere.
 */
#include "user/proc/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/measure.h"

#define HEADING "tollgate-package-1\n"
#define MODE_BITS 07777
#define LINE_MAX_ (2 * PACKAGE_PATH_MAX + 128)
#define CACHE_SLOTS 32 /* servers of a node that share nothing; a collision costs a reading, nothing else */

/* What tells one state of a file from another. */
struct key {
	uint64_t dev, ino, size;
	uint32_t mode, uid;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct entry {
	char *path; /* below the root, "" the root itself */
	struct key key;
};

struct walk {
	int root;
	struct entry *v;
	unsigned n, room;
	size_t names; /* bytes */
	uint64_t bytes;
	bool roots; /* all belongs to root, nobody else may write it, and none of it changed just now */
	struct package *out;
};

struct cached {
	bool used;
	uint8_t state[SHA256_SIZE]; /* of all paths and keys */
	uint8_t digest[SHA256_SIZE];
};

/* One thread per process uses this. */
static struct cached cache[CACHE_SLOTS];

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static struct key key_of(const struct stat *st)
{
	return (struct key){ .dev = st->st_dev,
			     .ino = st->st_ino,
			     .size = (uint64_t)st->st_size,
			     .mode = st->st_mode,
			     .uid = st->st_uid,
			     .mtime_s = st->st_mtim.tv_sec,
			     .mtime_ns = st->st_mtim.tv_nsec,
			     .ctime_s = st->st_ctim.tv_sec,
			     .ctime_ns = st->st_ctim.tv_nsec };
}

static int fail_at(struct walk *w, const char *path, int r)
{
	(void)snprintf(w->out->at, sizeof(w->out->at), "%s", path);
	return r;
}

/* Opens an entry as what it is, without its being opened for reading: a link is the link. */
static int open_entry(const struct walk *w, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	long fd;

	if (!*path) {
		fd = fcntl(w->root, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : (int)fd;
	}
	fd = syscall(SYS_openat2, w->root, path, &how, sizeof(how));
	/* What is gone, or has become something else on the way to it, has changed since it was listed. */
	return fd >= 0 ? (int)fd : errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? -EBUSY : -errno;
}

/* Opens for reading what an O_PATH descriptor refers to. */
static int reopen(int path_fd, int flags)
{
	char self[32];
	int fd;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	return fd < 0 ? -errno : fd;
}

/* --- listing --------------------------------------------------------------------------------------- */

static int check_kind(struct walk *w, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode))
		return -EINVAL;
	if (S_ISREG(st->st_mode)) {
		if ((uint64_t)st->st_size > PACKAGE_BYTES_MAX - w->bytes)
			return -EFBIG;
		w->bytes += (uint64_t)st->st_size;
	}
	/* The mode of a link means nothing. */
	w->roots &= st->st_uid == 0 && (S_ISLNK(st->st_mode) || !(st->st_mode & 022)) && measure_is_settled(st);
	return 0;
}

static int add(struct walk *w, const char *path)
{
	_cleanup_close_ int fd = open_entry(w, path);
	struct stat st;
	int r;

	if (fd < 0)
		return fail_at(w, path, fd);
	if (fstat(fd, &st) < 0)
		return fail_at(w, path, -errno);
	r = check_kind(w, &st);
	if (r < 0)
		return fail_at(w, path, r);
	w->names += strlen(path) + 1;
	if (w->n == PACKAGE_ENTRIES_MAX || w->names > PACKAGE_NAMES_MAX)
		return fail_at(w, path, -E2BIG);
	if (w->n == w->room) {
		unsigned room = w->room ? 2 * w->room : 64;
		struct entry *v = reallocarray(w->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		w->v = v;
		w->room = room;
	}
	w->v[w->n] = (struct entry){ .path = strdup(path), .key = key_of(&st) };
	if (!w->v[w->n].path)
		return -ENOMEM;
	w->n++;
	return 0;
}

static unsigned depth(const char *path)
{
	unsigned n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static int list_names(struct walk *w, DIR *d, const char *dir)
{
	char path[PACKAGE_PATH_MAX];
	struct dirent *de;
	int r = 0;

	while (r == 0) {
		int n;

		errno = 0;
		de = readdir(d);
		if (!de)
			return errno ? fail_at(w, dir, -errno) : 0;
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		n = snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", de->d_name);
		if (n < 0 || (size_t)n >= sizeof(path))
			return fail_at(w, dir, -ENAMETOOLONG);
		if (depth(path) > PACKAGE_DEPTH_MAX)
			return fail_at(w, path, -E2BIG);
		r = add(w, path);
	}
	return r;
}

static int list_dir(struct walk *w, const char *dir)
{
	_cleanup_close_ int at = open_entry(w, dir);
	int fd = at < 0 ? at : reopen(at, O_DIRECTORY), r;
	DIR *d;

	if (fd < 0)
		return fail_at(w, dir, fd);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	r = list_names(w, d, dir);
	closedir(d);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

/* What is found is listed in its turn, so no depth of the tree is a depth of the stack. */
static int list_all(struct walk *w)
{
	int r = add(w, "");

	for (unsigned i = 0; r == 0 && i < w->n; i++)
		if (S_ISDIR(w->v[i].key.mode))
			r = list_dir(w, w->v[i].path);
	if (r == 0 && S_ISLNK(w->v[0].key.mode))
		r = fail_at(w, "", -EINVAL);
	if (r == 0)
		qsort(w->v, w->n, sizeof(*w->v), by_path);
	return r;
}

/* --- digesting ------------------------------------------------------------------------------------- */

static int same_key(int fd, const struct key *k)
{
	struct key now;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	now = key_of(&st);
	return memcmp(&now, k, sizeof(now)) == 0 ? 0 : -EBUSY;
}

/* Reads as much as the size says and not one byte more: a file that grows while it is read has no end. */
static int hash_content(int fd, uint64_t size, uint8_t ret[SHA256_SIZE])
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char chunk[32768];

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		return -ENOMEM;
	while (size > 0) {
		ssize_t n = read(fd, chunk, size < sizeof(chunk) ? (size_t)size : sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBUSY;
		if (!EVP_DigestUpdate(ctx, chunk, (size_t)n))
			return -ENOMEM;
		size -= (uint64_t)n;
	}
	return EVP_DigestFinal_ex(ctx, ret, NULL) ? 0 : -ENOMEM;
}

static int line_of_file(const struct entry *e, int at, char *line, int n, int *ret_n)
{
	_cleanup_close_ int fd = reopen(at, 0);
	char hex[SHA256_HEX_SIZE];
	uint8_t digest[SHA256_SIZE];
	int r = fd < 0 ? fd : hash_content(fd, e->key.size, digest);

	if (r < 0)
		return r;
	hex_encode(digest, sizeof(digest), hex);
	*ret_n = n + snprintf(line + n, LINE_MAX_ - (size_t)n, " %llu %s", (unsigned long long)e->key.size, hex);
	return same_key(fd, &e->key);
}

static int line_of_link(const struct entry *e, int at, char *line, int n, int *ret_n)
{
	char target[PACKAGE_PATH_MAX];
	ssize_t len = readlinkat(at, "", target, sizeof(target));

	if (len < 0)
		return -errno;
	if ((size_t)len == sizeof(target))
		return -ENAMETOOLONG;
	n += snprintf(line + n, LINE_MAX_ - (size_t)n, " %zd:", len);
	memcpy(line + n, target, (size_t)len);
	*ret_n = n + (int)len;
	return same_key(at, &e->key);
}

static int put_entry(struct walk *w, EVP_MD_CTX *ctx, const struct entry *e)
{
	_cleanup_close_ int at = open_entry(w, e->path);
	char line[LINE_MAX_];
	int n, r = at < 0 ? at : same_key(at, &e->key);
	mode_t m = e->key.mode;

	if (r < 0)
		return fail_at(w, e->path, r);
	n = snprintf(line, sizeof(line), "%c %04o %zu:%s", S_ISDIR(m) ? 'd' : S_ISREG(m) ? 'f' : 'l',
		     m & MODE_BITS, strlen(e->path), e->path);
	if (S_ISREG(m))
		r = line_of_file(e, at, line, n, &n);
	else if (S_ISLNK(m))
		r = line_of_link(e, at, line, n, &n);
	if (r < 0)
		return fail_at(w, e->path, r);
	line[n++] = '\n';
	return EVP_DigestUpdate(ctx, line, (size_t)n) ? 0 : -ENOMEM;
}

/* Nothing may have changed, come or gone since it was listed. */
static int look_again(struct walk *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		_cleanup_close_ int fd = open_entry(w, w->v[i].path);
		int r = fd < 0 ? fd : same_key(fd, &w->v[i].key);

		if (r < 0)
			return fail_at(w, w->v[i].path, r);
	}
	return 0;
}

static int digest_all(struct walk *w)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = 0;

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(ctx, HEADING, sizeof(HEADING) - 1))
		return -ENOMEM;
	for (unsigned i = 0; r == 0 && i < w->n; i++)
		r = put_entry(w, ctx, &w->v[i]);
	if (r == 0)
		r = look_again(w);
	if (r == 0 && !EVP_DigestFinal_ex(ctx, w->out->digest, NULL))
		r = -ENOMEM;
	return r;
}

/* --- the cache ------------------------------------------------------------------------------------- */

static int state_of(const struct walk *w, uint8_t ret[SHA256_SIZE])
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (unsigned i = 0; ok && i < w->n; i++)
		ok = EVP_DigestUpdate(ctx, w->v[i].path, strlen(w->v[i].path) + 1) &&
		     EVP_DigestUpdate(ctx, &w->v[i].key, sizeof(w->v[i].key));
	return ok && EVP_DigestFinal_ex(ctx, ret, NULL) ? 0 : -ENOMEM;
}

static int measure(struct walk *w, bool cached)
{
	uint8_t state[SHA256_SIZE];
	struct cached *slot = NULL;
	int r = list_all(w);

	if (r == 0 && cached && w->roots) {
		r = state_of(w, state);
		slot = &cache[state[0] % CACHE_SLOTS];
		if (r == 0 && slot->used && memcmp(slot->state, state, sizeof(state)) == 0) {
			memcpy(w->out->digest, slot->digest, sizeof(slot->digest));
			return 0;
		}
	}
	if (r == 0)
		r = digest_all(w);
	if (r == 0 && slot) {
		*slot = (struct cached){ .used = true };
		memcpy(slot->state, state, sizeof(state));
		memcpy(slot->digest, w->out->digest, sizeof(slot->digest));
	}
	return r;
}

int package_measure(int path_fd, bool cached, struct package *ret)
{
	struct walk w = { .root = path_fd, .roots = true, .out = ret };
	int r;

	*ret = (struct package){ 0 };
	r = measure(&w, cached);
	ret->entries = w.n;
	ret->bytes = w.bytes;
	for (unsigned i = 0; i < w.n; i++)
		free(w.v[i].path);
	free(w.v);
	return r;
}
