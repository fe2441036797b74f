// SPDX-License-Identifier: Apache-2.0
/*
 * Writes the log directory. Runs in the notary only. A batch is written whole or taken back whole; what
 * was flushed is never rewritten.
 */
#include "user/notary/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/notary/record.h"
#include "user/notary/recovery.h"
#include "user/notary/segment.h"
#include "user/notary/store_private.h"

#define SEGMENT_DEFAULT (64u << 20)
#define BATCH_BYTES (1u << 20)
#define BATCH_RECORDS 4096u
#define FILE_MODE 0640 /* the query role reads by group */

int store_tree_read(void *arg, uint64_t index, uint8_t ret[TREE_HASH])
{
	ssize_t n = pread(*(const int *)arg, ret, TREE_HASH, (off_t)(index * TREE_HASH));

	if (n < 0)
		return -errno;
	return n == TREE_HASH ? 0 : -ENODATA;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	buf_done(&s->lines);
	hasher_free(s->hasher);
	free(s->hashes);
	cleanup_close(&s->fd);
	cleanup_close(&s->tree_fd);
	free(s);
}

static int sync_dir(const struct store *s)
{
	return fsync(s->dirfd) < 0 ? -errno : 0;
}

/* Begins the segment of the next leaf. */
static int begin_segment(struct store *s)
{
	char name[SEGMENT_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	int r;

	segment_name(s->tree.size, name);
	if (s->tree.size > SEGMENT_LEAF_MAX)
		return -EFBIG;
	fd = openat(s->dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    FILE_MODE);
	if (fd < 0)
		return -errno;
	r = sync_dir(s);
	if (r < 0)
		return r;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = take_fd(fd);
	s->segment_bytes = 0;
	return 0;
}

/* Opens the last segment for appending, if there is one. */
static int resume_segment(struct store *s)
{
	_cleanup_free_ uint64_t *all = NULL;
	char name[SEGMENT_NAME_SIZE];
	struct stat st;
	size_t n;
	int r = segment_list(s->dirfd, &all, &n);

	if (r < 0 || n == 0)
		return r;
	segment_name(all[n - 1], name);
	s->fd = openat(s->dirfd, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return -errno;
	s->segment_bytes = (uint64_t)st.st_size;
	return 0;
}

DEFINE_CLEANUP(struct store *, store_close)

int store_open(int dirfd, uint64_t segment_max, store_seen_fn seen, void *arg,
	       struct store_recovery *ret_recovery, struct store **ret)
{
	_cleanup_(store_close_p) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->dirfd = dirfd;
	s->fd = s->tree_fd = -1;
	s->segment_max = segment_max ? segment_max : SEGMENT_DEFAULT;
	s->lines.limit = BATCH_BYTES + RECORD_MAX + 1;
	s->hashes = calloc(2 * BATCH_RECORDS + TREE_LEVELS, sizeof(*s->hashes));
	if (!s->hashes)
		return -ENOMEM;
	r = hasher_new(&s->hasher);
	if (r < 0)
		return r;
	s->tree_fd = openat(dirfd, STORE_FILE_TREE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			    FILE_MODE);
	if (s->tree_fd < 0)
		return -errno;
	r = recovery_run(s, seen, arg, ret_recovery);
	if (r == 0)
		r = resume_segment(s);
	if (r == 0)
		r = store_sync(s); /* what a crash left in the page cache is settled before it is signed */
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

static void begin_batch(struct store *s)
{
	buf_clear(&s->lines);
	s->hashes_n = 0;
	s->pending = 0;
	s->ahead = s->tree;
}

int store_append(struct store *s, struct span line)
{
	uint8_t leaf[TREE_HASH];
	int r;

	if (s->error)
		return s->error;
	if (s->pending == 0)
		begin_batch(s);
	if (s->pending >= BATCH_RECORDS || buf_len(&s->lines) >= BATCH_BYTES)
		return -ENOBUFS;
	r = buf_append(&s->lines, line.p, line.n);
	if (r == 0)
		r = buf_append(&s->lines, "\n", 1);
	if (r < 0) {
		s->lines.end = s->lines.start + s->batch_bytes;
		return r;
	}
	s->batch_bytes = buf_len(&s->lines);
	tree_leaf_hash(s->hasher, line, leaf);
	s->hashes_n += tree_append(s->hasher, &s->ahead, leaf, s->hashes + s->hashes_n);
	s->pending++;
	return 0;
}

void store_forget(struct store *s)
{
	s->pending = 0;
	s->batch_bytes = 0;
}

/* Brings both files back to the last flush. If that cannot be had, the tail on disk is not ours to know
 * any more: everything fails until the next start recovers it. */
static int take_back(struct store *s, int error)
{
	off_t tree_n = (off_t)(tree_stored_count(s->tree.size) * TREE_HASH);

	if ((s->fd >= 0 && ftruncate(s->fd, (off_t)s->segment_bytes) < 0) ||
	    ftruncate(s->tree_fd, tree_n) < 0)
		s->error = -EIO;
	store_forget(s);
	return error;
}

static int pwrite_all(int fd, const void *p, size_t n, off_t at)
{
	const char *c = p;

	while (n > 0) {
		ssize_t w = pwrite(fd, c, n, at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		c += w;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

/* A segment that was unlinked takes with it what is written to it. */
static int still_there(const struct store *s)
{
	struct stat st;

	if (s->fd < 0)
		return 0;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	return st.st_nlink ? 0 : -ESTALE;
}

int store_flush(struct store *s)
{
	struct span all = buf_span(&s->lines);
	int r;

	if (s->error)
		return s->error;
	if (s->pending == 0)
		return 0;
	r = still_there(s);
	if (r < 0)
		return take_back(s, r);
	if (s->fd < 0 || s->segment_bytes >= s->segment_max) {
		r = s->fd < 0 ? 0 : store_sync(s);
		if (r == 0)
			r = begin_segment(s);
	}
	if (r == 0)
		r = fd_write_all(s->fd, all.p, all.n);
	if (r == 0)
		r = pwrite_all(s->tree_fd, s->hashes, s->hashes_n * sizeof(*s->hashes),
			       (off_t)(tree_stored_count(s->tree.size) * TREE_HASH));
	if (r < 0)
		return take_back(s, r);
	s->segment_bytes += all.n;
	s->tree = s->ahead;
	s->pending = 0;
	s->batch_bytes = 0;
	return 0;
}

int store_sync(struct store *s)
{
	if (s->error)
		return s->error;
	if (s->fd >= 0 && s->synced < s->tree.size && fdatasync(s->fd) < 0)
		return s->error = -errno;
	s->synced = s->tree.size;
	return 0;
}

uint64_t store_size(const struct store *s)
{
	return s->tree.size;
}

const struct tree *store_tree(const struct store *s)
{
	return &s->tree;
}

uint64_t store_synced(const struct store *s)
{
	return s->synced;
}

bool store_full(const struct store *s)
{
	return s->pending + STORE_SLACK > BATCH_RECORDS ||
	       s->batch_bytes + STORE_SLACK * (RECORD_MAX + 1) > BATCH_BYTES;
}

uint64_t store_pending(const struct store *s)
{
	return s->pending;
}

static int replace(struct store *s, const char *name, struct span text, bool sync)
{
	_cleanup_close_ int fd = -1;
	char tmp[64];
	int r;

	(void)snprintf(tmp, sizeof(tmp), ".%s.new", name);
	fd = openat(s->dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text.p, text.n);
	if (r == 0 && ((sync && fsync(fd) < 0) || renameat(s->dirfd, tmp, s->dirfd, name) < 0))
		r = -errno;
	if (r < 0)
		(void)unlinkat(s->dirfd, tmp, 0);
	return r;
}

int store_replace(struct store *s, const char *name, struct span text)
{
	return replace(s, name, text, true);
}

int store_derive(struct store *s, const char *name, struct span text)
{
	return replace(s, name, text, false);
}

int store_checkpoint(struct store *s, struct span note)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf b = { 0 };
	struct stat st;
	/* The directory is not synced: after power loss the last checkpoint or the one before it stands,
	 * and both are true. */
	int r = store_replace(s, STORE_FILE_CHECKPOINT, note);

	if (r < 0)
		return r;
	fd = openat(s->dirfd, STORE_FILE_CHECKPOINTS,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = buf_append(&b, note.p, note.n);
	if (r == 0)
		r = buf_append(&b, "\n", 1); /* an empty line ends a note's signatures */
	if (r == 0)
		r = fd_write_all(fd, buf_span(&b).p, buf_len(&b));
	if (r < 0 && ftruncate(fd, st.st_size) < 0)
		s->error = r;
	return r;
}
