// SPDX-License-Identifier: Apache-2.0
#include "user/notary/witness.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"

#define CHANGES 4

struct scene {
	struct log_fixture *f;
	char dir[128];
	int store;
	struct { /* hand-overs in the log */
		uint64_t leaf;
		struct buf record;
		struct log_key *key; /* that handed over */
	} changes[CHANGES];
	unsigned changes_n, hidden; /* hidden: the first ones are not shown */
};

static void open_store(struct scene *s, void **state)
{
	*s = (struct scene){ .f = *state };
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/tollgate-witness.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->store = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->store >= 0);
}

static void close_store(struct scene *s)
{
	char command[256];

	for (unsigned i = 0; i < s->changes_n; i++) {
		buf_done(&s->changes[i].record);
		log_key_free(s->changes[i].key);
	}
	close(s->store);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	assert_int_equal(system(command), 0);
}

static void load_note(struct scene *s, struct buf *note)
{
	buf_clear(note);
	fixture_read(s->f, STORE_FILE_CHECKPOINT, note);
}

/* The log's key hands over to a new one, by a record that signer signs (NULL: the key itself). */
static void hand_over(struct scene *s, struct log_key *signer)
{
	assert_true(s->changes_n < CHANGES);
	s->changes[s->changes_n].key = fixture_hand_over(s->f, signer, &s->changes[s->changes_n].record,
							 &s->changes[s->changes_n].leaf);
	s->changes_n++;
}

struct shown {
	struct tree_hash growth[TREE_PROOF_MAX], paths[CHANGES][TREE_PROOF_MAX];
	struct witness_handover handovers[CHANGES];
	struct witness_proof proof;
};

/* What the log's tree file proves of how it came to size. */
static void prove(struct scene *s, uint64_t from, uint64_t size, struct shown *ret)
{
	int fd = openat(s->f->dirfd, STORE_FILE_TREE, O_RDONLY | O_CLOEXEC);
	struct witness_proof *p = &ret->proof;
	struct hasher *h = hasher_of_thread();

	*p = (struct witness_proof){ .growth = ret->growth, .handovers = ret->handovers };
	if (from && size > from)
		assert_int_equal(tree_prove_growth(h, from, size, store_tree_read, &fd, ret->growth, &p->growth_n), 0);
	for (unsigned i = s->hidden; i < s->changes_n; i++) {
		struct witness_handover *o = &ret->handovers[p->handovers_n];

		if (!from || s->changes[i].leaf < from || s->changes[i].leaf >= size)
			continue;
		*o = (struct witness_handover){ s->changes[i].leaf, buf_span(&s->changes[i].record), ret->paths[i], 0 };
		assert_int_equal(tree_prove_leaf(h, o->leaf, size, store_tree_read, &fd, ret->paths[i], &o->path_n), 0);
		p->handovers_n++;
	}
	close(fd);
}

/* What a run of the command does: opens, judges with what the log proves, closes. */
static int show(struct scene *s, const struct buf *note, const struct verifier_key *vk)
{
	struct checkpoint cp = { .size = 0 };
	struct shown shown;
	struct witness *w;
	size_t text_n;
	int r = witness_open(s->store, s->f->vk.name, vk, &w);

	if (r < 0)
		return r;
	(void)checkpoint_parse(buf_span(note), &cp, &text_n);
	prove(s, witness_wants(w, buf_span(note)), cp.size, &shown);
	r = witness_take(w, buf_span(note), &shown.proof);
	witness_close(w);
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
	const struct tree_hash zero[3] = { { { 0 } } };
	const struct witness_proof nothing = { .growth_n = 0 }, rubbish = { .growth = zero, .growth_n = 3 };

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(witness_open(s.store, s.f->vk.name, NULL, &w), 0);
	assert_int_equal(witness_take(w, buf_span(&note), &nothing), WITNESS_FORKED);
	assert_int_equal(witness_take(w, buf_span(&note), &rubbish), WITNESS_FORKED);
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

static void a_key_that_was_handed_over_is_followed(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 };
	struct verifier_key first, second;

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	first = s.f->vk;
	assert_int_equal(show(&s, &note, &first), WITNESS_NEW);
	fixture_fill(s.f, 5, 6000);
	hand_over(&s, NULL);
	second = s.f->vk;
	fixture_fill(s.f, 5, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	assert_true(kept(&s, "handovers"));
	assert_int_equal(show(&s, &note, &first), WITNESS_SAME);
	assert_int_equal(show(&s, &note, &second), WITNESS_SAME);
	fixture_fill(s.f, 9, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN); /* on under the new key */
	hand_over(&s, NULL);
	hand_over(&s, NULL); /* two between two visits */
	fixture_fill(s.f, 1, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	assert_int_equal(show(&s, &note, &second), -EKEYREJECTED); /* neither the first nor in force */
	close_store(&s);
}

static void a_witness_begins_at_an_older_key(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 };
	struct verifier_key first;

	open_store(&s, state);
	first = s.f->vk;
	fixture_fill(s.f, 20, 6000);
	hand_over(&s, NULL);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	s.hidden = 1;
	assert_int_equal(show(&s, &note, &first), WITNESS_UNSIGNED);
	s.hidden = 0;
	assert_int_equal(show(&s, &note, &first), WITNESS_NEW);
	assert_int_equal(show(&s, &note, NULL), WITNESS_SAME);
	close_store(&s);
}

static void an_unproven_key_is_refused(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 };
	struct shown shown;
	struct log_key *thief, *owner;
	struct checkpoint cp;
	struct witness *w;
	size_t n;

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	hand_over(&s, NULL);
	fixture_fill(s.f, 6, 6000);
	load_note(&s, &note);
	s.hidden = 1; /* a new key, and no word of how */
	assert_int_equal(show(&s, &note, NULL), WITNESS_UNSIGNED);
	s.hidden = 0;
	assert_int_equal(witness_open(s.store, s.f->vk.name, NULL, &w), 0);
	assert_int_equal(checkpoint_parse(buf_span(&note), &cp, &n), 0);
	prove(&s, 20, cp.size, &shown);
	shown.paths[0][0].b[0] ^= 1; /* a true record that is not in this tree */
	assert_int_equal(witness_take(w, buf_span(&note), &shown.proof), WITNESS_UNSIGNED);
	shown.paths[0][0].b[0] ^= 1;
	shown.handovers[0].leaf++; /* or elsewhere in it */
	assert_int_equal(witness_take(w, buf_span(&note), &shown.proof), WITNESS_UNSIGNED);
	shown.handovers[0].leaf--;
	shown.proof.growth_n = 0; /* a proven key does not stand for the growth */
	assert_int_equal(witness_take(w, buf_span(&note), &shown.proof), WITNESS_FORKED);
	assert_int_equal(witness_size(w), 20);
	witness_close(w);
	assert_false(kept(&s, "handovers"));

	assert_int_equal(log_key_open(NULL, &thief), 0);
	owner = fixture_swap_key(s.f, thief); /* the hand-over is true, and another signs */
	fixture_fill(s.f, 6, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_UNSIGNED);
	thief = fixture_swap_key(s.f, owner);
	hand_over(&s, thief); /* a record in the log that the key did not sign */
	fixture_fill(s.f, 6, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_UNSIGNED);
	assert_false(kept(&s, "handovers"));
	log_key_free(thief);
	close_store(&s);
}

/* Whoever has the old key may go on with it: not past the record that handed it over. */
static void the_old_key_signs_no_more(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 }, old = { 0 };
	struct log_key *second;

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &old);
	assert_int_equal(show(&s, &old, &s.f->vk), WITNESS_NEW);
	hand_over(&s, NULL);
	second = fixture_swap_key(s.f, s.changes[0].key);
	fixture_fill(s.f, 6, 6000); /* signed by the first key, over its own hand-over */
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_FORKED);
	assert_true(kept(&s, "refused"));
	(void)fixture_swap_key(s.f, second);
	fixture_fill(s.f, 6, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	assert_int_equal(show(&s, &old, NULL), WITNESS_ROLLED_BACK);
	begin_another_log(s.f);
	(void)fixture_swap_key(s.f, s.changes[0].key);
	fixture_fill(s.f, 60, 6000);
	s.hidden = 1;
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_FORKED);
	(void)fixture_swap_key(s.f, second);
	close_store(&s);
}

/* A run that died between its two files left hand-overs that no kept head stands behind. */
static void a_kept_change_counts_with_its_head(void **state)
{
	struct scene s;
	_cleanup_buf_ struct buf note = { 0 }, before = { 0 };
	char path[512];
	int fd;

	open_store(&s, state);
	fixture_fill(s.f, 20, 6000);
	load_note(&s, &note);
	load_note(&s, &before);
	assert_int_equal(show(&s, &note, &s.f->vk), WITNESS_NEW);
	hand_over(&s, NULL);
	fixture_fill(s.f, 6, 6000);
	load_note(&s, &note);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	(void)snprintf(path, sizeof(path), "%s/%s/checkpoint", s.dir, s.f->vk.name);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, buf_span(&before).p, buf_len(&before)), 0);
	close(fd);
	assert_int_equal(show(&s, &before, NULL), WITNESS_SAME);
	assert_int_equal(show(&s, &note, NULL), WITNESS_GROWN);
	(void)snprintf(path, sizeof(path), "%s/%s/handovers", s.dir, s.f->vk.name);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(show(&s, &note, NULL), -EBADMSG); /* a store that somebody wrote into */
	assert_int_equal(unlink(path), 0);
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
		cmocka_unit_test_setup_teardown(a_key_that_was_handed_over_is_followed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_witness_begins_at_an_older_key, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_unproven_key_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_old_key_signs_no_more, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_kept_change_counts_with_its_head, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(names_stay_inside_the_store, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
