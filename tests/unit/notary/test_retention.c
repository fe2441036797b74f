// SPDX-License-Identifier: Apache-2.0
#include "user/notary/retention.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/hasher.h"
#include "user/notary/key_handover.h"
#include "user/notary/notary.h"
#include "user/notary/segment.h"
#include "user/notary/verify.h"

#define HOUR UINT64_C(3600000000000)

static unsigned alarms;

static void on_alarm(void *arg, int ring, const char *text)
{
	alarms++;
}

static struct notary *open_with(struct log_fixture *f, const char *key_file)
{
	struct notary_config c = {
		.log_dirfd = f->dirfd, .origin = "node.test", .segment_max = 6000, .alarm = on_alarm,
	};
	struct notary *n;
	char key[128];

	(void)snprintf(key, sizeof(key), "%s/%s", f->dir, key_file);
	c.key_path = key;
	assert_int_equal(notary_open(&c, &n), 0);
	return n;
}

static struct notary *open_notary(struct log_fixture *f)
{
	return open_with(f, "log.key");
}

static void put(struct notary *n, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct record rec;

		record_init(&rec, RECORD_NODE, RECORD_NA);
		rec.reason = SPAN("something happened");
		assert_int_equal(notary_record(n, &rec), 0);
	}
	assert_int_equal(notary_checkpoint(n), 0);
}

static uint64_t first_segment(struct log_fixture *f, size_t *ret_n)
{
	_cleanup_free_ uint64_t *all = NULL;

	assert_int_equal(segment_list(f->dirfd, &all, ret_n), 0);
	assert_true(*ret_n > 0);
	return all[0];
}

struct seen {
	unsigned n;
	enum log_fault first;
};

static void note_finding(void *arg, const struct log_finding *f)
{
	struct seen *s = arg;

	if (s->n++ == 0)
		s->first = f->fault;
}

static struct log_verdict judge_by(struct log_fixture *f, const struct verifier_key *vk, struct seen *ret)
{
	_cleanup_buf_ struct buf note = { 0 };
	struct log_verdict v;

	*ret = (struct seen){ .n = 0 };
	fixture_read(f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(log_verify(f->dirfd, buf_span(&note), vk, note_finding, ret, &v), 0);
	return v;
}

static struct log_verdict judge(struct log_fixture *f, struct seen *ret)
{
	_cleanup_buf_ struct buf vkey = { 0 };
	struct verifier_key vk;

	fixture_read(f, STORE_FILE_VKEY, &vkey);
	assert_int_equal(verifier_key_parse(buf_span(&vkey), &vk), 0);
	return judge_by(f, &vk, ret);
}

static void nothing_is_removed_before_its_time(void **state)
{
	struct log_fixture *f = *state;
	struct notary *n = open_notary(f);
	size_t before, after;

	put(n, 60);
	(void)first_segment(f, &before);
	assert_true(before > 5);
	assert_int_equal(notary_retain(n, 0, clock_real_ns()), 0); /* keeps everything */
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns()), 0);
	assert_int_equal(notary_retain(n, HOUR, 1), 0); /* a clock that is wrong */
	assert_int_equal(first_segment(f, &after), 0);
	assert_int_equal(after, before);
	notary_close(n);
}

static void what_remains_verifies_and_says_what_is_gone(void **state)
{
	struct log_fixture *f = *state;
	struct notary *n = open_notary(f);
	char name[RETENTION_NAME_SIZE];
	struct log_verdict v;
	struct seen seen;
	uint64_t first, second;
	size_t count;

	put(n, 60);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	first = first_segment(f, &count);
	assert_int_equal(count, 1);
	assert_true(first > 40);
	v = judge(f, &seen);
	assert_int_equal(seen.n, 0);
	assert_int_equal(v.removed, first);
	assert_int_equal(v.cut_sessions, 1);
	assert_true(v.root_ok && v.removed_leaf >= first);
	put(n, 40);
	notary_close(n);
	n = open_notary(f); /* a start reads what remains, and goes on */
	put(n, 40);
	v = judge(f, &seen);
	assert_int_equal(seen.n, 0);
	assert_int_equal(v.removed, first);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0); /* a second time */
	second = first_segment(f, &count);
	assert_true(second > first);
	retention_name(first, name);
	assert_false(fixture_has(f, name));
	notary_close(n);
	v = judge(f, &seen);
	assert_int_equal(seen.n, 0);
	assert_int_equal(v.removed, second);
}

/* What is removed is read through first, so a large removal is made of small ones. */
static void one_removal_takes_so_much_time(void **state)
{
	struct log_fixture *f = *state;
	struct notary_config c = {
		.log_dirfd = f->dirfd, .origin = "node.test", .segment_max = 6000, .retain_bytes = 15000,
	};
	struct notary *n;
	struct seen seen;
	size_t before, after;
	int r;

	assert_int_equal(notary_open(&c, &n), 0);
	put(n, 60);
	(void)first_segment(f, &before);
	for (unsigned calls = 1;; calls++) {
		r = notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR);
		assert_true(r == 0 || r == 1);
		(void)first_segment(f, &after);
		assert_true(before - after <= 3);
		before = after;
		(void)judge(f, &seen);
		assert_int_equal(seen.n, 0);
		if (r == 0) {
			assert_true(calls > 2);
			break;
		}
	}
	assert_int_equal(after, 1);
	notary_close(n);
}

static void proofs_of_what_remains_still_work(void **state)
{
	struct log_fixture *f = *state;
	struct notary *n = open_notary(f);
	_cleanup_buf_ struct buf note = { 0 };
	struct tree_hash path[TREE_PROOF_MAX];
	struct segment_reader *reader;
	uint8_t leaf_hash[TREE_HASH];
	struct checkpoint cp;
	struct hasher *h;
	struct span line;
	unsigned path_n;
	uint64_t first;
	size_t count;
	int fd;

	put(n, 60);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	notary_close(n);
	assert_int_equal(unlinkat(f->dirfd, STORE_FILE_TREE, 0), 0); /* made anew, from the tombstone on */
	n = open_notary(f);
	notary_close(n);
	first = first_segment(f, &count);
	fixture_read(f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(checkpoint_parse(buf_span(&note), &cp, &count), 0);
	assert_int_equal(hasher_new(&h), 0);
	fd = openat(f->dirfd, STORE_FILE_TREE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(segment_reader_open(f->dirfd, first, &reader), 0);
	for (uint64_t leaf = first; leaf < cp.size; leaf++) {
		assert_int_equal(segment_read(reader, &line, NULL), 0);
		tree_leaf_hash(h, line, leaf_hash);
		assert_int_equal(tree_prove_leaf(h, leaf, cp.size, store_tree_read, &fd, path, &path_n), 0);
		assert_int_equal(tree_check_leaf(h, leaf_hash, leaf, cp.size, path, path_n, cp.root), 0);
	}
	segment_reader_close(reader);
	hasher_free(h);
	close(fd);
}

/* Takes the first segments away by hand, with a tombstone that is right in every hash. */
static void cut_by_hand(struct log_fixture *f, uint64_t to)
{
	int fd = openat(f->dirfd, STORE_FILE_TREE, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf text = { 0 };
	char name[RETENTION_NAME_SIZE];
	struct tree t;

	assert_int_equal(tree_load(&t, to, store_tree_read, &fd), 0);
	close(fd);
	assert_int_equal(retention_format(&t, (struct span){ 0 }, &text), 0);
	retention_name(to, name);
	fixture_write(f, name, buf_span(&text));
	assert_int_equal(retention_unlink(f->dirfd, to), 0);
}

static void a_removal_that_no_record_names_is_a_finding(void **state)
{
	struct log_fixture *f = *state;
	struct notary *n = open_notary(f);
	_cleanup_free_ uint64_t *all = NULL;
	struct seen seen;
	size_t count;

	put(n, 60);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	put(n, 60);
	notary_close(n);
	assert_int_equal(segment_list(f->dirfd, &all, &count), 0);
	assert_true(count > 4);
	(void)judge(f, &seen);
	assert_int_equal(seen.n, 0);
	cut_by_hand(f, all[2]);
	(void)judge(f, &seen);
	assert_int_equal(seen.first, LOG_FAULT_REMOVED);
}

static void a_tombstone_that_lies_or_is_missing_is_a_finding(void **state)
{
	struct log_fixture *f = *state;
	struct notary *n = open_notary(f);
	_cleanup_buf_ struct buf text = { 0 };
	struct notary_config c = { .log_dirfd = f->dirfd, .origin = "node.test", .key_path = NULL };
	char name[RETENTION_NAME_SIZE];
	struct seen seen;
	size_t count;

	put(n, 60);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	notary_close(n);
	retention_name(first_segment(f, &count), name);
	fixture_read(f, name, &text);
	((char *)(uintptr_t)buf_span(&text).p)[30] ^= 1; /* in the first hash */
	fixture_write(f, name, buf_span(&text));
	(void)judge(f, &seen);
	assert_true(seen.n > 0);
	assert_int_equal(notary_open(&c, &n), -EBADMSG); /* and no notary signs on top of it */
	fixture_write(f, name, SPAN("rubbish"));
	(void)judge(f, &seen);
	assert_int_equal(seen.first, LOG_FAULT_REMOVED);
	assert_int_equal(unlinkat(f->dirfd, name, 0), 0);
	(void)judge(f, &seen);
	assert_int_equal(seen.first, LOG_FAULT_REMOVED);
	assert_int_equal(notary_open(&c, &n), -EBADMSG);
}

/* A crash between two unlinks leaves a segment that nothing leads to. */
static void a_removal_that_a_crash_cut_short_is_finished(void **state)
{
	struct log_fixture *f = *state;
	struct notary *n = open_notary(f);
	_cleanup_free_ uint64_t *all = NULL;
	_cleanup_buf_ struct buf left = { 0 };
	char name[SEGMENT_NAME_SIZE];
	struct seen seen;
	size_t count;

	put(n, 60);
	assert_int_equal(segment_list(f->dirfd, &all, &count), 0);
	segment_name(all[2], name);
	fixture_read(f, name, &left);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	notary_close(n);
	fixture_write(f, name, buf_span(&left));
	(void)judge(f, &seen);
	assert_int_equal(seen.n, 0);
	n = open_notary(f);
	assert_false(fixture_has(f, name));
	notary_close(n);
	(void)judge(f, &seen);
	assert_int_equal(seen.n, 0);
}

static int kept(void *arg)
{
	return 0;
}

/* The log key of the file hands over to another, of file to. */
static void rotate(struct log_fixture *f, struct notary *n, const char *to)
{
	struct log_key *next;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, to);
	assert_int_equal(log_key_open(path, &next), 0);
	assert_int_equal(notary_rotate(n, next, kept, NULL), 0);
}

/* A log whose key changed twice, the first change removed by an earlier retention than the second. The keys. */
static void remove_rotations(struct log_fixture *f, struct verifier_key ret[3])
{
	struct notary *n = open_notary(f);

	ret[0] = *notary_key(n);
	put(n, 30);
	rotate(f, n, "second.key");
	ret[1] = *notary_key(n);
	put(n, 60);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	notary_close(n);
	n = open_with(f, "second.key");
	put(n, 30);
	rotate(f, n, "third.key");
	ret[2] = *notary_key(n);
	put(n, 60);
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	put(n, 5);
	notary_close(n);
}

static void removed_changes_of_the_key_are_followed(void **state)
{
	struct log_fixture *f = *state;
	struct verifier_key keys[3];
	struct seen seen;

	remove_rotations(f, keys);
	for (unsigned i = 0; i < 3; i++) {
		struct log_verdict v = judge_by(f, &keys[i], &seen);

		assert_int_equal(seen.n, 0);
		assert_int_equal(v.handovers, 2 - i);
		assert_true(v.removed > 0 && v.root_ok && v.signature_ok);
		assert_memory_equal(v.signer.pub, keys[2].pub, KEY_SIZE);
	}
}

/* Replaces the list of key changes in the log's tombstone. */
static void put_list(struct log_fixture *f, const char *name, struct span list)
{
	_cleanup_buf_ struct buf text = { 0 }, out = { 0 };
	struct span old;
	struct tree t;

	fixture_read(f, name, &text);
	assert_int_equal(retention_parse(buf_span(&text), &t, &old), 0);
	assert_int_equal(retention_format(&t, list, &out), 0);
	fixture_write(f, name, buf_span(&out));
}

/* What somebody would write who has the first key, and not those that followed it. */
static void forge_list(struct log_fixture *f, const uint8_t old_key[KEY_SIZE], struct buf *ret)
{
	static const uint8_t evil[KEY_SIZE] = { 6, 6, 6 };
	struct handover_record texts;
	struct log_key *stolen;
	struct record_line line;
	struct record rec;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/log.key", f->dir);
	assert_int_equal(log_key_open(path, &stolen), 0);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	assert_int_equal(handover_fill(&rec, &texts, "node.test", old_key, evil, stolen, "a forged one"), 0);
	log_key_free(stolen);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	assert_int_equal(handover_list_add(ret, 31, line.text), 0);
}

static void removed_changes_that_nothing_vouches_for_are_refused(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf text = { 0 }, forged = { 0 }, bent = { 0 };
	char name[RETENTION_NAME_SIZE];
	struct verifier_key keys[3];
	struct notary *n;
	struct seen seen;
	struct span list;
	struct tree t;
	size_t count;

	remove_rotations(f, keys);
	retention_name(first_segment(f, &count), name);
	fixture_read(f, name, &text);
	assert_int_equal(retention_parse(buf_span(&text), &t, &list), 0);
	assert_true(list.n > 0);

	put_list(f, name, (struct span){ 0 }); /* taken away: nobody can follow the first key, and all are told */
	assert_false(judge_by(f, &keys[0], &seen).signature_ok);
	assert_int_equal(seen.first, LOG_FAULT_SIGNATURE);
	assert_true(judge_by(f, &keys[2], &seen).signature_ok);
	assert_int_equal(seen.first, LOG_FAULT_REMOVED);

	forge_list(f, keys[0].pub, &forged); /* well signed, and not what was in the log */
	put_list(f, name, buf_span(&forged));
	assert_false(judge_by(f, &keys[0], &seen).signature_ok);
	(void)judge_by(f, &keys[2], &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.first, LOG_FAULT_REMOVED);

	assert_int_equal(buf_append(&bent, list.p, list.n), 0); /* a signature that is none */
	*(char *)memmem(buf_span(&bent).p, list.n, "signature\":\"", 12) = 'S';
	put_list(f, name, buf_span(&bent));
	(void)judge_by(f, &keys[0], &seen);
	assert_int_equal(seen.first, LOG_FAULT_HANDOVER);

	n = open_with(f, "third.key"); /* and no notary vouches for it with its next removal */
	put(n, 60);
	alarms = 0;
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), -EBADMSG);
	assert_int_equal(alarms, 1);
	notary_close(n);
	put_list(f, name, list);
	(void)judge_by(f, &keys[0], &seen);
	assert_int_equal(seen.n, 0);
	n = open_with(f, "third.key");
	assert_int_equal(notary_retain(n, HOUR, clock_real_ns() + 2 * HOUR), 0);
	notary_close(n);
	(void)judge_by(f, &keys[0], &seen);
	assert_int_equal(seen.n, 0);
}

static void texts_are_read_strictly(void **state)
{
	struct tree t = { .size = 5 }, back;
	_cleanup_buf_ struct buf text = { 0 };
	struct span list;
	size_t n;

	t.peak[0][3] = 7;
	t.peak[2][9] = 8;
	assert_int_equal(retention_format(&t, (struct span){ 0 }, &text), 0);
	assert_int_equal(retention_parse(buf_span(&text), &back, &list), 0);
	assert_int_equal(back.size, 5);
	assert_memory_equal(back.peak, t.peak, sizeof(t.peak));
	n = buf_len(&text);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(retention_parse((struct span){ buf_span(&text).p, i }, &back, &list), -EBADMSG);
	assert_int_equal(buf_append(&text, "\n", 1), 0);
	assert_int_equal(retention_parse(buf_span(&text), &back, &list), -EBADMSG);
	assert_int_equal(retention_parse(SPAN("tollgate tombstone\n0\n"), &back, &list), -EBADMSG);
	assert_int_equal(retention_parse(SPAN("tollgate tombstone\n99999999999999999\n"), &back, &list), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_removed_before_its_time, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(what_remains_verifies_and_says_what_is_gone, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(one_removal_takes_so_much_time, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(proofs_of_what_remains_still_work, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_removal_that_no_record_names_is_a_finding, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_tombstone_that_lies_or_is_missing_is_a_finding, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_removal_that_a_crash_cut_short_is_finished, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(removed_changes_of_the_key_are_followed, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(removed_changes_that_nothing_vouches_for_are_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(texts_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
