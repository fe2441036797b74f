// SPDX-License-Identifier: Apache-2.0
/*
 * Removes segments that are older than the configuration keeps. Runs in the notary. What is removed is
 * named by a record, and that record signed and on disk, before a byte is taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/notary/notary_private.h"
#include "user/notary/retention.h"
#include "user/notary/segment.h"

#define RETAIN_BYTES (UINT64_C(256) << 20)

DEFINE_CLEANUP(struct segment_reader *, segment_reader_close)

int notary_carried_load(struct notary *n)
{
	struct tree removed;
	int r = retention_load(n->cfg.log_dirfd, &removed, &n->carried.list);

	n->carried.to = r == 0 ? removed.size : 0;
	return r == -ENOENT ? -EBADMSG : r;
}

void notary_carried_seen(struct notary *n, const struct record_view *v)
{
	char digest[SHA256_HEX_SIZE];
	struct retention_removed removed;

	if (!n->carried.to || n->carried.named || !retention_read(v, &removed) || removed.to != n->carried.to)
		return;
	retention_digest(buf_span(&n->carried.list), digest);
	n->carried.named = strcmp(digest, removed.handovers) == 0;
}

/* When the record at a leaf was written. */
static int leaf_time(const struct notary *n, uint64_t leaf, uint64_t *ret_ns)
{
	_cleanup_(segment_reader_close_p) struct segment_reader *reader = NULL;
	char iso[CLOCK_ISO_SIZE] = "";
	struct record_view v;
	struct span line, time;
	int r = segment_reader_open(n->cfg.log_dirfd, leaf, &reader);

	if (r == 0)
		r = segment_read(reader, &line, NULL);
	if (r == 0)
		r = record_view_parse(line, &v, NULL);
	if (r < 0)
		return r;
	time = record_view_text(&v, M_TIMESTAMP);
	if (time.n != sizeof(iso) - 1)
		return -EBADMSG;
	memcpy(iso, time.p, time.n);
	return clock_parse_iso(iso, ret_ns);
}

static int segment_bytes(const struct notary *n, uint64_t first, uint64_t *ret)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat st;

	segment_name(first, name);
	if (fstatat(n->cfg.log_dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* The first leaf to keep: a segment is old when the one after it begins before the limit. 1 when there are more old
 * ones than are removed at a time. */
static int find_cut(const struct notary *n, uint64_t limit_ns, uint64_t *ret_from, uint64_t *ret_to)
{
	_cleanup_free_ uint64_t *segments = NULL;
	const uint64_t most = n->cfg.retain_bytes ? n->cfg.retain_bytes : RETAIN_BYTES;
	uint64_t bytes = 0, one = 0;
	size_t count = 0;
	int r = segment_list(n->cfg.log_dirfd, &segments, &count);

	if (r < 0)
		return r;
	*ret_from = *ret_to = count ? segments[0] : 0;
	for (size_t i = 1; i < count; i++) {
		uint64_t ns;

		/* Only what a checkpoint covers may go: its removal must be provable. */
		if (segments[i] > n->signed_size)
			break;
		r = leaf_time(n, segments[i], &ns);
		if (r == 0)
			r = segment_bytes(n, segments[i - 1], &one);
		if (r < 0)
			return r;
		if (ns >= limit_ns)
			break;
		bytes += one;
		if (i > 1 && bytes > most)
			return 1;
		*ret_to = segments[i];
	}
	return 0;
}

/* The tree before the cut, held against the signed root: stored hashes are derived, and may be wrong. */
static int load_removed(struct notary *n, uint64_t to, struct tree *ret)
{
	int fd = segment_open(n->cfg.log_dirfd, STORE_FILE_TREE), r = fd < 0 ? fd : 0;
	struct tree_hash proof[TREE_PROOF_MAX];
	uint8_t root[TREE_HASH];
	unsigned proof_n = 0;

	if (r == 0)
		r = tree_load(ret, to, store_tree_read, &fd);
	if (r == 0)
		r = tree_prove_growth(n->hasher, to, n->signed_size, store_tree_read, &fd, proof, &proof_n);
	cleanup_close(&fd);
	if (r < 0)
		return r;
	tree_root(n->hasher, ret, root);
	return tree_check_growth(n->hasher, to, root, n->signed_size, n->signed_root, proof, proof_n);
}

/* A line that may be a change of the log key: records are canonical, so this finds all of them. */
static bool may_change_key(struct span line)
{
	static const char member[] = "\"reason_code\":\"key_";

	return memmem(line.p, line.n, member, sizeof(member) - 1);
}

/* The changes of the log's key before the cut: those that an earlier removal left, and those it did not reach. */
static int collect_handovers(const struct notary *n, uint64_t from, uint64_t to, struct buf *list)
{
	_cleanup_(segment_reader_close_p) struct segment_reader *reader = NULL;
	uint8_t old_key[KEY_SIZE], new_key[KEY_SIZE];
	struct segment_at at = { .leaf = from };
	int r = buf_append(list, buf_span(&n->carried.list).p, buf_len(&n->carried.list));

	if (r == 0)
		r = segment_reader_open(n->cfg.log_dirfd, from, &reader);
	while (r == 0) {
		struct record_view v;
		struct span line;
		enum handover is;

		r = segment_read(reader, &line, &at);
		if (r < 0 || at.leaf >= to)
			break;
		if (!may_change_key(line) || record_view_parse(line, &v, NULL) < 0)
			continue;
		is = handover_read(&v, n->origin, old_key, new_key);
		if (is == HANDOVER_SIGNED || is == HANDOVER_GAP)
			r = handover_list_add(list, at.leaf, line);
	}
	return r;
}

static int record_removal(struct notary *n, const struct tree *removed, struct span handovers, uint64_t from,
			  uint64_t keep_ns)
{
	char hex[2 * TREE_HASH + 1], digest[SHA256_HEX_SIZE];
	uint8_t root[TREE_HASH];
	struct record_kv detail[] = {
		{ "removed_from", { NULL, 0 }, (int64_t)from },
		{ "removed_to", { NULL, 0 }, (int64_t)removed->size },
		{ "removed_root", { hex, 2 * TREE_HASH }, 0 },
		{ "retention_seconds", { NULL, 0 }, (int64_t)(keep_ns / 1000000000u) },
		{ "handovers_sha256", { digest, 2 * SHA256_SIZE }, 0 },
	};
	struct record rec;
	int r;

	tree_root(n->hasher, removed, root);
	hex_encode(root, sizeof(root), hex);
	retention_digest(handovers, digest);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason_code = SPAN(RETENTION_CODE);
	rec.reason = SPAN("records older than the configuration keeps are removed");
	rec.detail = detail;
	rec.detail_n = ARRAY_SIZE(detail) - (handovers.n == 0);
	r = notary_record(n, &rec);
	return r < 0 ? r : notary_checkpoint(n);
}

/* A list that no record names may be anybody's, and our next record would vouch for it. */
static int check_carried(struct notary *n)
{
	if (!n->carried.to || n->carried.named)
		return 0;
	notary_alarm(n, -1, "log: nothing is removed: no record names the key changes in tombstone-%016" PRIu64
			    "; verify the log", n->carried.to);
	return -EBADMSG;
}

static int remove_segments(struct notary *n, uint64_t from, uint64_t to, uint64_t keep_ns, struct buf *handovers)
{
	_cleanup_buf_ struct buf text = { 0 };
	char name[RETENTION_NAME_SIZE];
	struct tree removed;
	int r = load_removed(n, to, &removed);

	if (r == 0)
		r = collect_handovers(n, from, to, handovers);
	if (r == 0)
		r = retention_format(&removed, buf_span(handovers), &text);
	retention_name(to, name);
	if (r == 0)
		r = store_replace(n->store, name, buf_span(&text));
	return r < 0 ? r : record_removal(n, &removed, buf_span(handovers), from, keep_ns);
}

int notary_retain(struct notary *n, uint64_t keep_ns, uint64_t now_ns)
{
	_cleanup_buf_ struct buf handovers = { 0 };
	uint64_t from, to;
	int r, more;

	if (keep_ns == 0 || now_ns < keep_ns || n->error)
		return n->error;
	more = find_cut(n, now_ns - keep_ns, &from, &to);
	if (more < 0 || from == to)
		return more;
	r = check_carried(n);
	if (r == 0)
		r = remove_segments(n, from, to, keep_ns, &handovers);
	if (r < 0)
		return r;
	buf_done(&n->carried.list);
	n->carried = (struct carried){ .list = handovers, .to = to, .named = true };
	handovers = (struct buf){ 0 };
	r = retention_unlink(n->cfg.log_dirfd, to);
	return r < 0 ? r : more;
}
