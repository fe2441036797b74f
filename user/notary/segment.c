// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of the log in order, across segments. Runs in the notary at its start, in the query role while
 * the notary writes, and in the verifier on whatever it was given. Reads only.
 */
#include "user/notary/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/notary/record.h"

#define READ_SIZE (256u << 10)
#define SEGMENTS_MAX (1u << 20) /* 64 TiB of segments of the default size */

struct segment_reader {
	int dirfd, fd; /* fd < 0: the segment of leaf does not exist yet */
	int error; /* standing */
	uint64_t first, leaf, line, offset; /* of the next line; first: leaf the open segment begins with */
	char file[SEGMENT_NAME_SIZE]; /* of first: told with every line */
	size_t from, to; /* unread bytes in buf */
	char buf[READ_SIZE];
};

DEFINE_CLEANUP(struct segment_reader *, segment_reader_close)

void segment_name(uint64_t first_leaf, char ret[SEGMENT_NAME_SIZE])
{
	(void)snprintf(ret, SEGMENT_NAME_SIZE, "%016" PRIu64 ".jsonl",
		       first_leaf > SEGMENT_LEAF_MAX ? SEGMENT_LEAF_MAX : first_leaf);
}

int segment_name_parse(const char *name, uint64_t *ret_first_leaf)
{
	uint64_t v = 0;

	for (int i = 0; i < 16; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(name[i] - '0');
	}
	if (strcmp(name + 16, ".jsonl") != 0)
		return -EINVAL;
	*ret_first_leaf = v;
	return 0;
}

int segment_open(int dirfd, const char *name)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	return take_fd(fd);
}

static int leaf_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void cleanup_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

int segment_list(int dirfd, uint64_t **ret, size_t *ret_n)
{
	_cleanup_(cleanup_closedir) DIR *d = NULL;
	_cleanup_free_ uint64_t *all = NULL;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t n = 0, cap = 0;
	struct dirent *e;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (errno = 0, (e = readdir(d))) {
		uint64_t leaf;

		if (segment_name_parse(e->d_name, &leaf) < 0)
			continue;
		if (n == cap) {
			uint64_t *more;

			cap = cap ? 2 * cap : 64;
			if (cap > SEGMENTS_MAX)
				return -E2BIG;
			more = realloc(all, cap * sizeof(*all));
			if (!more)
				return -ENOMEM;
			all = more;
		}
		all[n++] = leaf;
	}
	if (errno)
		return -errno;
	if (n)
		qsort(all, n, sizeof(*all), leaf_order);
	*ret = take_ptr(all);
	*ret_n = n;
	return 0;
}

/* The greatest segment that begins at or before leaf, or the first one after it. -ENOENT: none. */
static int find_segment(int dirfd, uint64_t leaf, bool after, uint64_t *ret)
{
	_cleanup_free_ uint64_t *all = NULL;
	bool found = false;
	size_t n;
	int r = segment_list(dirfd, &all, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (after ? all[i] <= leaf : all[i] > leaf)
			continue;
		*ret = all[i];
		found = true;
		if (after)
			break;
	}
	return found ? 0 : -ENOENT;
}

/* Opens the segment that begins with leaf s->leaf. */
static int enter(struct segment_reader *s)
{
	char name[SEGMENT_NAME_SIZE];
	int fd;

	segment_name(s->leaf, name);
	fd = segment_open(s->dirfd, name);
	if (fd < 0)
		return fd;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->first = s->leaf;
	memcpy(s->file, name, sizeof(s->file));
	s->line = 1;
	s->offset = 0;
	s->from = s->to = 0;
	return 0;
}

int segment_reader_open(int dirfd, uint64_t leaf, struct segment_reader **ret)
{
	_cleanup_(segment_reader_close_p) struct segment_reader *s = calloc(1, sizeof(*s));
	uint64_t first = 0;
	int r;

	if (!s)
		return -ENOMEM;
	s->dirfd = dirfd;
	s->fd = -1;
	r = find_segment(dirfd, leaf, false, &first);
	if (r < 0 && r != -ENOENT)
		return r;
	s->leaf = s->first = first;
	segment_name(first, s->file);
	s->line = 1;
	if (r == 0)
		r = enter(s);
	if (r < 0 && r != -ENOENT)
		return r;
	while (s->leaf < leaf) {
		struct span line;

		r = segment_read(s, &line, NULL);
		if (r == -ENODATA || r == -EILSEQ)
			return -ERANGE;
		if (r < 0)
			return r;
	}
	*ret = take_ptr(s);
	return 0;
}

void segment_reader_close(struct segment_reader *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static void tell(const struct segment_reader *s, struct segment_at *ret_at)
{
	if (!ret_at)
		return;
	memcpy(ret_at->file, s->file, sizeof(ret_at->file));
	ret_at->line = s->line;
	ret_at->offset = s->offset;
	ret_at->leaf = s->leaf;
}

/* Moves what is unread to the front and reads on. Bytes read, 0 at end of file, or -errno. */
static ssize_t fill(struct segment_reader *s)
{
	ssize_t n;

	if (s->from) {
		memmove(s->buf, s->buf + s->from, s->to - s->from);
		s->to -= s->from;
		s->from = 0;
	}
	do
		n = read(s->fd, s->buf + s->to, sizeof(s->buf) - s->to);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	s->to += (size_t)n;
	return n;
}

/* At the end of the open segment, with nothing unread. 0 when there is more to read. */
static int next_segment(struct segment_reader *s, struct segment_at *ret_at)
{
	uint64_t later;
	ssize_t more;
	int r = -ENOENT;

	if (s->fd < 0 || s->leaf != s->first)
		r = enter(s);
	if (r != -ENOENT)
		return r;
	r = find_segment(s->dirfd, s->first, true, &later);
	if (r == -ENOENT)
		return -ENODATA;
	if (r < 0)
		return r;
	/* The writer may have filled this segment and begun another since we saw its end. */
	if (s->fd >= 0 && (more = fill(s)) != 0)
		return more < 0 ? (int)more : 0;
	if (ret_at)
		segment_name(later, ret_at->file);
	return -ENXIO;
}

int segment_read(struct segment_reader *s, struct span *ret_line, struct segment_at *ret_at)
{
	size_t scanned = 0;

	if (s->error)
		return s->error;
	tell(s, ret_at);
	for (;;) {
		size_t n = s->to - s->from;
		const char *at = s->buf + s->from;
		const char *nl = n > scanned ? memchr(at + scanned, '\n', n - scanned) : NULL;
		ssize_t more;

		if (nl ? nl - at > RECORD_MAX : n > RECORD_MAX)
			return s->error = -E2BIG;
		if (nl) {
			*ret_line = (struct span){ at, (size_t)(nl - at) };
			s->from += ret_line->n + 1;
			s->offset += ret_line->n + 1;
			s->line++;
			s->leaf++;
			return 0;
		}
		scanned = n;
		more = s->fd < 0 ? 0 : fill(s);
		if (more < 0)
			return s->error = (int)more;
		if (more > 0)
			continue;
		if (n > 0) {
			*ret_line = (struct span){ s->buf + s->from, n };
			return -EILSEQ;
		}
		more = next_segment(s, ret_at);
		if (more == -ENODATA)
			return -ENODATA;
		if (more < 0)
			return s->error = (int)more;
		tell(s, ret_at);
	}
}
