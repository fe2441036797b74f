// SPDX-License-Identifier: Apache-2.0
/*
 * RFC 6962 tree: state, stored hashes, proofs and their checks (RFC 9162 sections 2.1.3.2 and 2.1.4.2).
 * Used by the notary, the query role and the verifier; reads nothing but through its callback.
 */
#include "user/notary/tree.h"

#include <errno.h>
#include <string.h>

#include "user/base/digest.h"

#define LEAVES_MAX (UINT64_C(1) << 62) /* keeps every stored index within 64 bits */

void tree_leaf_hash(struct hasher *h, struct span entry, uint8_t ret[TREE_HASH])
{
	const struct span pieces[] = { { "\0", 1 }, entry };

	hasher_sha256(h, pieces, 2, ret);
}

void tree_node_hash(struct hasher *h, const uint8_t l[TREE_HASH], const uint8_t r[TREE_HASH],
		    uint8_t ret[TREE_HASH])
{
	char in[1 + 2 * TREE_HASH];
	const struct span whole = { in, sizeof(in) };

	in[0] = 1;
	memcpy(in + 1, l, TREE_HASH);
	memcpy(in + 1 + TREE_HASH, r, TREE_HASH);
	hasher_sha256(h, &whole, 1, ret);
}

unsigned tree_append(struct hasher *h, struct tree *t, const uint8_t leaf[TREE_HASH],
		     struct tree_hash *ret_stored)
{
	unsigned l = 0;

	memcpy(ret_stored[0].b, leaf, TREE_HASH);
	for (; t->size >> l & 1; l++)
		tree_node_hash(h, t->peak[l], ret_stored[l].b, ret_stored[l + 1].b);
	memcpy(t->peak[l], ret_stored[l].b, TREE_HASH);
	t->size++;
	return l + 1;
}

void tree_root(struct hasher *h, const struct tree *t, uint8_t ret[TREE_HASH])
{
	uint8_t acc[TREE_HASH];
	bool any = false;

	for (unsigned l = 0; l < TREE_LEVELS; l++) {
		if (!(t->size >> l & 1))
			continue;
		if (any)
			tree_node_hash(h, t->peak[l], acc, acc);
		else
			memcpy(acc, t->peak[l], TREE_HASH);
		any = true;
	}
	if (any)
		memcpy(ret, acc, TREE_HASH);
	else
		hasher_sha256(h, NULL, 0, ret);
}

uint64_t tree_stored_index(unsigned level, uint64_t n)
{
	uint64_t i = 0;

	/* The subtree is stored right after the last leaf under it, behind that leaf's lower subtrees;
	 * the hashes stored before leaf m are m + m/2 + m/4 + ... */
	for (unsigned l = level; l > 0; l--)
		n = 2 * n + 1;
	for (; n > 0; n >>= 1)
		i += n;
	return i + level;
}

uint64_t tree_stored_count(uint64_t size)
{
	uint64_t n = 0;

	for (; size > 0; size >>= 1)
		n += size;
	return n;
}

int tree_load(struct tree *t, uint64_t size, tree_read_fn read, void *arg)
{
	struct tree fresh = { .size = size };

	if (size > LEAVES_MAX)
		return -ERANGE;
	for (unsigned l = 0; l < TREE_LEVELS - 1; l++) {
		int r;

		if (!(size >> l & 1))
			continue;
		r = read(arg, tree_stored_index(l, size >> (l + 1) << 1), fresh.peak[l]);
		if (r < 0)
			return r;
	}
	*t = fresh;
	return 0;
}

/* MTH(D[lo:hi]) where lo is a multiple of the next power of two of hi - lo. */
static int range_root(struct hasher *h, uint64_t lo, uint64_t hi, tree_read_fn read, void *arg,
		      uint8_t ret[TREE_HASH])
{
	uint8_t acc[TREE_HASH], sub[TREE_HASH];
	uint64_t end = hi;
	bool any = false;

	for (unsigned l = 0; l < TREE_LEVELS && end > lo; l++) {
		uint64_t width = UINT64_C(1) << l;
		int r;

		if (!((hi - lo) & width))
			continue;
		end -= width;
		r = read(arg, tree_stored_index(l, end >> l), sub);
		if (r < 0)
			return r;
		if (any)
			tree_node_hash(h, sub, acc, acc);
		else
			memcpy(acc, sub, TREE_HASH);
		any = true;
	}
	memcpy(ret, acc, TREE_HASH);
	return 0;
}

/* Largest power of two below n; n > 1. */
static uint64_t split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static void reverse(struct tree_hash *p, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		struct tree_hash t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

int tree_prove_leaf(struct hasher *h, uint64_t leaf, uint64_t size, tree_read_fn read, void *arg,
		    struct tree_hash ret[TREE_PROOF_MAX], unsigned *ret_n)
{
	uint64_t lo = 0, hi = size;
	unsigned n = 0;

	if (leaf >= size || size > LEAVES_MAX)
		return -ERANGE;
	while (hi - lo > 1) { /* top down; RFC order is bottom up */
		uint64_t mid = lo + split(hi - lo);
		bool left = leaf < mid;
		int r = left ? range_root(h, mid, hi, read, arg, ret[n].b) :
			       range_root(h, lo, mid, read, arg, ret[n].b);

		if (r < 0)
			return r;
		n++;
		if (left)
			hi = mid;
		else
			lo = mid;
	}
	reverse(ret, n);
	*ret_n = n;
	return 0;
}

int tree_prove_growth(struct hasher *h, uint64_t from, uint64_t size, tree_read_fn read, void *arg,
		      struct tree_hash ret[TREE_PROOF_MAX], unsigned *ret_n)
{
	uint64_t lo = 0, hi = size;
	unsigned n = 0;
	int r;

	if (from == 0 || from > size || size > LEAVES_MAX)
		return -ERANGE;
	while (from != hi) {
		uint64_t mid = lo + split(hi - lo);
		bool left = from <= mid;

		r = left ? range_root(h, mid, hi, read, arg, ret[n].b) :
			   range_root(h, lo, mid, read, arg, ret[n].b);
		if (r < 0)
			return r;
		n++;
		if (left)
			hi = mid;
		else
			lo = mid;
	}
	if (lo != 0) { /* the old tree is not itself a subtree: its last part is needed too */
		r = range_root(h, lo, hi, read, arg, ret[n].b);
		if (r < 0)
			return r;
		n++;
	}
	reverse(ret, n);
	*ret_n = n;
	return 0;
}

int tree_path_root(struct hasher *h, const uint8_t leaf_hash[TREE_HASH], uint64_t leaf, uint64_t size,
		   const struct tree_hash *proof, unsigned n, uint8_t ret[TREE_HASH])
{
	uint64_t fn = leaf, sn = size - 1;
	uint8_t acc[TREE_HASH];

	if (leaf >= size)
		return -EBADMSG;
	memcpy(acc, leaf_hash, TREE_HASH);
	for (unsigned i = 0; i < n; i++) {
		if (sn == 0)
			return -EBADMSG;
		if ((fn & 1) || fn == sn) {
			tree_node_hash(h, proof[i].b, acc, acc);
			for (; !(fn & 1) && fn != 0; sn >>= 1)
				fn >>= 1;
		} else {
			tree_node_hash(h, acc, proof[i].b, acc);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn != 0)
		return -EBADMSG;
	memcpy(ret, acc, TREE_HASH);
	return 0;
}

int tree_check_leaf(struct hasher *h, const uint8_t leaf_hash[TREE_HASH], uint64_t leaf, uint64_t size,
		    const struct tree_hash *proof, unsigned n, const uint8_t root[TREE_HASH])
{
	uint8_t is[TREE_HASH];
	int r = tree_path_root(h, leaf_hash, leaf, size, proof, n, is);

	return r == 0 && memcmp(is, root, TREE_HASH) == 0 ? 0 : -EBADMSG;
}

int tree_check_growth(struct hasher *h, uint64_t from, const uint8_t from_root[TREE_HASH], uint64_t size,
		      const uint8_t root[TREE_HASH], const struct tree_hash *proof, unsigned n)
{
	uint64_t fn = from - 1, sn = size - 1;
	uint8_t fr[TREE_HASH], sr[TREE_HASH];
	unsigned i = 0;

	if (from == 0 || from > size)
		return -EBADMSG;
	if (from == size)
		return n == 0 && memcmp(from_root, root, TREE_HASH) == 0 ? 0 : -EBADMSG;
	if (n == 0)
		return -EBADMSG;
	for (; fn & 1; sn >>= 1)
		fn >>= 1;
	memcpy(fr, (from & (from - 1)) == 0 ? from_root : proof[i++].b, TREE_HASH);
	memcpy(sr, fr, TREE_HASH);
	for (; i < n; i++) {
		if (sn == 0)
			return -EBADMSG;
		if ((fn & 1) || fn == sn) {
			tree_node_hash(h, proof[i].b, fr, fr);
			tree_node_hash(h, proof[i].b, sr, sr);
			for (; !(fn & 1) && fn != 0; sn >>= 1)
				fn >>= 1;
		} else {
			tree_node_hash(h, sr, proof[i].b, sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, from_root, TREE_HASH) == 0 && memcmp(sr, root, TREE_HASH) == 0 ?
		       0 : -EBADMSG;
}
