// SPDX-License-Identifier: Apache-2.0
#include "user/notary/witness.h"

#include "tests/unit/notary/log_fixture.h"

struct scene {
	struct log_fixture *f;
	char dir[128];
	int store;
};

static void open_store(struct scene *s, void **state)
{
	s->f = *state;
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/tollgate-witness.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->store = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->store >= 0);
}

static void close_store(struct scene *s)
{
	char command[256];

	close(s->store);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	assert_int_equal(system(command), 0);
}

static void load_note(struct scene *s, struct buf *note)
{
	buf_clear(note);
	fixture_read(s->f, STORE_FILE_CHECKPOINT, note);
}

/* What a run of the command does: opens, judges with the growth that the log's tree file gives, closes. */
static int show(struct scene *s, const struct buf *note, const struct verifier_key *vk)
{
	int fd = openat(s->f->dirfd, STORE_FILE_TREE, O_RDONLY | O_CLOEXEC), r;
	struct tree_hash growth[TREE_PROOF_MAX];
	struct checkpoint cp = { .size = 0 };
	struct hasher *h;
	struct witness *w;
	unsigned n = 0;
	size_t text_n;

	assert_int_equal(hasher_new(&h), 0);
	r = witness_open(s->store, s->f->vk.name, vk, &w);
	if (r == 0) {
		(void)checkpoint_parse(buf_span(note), &cp, &text_n);
		if (witness_size(w) && cp.size > witness_size(w))
			assert_int_equal(tree_prove_growth(h, witness_size(w), cp.size, store_tree_read, &fd, growth,
							   &n), 0);
		r = witness_take(w, buf_span(note), growth, n);
		witness_close(w);
	}
	hasher_free(h);
	close(fd);
	return r;
}

static bool kept(struct scene *s, const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", s->dir, s->f->vk.name, name);
	return access(path, F_OK) == 0;
}

/* Another history under the same key: what a node would have to show to hide something. */
static void begin_another_log(struct log_fixture *f)
{
	fixture_wipe(f->dir);
	f->chain.sequence = 0;
	memcpy(f->chain.prev, CHAIN_GENESIS, sizeof(CHAIN_GENESIS));
	f->chain.session_id[0] = f->chain.session_id[0] == '0' ? '1' : '0';
}

static void growth_is_taken(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 }, old = { 0 };

	open_store(&s, state);
	fixture_fill(s.f, 10, 6000);
	load_note(&s, &note);
	load_note(&s, &old);
	assert_int_equal(show(&s, &note, NULL), -ENOKEY); /* no key on nobody's word */
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	assert_int_equal(show(&s, &note, NULL), WITNESS_SAME);
	fixture_fill(s.f, 23, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	assert_int_equal(show(&s, &old, NULL), WITNESS_ROLLED_BACK);
	assert_int_equal(show(&s, &note, NULL), WITNESS_SAME);
	assert_true(kept(&s, "refused"));
	close_store(&s);
}

static void a_fork_is_refused(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 };

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	assert_false(kept(&s, "refused"));
	begin_another_log(s.f);
	fixture_fill(s.f, 20, 6000); /* as long, and other records */
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_FORKED);
	assert_true(kept(&s, "refused"));
	fixture_fill(s.f, 20, 6000); /* longer, with a proof of its own growth */
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_FORKED);
	close_store(&s);
}

static void growth_without_its_proof_is_refused(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 };
	struct witness *w;
	struct tree_hash zero[3] = { { { 0 } } };

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(witness_open(s.store, s.f->vk.name, NULL, &w), 0);
	assert_int_equal(witness_take(w, buf_span(&note), NULL, 0), WITNESS_FORKED);
	assert_int_equal(witness_take(w, buf_span(&note), zero, 3), WITNESS_FORKED);
	assert_int_equal(witness_size(w), 20);
	witness_close(w);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	close_store(&s);
}

static void other_keys_are_refused(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 };
	struct verifier_key other;
	char path[512];
	int fd;

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	verifier_key_of(s.f->vk.name, (const uint8_t[KEY_SIZE]){ 1 }, &other);
	assert_int_equal(show(&s, &note, &other), -EKEYREJECTED);
	((char *)(uintptr_t)buf_span(&note).p)[buf_len(&note) - 8] ^= 1; /* in the signature */
	assert_int_equal(show(&s, &note, NULL), WITNESS_UNSIGNED);
	buf_clear(&note);
	assert_int_equal(buf_append_str(&note, "not a note\n"), 0);
	assert_int_equal(show(&s, &note, NULL), WITNESS_UNSIGNED);
	/* A store that somebody wrote into is not believed. */
	(void)snprintf(path, sizeof(path), "%s/%s/checkpoint", s.dir, s.f->vk.name);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), -EBADMSG);
	close_store(&s);
}

static void names_stay_inside_the_store(void **state)
{
	static const char *const origins[] = { "../up", "a/b", ".", "..", "example.com/log" };
	struct scene s;

	open_store(&s, state);
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		struct verifier_key vk;
		struct witness *w;

		verifier_key_of(origins[i], (const uint8_t[KEY_SIZE]){ 2 }, &vk);
		assert_int_equal(witness_open(s.store, origins[i], &vk, &w), 0);
		witness_close(w);
	}
	assert_int_equal(faccessat(s.store, "%2E./log.vkey", F_OK, 0), 0);
	assert_int_equal(faccessat(s.store, "%2E.%2Fup/log.vkey", F_OK, 0), 0);
	assert_int_equal(faccessat(s.store, "example.com%2Flog/log.vkey", F_OK, 0), 0);
	close_store(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(growth_is_taken, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_fork_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(growth_without_its_proof_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(other_keys_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(names_stay_inside_the_store, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
