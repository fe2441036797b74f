// SPDX-License-Identifier: Apache-2.0
/*
 * GET /v1/proof: inclusion and growth, checked against the signed root before they go out. Runs in the
 * query role; reads only.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/hasher.h"
#include "user/notary/proof.h"
#include "user/notary/receipt.h"
#include "user/notary/segment.h"
#include "user/notary/store.h"
#include "user/query/request.h"

struct proving {
	struct checkpoint cp;
	struct buf note, line;
	uint64_t leaf, from;
	bool with_leaf, with_growth, cose;
	struct receipt_head head; /* for cose, with the key that signed it */
	struct verifier_key vk;
	struct tree_hash path[TREE_PROOF_MAX], growth[TREE_PROOF_MAX];
	unsigned path_n, growth_n;
};

static void proving_done(struct proving *p)
{
	buf_done(&p->note);
	buf_done(&p->line);
}

/* What the notary signed for COSE: of the latest head, or of the one before it for a moment. */
static bool read_cose_head(struct request *q, struct proving *p)
{
	_cleanup_buf_ struct buf head = { 0 }, vkey = { 0 };

	if (request_file(q, RECEIPT_FILE_HEAD, &head) < 0 || receipt_head_parse(buf_span(&head), &p->head) < 0 ||
	    request_file(q, STORE_FILE_VKEY, &vkey) < 0 || verifier_key_parse(buf_span(&vkey), &p->vk) < 0) {
		request_refuse(q, 404, "no head is signed for COSE yet");
		return false;
	}
	p->cp.size = p->head.size;
	memcpy(p->cp.root, p->head.root, TREE_HASH);
	return true;
}

static void write_receipt(struct request *q, const struct proving *p)
{
	int r;

	q->out->text = !p->cose;
	q->out->cose = p->cose;
	q->out->status = 200;
	q->out->rows = 1;
	r = p->cose ? receipt_write(&p->head, &p->vk, p->leaf, p->path, p->path_n, &q->out->body) :
		      proof_write(buf_span(&p->line), p->leaf, p->path, p->path_n, buf_span(&p->note), &q->out->body);
	if (r < 0)
		request_refuse(q, 500, "out of memory");
}

static bool read_params(struct request *q, struct proving *p)
{
	static const char *const names[] = { "record", "from", "form", NULL };

	if (!request_known(q, names) || !request_number(q, "record", 0, SEGMENT_LEAF_MAX, &p->leaf) ||
	    !request_number(q, "from", 0, SEGMENT_LEAF_MAX, &p->from))
		return false;
	p->with_leaf = request_param(q, "record");
	p->with_growth = request_param(q, "from");
	if (!p->with_leaf && !p->with_growth) {
		request_refuse(q, 400, "record or from is needed");
		return false;
	}
	p->cose = request_param(q, "form") && span_is(request_param(q, "form")->value, "cose");
	if (request_param(q, "form") && ((!p->cose && !span_is(request_param(q, "form")->value, "receipt")) ||
					 !p->with_leaf || p->with_growth)) {
		request_refuse(q, 400, "form is receipt or cose, for a record alone, or left out");
		return false;
	}
	if (!request_checkpoint(q, &p->note, &p->cp) || (p->cose && !read_cose_head(q, p)))
		return false;
	if (p->with_leaf && p->leaf >= p->cp.size) {
		request_refuse(q, 404, "the latest checkpoint does not cover this record yet; the next one does");
		return false;
	}
	if (p->with_growth && (p->from == 0 || p->from > p->cp.size)) {
		request_refuse(q, 404, "from is not a size that the log has had");
		return false;
	}
	return true;
}

/* What does not lead to the signed root is not given out: the tree file is derived, and may be wrong. */
static int prove_leaf(struct request *q, struct proving *p, int tree_fd)
{
	struct hasher *h = q->src->hasher;
	struct index_place at;
	struct record_view v;
	uint8_t leaf[TREE_HASH];
	uint64_t segment = 0;
	int fd = -1, r = index_locate(q->src->index, p->leaf, &at);

	if (r == 0)
		r = request_line(q->src->log_dirfd, &at, &fd, &segment, &p->line, &v);
	cleanup_close(&fd);
	if (r == 0)
		r = tree_prove_leaf(h, p->leaf, p->cp.size, store_tree_read, &tree_fd, p->path, &p->path_n);
	if (r < 0)
		return r;
	tree_leaf_hash(h, buf_span(&p->line), leaf);
	return tree_check_leaf(h, leaf, p->leaf, p->cp.size, p->path, p->path_n, p->cp.root);
}

static void write_answer(struct request *q, const struct proving *p, int tree_fd)
{
	struct json_out j;
	int r = 0;

	request_begin(q, &j);
	json_out_member_span(&j, "checkpoint", buf_span(&p->note));
	if (p->with_growth) {
		json_out_member_int(&j, "from", (int64_t)p->from);
		request_path(&j, "growth", p->growth, p->growth_n);
		r = request_handovers(q, &p->cp, p->from, tree_fd, &j);
	}
	if (r < 0) {
		request_refuse(q, 500, "the changes of the log's key cannot be proven; verify the log");
		return;
	}
	if (p->with_leaf) {
		q->out->rows = 1;
		json_out_member_int(&j, "leaf", (int64_t)p->leaf);
		request_path(&j, "path", p->path, p->path_n);
		json_out_key(&j, "record");
		json_out_raw(&j, buf_span(&p->line));
	}
	request_root(&j, &p->cp);
	json_out_member_int(&j, "size", (int64_t)p->cp.size);
	request_end(q, &j);
}

void answer_proof(struct request *q)
{
	_cleanup_(proving_done) struct proving p = { .with_leaf = false };
	_cleanup_close_ int tree_fd = -1;
	int r;

	if (!read_params(q, &p) || !request_update(q))
		return;
	tree_fd = segment_open(q->src->log_dirfd, STORE_FILE_TREE);
	r = tree_fd < 0 ? -EBADMSG : 0;
	if (r == 0)
		r = p.with_leaf ? prove_leaf(q, &p, tree_fd) : 0;
	if (r == 0 && p.with_growth)
		r = tree_prove_growth(q->src->hasher, p.from, p.cp.size, store_tree_read, &tree_fd, p.growth,
				      &p.growth_n);
	if (r == -ENOENT) {
		request_refuse(q, 404, "this record is not in the log any more");
		return;
	}
	if (r < 0) {
		request_refuse(q, 500, "the log does not lead to the signed root here; verify it");
		return;
	}
	if (!request_param(q, "form")) {
		write_answer(q, &p, tree_fd);
		return;
	}
	write_receipt(q, &p);
}
