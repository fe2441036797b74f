// SPDX-License-Identifier: Apache-2.0
/* Whose files are trusted, which policy files are read, and selectors against a file system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/conf/conf.h"

static char dir[64];

static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text, mode_t mode)
{
	assert_int_equal(file_replace(at(name), text, strlen(text), mode), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static int set_up(void **state)
{
	(void)strcpy(dir, "/tmp/tollgate-conf.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char cmd[128];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : -1;
}

static void refused(const char *name, int want, const char *says)
{
	struct conf_error e = { 0 };
	int r = conf_check_file(at(name), &e);

	if (r != want || !strstr(e.text, says) || !strstr(e.text, at(name)))
		fail_msg("%s: %d '%s', expected %d '%s'", name, r, e.text, want, says);
}

static void test_check(void **state)
{
	put("own", "x", 0644);
	assert_int_equal(conf_check_file(at("own"), NULL), 0);
	put("private", "x", 0600);
	assert_int_equal(conf_check_file(at("private"), NULL), 0);
	put("group", "x", 0664);
	refused("group", -EPERM, "0664 lets its group change it");
	put("world", "x", 0646);
	refused("world", -EPERM, "lets everybody change it");
	refused("none", -ENOENT, "No such file");
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	refused("fifo", -EPERM, "neither a file nor a folder");
	assert_int_equal(symlink(at("group"), at("link")), 0);
	refused("link", -EPERM, "0664");
	assert_int_equal(mkdir(at("d"), 0755), 0);
	assert_int_equal(conf_check_file(at("d"), NULL), 0);
	assert_int_equal(chmod(at("d"), 01777), 0);
	refused("d", -EPERM, "1777");
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(at("own"), 4242, 0), 0);
	refused("own", -EPERM, "owned by uid 4242");
}

static void conf_with_policy(struct conf *c, const char *a, const char *b)
{
	struct conf_error e = { 0 };
	char text[600];

	(void)snprintf(text, sizeof(text), "agents: []\npolicy: ['%s', '%s']\n", a, b);
	if (conf_parse("t", text, strlen(text), c, &e) < 0)
		fail_msg("%s", e.text);
}

static void test_policy_files(void **state)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };
	char **files = NULL;
	unsigned n = 0;

	assert_int_equal(mkdir(at("p"), 0755), 0);
	put("p/20-b.cedar", "", 0644);
	put("p/10-a.cedar", "", 0644);
	put("p/readme.txt", "", 0666);
	put("p/.hidden.cedar", "", 0644);
	put("p/old.cedar~", "", 0644);
	put("p/.cedar", "", 0644);
	put("one.cedar", "", 0644);
	conf_with_policy(&c, at("one.cedar"), at("p"));
	if (conf_policy_files(&c, &files, &n, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(n, 3);
	assert_string_equal(files[0], at("one.cedar"));
	assert_string_equal(files[1], at("p/10-a.cedar"));
	assert_string_equal(files[2], at("p/20-b.cedar"));
	conf_list_free(files, n);

	put("p/30-c.cedar", "", 0666);
	files = NULL;
	assert_int_equal(conf_policy_files(&c, &files, &n, &e), -EPERM);
	assert_non_null(strstr(e.text, "30-c.cedar"));
	assert_null(files);
	assert_int_equal(chmod(at("p/30-c.cedar"), 0644), 0);
	assert_int_equal(chmod(at("p"), 0777), 0);
	assert_int_equal(conf_policy_files(&c, &files, &n, &e), -EPERM);
	conf_free(&c);
	conf_with_policy(&c, at("one.cedar"), at("gone"));
	assert_int_equal(conf_policy_files(&c, &files, &n, &e), -ENOENT);
	assert_non_null(strstr(e.text, "gone"));
	conf_free(&c);
}

#define USERS "enforcement: enforce\naudit_group: '4004'\nusers: {proxy: 4001, notary: 4002, query: 4003}\n"

static int load(const char *agents, struct conf *c, struct conf_error *e)
{
	char text[1200];

	(void)snprintf(text, sizeof(text), USERS "agents:\n%s", agents);
	put("t.conf", text, 0644);
	return conf_load(at("t.conf"), c, e);
}

static void agent_refused(const char *selector, const char *says)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };
	char text[600];
	int r;

	(void)snprintf(text, sizeof(text), "- {name: a, %s}\n", selector);
	r = load(text, &c, &e);
	if (r != -EINVAL || !strstr(e.text, says))
		fail_msg("%s: %d '%s', expected '%s'", selector, r, e.text, says);
}

static void test_selectors(void **state)
{
	char text[600];
	struct conf_error e = { 0 };
	struct conf c = { 0 };

	put("prog", "\177ELF", 0755);
	put("plain", "\177ELF", 0644);
	put("tool", "#!/bin/sh\n", 0755);
	put("agent.js", "1", 0644);
	assert_int_equal(symlink(at("prog"), at("prog-link")), 0);
	assert_int_equal(mkdir(at("folder"), 0755), 0);
	(void)snprintf(text, sizeof(text), "exe: %s", at("plain"));
	agent_refused(text, "not executable");
	(void)snprintf(text, sizeof(text), "exe: %s", at("folder"));
	agent_refused(text, "no regular file");
	(void)snprintf(text, sizeof(text), "exe: %s", at("tool"));
	agent_refused(text, "is a script");
	(void)snprintf(text, sizeof(text), "exe: %s, script: %s", at("prog"), at("folder"));
	agent_refused(text, "no regular file");
	agent_refused("uid: no-such-user-here", "no such user");

	(void)snprintf(text, sizeof(text),
		       "- {name: a, exe: %s, script: %s}\n- {name: b, exe: %s}\n- {name: c, uid: nobody}\n",
		       at("prog-link"), at("agent.js"), at("not-yet"));
	if (load(text, &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(c.agents[0].exe, at("prog-link"));
	assert_string_equal(c.agents[0].exe_real, at("prog"));
	assert_string_equal(c.agents[0].script_real, at("agent.js"));
	assert_string_equal(c.agents[1].exe_real, at("not-yet"));
	assert_int_equal(c.nwarnings, 1);
	assert_non_null(strstr(c.warnings[0], "does not exist yet"));
	assert_int_equal(c.agents[2].uid, 65534);
	assert_int_equal(c.proxy.uid, 4001);
	assert_int_equal(c.audit_gid, 4004);
	conf_free(&c);
}

static void test_load(void **state)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };

	assert_int_equal(conf_load(at("gone"), &c, &e), -ENOENT);
	put("t.conf", USERS "agents: []\n", 0664);
	assert_int_equal(conf_load(at("t.conf"), &c, &e), -EPERM);
	put("t.conf", "", 0644);
	assert_int_equal(conf_load(at("t.conf"), &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "empty"));
	assert_int_equal(conf_load(dir, &c, &e), -EISDIR);
	put("t.conf", "users: {proxy: no-such-user-here}\nagents: []\n", 0644);
	assert_int_equal(conf_load(at("t.conf"), &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "users.proxy: user 'no-such-user-here': there is no such user"));
	/* Two names of one user. */
	put("t.conf", "users: {proxy: 65534, notary: nobody, query: 7}\nagents: []\n", 0644);
	assert_int_equal(conf_load(at("t.conf"), &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "different users"));
	put("t.conf", "users: {proxy: 1, notary: 2, query: 3}\naudit_group: no-such-group\n"
		      "enforcement: enforce\nagents: []\n", 0644);
	assert_int_equal(conf_load(at("t.conf"), &c, &e), 0);
	assert_true(c.audit_gid == (gid_t)-1);
	assert_int_equal(c.nwarnings, 2);
	assert_string_equal(c.file, at("t.conf"));
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_policy_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_selectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_load, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
