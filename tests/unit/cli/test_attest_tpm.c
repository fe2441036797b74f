// SPDX-License-Identifier: Apache-2.0
/* tollgate attest for TPM and Azure: from a node's evidence to a stranger's exit status. */
#include "tests/unit/cli/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "attest/bundle.h"
#include "attest/tpm_public.h"
#include "tests/unit/attest/swtpm.h"
#include "tests/unit/attest/vectors.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/notary/checkpoint.h"

static char dir[] = "/tmp/test_attest_tpm.XXXXXX";
static bool tpm_here;
static const char *control = "/nonexistent/control.sock";

static int run(struct buf *out, bool json, const char *const *words)
{
	struct cli c = { .json = json, .control = control };

	return capture(cli_attest, &c, "attest", words, out, NULL);
}

#define RUN(out, json, ...) run(out, json, (const char *const[]){ __VA_ARGS__, NULL })

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *p = path[next++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, struct span s)
{
	assert_int_equal(file_replace(in_dir(name), s.p, s.n, 0600), 0);
}

static const char *text_of(const struct buf *out, const char *member)
{
	static char text[64];
	json_t *o = json_loadb(buf_span(out).p, buf_len(out), 0, NULL);

	assert_non_null(o);
	(void)snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(o, member)));
	json_decref(o);
	return text;
}

static void what_stands_behind_a_node_is_said(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };

	assert_int_equal(RUN(&out, false, "show", "--provider", "software-only"), 0);
	assert_non_null(strstr(buf_cstr(&out), "class: software-only"));
	assert_non_null(strstr(buf_cstr(&out), "no hardware stands behind"));
	assert_int_equal(RUN(&out, true, "show", "--provider", "software-only"), 0);
	assert_string_equal(text_of(&out, "class"), "software-only");
	assert_int_equal(RUN(&out, false, "show", "--provider", "tpm", "--tcti", "swtpm:path=/nonexistent"), 1);
	assert_non_null(strstr(buf_cstr(&out), "class: none"));
	assert_int_equal(RUN(&out, false, "show", "--nonce", "00"), 2);
	assert_int_equal(RUN(&out, false, "evidence"), 2);
	assert_int_equal(RUN(&out, false, "evidence", "--nonce", "0"), 2);
	assert_int_equal(RUN(&out, false, "evidence", "--nonce", "00", "--provider", "tpm", "--tcti",
			     "swtpm:path=/nonexistent"), 1);
	/* Without hardware there is evidence of nothing: nobody affirms it. */
	assert_int_equal(RUN(&out, false, "evidence", "--nonce", "aabb", "--provider", "software-only"), 0);
	write_file("soft", buf_span(&out));
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("soft"), "--nonce", "aabb"), 3);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("soft"), "--nonce", "aabc"), 1);
	assert_int_equal(unlink(in_dir("soft")), 0);
}

/* A policy that names the key of the evidence and the values in it. */
static void write_policy(struct span evidence, const char *name)
{
	struct attest_bundle b;
	struct tpm_public pub;
	struct tpm_name n;
	char ak[69], pcr[65], text[1024];

	assert_int_equal(attest_bundle_read(evidence, &b), 0);
	assert_int_equal(tpm_public_parse(attest_evidence_part(&b.evidence, "ak_public"), &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &n), 0);
	hex_encode(n.bytes, n.n, ak);
	hex_encode(attest_evidence_part(&b.evidence, "pcrs").p, 32, pcr);
	(void)snprintf(text, sizeof(text),
		       "{\"version\":1,\"optional\":[\"binding.public_key\",\"binding.policy_hash\",\"binding.catalog_hash\","
		       "\"binding.identity\"],"
		       "\"tpm\":{\"ak_names\":\"%s\",\"pcrs\":{\"sha256\":{\"0\":\"%s\"}}}}", ak, pcr);
	write_file(name, span_of(text));
	attest_bundle_done(&b);
}

static void evidence_of_a_tpm_is_judged(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, evidence = { 0 };

	if (!tpm_here)
		skip();
	assert_int_equal(RUN(&out, true, "show", "--tcti", swtpm_tcti), 0);
	assert_string_equal(text_of(&out, "class"), "hardware");
	assert_string_equal(text_of(&out, "platform"), "tpm");
	assert_int_equal(RUN(&evidence, false, "evidence", "--nonce", "aabb", "--tcti", swtpm_tcti), 0);
	assert_string_equal(text_of(&evidence, "class"), "hardware");
	write_file("evidence", buf_span(&evidence));
	write_policy(buf_span(&evidence), "policy");
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("evidence"), "--nonce", "aabb",
			     "--policy", in_dir("policy")), 0);
	assert_string_equal(text_of(&out, "status"), "affirming");
	/* Nothing expected: sound, and open. */
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("evidence"), "--nonce", "aabb"), 3);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("evidence"), "--policy",
			     in_dir("policy")), 3);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("evidence"), "--nonce", "aabc",
			     "--policy", in_dir("policy")), 1);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", in_dir("policy"), "--nonce", "aabb"), 1);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--evidence", "/nonexistent"), 2);
	assert_int_equal(unlink(in_dir("evidence")), 0);
	assert_int_equal(unlink(in_dir("policy")), 0);
}

/* A daemon played by a child process: one question, one answer. */
static pid_t daemon_with(const char *path, const char *answer)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%.100s", path);
	assert_int_equal(bind(listener, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	if (pid == 0) {
		char line[64] = "";
		int fd = accept(listener, NULL, NULL);

		/* The whole question first: an answer and an end in its middle would break the asker's pipe. */
		for (size_t n = 0; !strchr(line, '\n'); n++)
			if (n == sizeof(line) - 1 || read(fd, line + n, 1) != 1)
				_exit(1);
		if (strcmp(line, "status\n") != 0)
			_exit(1);
		_exit(write(fd, answer, strlen(answer)) == (ssize_t)strlen(answer) ? 0 : 1);
	}
	close(listener);
	return pid;
}

static void evidence_states_what_the_daemon_says(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, key = { 0 };
	uint8_t public_key[KEY_SIZE] = { 1, 2, 3 };
	struct attest_bundle b;
	struct verifier_key vk;
	char answer[1024];
	const char *path = in_dir("control");
	int status;
	pid_t pid;

	verifier_key_of("node.example", public_key, &vk);
	assert_int_equal(verifier_key_text(&vk, &key), 0);
	(void)snprintf(answer, sizeof(answer),
		       "{\"mode\":\"enforcing\",\"policy_hash\":\"sha256:p\",\"catalog_hash\":\"sha256:c\",\"program_hash\":"
		       "\"sha256:d\",\"kernel_hash\":\"sha256:k\",\"node\":\"node.example\",\"log\":{\"public_key\":\"%s\"}}\n",
		       buf_cstr(&key));
	pid = daemon_with(path, answer);
	control = path;
	assert_int_equal(RUN(&out, false, "evidence", "--nonce", "aabb", "--provider", "software-only"), 0);
	control = "/nonexistent/control.sock";
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(attest_bundle_read(buf_span(&out), &b), 0);
	assert_true(span_is(b.binding.policy_hash, "sha256:p"));
	assert_true(span_is(b.binding.catalog_hash, "sha256:c"));
	assert_true(span_is(b.binding.program_hash, "sha256:d"));
	assert_true(span_is(b.binding.kernel_program_hash, "sha256:k"));
	assert_true(span_is(b.binding.mode, "enforcing"));
	assert_true(span_is(b.binding.origin, "node.example"));
	assert_true(span_eq(b.binding.public_key, (struct span){ (const char *)public_key, sizeof(public_key) }));
	assert_true(span_eq(b.binding.nonce, SPAN("\xaa\xbb")));
	assert_int_equal(b.binding.boot_id.n, 36);
	attest_bundle_done(&b);
}

static void a_wrong_command_line_is_told(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };

	write_file("x", SPAN("x"));
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tpm"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tpm", "--quote", in_dir("x"), "--ak", in_dir("x")), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tpm", "--quote", in_dir("x"), "--signature", in_dir("x"),
			     "--ak", in_dir("x"), "--nonce", "xyz"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tpm", "--quote", in_dir("x"), "--signature", in_dir("x"),
			     "--ak", in_dir("x"), "--roots", "/nonexistent"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tpm", "--quote", in_dir("x"), "--signature", in_dir("x"),
			     "--ak", in_dir("x"), "--roots", dir), 2); /* x is no certificate */
	assert_int_equal(RUN(&out, false, "verify", "--provider", "tpm", "--quote", in_dir("x"), "--signature", in_dir("x"),
			     "--ak", in_dir("x")), 1);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "azure"), 2);
	assert_int_equal(RUN(&out, false, "verify", "--provider", "azure", "--evidence", in_dir("x")), 1);
	assert_int_equal(unlink(in_dir("x")), 0);
}

#define FULL "tpm/swtpm-full/"

static void recorded_evidence_has_its_status(void **state)
{
	static const char qualifying[] = "e0329e40e01ab8fc07b5e83d21d70ba473109c652a090d5c42aaa6e9fce5bd6f";
	static const char policy[] =
		"{\"version\":1,\"optional\":[\"snp.crl\",\"snp.measurement\",\"tpm.expected\",\"tpm.selection\"]}";
	_cleanup_buf_ struct buf out = { 0 };
	const char *azure;

	if (!vectors_here())
		skip();
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--quote", vector_path(FULL "quote.msg"), "--signature",
			     vector_path(FULL "quote.sig"), "--ak", vector_path(FULL "ak.pub"), "--pcrs",
			     vector_path(FULL "quote.pcrs"), "--nonce", qualifying), 3);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "tpm", "--quote", vector_path(FULL "neg-nomagic.msg"),
			     "--signature", vector_path(FULL "neg-nomagic.sig"), "--ak", vector_path(FULL "ak.pub")), 1);
	write_file("policy", span_of(policy));
	azure = vector_path("azure/snp-milan-v3-live/evidence.json");
	assert_int_equal(RUN(&out, true, "verify", "--provider", "azure", "--evidence", azure, "--nonce",
			     "6174746573746174696f6e2d746573742d66697874757265", "--policy", in_dir("policy"), "--at",
			     "2026-01-01T00:00:00Z"), 0);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "azure", "--evidence", azure, "--nonce", "00", "--policy",
			     in_dir("policy"), "--at", "2026-01-01T00:00:00Z"), 1);
	assert_int_equal(RUN(&out, true, "verify", "--provider", "azure", "--evidence", azure, "--policy", in_dir("policy"),
			     "--at", "2026-01-01T00:00:00Z"), 3);
	assert_int_equal(unlink(in_dir("policy")), 0);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	tpm_here = swtpm_begin();
	return 0;
}

static int teardown(void **state)
{
	swtpm_end();
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stands_behind_a_node_is_said),
		cmocka_unit_test(evidence_of_a_tpm_is_judged),
		cmocka_unit_test(evidence_states_what_the_daemon_says),
		cmocka_unit_test(a_wrong_command_line_is_told),
		cmocka_unit_test(recorded_evidence_has_its_status),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
