// SPDX-License-Identifier: Apache-2.0
/*
 * What the notary does with the log it finds at its start. Only what no checkpoint covers may be a
 * crash's remains and is set aside; damage before that is not repaired but refused, because a notary
 * that signed on top of it would hide it.
 */
#include "user/notary/recovery.h"

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
#include "user/notary/checkpoint.h"
#include "user/notary/record.h"
#include "user/notary/retention.h"
#include "user/notary/segment.h"
#include "user/notary/store_private.h"

#define CHUNK 4096u /* hashes compared with the tree file at a time */
#define TORN_NAME_MAX 64
#define TORN_MAX 100 /* torn files for one leaf: more means a crash loop, which a human must see */

DEFINE_CLEANUP(struct segment_reader *, segment_reader_close)

struct recovery {
	struct store *s;
	struct checkpoint cp; /* size 0: none */
	struct tree_hash *chunk;
	size_t chunk_n;
	uint64_t chunk_at; /* index of chunk[0] in the tree file */
};

static int read_checkpoint(int dirfd, struct checkpoint *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_close_ int fd = segment_open(dirfd, STORE_FILE_CHECKPOINT);
	size_t n;
	int r;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	r = file_read_fd(fd, CHECKPOINT_MAX, &b);
	return r < 0 ? r : checkpoint_parse(buf_span(&b), ret, &n);
}

/* Writes the chunk to the tree file unless it is there already. */
static int settle_chunk(struct recovery *v)
{
	_cleanup_free_ struct tree_hash *have = NULL;
	size_t n = v->chunk_n * sizeof(*v->chunk);
	off_t at = (off_t)(v->chunk_at * TREE_HASH);
	ssize_t got;

	if (n == 0)
		return 0;
	have = malloc(n);
	if (!have)
		return -ENOMEM;
	got = pread(v->s->tree_fd, have, n, at);
	if (got != (ssize_t)n || memcmp(have, v->chunk, n) != 0) {
		got = pwrite(v->s->tree_fd, v->chunk, n, at);
		if (got != (ssize_t)n)
			return got < 0 ? -errno : -ENOSPC;
	}
	v->chunk_at += v->chunk_n;
	v->chunk_n = 0;
	return 0;
}

static int check_root(struct recovery *v)
{
	uint8_t root[TREE_HASH];

	if (v->cp.size == 0 || v->s->tree.size != v->cp.size)
		return 0;
	tree_root(v->s->hasher, &v->s->tree, root);
	return memcmp(root, v->cp.root, TREE_HASH) == 0 ? 0 : -EBADMSG;
}

static int add_leaf(struct recovery *v, struct span line)
{
	uint8_t leaf[TREE_HASH];
	int r = v->chunk_n + TREE_LEVELS + 1 > CHUNK ? settle_chunk(v) : 0;

	if (r < 0)
		return r;
	tree_leaf_hash(v->s->hasher, line, leaf);
	v->chunk_n += tree_append(v->s->hasher, &v->s->tree, leaf, v->chunk + v->chunk_n);
	return check_root(v);
}

static int is_last_segment(int dirfd, const char *name)
{
	_cleanup_free_ uint64_t *all = NULL;
	uint64_t first;
	size_t n;
	int r = segment_list(dirfd, &all, &n);

	if (r < 0)
		return r;
	return segment_name_parse(name, &first) == 0 && n > 0 && all[n - 1] == first;
}

static void torn_name(uint64_t leaf, int i, char ret[TORN_NAME_MAX])
{
	(void)snprintf(ret, TORN_NAME_MAX, i ? "torn-%016" PRIu64 ".%d" : "torn-%016" PRIu64, leaf, i);
}

static int create_torn(int dirfd, uint64_t leaf)
{
	char name[TORN_NAME_MAX];

	for (int i = 0; i < TORN_MAX; i++) {
		int fd;

		torn_name(leaf, i, name);
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

/* Moves the segment's bytes from at on to a file of their own: copied and synced before the cut. */
static int set_aside(struct recovery *v, const struct segment_at *at, struct store_recovery *ret)
{
	_cleanup_close_ int fd = openat(v->s->dirfd, at->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_close_ int out = -1;
	char chunk[16384];
	off_t from = (off_t)at->offset;
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	out = create_torn(v->s->dirfd, at->leaf);
	if (out < 0)
		return out;
	while ((n = pread(fd, chunk, sizeof(chunk), from)) > 0) {
		r = fd_write_all(out, chunk, (size_t)n);
		if (r < 0)
			return r;
		from += n;
	}
	if (n < 0 || fsync(out) < 0 || fsync(v->s->dirfd) < 0 ||
	    ftruncate(fd, (off_t)at->offset) < 0 || fsync(fd) < 0)
		return -errno;
	ret->torn_leaf = at->leaf;
	ret->torn_bytes = (uint64_t)from - at->offset;
	return 0;
}

/* A line that is no record: a crash's remains, or damage. */
static int bad_line(struct recovery *v, const struct segment_at *at, struct store_recovery *ret)
{
	int last = is_last_segment(v->s->dirfd, at->file);

	if (last < 0)
		return last;
	if (!last || at->leaf < v->cp.size)
		return -EBADMSG;
	return set_aside(v, at, ret);
}

static int read_all(struct recovery *v, store_seen_fn seen, void *arg, struct store_recovery *ret)
{
	_cleanup_(segment_reader_close_p) struct segment_reader *reader = NULL;
	int r = segment_reader_open(v->s->dirfd, v->s->tree.size, &reader);

	while (r == 0) {
		struct segment_at at;
		struct record_view view;
		struct span line;

		r = segment_read(reader, &line, &at);
		if (r == -ENODATA)
			return 0;
		if (r == -EILSEQ || r == -E2BIG)
			return bad_line(v, &at, ret);
		if (r < 0)
			return r == -ENXIO ? -EBADMSG : r;
		if (record_view_parse(line, &view, NULL) < 0 || record_view_hash(&view, v->s->hasher) < 0)
			return bad_line(v, &at, ret);
		r = add_leaf(v, line);
		if (r == 0 && seen)
			r = seen(arg, &view, at.leaf);
		ret->records++;
	}
	return r;
}

/* A start before this one may have set an end aside and not lived to record it: then nothing follows it yet. */
static int earlier_torn(struct recovery *v, struct store_recovery *ret)
{
	char name[TORN_NAME_MAX];
	struct stat st;

	for (int i = 0; i < TORN_MAX; i++) {
		torn_name(v->s->tree.size, i, name);
		if (fstatat(v->s->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -errno;
		ret->torn_leaf = v->s->tree.size;
		ret->torn_bytes += (uint64_t)st.st_size;
	}
	return 0;
}

/* Takes over the tree of what retention removed; a removal that a crash cut short is finished. */
static int begin_after_removed(struct recovery *v)
{
	_cleanup_buf_ struct buf handovers = { 0 }; /* the notary's to judge */
	struct store *s = v->s;
	int r = retention_load(s->dirfd, &s->tree, &handovers);

	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	if (s->tree.size == 0)
		return 0;
	v->chunk_at = tree_stored_count(s->tree.size);
	for (unsigned l = 0; l < TREE_LEVELS - 1; l++) {
		off_t at = (off_t)(tree_stored_index(l, s->tree.size >> (l + 1) << 1) * TREE_HASH);

		/* Proofs of what is kept need these of the removed part, and no others. */
		if (s->tree.size >> l & 1 && pwrite(s->tree_fd, s->tree.peak[l], TREE_HASH, at) != TREE_HASH)
			return errno ? -errno : -ENOSPC;
	}
	return retention_unlink(s->dirfd, s->tree.size);
}

int recovery_run(struct store *s, store_seen_fn seen, void *arg, struct store_recovery *ret)
{
	_cleanup_free_ struct tree_hash *chunk = calloc(CHUNK, sizeof(*chunk));
	struct recovery v = { .s = s, .chunk = chunk };
	struct store_recovery found = { 0 };
	int r;

	if (!chunk)
		return -ENOMEM;
	r = read_checkpoint(s->dirfd, &v.cp);
	if (r == 0)
		r = begin_after_removed(&v);
	if (r == 0)
		r = read_all(&v, seen, arg, &found);
	if (r == 0)
		r = settle_chunk(&v);
	if (r == 0 && found.torn_bytes == 0)
		r = earlier_torn(&v, &found);
	if (r < 0)
		return r;
	if (s->tree.size < v.cp.size)
		return -EUCLEAN;
	if (ftruncate(s->tree_fd, (off_t)(tree_stored_count(s->tree.size) * TREE_HASH)) < 0)
		return -errno;
	*ret = found;
	return 0;
}
