// SPDX-License-Identifier: Apache-2.0
#include "user/notary/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "user/base/digest.h"

#define LEAVES 100

/* Inputs and roots of the Certificate Transparency reference tree (RFC 6962 implementations share them). */
static const struct span inputs[] = {
	{ "", 0 }, { "\x00", 1 }, { "\x10", 1 }, { "\x20\x21", 2 }, { "\x30\x31", 2 },
	{ "\x40\x41\x42\x43", 4 }, { "\x50\x51\x52\x53\x54\x55\x56\x57", 8 },
	{ "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16 },
};
static const char *const roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

struct world {
	struct hasher *h;
	struct tree_hash stored[4 * LEAVES], leaf[LEAVES];
	struct tree_hash root[LEAVES + 1]; /* by definition, recursively */
	size_t n;
};

static int read_stored(void *arg, uint64_t index, uint8_t ret[TREE_HASH])
{
	struct world *w = arg;

	if (index >= w->n)
		return -ENODATA;
	memcpy(ret, w->stored[index].b, TREE_HASH);
	return 0;
}

/* RFC 6962 section 2.1, word for word. */
static void mth(struct world *w, unsigned lo, unsigned n, uint8_t ret[TREE_HASH])
{
	uint8_t l[TREE_HASH], r[TREE_HASH];
	unsigned k = 1;

	if (n == 1) {
		memcpy(ret, w->leaf[lo].b, TREE_HASH);
		return;
	}
	while (2 * k < n)
		k *= 2;
	mth(w, lo, k, l);
	mth(w, lo + k, n - k, r);
	tree_node_hash(w->h, l, r, ret);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct tree t = { 0 };

	assert_non_null(w);
	assert_int_equal(hasher_new(&w->h), 0);
	for (unsigned i = 0; i < LEAVES; i++) {
		struct tree_hash got[TREE_LEVELS + 1];
		unsigned n;

		tree_leaf_hash(w->h, (struct span){ (const char *)&i, sizeof(i) }, w->leaf[i].b);
		n = tree_append(w->h, &t, w->leaf[i].b, got);
		memcpy(w->stored + w->n, got, n * sizeof(got[0]));
		w->n += n;
		assert_int_equal(w->n, tree_stored_count(i + 1));
		mth(w, 0, i + 1, w->root[i + 1].b);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	hasher_free(w->h);
	free(w);
	return 0;
}

static void known_roots(void **state)
{
	struct world *w = *state;
	struct tree t = { 0 };

	for (unsigned i = 0; i <= 8; i++) {
		struct tree_hash stored[TREE_LEVELS + 1];
		uint8_t root[TREE_HASH], leaf[TREE_HASH];
		char hex[65];

		tree_root(w->h, &t, root);
		hex_encode(root, sizeof(root), hex);
		assert_string_equal(hex, roots[i]);
		if (i == 8)
			break;
		tree_leaf_hash(w->h, inputs[i], leaf);
		(void)tree_append(w->h, &t, leaf, stored);
	}
}

static void state_is_rebuilt_at_every_size(void **state)
{
	struct world *w = *state;
	uint8_t root[TREE_HASH];
	struct tree t;

	for (unsigned size = 1; size <= LEAVES; size++) {
		assert_int_equal(tree_load(&t, size, read_stored, w), 0);
		tree_root(w->h, &t, root);
		assert_memory_equal(root, w->root[size].b, TREE_HASH);
	}
	assert_int_equal(tree_load(&t, 10 * LEAVES, read_stored, w), -ENODATA);
	assert_int_equal(tree_load(&t, UINT64_MAX, read_stored, w), -ERANGE);
}

static void every_leaf_is_proved_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct tree_hash p[TREE_PROOF_MAX];
	unsigned n;

	for (unsigned size = 1; size <= LEAVES; size++)
		for (unsigned i = 0; i < size; i++) {
			const uint8_t *root = w->root[size].b;

			assert_int_equal(tree_prove_leaf(w->h, i, size, read_stored, w, p, &n), 0);
			assert_int_equal(tree_check_leaf(w->h, w->leaf[i].b, i, size, p, n, root), 0);
			/* another place, another size, another leaf, more, less, a changed hash */
			if (size > 1)
				assert_int_equal(tree_check_leaf(w->h, w->leaf[i].b, (i + 1) % size, size, p, n,
								 root), -EBADMSG);
			assert_int_equal(tree_check_leaf(w->h, w->leaf[(i + 1) % LEAVES].b, i, size, p, n, root),
					 -EBADMSG);
			assert_int_equal(tree_check_leaf(w->h, w->leaf[i].b, i, size, p, n + 1, root), -EBADMSG);
			if (n) {
				assert_int_equal(tree_check_leaf(w->h, w->leaf[i].b, i, size, p, n - 1, root),
						 -EBADMSG);
				p[n / 2].b[3] ^= 1;
				assert_int_equal(tree_check_leaf(w->h, w->leaf[i].b, i, size, p, n, root),
						 -EBADMSG);
			}
		}
	assert_int_equal(tree_prove_leaf(w->h, 5, 5, read_stored, w, p, &n), -ERANGE);
	assert_int_equal(tree_check_leaf(w->h, w->leaf[0].b, 5, 5, p, 0, w->root[5].b), -EBADMSG);
	assert_int_equal(tree_check_leaf(w->h, w->leaf[0].b, 0, 0, p, 0, w->root[1].b), -EBADMSG);
}

static void growth_is_proved_and_a_fork_is_not(void **state)
{
	struct world *w = *state;
	struct tree_hash p[TREE_PROOF_MAX];
	unsigned n;

	for (unsigned size = 1; size <= LEAVES; size++)
		for (unsigned from = 1; from <= size; from++) {
			const uint8_t *old = w->root[from].b, *now = w->root[size].b;

			assert_int_equal(tree_prove_growth(w->h, from, size, read_stored, w, p, &n), 0);
			assert_int_equal(tree_check_growth(w->h, from, old, size, now, p, n), 0);
			assert_int_equal(tree_check_growth(w->h, from, w->root[from > 1 ? from - 1 : LEAVES].b, size,
							   now, p, n), -EBADMSG);
			assert_int_equal(tree_check_growth(w->h, from, old, size, now, p, n + 1), -EBADMSG);
			if (n) {
				p[n - 1].b[0] ^= 0x80;
				assert_int_equal(tree_check_growth(w->h, from, old, size, now, p, n), -EBADMSG);
				assert_int_equal(tree_check_growth(w->h, from, old, size, now, p, n - 1), -EBADMSG);
			}
		}
	assert_int_equal(tree_prove_growth(w->h, 0, 5, read_stored, w, p, &n), -ERANGE);
	assert_int_equal(tree_prove_growth(w->h, 6, 5, read_stored, w, p, &n), -ERANGE);
	assert_int_equal(tree_check_growth(w->h, 0, w->root[1].b, 5, w->root[5].b, p, 0), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_roots, setup, teardown),
		cmocka_unit_test_setup_teardown(state_is_rebuilt_at_every_size, setup, teardown),
		cmocka_unit_test_setup_teardown(every_leaf_is_proved_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(growth_is_proved_and_a_fork_is_not, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
