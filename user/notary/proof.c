// SPDX-License-Identifier: Apache-2.0
/*
 * Receipts: written by the query role, read and judged anywhere, on hostile text.
 */
#include "user/notary/proof.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "user/base/base64.h"
#include "user/base/hasher.h"
#include "user/notary/view.h"

#define MAGIC "c2sp.org/tlog-proof@v1"

int proof_write(struct span record, uint64_t leaf, const struct tree_hash *path, unsigned n,
		struct span note, struct buf *out)
{
	int r = buf_append_str(out, MAGIC "\nextra ");

	if (r == 0)
		r = base64_append(out, record.p, record.n);
	if (r == 0)
		r = buf_printf(out, "\nindex %" PRIu64 "\n", leaf);
	for (unsigned i = 0; i < n && r == 0; i++) {
		r = base64_append(out, path[i].b, TREE_HASH);
		if (r == 0)
			r = buf_append(out, "\n", 1);
	}
	if (r == 0)
		r = buf_append(out, "\n", 1);
	return r < 0 ? r : buf_append(out, note.p, note.n);
}

void proof_done(struct proof *p)
{
	buf_done(&p->storage);
}

static bool cut_prefix(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

static bool parse_index(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 19 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

static int parse_record(struct span text, struct proof *p)
{
	char *dst;
	size_t n;
	int r = buf_reserve(&p->storage, RECORD_MAX, &dst);

	if (r < 0)
		return r;
	if (base64_decode(text, dst, RECORD_MAX, &n) < 0)
		return -EBADMSG;
	buf_commit(&p->storage, n);
	p->record = buf_span(&p->storage);
	return 0;
}

int proof_parse(struct span text, struct proof *ret)
{
	struct proof p = { 0 };
	struct span line;
	size_t n;
	int r = -EBADMSG;

	if (text.n > PROOF_MAX || !span_cut_line(&text, &line) || !span_is(line, MAGIC) ||
	    !span_cut_line(&text, &line) || !cut_prefix(&line, "extra "))
		goto fail;
	r = parse_record(line, &p);
	if (r < 0)
		goto fail;
	r = -EBADMSG;
	if (!span_cut_line(&text, &line) || !cut_prefix(&line, "index ") || !parse_index(line, &p.leaf))
		goto fail;
	for (;;) {
		if (!span_cut_line(&text, &line))
			goto fail;
		if (line.n == 0)
			break;
		if (p.path_n == TREE_PROOF_MAX ||
		    base64_decode(line, p.path[p.path_n].b, TREE_HASH, &n) < 0 || n != TREE_HASH)
			goto fail;
		p.path_n++;
	}
	p.note = text;
	*ret = p;
	return 0;
fail:
	proof_done(&p);
	return r;
}

static int no(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

int proof_check(const struct proof *p, const struct verifier_key *vk, struct checkpoint *ret_cp,
		const char **ret_why)
{
	struct hasher *h = hasher_of_thread();
	uint8_t leaf[TREE_HASH];
	struct checkpoint cp;
	struct record_view v;
	int r;

	if (!h)
		return -ENOMEM;
	r = checkpoint_verify(p->note, vk, &cp);
	if (r < 0)
		return no(ret_why, r == -EKEYREJECTED ? "the checkpoint is not signed by this key" :
							"the checkpoint is malformed");
	tree_leaf_hash(h, p->record, leaf);
	if (tree_check_leaf(h, leaf, p->leaf, cp.size, p->path, p->path_n, cp.root) < 0)
		return no(ret_why, "the record is not at this place of the log that was signed");
	if (record_view_parse(p->record, &v, NULL) < 0)
		return no(ret_why, "the record is not in canonical form");
	if (record_view_hash(&v, h) < 0)
		return no(ret_why, "the record's content is not what its entry_hash says");
	*ret_cp = cp;
	return 0;
}
