// SPDX-License-Identifier: Apache-2.0
/*
 * COSE receipts: signed in the notary, put together in the query role, judged anywhere on hostile bytes.
 */
#include "user/notary/receipt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest/cbor_write.h"
#include "attest/cose.h"
#include "user/base/base64.h"
#include "user/base/hasher.h"
#include "user/notary/record.h"

#define LABEL_ALG 1
#define LABEL_KID 4
#define LABEL_VDS 395 /* kind of verifiable data structure */
#define LABEL_VDP 396 /* proofs in it */
#define VDS_RFC9162_SHA256 1
#define PROOF_INCLUSION 0 /* as CBOR_NINT: -1 */

/* { 1: -8, 4: key ID, 395: 1, "tree-size": size }, names in the order of their bytes. The size is signed
 * because the root alone does not say it: paths have the same shape in trees of many sizes. */
static int put_protected(const struct verifier_key *vk, uint64_t size, struct buf *out)
{
	int r = cbor_put(out, CBOR_MAP, 4);

	if (r == 0)
		r = cbor_put(out, CBOR_UINT, LABEL_ALG);
	if (r == 0)
		r = cbor_put(out, CBOR_NINT, (uint64_t)(-1 - COSE_ALG_EDDSA));
	if (r == 0)
		r = cbor_put(out, CBOR_UINT, LABEL_KID);
	if (r == 0)
		r = cbor_put_bytes(out, CBOR_BYTES, (struct span){ (const char *)vk->id, sizeof(vk->id) });
	if (r == 0)
		r = cbor_put(out, CBOR_UINT, LABEL_VDS);
	if (r == 0)
		r = cbor_put(out, CBOR_UINT, VDS_RFC9162_SHA256);
	if (r == 0)
		r = cbor_put_bytes(out, CBOR_TEXT, SPAN("tree-size"));
	return r < 0 ? r : cbor_put(out, CBOR_UINT, size);
}

/* RFC 9052 section 4.4, over the root that the receipt leaves out. */
static int put_signed(struct span protected_header, const uint8_t root[TREE_HASH], struct buf *out)
{
	int r = cbor_put(out, CBOR_ARRAY, 4);

	if (r == 0)
		r = cbor_put_bytes(out, CBOR_TEXT, SPAN("Signature1"));
	if (r == 0)
		r = cbor_put_bytes(out, CBOR_BYTES, protected_header);
	if (r == 0)
		r = cbor_put_bytes(out, CBOR_BYTES, SPAN(""));
	return r < 0 ? r : cbor_put_bytes(out, CBOR_BYTES, (struct span){ (const char *)root, TREE_HASH });
}

int receipt_head_sign(const struct checkpoint *cp, const struct verifier_key *vk, struct log_key *k,
		      struct buf *out)
{
	_cleanup_buf_ struct buf head = { 0 }, text = { 0 };
	uint8_t signature[KEY_SIG_SIZE];
	int r = put_protected(vk, cp->size, &head);

	if (r == 0)
		r = put_signed(buf_span(&head), cp->root, &text);
	if (r == 0)
		r = log_key_sign(k, buf_span(&text).p, buf_len(&text), signature);
	if (r == 0)
		r = buf_printf(out, "%" PRIu64 " ", cp->size);
	if (r == 0)
		r = base64_append(out, cp->root, TREE_HASH);
	if (r == 0)
		r = buf_append(out, " ", 1);
	if (r == 0)
		r = base64_append(out, signature, sizeof(signature));
	return r < 0 ? r : buf_append(out, "\n", 1);
}

static bool cut_word(struct span *s, char end, struct span *ret)
{
	const char *at = s->n ? memchr(s->p, end, s->n) : NULL;

	if (!at)
		return false;
	*ret = (struct span){ s->p, (size_t)(at - s->p) };
	s->n -= ret->n + 1;
	s->p = at + 1;
	return true;
}

int receipt_head_parse(struct span text, struct receipt_head *ret)
{
	struct receipt_head h = { .size = 0 };
	struct span size, root, signature;
	size_t n;

	if (!cut_word(&text, ' ', &size) || !cut_word(&text, ' ', &root) || !cut_word(&text, '\n', &signature) ||
	    text.n || size.n == 0 || size.n > 18)
		return -EBADMSG;
	for (size_t i = 0; i < size.n; i++) {
		if (size.p[i] < '0' || size.p[i] > '9')
			return -EBADMSG;
		h.size = h.size * 10 + (uint64_t)(size.p[i] - '0');
	}
	if (base64_decode(root, h.root, sizeof(h.root), &n) < 0 || n != sizeof(h.root) ||
	    base64_decode(signature, h.signature, sizeof(h.signature), &n) < 0 || n != sizeof(h.signature))
		return -EBADMSG;
	*ret = h;
	return 0;
}

/* [ size, leaf, [ path ] ] */
static int put_proof(uint64_t size, uint64_t leaf, const struct tree_hash *path, unsigned n, struct buf *out)
{
	int r = cbor_put(out, CBOR_ARRAY, 3);

	if (r == 0)
		r = cbor_put(out, CBOR_UINT, size);
	if (r == 0)
		r = cbor_put(out, CBOR_UINT, leaf);
	if (r == 0)
		r = cbor_put(out, CBOR_ARRAY, n);
	for (unsigned i = 0; i < n && r == 0; i++)
		r = cbor_put_bytes(out, CBOR_BYTES, (struct span){ (const char *)path[i].b, TREE_HASH });
	return r;
}

int receipt_write(const struct receipt_head *head, const struct verifier_key *vk, uint64_t leaf,
		  const struct tree_hash *path, unsigned n, struct buf *out)
{
	_cleanup_buf_ struct buf protected_header = { 0 }, proof = { 0 };
	int r = put_protected(vk, head->size, &protected_header);

	if (r == 0)
		r = put_proof(head->size, leaf, path, n, &proof);
	if (r == 0)
		r = cbor_put(out, CBOR_TAG, COSE_TAG_SIGN1);
	if (r == 0)
		r = cbor_put(out, CBOR_ARRAY, 4);
	if (r == 0)
		r = cbor_put_bytes(out, CBOR_BYTES, buf_span(&protected_header));
	if (r == 0)
		r = cbor_put(out, CBOR_MAP, 1);
	if (r == 0)
		r = cbor_put(out, CBOR_UINT, LABEL_VDP);
	if (r == 0)
		r = cbor_put(out, CBOR_MAP, 1);
	if (r == 0)
		r = cbor_put(out, CBOR_NINT, PROOF_INCLUSION);
	if (r == 0)
		r = cbor_put(out, CBOR_ARRAY, 1);
	if (r == 0)
		r = cbor_put_bytes(out, CBOR_BYTES, buf_span(&proof));
	if (r == 0)
		r = cbor_put(out, CBOR_SIMPLE, CBOR_NULL);
	return r < 0 ? r : cbor_put_bytes(out, CBOR_BYTES,
					  (struct span){ (const char *)head->signature, KEY_SIG_SIZE });
}

struct receipt {
	struct span protected_header, signature;
	uint64_t size, leaf;
	struct tree_hash path[TREE_PROOF_MAX];
	unsigned path_n;
};

static bool take(struct span *s, enum cbor_type type, struct cbor_item *ret)
{
	return cbor_read(s, ret) == 0 && ret->type == type;
}

static bool take_value(struct span *s, enum cbor_type type, uint64_t value)
{
	struct cbor_item item;

	return take(s, type, &item) && item.value == value;
}

static bool read_proof(struct span s, struct receipt *ret)
{
	struct cbor_item item;

	if (cbor_check(s) < 0 || !take_value(&s, CBOR_ARRAY, 3) || !take(&s, CBOR_UINT, &item))
		return false;
	ret->size = item.value;
	if (!take(&s, CBOR_UINT, &item))
		return false;
	ret->leaf = item.value;
	if (!take(&s, CBOR_ARRAY, &item) || item.value > TREE_PROOF_MAX)
		return false;
	for (ret->path_n = (unsigned)item.value; item.value > 0; item.value--) {
		struct cbor_item hash;

		if (!take(&s, CBOR_BYTES, &hash) || hash.bytes.n != TREE_HASH)
			return false;
		memcpy(ret->path[ret->path_n - item.value].b, hash.bytes.p, TREE_HASH);
	}
	return s.n == 0;
}

/* Exactly the form that receipt_write() gives: one inclusion proof and nothing else. */
static bool read_receipt(struct span s, struct receipt *ret)
{
	struct cbor_item item;

	if (s.n > RECEIPT_MAX || cbor_check(s) < 0 || !take_value(&s, CBOR_TAG, COSE_TAG_SIGN1) ||
	    !take_value(&s, CBOR_ARRAY, 4) || !take(&s, CBOR_BYTES, &item))
		return false;
	ret->protected_header = item.bytes;
	if (!take_value(&s, CBOR_MAP, 1) || !take_value(&s, CBOR_UINT, LABEL_VDP) || !take_value(&s, CBOR_MAP, 1) ||
	    !take_value(&s, CBOR_NINT, PROOF_INCLUSION) || !take_value(&s, CBOR_ARRAY, 1) ||
	    !take(&s, CBOR_BYTES, &item) || !read_proof(item.bytes, ret) ||
	    !take_value(&s, CBOR_SIMPLE, CBOR_NULL) || !take(&s, CBOR_BYTES, &item))
		return false;
	ret->signature = item.bytes;
	return s.n == 0 && item.bytes.n == KEY_SIG_SIZE;
}

static int no(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

int receipt_check(struct span receipt, struct span record, const struct verifier_key *vk, uint64_t *ret_leaf,
		  uint64_t *ret_size, const char **ret_why)
{
	_cleanup_buf_ struct buf expected = { 0 }, text = { 0 };
	struct hasher *h = hasher_of_thread();
	uint8_t leaf[TREE_HASH], root[TREE_HASH];
	struct receipt r;

	if (!h)
		return -ENOMEM;
	if (!read_receipt(receipt, &r))
		return no(ret_why, "it is no COSE receipt with one inclusion proof");
	if (put_protected(vk, r.size, &expected) < 0)
		return -ENOMEM;
	/* The header is ours to the byte: alg, key, kind and size of the tree are then the ones we know. */
	if (!span_eq(r.protected_header, buf_span(&expected)))
		return no(ret_why, "it is of another key, algorithm, or kind or size of tree");
	tree_leaf_hash(h, record, leaf);
	if (tree_path_root(h, leaf, r.leaf, r.size, r.path, r.path_n, root) < 0)
		return no(ret_why, "its path does not fit its place in the tree");
	if (put_signed(r.protected_header, root, &text) < 0)
		return -ENOMEM;
	if (log_key_check(vk->pub, buf_span(&text).p, buf_len(&text), (const uint8_t *)r.signature.p) < 0)
		return no(ret_why, "the record is not at this place of a log that this key signed");
	*ret_leaf = r.leaf;
	*ret_size = r.size;
	return 0;
}
