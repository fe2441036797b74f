// SPDX-License-Identifier: Apache-2.0
/* doctor: its table over a made-up root, where every state can be had, and over the machine that runs the test. */
#include "tests/unit/cli/capture.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "user/base/cleanup.h"
#include "user/cli/doctor.h"
#include "user/kern/kern.h"

static char root[64];

static void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = strchr(full + strlen(root) + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const struct doctor_row *row(const struct doctor *d, const char *what)
{
	for (unsigned i = 0; i < d->n; i++)
		if (strcmp(d->rows[i].what, what) == 0)
			return &d->rows[i];
	fail_msg("no row %s", what);
	return NULL;
}

static enum doctor_state kernel_says(const char *what)
{
	struct doctor *d = calloc(1, sizeof(*d));
	enum doctor_state s;

	assert_non_null(d);
	*d = (struct doctor){ .root = root, .section = "kernel" };
	doctor_kernel(d);
	s = row(d, what)->state;
	/* A row that asks for something to be done says what. */
	if (s == DOCTOR_OPEN || s == DOCTOR_MISSING)
		assert_non_null(row(d, what)->advice);
	free(d);
	return s;
}

static void reads_what_the_files_say(void **state)
{
	assert_int_equal(kernel_says("BTF"), DOCTOR_MISSING);
	put("/sys/kernel/btf/vmlinux", "x");
	assert_int_equal(kernel_says("BTF"), DOCTOR_GOOD);

	put("/sys/kernel/security/lsm", "capability,landlock,yama");
	assert_int_equal(kernel_says("security modules"), DOCTOR_OPEN);
	put("/sys/kernel/security/lsm", "capability,landlock,yama,bpf");
	assert_int_equal(kernel_says("security modules"), DOCTOR_GOOD);

	put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	assert_int_equal(kernel_says("lockdown"), DOCTOR_OPEN);
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_int_equal(kernel_says("lockdown"), DOCTOR_GOOD);

	assert_int_equal(kernel_says("ptrace"), DOCTOR_GOOD);
	put("/proc/sys/kernel/yama/ptrace_scope", "3\n");
	assert_int_equal(kernel_says("ptrace"), DOCTOR_MISSING);
	put("/proc/sys/kernel/yama/ptrace_scope", "1\n");
	assert_int_equal(kernel_says("ptrace"), DOCTOR_GOOD);
}

static void knows_a_container(void **state)
{
	assert_int_equal(kernel_says("process ids"), DOCTOR_MISSING);
}

static void reads_files_of_any_content(void **state)
{
	char huge[4096];

	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	put("/sys/kernel/security/lsm", huge);
	assert_int_equal(kernel_says("security modules"), DOCTOR_OPEN);
	put("/sys/kernel/security/lsm", "");
	assert_int_equal(kernel_says("security modules"), DOCTOR_OPEN);
	put("/proc/sys/kernel/yama/ptrace_scope", "no number");
	assert_int_equal(kernel_says("ptrace"), DOCTOR_GOOD);
}

static void a_full_table_takes_no_more(void **state)
{
	struct doctor *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->root = "";
	for (int i = 0; i < DOCTOR_ROWS_MAX + 10; i++)
		doctor_add(d, DOCTOR_GOOD, "x", NULL, NULL, "%d", i);
	assert_int_equal(d->n, DOCTOR_ROWS_MAX);
	free(d);
}

/* --- this machine ------------------------------------------------------------------------------------ */

static int doctor(bool json, struct buf *out)
{
	struct cli c = { .json = json };

	return capture(cli_doctor, &c, "doctor", (const char *const[]){ NULL }, out, NULL);
}

static void says_of_this_machine_what_loading_says(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	int status = doctor(true, &out), good = 0, missing = 0, unseen = 0;
	json_t *j = json_loads(buf_cstr(&out), JSON_REJECT_DUPLICATES, NULL), *r;
	const char *why;
	size_t i;

	assert_non_null(j);
	json_array_foreach(json_object_get(j, "rows"), i, r) {
		const char *is = json_string_value(json_object_get(r, "state"));
		bool asks = strcmp(is, "MISSING") == 0;

		good += strcmp(is, "good") == 0;
		missing += asks;
		unseen += strcmp(is, "not seen") == 0;
		assert_int_equal(strcmp(is, "good") == 0 && json_is_string(json_object_get(r, "advice")), 0);
		if (asks)
			assert_true(json_is_string(json_object_get(r, "advice")));
		if (geteuid() == 0 && strcmp(json_string_value(json_object_get(r, "what")), "cgroup/connect4") == 0)
			assert_int_equal(strcmp(is, "good") == 0, kern_supported(&why) == 0);
	}
	assert_int_equal(json_integer_value(json_object_get(j, "good")), good);
	assert_int_equal(json_integer_value(json_object_get(j, "missing")), missing);
	assert_int_equal(json_integer_value(json_object_get(j, "not_seen")), unseen);
	assert_int_equal(status, missing ? CLI_FAILED : unseen ? CLI_UNSEEN : CLI_OK);
	json_decref(j);
}

static void text_and_json_agree(void **state)
{
	_cleanup_buf_ struct buf text = { 0 }, json = { 0 };
	int status = doctor(false, &text);
	json_t *j, *r;
	size_t i;

	assert_int_equal(doctor(true, &json), status);
	j = json_loads(buf_cstr(&json), 0, NULL);
	assert_non_null(j);
	json_array_foreach(json_object_get(j, "rows"), i, r)
		assert_non_null(strstr(buf_cstr(&text), json_string_value(json_object_get(r, "what"))));
	json_decref(j);
}

static void an_ordinary_user_is_told_what_was_not_seen(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct buf out = { 0 };

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(99);
		status = doctor(false, &out);
		_exit(strstr(buf_cstr(&out), "run it as root") ? status : 98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	/* Missing is what even an ordinary user sees missing. */
	assert_true(WEXITSTATUS(status) == CLI_UNSEEN || WEXITSTATUS(status) == CLI_FAILED);
}

static void more_words_are_a_mistake(void **state)
{
	struct cli c = { 0 };

	assert_int_equal(capture(cli_doctor, &c, "doctor", (const char *const[]){ "--all", NULL }, NULL, NULL),
			 CLI_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_files_say),
		cmocka_unit_test(knows_a_container),
		cmocka_unit_test(reads_files_of_any_content),
		cmocka_unit_test(a_full_table_takes_no_more),
		cmocka_unit_test(says_of_this_machine_what_loading_says),
		cmocka_unit_test(text_and_json_agree),
		cmocka_unit_test(an_ordinary_user_is_told_what_was_not_seen),
		cmocka_unit_test(more_words_are_a_mistake),
	};
	char command[128];
	int r;

	(void)snprintf(root, sizeof(root), "/tmp/tollgate-doctor-%d-XXXXXX", (int)getpid());
	if (!mkdtemp(root))
		return 1;
	put("/proc/self/ns/pid", ""); /* some other inode */
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command) == 0 ? r : 1;
}
