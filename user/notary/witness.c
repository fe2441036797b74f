// SPDX-License-Identifier: Apache-2.0
/*
 * The witness's store. Runs in tollgate(1), mostly on another machine than the log's. A head is on disk
 * before it counts as taken; a refused one is kept too, as it is the evidence.
 */
#include "user/notary/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/hasher.h"
#include "user/notary/segment.h"

#define FILE_KEY "log.vkey"
#define FILE_LAST "checkpoint"
#define FILE_ALL "checkpoints"
#define FILE_REFUSED "refused"
#define KEY_MAX 4096
#define REFUSED_MAX (16u << 20) /* a hostile node may sign without end; the first ones prove enough */

struct witness {
	int dirfd;
	struct verifier_key vk;
	struct checkpoint last; /* size 0 and no origin: none */
};

DEFINE_CLEANUP(struct witness *, witness_close)

static int dir_name(const char *origin, char *ret, size_t size)
{
	size_t at = 0;

	for (const char *p = origin; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			     *p == '_' || *p == '-' || (*p == '.' && p != origin);

		if (at + 4 > size)
			return -ENAMETOOLONG;
		at += (size_t)snprintf(ret + at, size - at, plain ? "%c" : "%%%02X", (unsigned char)*p);
	}
	return at ? 0 : -EINVAL;
}

static int read_name(int dirfd, const char *name, size_t max, struct buf *ret)
{
	_cleanup_close_ int fd = segment_open(dirfd, name);

	return fd < 0 ? fd : file_read_fd(fd, max, ret);
}

static int replace(int dirfd, const char *name, struct span text)
{
	_cleanup_close_ int fd = -1;
	char tmp[64];
	int r;

	(void)snprintf(tmp, sizeof(tmp), ".%s.new", name);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text.p, text.n);
	if (r == 0 && (fsync(fd) < 0 || renameat(dirfd, tmp, dirfd, name) < 0 || fsync(dirfd) < 0))
		r = -errno;
	return r;
}

static int append(int dirfd, const char *name, struct span note, off_t max)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	_cleanup_buf_ struct buf b = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (max && st.st_size >= max)
		return 0;
	r = buf_append(&b, note.p, note.n);
	if (r == 0)
		r = buf_append(&b, "\n", 1); /* an empty line ends a note's signatures */
	if (r == 0)
		r = fd_write_all(fd, buf_span(&b).p, buf_len(&b));
	return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

/* The key that is kept is the key: only the first one is taken on somebody's word. */
static int settle_key(struct witness *w, const struct verifier_key *vk)
{
	_cleanup_buf_ struct buf text = { 0 };
	int r = read_name(w->dirfd, FILE_KEY, KEY_MAX, &text);

	if (r == 0)
		r = verifier_key_parse(buf_span(&text), &w->vk) < 0 ? -EBADMSG : 0;
	if (r == 0 && vk && (memcmp(vk->pub, w->vk.pub, KEY_SIZE) != 0 || strcmp(vk->name, w->vk.name) != 0))
		return -EKEYREJECTED;
	if (r != -ENOENT)
		return r;
	if (!vk)
		return -ENOKEY;
	w->vk = *vk;
	r = verifier_key_text(vk, &text);
	if (r == 0)
		r = buf_append(&text, "\n", 1);
	return r < 0 ? r : replace(w->dirfd, FILE_KEY, buf_span(&text));
}

static int read_last(struct witness *w)
{
	_cleanup_buf_ struct buf note = { 0 };
	int r = read_name(w->dirfd, FILE_LAST, CHECKPOINT_MAX, &note);

	if (r == -ENOENT)
		return 0;
	/* What we kept is judged again: a store that somebody wrote into is no memory. */
	return r < 0 ? r : checkpoint_verify(buf_span(&note), &w->vk, &w->last) < 0 ? -EBADMSG : 0;
}

int witness_open(int store_dirfd, const char *origin, const struct verifier_key *vk, struct witness **ret)
{
	_cleanup_(witness_close_p) struct witness *w = calloc(1, sizeof(*w));
	char name[NAME_MAX + 1];
	int r = dir_name(origin, name, sizeof(name));

	if (!w)
		return -ENOMEM;
	w->dirfd = -1;
	if (r < 0)
		return r;
	if (vk && mkdirat(store_dirfd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	w->dirfd = openat(store_dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (w->dirfd < 0)
		return errno == ENOENT ? -ENOKEY : -errno;
	if (flock(w->dirfd, LOCK_EX) < 0)
		return -errno;
	r = settle_key(w, vk);
	if (r == 0)
		r = read_last(w);
	if (r < 0)
		return r;
	*ret = take_ptr(w);
	return 0;
}

void witness_close(struct witness *w)
{
	if (!w)
		return;
	cleanup_close(&w->dirfd);
	free(w);
}

uint64_t witness_size(const struct witness *w)
{
	return w->last.size;
}

static enum witness_answer judge(const struct witness *w, const struct checkpoint *cp, struct hasher *h,
				 const struct tree_hash *growth, unsigned growth_n)
{
	const struct checkpoint *last = &w->last;

	if (!last->origin[0])
		return WITNESS_NEW;
	if (cp->size < last->size)
		return WITNESS_ROLLED_BACK;
	if (cp->size == last->size)
		return memcmp(cp->root, last->root, TREE_HASH) == 0 ? WITNESS_SAME : WITNESS_FORKED;
	if (last->size == 0) /* everything has grown from nothing */
		return WITNESS_GROWN;
	return tree_check_growth(h, last->size, last->root, cp->size, cp->root, growth, growth_n) == 0 ?
		       WITNESS_GROWN : WITNESS_FORKED;
}

int witness_take(struct witness *w, struct span note, const struct tree_hash *growth, unsigned growth_n)
{
	struct hasher *h = hasher_of_thread();
	enum witness_answer answer;
	struct checkpoint cp;
	int r;

	if (!h)
		return -ENOMEM;
	r = checkpoint_verify(note, &w->vk, &cp);
	if (r < 0)
		return r == -EBADMSG || r == -EKEYREJECTED ? WITNESS_UNSIGNED : r;
	answer = judge(w, &cp, h, growth, growth_n);
	if (answer == WITNESS_SAME)
		return answer;
	if (answer > WITNESS_GROWN) {
		r = append(w->dirfd, FILE_REFUSED, note, REFUSED_MAX);
		return r < 0 ? r : (int)answer;
	}
	r = append(w->dirfd, FILE_ALL, note, 0);
	if (r == 0)
		r = replace(w->dirfd, FILE_LAST, note);
	if (r < 0)
		return r;
	w->last = cp;
	return answer;
}
