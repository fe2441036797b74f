// SPDX-License-Identifier: Apache-2.0
/*
 * Writes tlog-tiles. Runs in tollgate(1), reads the log from its first record on once; memory is one tile
 * of each level and one bundle of entries.
 */
#include "user/notary/tiles.h"

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
#include "user/base/hasher.h"
#include "user/notary/record.h"
#include "user/notary/segment.h"

#define TILE_LEVELS (TREE_LEVELS / TILE_HEIGHT)
#define ENTRIES_MAX (TILE_WIDTH * (RECORD_MAX + 2)) /* a bundle of the longest records */

struct tile {
	struct tree_hash hash[TILE_WIDTH];
	unsigned n;
	uint64_t index; /* of the tile on its level */
};

struct export {
	int dirfd;
	struct hasher *hasher;
	struct tree tree;
	struct tile levels[TILE_LEVELS];
	struct buf entries;
	struct tiles_report report;
};

void tile_path(int level, uint64_t n, unsigned width, char ret[TILE_PATH_SIZE])
{
	char digits[40] = "", part[8];
	size_t at;

	(void)snprintf(digits, sizeof(digits), "%03u", (unsigned)(n % 1000));
	for (n /= 1000; n > 0; n /= 1000) {
		size_t have = strlen(digits);

		(void)snprintf(part, sizeof(part), "x%03u/", (unsigned)(n % 1000));
		memmove(digits + 5, digits, have + 1);
		memcpy(digits, part, 5);
	}
	if (level < 0)
		at = (size_t)snprintf(ret, TILE_PATH_SIZE, "tile/entries/%s", digits);
	else
		at = (size_t)snprintf(ret, TILE_PATH_SIZE, "tile/%d/%s", level, digits);
	if (width && width < TILE_WIDTH && at < TILE_PATH_SIZE)
		(void)snprintf(ret + at, TILE_PATH_SIZE - at, ".p/%u", width);
}

static int make_parents(int dirfd, const char *path)
{
	char part[TILE_PATH_SIZE];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		if (mkdirat(dirfd, part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* A file that is there is the same or the proof of a fork: tiles do not change. */
static int check_same(int dirfd, const char *path, struct span content)
{
	_cleanup_close_ int fd = segment_open(dirfd, path);
	_cleanup_buf_ struct buf have = { 0 };
	int r = fd < 0 ? fd : file_read_fd(fd, ENTRIES_MAX, &have);

	if (r < 0)
		return r;
	return span_eq(buf_span(&have), content) ? 0 : -EBADMSG;
}

static int put_file(struct export *e, const char *path, struct span content)
{
	_cleanup_close_ int fd = -1;
	char tmp[TILE_PATH_SIZE + 8];
	int r = make_parents(e->dirfd, path);

	if (r < 0)
		return r;
	if (faccessat(e->dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		e->report.kept++;
		return check_same(e->dirfd, path, content);
	}
	(void)snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = openat(e->dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, content.p, content.n);
	if (r == 0 && renameat(e->dirfd, tmp, e->dirfd, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(e->dirfd, tmp, 0);
	else
		e->report.written++;
	return r;
}

static int put_tile(struct export *e, unsigned level)
{
	struct tile *t = &e->levels[level];
	char path[TILE_PATH_SIZE];
	int r;

	tile_path((int)level, t->index, t->n, path);
	r = put_file(e, path, (struct span){ (const char *)t->hash, t->n * sizeof(t->hash[0]) });
	if (r == 0 && level == 0) {
		tile_path(-1, t->index, t->n, path);
		r = put_file(e, path, buf_span(&e->entries));
		buf_clear(&e->entries);
	}
	t->index++;
	t->n = 0;
	return r;
}

static int add_entry(struct export *e, struct span line)
{
	const uint8_t length[2] = { (uint8_t)(line.n >> 8), (uint8_t)line.n };
	struct tree_hash stored[TREE_LEVELS + 1];
	uint8_t leaf[TREE_HASH];
	unsigned n;
	int r = buf_append(&e->entries, length, sizeof(length));

	if (r == 0)
		r = buf_append(&e->entries, line.p, line.n);
	if (r < 0)
		return r;
	tree_leaf_hash(e->hasher, line, leaf);
	n = tree_append(e->hasher, &e->tree, leaf, stored);
	for (unsigned l = 0; l < n && l / TILE_HEIGHT < TILE_LEVELS && r == 0; l += TILE_HEIGHT) {
		struct tile *t = &e->levels[l / TILE_HEIGHT];

		t->hash[t->n++] = stored[l];
		if (t->n == TILE_WIDTH)
			r = put_tile(e, l / TILE_HEIGHT);
	}
	return r;
}

DEFINE_CLEANUP(struct segment_reader *, segment_reader_close)

static int read_entries(struct export *e, int log_dirfd, uint64_t size)
{
	_cleanup_(segment_reader_close_p) struct segment_reader *reader = NULL;
	int r = segment_reader_open(log_dirfd, 0, &reader);

	while (r == 0 && e->tree.size < size) {
		struct segment_at at;
		struct span line;

		r = segment_read(reader, &line, &at);
		if (r == 0)
			r = at.leaf == e->tree.size ? add_entry(e, line) : -ENODATA;
		else if (r == -EILSEQ || r == -ENXIO)
			r = -ENODATA;
	}
	return r;
}

static void export_free(struct export *e)
{
	hasher_free(e->hasher);
	buf_done(&e->entries);
	free(e);
}

DEFINE_CLEANUP(struct export *, export_free)

int tiles_export(int log_dirfd, struct span note, const struct checkpoint *cp, int out_dirfd,
		 struct tiles_report *ret)
{
	_cleanup_(export_free_p) struct export *e = calloc(1, sizeof(*e));
	uint8_t root[TREE_HASH];
	int r;

	if (!e)
		return -ENOMEM;
	e->dirfd = out_dirfd;
	e->entries.limit = ENTRIES_MAX;
	r = hasher_new(&e->hasher);
	if (r == 0)
		r = read_entries(e, log_dirfd, cp->size);
	if (r < 0)
		return r;
	tree_root(e->hasher, &e->tree, root);
	if (memcmp(root, cp->root, sizeof(root)) != 0)
		return -EBADMSG;
	for (unsigned l = 0; l < TILE_LEVELS && r == 0; l++)
		if (e->levels[l].n)
			r = put_tile(e, l);
	if (r == 0)
		(void)unlinkat(out_dirfd, "checkpoint", 0); /* the one file that is replaced */
	if (r == 0)
		r = put_file(e, "checkpoint", note);
	if (r == 0)
		*ret = e->report;
	return r;
}
