// SPDX-License-Identifier: Apache-2.0
#include "user/notary/verify.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"
#include "user/notary/proof.h"

#define FIRST "0000000000000000.jsonl"
#define RECORDS 8

struct findings {
	struct log_finding first;
	unsigned n;
	bool kinds[16];
};

static void note_finding(void *arg, const struct log_finding *f)
{
	struct findings *all = arg;

	if (all->n++ == 0)
		all->first = *f;
	all->kinds[f->fault] = true;
}

static struct log_verdict judge(struct log_fixture *f, const struct verifier_key *vk, struct findings *ret)
{
	_cleanup_buf_ struct buf note = { 0 };
	struct log_verdict v;

	*ret = (struct findings){ .n = 0 };
	fixture_read(f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(log_verify(f->dirfd, buf_span(&note), vk, note_finding, ret, &v), 0);
	assert_int_equal(v.faults, ret->n);
	return v;
}

static void an_honest_log_verifies(void **state)
{
	struct log_fixture *f = *state;
	struct findings found;
	struct log_verdict v;

	fixture_fill(f, 40, 4000);
	v = judge(f, &f->vk, &found);
	assert_int_equal(v.faults, 0);
	assert_int_equal(v.records, 40);
	assert_int_equal(v.sessions, 1);
	assert_int_equal(v.open_sessions, 1);
	assert_int_equal(v.uncovered, 0);
	assert_true(v.signature_ok && v.root_ok);
}

static void one_changed_byte_is_named(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf whole = { 0 };
	struct findings found;
	struct span s;
	char *copy;

	fixture_fill(f, RECORDS, 0);
	fixture_read(f, FIRST, &whole);
	s = buf_span(&whole);
	copy = malloc(s.n);
	for (size_t i = 0, line = 1; i < s.n; i++) {
		memcpy(copy, s.p, s.n);
		copy[i] ^= i % 2 ? 1 : 4;
		fixture_write(f, FIRST, (struct span){ copy, s.n });
		(void)judge(f, &f->vk, &found);
		assert_true(found.n > 0);
		assert_true(found.first.placed);
		assert_int_equal(found.first.at.line, line);
		assert_int_equal(found.first.at.leaf, line - 1);
		assert_string_equal(found.first.at.file, FIRST);
		if (s.p[i] == '\n')
			line++;
	}
	free(copy);
}

/* The line of a leaf (from 0). */
static struct span line_at(struct span s, unsigned leaf)
{
	const char *p = s.p, *nl;

	while (leaf--)
		p = (const char *)memchr(p, '\n', s.n) + 1;
	nl = memchr(p, '\n', s.n);
	return (struct span){ p, (size_t)(nl + 1 - p) };
}

static void write_without(struct log_fixture *f, struct span s, struct span cut)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(buf_append(&b, s.p, (size_t)(cut.p - s.p)), 0);
	assert_int_equal(buf_append(&b, cut.p + cut.n, (size_t)(s.p + s.n - cut.p - cut.n)), 0);
	fixture_write(f, FIRST, buf_span(&b));
}

static void a_removed_record_is_seen(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf whole = { 0 };
	struct findings found;
	struct span s;

	fixture_fill(f, RECORDS, 0);
	fixture_read(f, FIRST, &whole);
	s = buf_span(&whole);
	write_without(f, s, line_at(s, 3));
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_SEQUENCE);
	assert_int_equal(found.first.at.leaf, 3);
	assert_true(found.kinds[LOG_FAULT_TRUNCATED]);
	write_without(f, s, line_at(s, RECORDS - 1)); /* the last one: only the signature can tell */
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.first.fault, LOG_FAULT_TRUNCATED);
	write_without(f, s, line_at(s, 0));
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_SEQUENCE);
	fixture_write(f, FIRST, (struct span){ s.p, s.n - 5 });
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_TORN);
}

/* Everything recomputed by one who has all but the key. */
static void a_rewritten_history_fails_at_the_root(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 };
	struct findings found;
	struct log_verdict v;

	fixture_fill(f, RECORDS, 0);
	fixture_read(f, STORE_FILE_CHECKPOINT, &note);
	fixture_wipe(f->dir);
	f->chain = (struct chain){ .prev = CHAIN_GENESIS };
	(void)snprintf(f->chain.session_id, sizeof(f->chain.session_id), "00000000-0000-4000-8000-000000000000");
	fixture_fill(f, RECORDS, 0);
	fixture_write(f, STORE_FILE_CHECKPOINT, buf_span(&note));
	v = judge(f, &f->vk, &found);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.first.fault, LOG_FAULT_ROOT);
	assert_true(v.signature_ok);
	assert_false(v.root_ok);
}

static void another_key_does_not_verify(void **state)
{
	struct log_fixture *f = *state;
	struct verifier_key other;
	struct findings found;
	struct log_verdict v;
	uint8_t pub[KEY_SIZE] = { 1 };

	fixture_fill(f, RECORDS, 0);
	verifier_key_of("node.test", pub, &other);
	v = judge(f, &other, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_SIGNATURE);
	assert_false(v.signature_ok);
	fixture_write(f, STORE_FILE_CHECKPOINT, SPAN("x"));
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_CHECKPOINT_FORM);
}

static void a_missing_segment_is_named(void **state)
{
	struct log_fixture *f = *state;
	struct findings found;
	char name[SEGMENT_NAME_SIZE];
	uint64_t *all;
	size_t n;

	fixture_fill(f, 40, 4000);
	assert_int_equal(segment_list(f->dirfd, &all, &n), 0);
	segment_name(all[1], name);
	assert_int_equal(unlinkat(f->dirfd, name, 0), 0);
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_SEGMENT);
	segment_name(all[2], name);
	assert_string_equal(found.first.at.file, name);
	segment_name(0, name);
	assert_int_equal(unlinkat(f->dirfd, name, 0), 0);
	(void)judge(f, &f->vk, &found);
	assert_int_equal(found.first.fault, LOG_FAULT_REMOVED);
	assert_true(found.kinds[LOG_FAULT_SEGMENT]);
	free(all);
}

/* --- receipts --- */

static void make_proof(struct log_fixture *f, unsigned leaf, struct buf *ret)
{
	_cleanup_buf_ struct buf whole = { 0 }, note = { 0 };
	struct tree_hash path[TREE_PROOF_MAX];
	struct span line;
	struct hasher *h;
	unsigned n;
	int fd = openat(f->dirfd, STORE_FILE_TREE, O_RDONLY);

	assert_int_equal(hasher_new(&h), 0);
	fixture_read(f, FIRST, &whole);
	fixture_read(f, STORE_FILE_CHECKPOINT, &note);
	line = line_at(buf_span(&whole), leaf);
	line.n--;
	assert_int_equal(tree_prove_leaf(h, leaf, RECORDS, store_tree_read, &fd, path, &n), 0);
	assert_int_equal(proof_write(line, leaf, path, n, buf_span(&note), ret), 0);
	hasher_free(h);
	close(fd);
}

static int check(struct span text, const struct verifier_key *vk)
{
	struct checkpoint cp;
	const char *why = NULL;
	struct proof p;
	int r = proof_parse(text, &p);

	if (r < 0)
		return r;
	r = proof_check(&p, vk, &cp, &why);
	assert_true(r == 0 || why);
	proof_done(&p);
	return r;
}

static void a_receipt_stands_alone(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf text = { 0 };
	struct verifier_key other;
	uint8_t pub[KEY_SIZE] = { 1 };
	struct span s;
	char *copy;

	fixture_fill(f, RECORDS, 0);
	make_proof(f, 5, &text);
	s = buf_span(&text);
	assert_int_equal(check(s, &f->vk), 0);
	verifier_key_of("node.test", pub, &other);
	assert_int_equal(check(s, &other), -EBADMSG);
	for (size_t n = 0; n < s.n; n++) {
		char *exact = malloc(n ? n : 1);

		memcpy(exact, s.p, n);
		assert_int_equal(check((struct span){ exact, n }, &f->vk), -EBADMSG);
		free(exact);
	}
	copy = malloc(s.n);
	for (size_t i = 0; i < s.n; i++) {
		memcpy(copy, s.p, s.n);
		copy[i] ^= 1;
		assert_int_equal(check((struct span){ copy, s.n }, &f->vk), -EBADMSG);
	}
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_honest_log_verifies, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(one_changed_byte_is_named, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_removed_record_is_seen, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_rewritten_history_fails_at_the_root, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(another_key_does_not_verify, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_missing_segment_is_named, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_receipt_stands_alone, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
