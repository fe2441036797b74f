// SPDX-License-Identifier: Apache-2.0
/*
 * What is left of removed segments: written by the notary, read by everybody who reads a log from its
 * beginning. Total on hostile files.
 */
#include "user/notary/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/notary/segment.h"

#define MAGIC "tollgate tombstone\n"
#define PREFIX "tombstone-"
#define TEXT_MAX (4096 + HANDOVER_LIST_MAX) /* 63 hashes of 45 bytes, and the list */

void retention_name(uint64_t leaf, char ret[RETENTION_NAME_SIZE])
{
	(void)snprintf(ret, RETENTION_NAME_SIZE, PREFIX "%016" PRIu64,
		       leaf > SEGMENT_LEAF_MAX ? SEGMENT_LEAF_MAX : leaf);
}

static int name_parse(const char *name, uint64_t *ret)
{
	char segment[SEGMENT_NAME_SIZE];

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 || strlen(name) != sizeof(PREFIX) - 1 + 16)
		return -EINVAL;
	(void)snprintf(segment, sizeof(segment), "%.16s.jsonl", name + sizeof(PREFIX) - 1);
	return segment_name_parse(segment, ret);
}

int retention_format(const struct tree *t, struct span handovers, struct buf *out)
{
	int r = buf_printf(out, MAGIC "%" PRIu64 "\n", t->size);

	for (unsigned l = TREE_LEVELS; l-- > 0 && r == 0;) {
		if (!(t->size >> l & 1))
			continue;
		r = base64_append(out, t->peak[l], TREE_HASH);
		if (r == 0)
			r = buf_append(out, "\n", 1);
	}
	return r < 0 ? r : buf_append(out, handovers.p, handovers.n);
}

void retention_digest(struct span handovers, char ret[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	ret[0] = '\0';
	if (handovers.n == 0)
		return;
	sha256(handovers.p, handovers.n, digest);
	hex_encode(digest, sizeof(digest), ret);
}

static bool parse_leaf(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 16 || s.p[0] == '0')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

int retention_parse(struct span text, struct tree *ret, struct span *ret_handovers)
{
	struct tree t = { .size = 0 };
	struct span line;
	size_t n;

	if (text.n < sizeof(MAGIC) - 1 || memcmp(text.p, MAGIC, sizeof(MAGIC) - 1) != 0)
		return -EBADMSG;
	text.p += sizeof(MAGIC) - 1;
	text.n -= sizeof(MAGIC) - 1;
	if (!span_cut_line(&text, &line) || !parse_leaf(line, &t.size))
		return -EBADMSG;
	for (unsigned l = TREE_LEVELS; l-- > 0;) {
		if (!(t.size >> l & 1))
			continue;
		if (!span_cut_line(&text, &line) || base64_decode(line, t.peak[l], TREE_HASH, &n) < 0 || n != TREE_HASH)
			return -EBADMSG;
	}
	if (text.n && (text.p[0] < '1' || text.p[0] > '9' || text.p[text.n - 1] != '\n'))
		return -EBADMSG;
	*ret_handovers = text;
	*ret = t;
	return 0;
}

static int read_tombstone(int dirfd, uint64_t leaf, struct tree *ret, struct buf *ret_handovers)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int fd = -1;
	char name[RETENTION_NAME_SIZE];
	struct span handovers = { 0 };
	int r;

	retention_name(leaf, name);
	fd = segment_open(dirfd, name);
	if (fd < 0)
		return fd;
	r = file_read_fd(fd, TEXT_MAX, &text);
	if (r == 0)
		r = retention_parse(buf_span(&text), ret, &handovers);
	if (r == 0 && ret->size != leaf)
		return -EBADMSG;
	return r < 0 ? r : buf_append(ret_handovers, handovers.p, handovers.n);
}

int retention_load(int dirfd, struct tree *ret, struct buf *ret_handovers)
{
	_cleanup_free_ uint64_t *segments = NULL;
	size_t n = 0;
	int r = segment_list(dirfd, &segments, &n);

	if (r < 0)
		return r;
	*ret = (struct tree){ .size = 0 };
	if (n == 0 || segments[0] == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		r = read_tombstone(dirfd, segments[i], ret, ret_handovers);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

/* The text of a member of detail, which is canonical: a quote inside a string has a backslash before it,
 * so this finds a name and nothing else. */
static bool detail_value(struct span detail, const char *name, struct span *ret)
{
	const char *at = detail.n ? memmem(detail.p, detail.n, name, strlen(name)) : NULL;
	const char *end = detail.p + detail.n;

	if (!at)
		return false;
	at += strlen(name);
	ret->p = at;
	while (at < end && *at != ',' && *at != '}')
		at++;
	ret->n = (size_t)(at - ret->p);
	return true;
}

/* Room for hex of a SHA-256 and its NUL. */
static bool detail_hash(struct span detail, const char *name, char *ret)
{
	struct span s;

	if (!detail_value(detail, name, &s) || s.n != 2 * SHA256_SIZE + 2)
		return false;
	memcpy(ret, s.p + 1, 2 * SHA256_SIZE);
	ret[2 * SHA256_SIZE] = '\0';
	return true;
}

static bool detail_number(struct span detail, const char *name, uint64_t *ret)
{
	struct span s;

	if (!detail_value(detail, name, &s))
		return false;
	if (span_is(s, "0")) {
		*ret = 0;
		return true;
	}
	return parse_leaf(s, ret);
}

bool retention_read(const struct record_view *v, struct retention_removed *ret)
{
	struct span detail = v->m[M_DETAIL];

	if (!span_is(record_view_text(v, M_REASON_CODE), RETENTION_CODE) || !detail.p ||
	    !detail_number(detail, "\"removed_from\":", &ret->from) ||
	    !detail_number(detail, "\"removed_to\":", &ret->to) ||
	    !detail_hash(detail, "\"removed_root\":", ret->root))
		return false;
	if (!detail_hash(detail, "\"handovers_sha256\":", ret->handovers))
		ret->handovers[0] = '\0';
	return true;
}

static void cleanup_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* Tombstones of earlier removals; the present one stays. */
static int unlink_tombstones(int dirfd, uint64_t leaf)
{
	_cleanup_(cleanup_closedir) DIR *d = NULL;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	uint64_t at;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (errno = 0, (e = readdir(d)))
		if (name_parse(e->d_name, &at) == 0 && at != leaf && unlinkat(dirfd, e->d_name, 0) < 0)
			return -errno;
	return errno ? -errno : 0;
}

int retention_unlink(int dirfd, uint64_t leaf)
{
	_cleanup_free_ uint64_t *segments = NULL;
	char name[SEGMENT_NAME_SIZE];
	size_t n = 0;
	int r = segment_list(dirfd, &segments, &n);

	for (size_t i = 0; i < n && r == 0 && segments[i] < leaf; i++) {
		segment_name(segments[i], name);
		if (unlinkat(dirfd, name, 0) < 0)
			r = -errno;
	}
	if (r == 0)
		r = unlink_tombstones(dirfd, leaf);
	return r < 0 ? r : fsync(dirfd) < 0 ? -errno : 0;
}
