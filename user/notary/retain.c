// SPDX-License-Identifier: Apache-2.0
/*
 * Removes segments that are older than the configuration keeps. Runs in the notary. What is removed is
 * named by a record, and that record signed and on disk, before a byte is taken away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/notary/notary_private.h"
#include "user/notary/retention.h"
#include "user/notary/segment.h"

DEFINE_CLEANUP(struct segment_reader *, segment_reader_close)

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

/* The first leaf to keep: a segment is old when the one after it begins before the limit. */
static int find_cut(const struct notary *n, uint64_t limit_ns, uint64_t *ret_from, uint64_t *ret_to)
{
	_cleanup_free_ uint64_t *segments = NULL;
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
		if (r < 0)
			return r;
		if (ns >= limit_ns)
			break;
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

static int record_removal(struct notary *n, const struct tree *removed, uint64_t from, uint64_t keep_ns)
{
	char hex[2 * TREE_HASH + 1];
	uint8_t root[TREE_HASH];
	const struct record_kv detail[] = {
		{ "removed_from", { NULL, 0 }, (int64_t)from },
		{ "removed_to", { NULL, 0 }, (int64_t)removed->size },
		{ "removed_root", { hex, 2 * TREE_HASH }, 0 },
		{ "retention_seconds", { NULL, 0 }, (int64_t)(keep_ns / 1000000000u) },
	};
	struct record rec;
	int r;

	tree_root(n->hasher, removed, root);
	hex_encode(root, sizeof(root), hex);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason_code = SPAN(RETENTION_CODE);
	rec.reason = SPAN("records older than the configuration keeps are removed");
	rec.detail = detail;
	rec.detail_n = ARRAY_SIZE(detail);
	r = notary_record(n, &rec);
	return r < 0 ? r : notary_checkpoint(n);
}

int notary_retain(struct notary *n, uint64_t keep_ns, uint64_t now_ns)
{
	_cleanup_buf_ struct buf text = { 0 };
	char name[RETENTION_NAME_SIZE];
	struct tree removed;
	uint64_t from, to;
	int r;

	if (keep_ns == 0 || now_ns < keep_ns || n->error)
		return n->error;
	r = find_cut(n, now_ns - keep_ns, &from, &to);
	if (r < 0 || from == to)
		return r;
	r = load_removed(n, to, &removed);
	if (r == 0)
		r = retention_format(&removed, &text);
	retention_name(to, name);
	if (r == 0)
		r = store_replace(n->store, name, buf_span(&text));
	if (r == 0)
		r = record_removal(n, &removed, from, keep_ns);
	return r < 0 ? r : retention_unlink(n->cfg.log_dirfd, to);
}
