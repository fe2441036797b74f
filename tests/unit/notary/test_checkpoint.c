// SPDX-License-Identifier: Apache-2.0
#include "user/notary/checkpoint.h"

#include "tests/unit/notary/log_fixture.h"

static struct checkpoint sample(void)
{
	struct checkpoint cp = { .origin = "node.test", .size = 1234 };

	memset(cp.root, 0x5a, sizeof(cp.root));
	return cp;
}

static void signs_and_verifies(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 };
	struct checkpoint cp = sample(), got;

	assert_int_equal(checkpoint_sign(&cp, f->key, &note), 0);
	assert_int_equal(strncmp(buf_cstr(&note), "node.test\n1234\nWlpaWlpa", 23), 0);
	assert_int_equal(checkpoint_verify(buf_span(&note), &f->vk, &got), 0);
	assert_string_equal(got.origin, cp.origin);
	assert_int_equal(got.size, cp.size);
	assert_memory_equal(got.root, cp.root, sizeof(cp.root));
}

static void every_cut_and_every_changed_byte_fails(void **state)
{
	static const char others[] = "\0\n +A=0\xe2\x80~";
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 };
	struct checkpoint cp = sample(), got;
	struct span s;
	char copy[512];

	assert_int_equal(checkpoint_sign(&cp, f->key, &note), 0);
	s = buf_span(&note);
	for (size_t n = 0; n < s.n; n++) {
		char *exact = malloc(n ? n : 1);

		memcpy(exact, s.p, n);
		assert_true(checkpoint_verify((struct span){ exact, n }, &f->vk, &got) < 0);
		free(exact);
	}
	for (size_t i = 0; i < s.n; i++)
		for (size_t k = 0; k < sizeof(others) - 1; k++) {
			memcpy(copy, s.p, s.n);
			if (copy[i] == others[k])
				continue;
			copy[i] = others[k];
			assert_true(checkpoint_verify((struct span){ copy, s.n }, &f->vk, &got) < 0);
		}
}

static int verify_text(const struct verifier_key *vk, const char *text)
{
	struct checkpoint got;

	return checkpoint_verify(span_of(text), vk, &got);
}

static void odd_notes(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 }, more = { 0 };
	struct checkpoint cp = sample(), got;
	struct verifier_key other = f->vk;
	uint8_t pub[KEY_SIZE] = { 9 };
	size_t n;
	char *line;

	assert_int_equal(verify_text(&f->vk, ""), -EBADMSG);
	assert_int_equal(verify_text(&f->vk, "\n\n"), -EBADMSG);
	assert_int_equal(verify_text(&f->vk, "node.test\n5\nAA==\n\n"), -EBADMSG);
	assert_int_equal(verify_text(&f->vk, "node.test\n05\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n\n"),
			 -EBADMSG);
	assert_int_equal(verify_text(&f->vk, "node.test\n5\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n\n"),
			 -EKEYREJECTED); /* whole, but nobody signed it */
	assert_int_equal(checkpoint_parse(SPAN("node.test\n99999999999999999999\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n\n"),
					  &got, &n), -EBADMSG);
	/* another signer beside ours is read over */
	assert_int_equal(checkpoint_sign(&cp, f->key, &note), 0);
	assert_int_equal(buf_append_str(&note, "\xe2\x80\x94 witness.example AAAAAAECAwQFBg==\n"), 0);
	assert_int_equal(verify_text(&f->vk, buf_cstr(&note)), 0);
	/* ours twice is not */
	buf_clear(&note);
	assert_int_equal(checkpoint_sign(&cp, f->key, &note), 0);
	line = strstr(strdup(buf_cstr(&note)), "\xe2\x80\x94");
	assert_int_equal(buf_append(&more, buf_span(&note).p, buf_len(&note)), 0);
	assert_int_equal(buf_append_str(&more, line), 0);
	assert_int_equal(verify_text(&f->vk, buf_cstr(&more)), -EKEYREJECTED);
	free(line - (strstr(buf_cstr(&note), "\xe2\x80\x94") - buf_cstr(&note)));
	/* another key of the same name, and a key of another name */
	verifier_key_of("node.test", pub, &other);
	assert_int_equal(verify_text(&other, buf_cstr(&note)), -EKEYREJECTED);
	verifier_key_of("node.other", f->vk.pub, &other);
	assert_int_equal(verify_text(&other, buf_cstr(&note)), -EKEYREJECTED);
	/* names that could not be told apart in a note */
	assert_false(checkpoint_name_valid(""));
	assert_false(checkpoint_name_valid("a b"));
	assert_false(checkpoint_name_valid("a+b"));
	assert_false(checkpoint_name_valid("a\nb"));
	assert_true(checkpoint_name_valid("node.example/log"));
}

/* The key of the example in Go's golang.org/x/mod/sumdb/note documentation: name, key ID and base64. */
static void verifier_keys_are_those_of_other_implementations(void **state)
{
	static const char text[] =
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
	static const char *const bad[] = {
		"", "+", "a+b+c", "PeterNeumann+c74f20a3+", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
		"PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	};
	_cleanup_buf_ struct buf b = { 0 };
	struct verifier_key vk;

	assert_int_equal(verifier_key_parse(span_of(text), &vk), 0);
	assert_string_equal(vk.name, "PeterNeumann");
	assert_int_equal(verifier_key_text(&vk, &b), 0);
	assert_string_equal(buf_cstr(&b), text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(verifier_key_parse(span_of(bad[i]), &vk), -EINVAL);
}

static void keys_are_kept_in_private_files(void **state)
{
	struct log_fixture *f = *state;
	uint8_t a[KEY_SIZE], b[KEY_SIZE];
	struct log_key *k;
	struct stat st;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/log.key", f->dir);
	assert_int_equal(log_key_open(path, &k), 0);
	log_key_public(k, a);
	log_key_free(k);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(log_key_open(path, &k), 0);
	log_key_public(k, b);
	log_key_free(k);
	assert_memory_equal(a, b, KEY_SIZE);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(log_key_open(path, &k), -EPERM);
	assert_int_equal(salt_key_open(path, a), -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(salt_key_open(path, a), -EBADMSG); /* a key of another kind */
	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(log_key_open(path, &k), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(salt_key_open(path, a), 0);
	assert_int_equal(salt_key_open(path, b), 0);
	assert_memory_equal(a, b, KEY_SIZE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(log_key_open(path, &k), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(signs_and_verifies, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(every_cut_and_every_changed_byte_fails, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(odd_notes, fixture_setup, fixture_teardown),
		cmocka_unit_test(verifier_keys_are_those_of_other_implementations),
		cmocka_unit_test_setup_teardown(keys_are_kept_in_private_files, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
