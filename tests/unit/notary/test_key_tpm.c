// SPDX-License-Identifier: Apache-2.0
/* The notary's keys on a software TPM: sealed, lost, handed over, co-signing, counting. */
#include "tests/unit/notary/tpm_node.h"
#include "user/notary/key_handover.h"

static bool here;

#define NEEDS_TPM() \
	do { \
		if (!here) \
			skip(); \
	} while (0)

static void boot_again(void)
{
	swtpm_stop();
	assert_true(swtpm_start());
}

static void the_key_comes_back_to_the_same_boot_state(void **state)
{
	struct tpm_node *t = *state;
	_cleanup_buf_ struct buf file = { 0 };
	struct verifier_key first;
	struct node_view view;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_int_equal(t->tier, KEY_SEALED);
	first = node_key(t);
	node_note(t, "one");
	node_stop(t);
	boot_again();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_string_equal(t->alarm, "");
	assert_memory_equal(node_key(t).pub, first.pub, KEY_SIZE);
	node_stop(t);
	view = node_verify(t, &first, NULL);
	assert_int_equal(view.v.faults, 0);
	assert_int_equal(view.v.handovers + view.v.key_gaps, 0);
	/* What lies on disk holds no seed of ours in clear. */
	assert_int_equal(file_read(t->sealed, 4096, &file), 0);
	assert_null(memmem(buf_span(&file).p, buf_len(&file), "ed25519-seed", 12));
	assert_int_not_equal(access(t->boot, F_OK), 0);
}

static void another_boot_state_is_a_gap_that_is_seen(void **state)
{
	struct tpm_node *t = *state;
	char lost[128];
	struct verifier_key first, second;
	struct node_view view;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	first = node_key(t);
	node_stop(t);
	node_extend(7);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_non_null(strstr(t->alarm, "PCR 0, 7 are not as they were"));
	assert_non_null(strstr(t->alarm, "log.sealed.lost"));
	second = node_key(t);
	assert_memory_not_equal(second.pub, first.pub, KEY_SIZE);
	node_stop(t);
	view = node_verify(t, &first, NULL);
	assert_int_equal(view.first, LOG_FAULT_SIGNATURE);
	assert_non_null(strstr(view.text, "replaced without a hand-over"));
	view = node_verify(t, &second, NULL);
	assert_int_equal(view.v.faults, 0);
	assert_int_equal(view.v.key_gaps, 1);
	/* The old state brings the old key back. */
	boot_again();
	(void)snprintf(lost, sizeof(lost), "%s.lost", t->sealed);
	assert_int_equal(rename(lost, t->sealed), 0);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_memory_equal(node_key(t).pub, first.pub, KEY_SIZE);
	node_stop(t);
	assert_int_equal(node_verify(t, &first, NULL).v.key_gaps, 2);
}

static void a_damaged_file_is_a_gap(void **state)
{
	struct tpm_node *t = *state;
	_cleanup_buf_ struct buf file = { 0 };
	struct verifier_key first;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	first = node_key(t);
	node_stop(t);
	assert_int_equal(file_read(t->sealed, 4096, &file), 0);
	file.data[file.end - 3] ^= 1;
	assert_int_equal(file_replace(t->sealed, file.data, buf_len(&file), 0600), 0);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_non_null(strstr(t->alarm, "damaged or of another TPM"));
	assert_memory_not_equal(node_key(t).pub, first.pub, KEY_SIZE);
}

/* The folder is the notary's own: what it may have become must not lead root astray. */
static void what_is_no_file_is_not_followed(void **state)
{
	struct tpm_node *t = *state;

	NEEDS_TPM();
	assert_int_equal(symlink("/dev/zero", t->sealed), 0);
	assert_int_equal(node_start(t, NODE_PCRS), -ELOOP);
	assert_int_equal(unlink(t->sealed), 0);
	assert_int_equal(mkfifo(t->sealed, 0600), 0);
	assert_int_equal(node_start(t, NODE_PCRS), -EBADMSG);
}

static void a_busy_tpm_replaces_no_key(void **state)
{
	struct tpm_node *t = *state;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	node_stop(t);
	swtpm_stop();
	assert_int_equal(node_start(t, NODE_PCRS), -ENODEV);
	assert_true(swtpm_start());
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_string_equal(t->alarm, "");
}

static void other_registers_keep_the_key(void **state)
{
	struct tpm_node *t = *state;
	struct verifier_key first;
	struct cosign_key cosign;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	first = node_key(t);
	cosign = node_cosign(t);
	node_stop(t);
	assert_int_equal(node_start(t, 0x01), 0); /* configured anew */
	assert_memory_equal(node_key(t).pub, first.pub, KEY_SIZE);
	assert_memory_not_equal(node_cosign(t).spki, cosign.spki, cosign.spki_n); /* its policy is part of it */
	node_stop(t);
	node_extend(7);
	assert_int_equal(node_start(t, 0x01), 0);
	assert_memory_equal(node_key(t).pub, first.pub, KEY_SIZE);
	node_stop(t);
	boot_again();
}

/* Without a TPM the key is this boot's; when one comes, the boot's key signs for the sealed one. */
static void a_boot_key_hands_over(void **state)
{
	struct tpm_node *t = *state;
	struct verifier_key boot;
	struct node_view view;

	NEEDS_TPM();
	assert_int_equal(node_start(t, 0), 0);
	assert_int_equal(t->tier, KEY_SOFTWARE);
	boot = node_key(t);
	node_note(t, "before");
	node_stop(t);
	assert_int_equal(node_start(t, 0), 0);
	assert_memory_equal(node_key(t).pub, boot.pub, KEY_SIZE);
	node_stop(t);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_string_equal(t->alarm, "");
	node_note(t, "after");
	node_stop(t);
	view = node_verify(t, &boot, NULL);
	assert_int_equal(view.v.faults, 0);
	assert_int_equal(view.v.handovers, 1);
	assert_int_equal(view.v.key_gaps, 0);
	assert_memory_equal(view.v.signer.pub, node_key(t).pub, KEY_SIZE);
	/* The sealed key is there, the TPM not: said, and no hand-over. */
	assert_int_equal(node_start(t, 0), 0);
	assert_non_null(strstr(t->alarm, "sealed to a TPM that is not there"));
	node_stop(t);
	assert_int_equal(node_verify(t, &boot, NULL).v.key_gaps, 1);
}

static int commit(void *arg)
{
	const struct tpm_node *t = arg;

	return key_source_commit(t->sealed);
}

static int crash(void *arg)
{
	return -EIO;
}

static void rotate(struct tpm_node *t, int (*how)(void *))
{
	struct log_key *next = NULL;

	assert_int_equal(key_source_next(t->tpm, t->sealed, &next), 0);
	assert_int_equal(notary_rotate(t->n, next, how, t), 0);
}

static void keys_are_rotated(void **state)
{
	struct tpm_node *t = *state;
	struct verifier_key first, second;
	struct node_view view;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	first = node_key(t);
	rotate(t, commit);
	second = node_key(t);
	assert_memory_not_equal(second.pub, first.pub, KEY_SIZE);
	node_note(t, "under the second key");
	node_stop(t);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_string_equal(t->alarm, "");
	assert_memory_equal(node_key(t).pub, second.pub, KEY_SIZE);
	rotate(t, commit);
	node_stop(t);
	view = node_verify(t, &first, NULL);
	assert_int_equal(view.v.faults, 0);
	assert_int_equal(view.v.handovers, 2);
	view = node_verify(t, &second, NULL);
	assert_int_equal(view.v.faults, 0);
	assert_int_equal(view.v.handovers, 1);
}

/* After the record, before the file; and before the record. */
static void a_rotation_that_was_cut_short_is_completed(void **state)
{
	struct tpm_node *t = *state;
	struct log_key *next = NULL;
	struct verifier_key first, second;
	struct node_view view;
	uint8_t pub[KEY_SIZE];

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	first = node_key(t);
	rotate(t, crash);
	assert_non_null(strstr(t->alarm, "the next start tries again"));
	second = node_key(t);
	node_stop(t);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_string_equal(t->alarm, "");
	assert_memory_equal(node_key(t).pub, second.pub, KEY_SIZE);
	assert_int_equal(key_source_next(t->tpm, t->sealed, &next), 0);
	log_key_public(next, pub);
	log_key_free(next);
	node_stop(t);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_memory_equal(node_key(t).pub, pub, KEY_SIZE);
	node_stop(t);
	view = node_verify(t, &first, NULL);
	assert_int_equal(view.v.faults, 0);
	assert_int_equal(view.v.handovers, 2);
	assert_int_equal(view.v.key_gaps, 0);
}

/* A record that says "handed over" without the old key's signature, in a log that is otherwise in order. */
static void a_forged_hand_over_is_refused(void **state)
{
	struct tpm_node *t = *state;
	struct handover_record texts;
	struct log_key *thief = NULL;
	struct verifier_key key;
	uint8_t pub[KEY_SIZE];
	struct node_view view;
	struct record rec;

	assert_int_equal(node_start(t, 0), 0);
	key = node_key(t);
	assert_int_equal(log_key_open(NULL, &thief), 0);
	log_key_public(thief, pub);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	assert_int_equal(handover_fill(&rec, &texts, "node.test", key.pub, pub, thief, "mine now"), 0);
	assert_int_equal(notary_record(t->n, &rec), 0);
	node_stop(t);
	view = node_verify(t, &key, NULL);
	assert_int_equal(view.first, LOG_FAULT_HANDOVER);
	assert_int_equal(view.v.handovers, 0);
	log_key_free(thief);
}

static void checkpoints_have_two_signatures(void **state)
{
	struct tpm_node *t = *state;
	_cleanup_buf_ struct buf note = { 0 };
	struct cosign_key k, other;
	struct verifier_key vk;
	struct checkpoint cp;
	char *line;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	node_note(t, "one");
	assert_int_equal(notary_checkpoint(t->n), 0);
	fixture_read(t->f, STORE_FILE_CHECKPOINT, &note);
	vk = node_key(t);
	k = node_cosign(t);
	assert_int_equal(checkpoint_verify(buf_span(&note), &vk, &cp), 0);
	assert_true(cp.counted);
	assert_int_equal(cosign_check(buf_span(&note), &k), 0);
	other = k;
	other.id[0] ^= 1;
	assert_int_equal(cosign_check(buf_span(&note), &other), -ENODATA);
	assert_int_equal(buf_append(&note, "", 1), 0);
	note.end--;
	line = strstr(note.data, "\nnv-counter ");
	assert_non_null(line);
	line[12] = (char)(line[12] == '1' ? '2' : '1');
	assert_int_equal(cosign_check(buf_span(&note), &k), -EKEYREJECTED);
	assert_int_equal(checkpoint_verify(buf_span(&note), &vk, &cp), -EKEYREJECTED);
}

static void a_key_text_is_read_as_written(void **state)
{
	struct tpm_node *t = *state;
	_cleanup_buf_ struct buf text = { 0 };
	struct cosign_key k, again;

	NEEDS_TPM();
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	k = node_cosign(t);
	assert_int_equal(cosign_key_text(&k, &text), 0);
	for (size_t i = 0; i < buf_len(&text); i++) {
		assert_int_equal(cosign_key_parse((struct span){ text.data, i }, &again), -EINVAL);
		text.data[i] ^= 1;
		if (cosign_key_parse(buf_span(&text), &again) == 0) /* the name alone is nobody's to check */
			assert_memory_not_equal(again.name, k.name, strlen(k.name));
		text.data[i] ^= 1;
	}
	assert_int_equal(cosign_key_parse(buf_span(&text), &again), 0);
	assert_memory_equal(&again, &k, sizeof(k));
}

static void the_counter_shows_a_roll_back(void **state)
{
	struct tpm_node *t = *state;
	struct log_expect expect = { .have_counter = true };
	struct cosign_key cosign;
	struct verifier_key key;
	struct node_view view;
	char copy[128], command[160];

	NEEDS_TPM();
	(void)snprintf(copy, sizeof(copy), "%s-copy", t->f->dir);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	node_note(t, "one");
	node_stop(t);
	node_copy(t, copy, false);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	node_note(t, "what somebody regrets");
	node_stop(t);
	key = node_key(t);
	cosign = node_cosign(t);
	expect.cosign = &cosign;
	expect.counter = node_counter();
	view = node_verify(t, &key, &expect);
	assert_int_equal(view.v.faults, 0);
	assert_true(view.v.counter_checked && view.v.cosigned);
	assert_int_equal(view.v.checkpoint.counter_size, view.v.records); /* raised at the stop */
	node_copy(t, copy, true);
	view = node_verify(t, &key, &expect);
	assert_int_equal(view.first, LOG_FAULT_COUNTER);
	assert_int_equal(node_verify(t, &key, NULL).v.faults, 0); /* by itself it looks in order */
	/* The daemon itself sees it at its start, and writes it down. */
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_non_null(strstr(t->alarm, "rolled back"));
	node_stop(t);
	assert_true(node_verify(t, &key, &expect).v.fault_records > 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", copy);
	assert_int_equal(system(command), 0);
}

static void a_crash_is_no_roll_back(void **state)
{
	struct tpm_node *t = *state;
	int status;
	pid_t pid;

	NEEDS_TPM();
	pid = fork();
	if (pid == 0) {
		if (node_start(t, NODE_PCRS) < 0)
			_exit(1);
		node_note(t, "one");
		status = notary_checkpoint(t->n) == 0 ? 0 : 2;
		key_tpm_free(t->tpm); /* as the kernel's resource manager does for the dead */
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(node_start(t, NODE_PCRS), 0);
	assert_string_equal(t->alarm, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, node_setup, node_teardown)
		TEST(the_key_comes_back_to_the_same_boot_state),
		TEST(another_boot_state_is_a_gap_that_is_seen),
		TEST(a_damaged_file_is_a_gap),
		TEST(what_is_no_file_is_not_followed),
		TEST(a_busy_tpm_replaces_no_key),
		TEST(other_registers_keep_the_key),
		TEST(a_boot_key_hands_over),
		TEST(keys_are_rotated),
		TEST(a_rotation_that_was_cut_short_is_completed),
		TEST(a_forged_hand_over_is_refused),
		TEST(checkpoints_have_two_signatures),
		TEST(a_key_text_is_read_as_written),
		TEST(the_counter_shows_a_roll_back),
		TEST(a_crash_is_no_roll_back),
	};
	int r;

	here = swtpm_begin();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	swtpm_end();
	return r;
}
