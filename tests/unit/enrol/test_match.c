// SPDX-License-Identifier: Apache-2.0
/* Which agent a process is: precedence, what is unknown during a hold, and names that only look right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "user/conf/conf.h"
#include "user/enrol/container.h"
#include "user/enrol/match.h"
#include "user/proc/identity.h"

static const char text[] =
	"agents:\n"
	"- {name: by-uid, uid: 1000}\n" /* 0 */
	"- {name: by-cgroup, cgroup: /machine.slice/box}\n" /* 1 */
	"- {name: by-unit, unit: web.service}\n" /* 2 */
	"- {name: by-exe, exe: /usr/bin/node}\n" /* 3 */
	"- {name: by-script, exe: /usr/bin/node, script: /opt/a.js}\n" /* 4 */
	"- {name: by-exe-uid, exe: /usr/bin/node, uid: 1000}\n" /* 5 */
	"- {name: by-name, uid: not-resolved}\n" /* 6 */
	"- {name: later-exe, exe: /usr/bin/py, uid: 7}\n" /* 7 */
	"- {name: first-script, exe: /usr/bin/py, script: /opt/x.py, cgroup: /x}\n" /* 8 */
	"- {name: unit-scope, unit: a@b.scope, uid: 5}\n" /* 9 */
	"- {name: by-image, image: a/b}\n" /* 10 */
	"- {name: by-both, image: a/b, labels: [k=v]}\n"; /* 11 */

static struct conf conf;

static int set_up(void **state)
{
	struct conf_error e = { 0 };
	int r = conf_parse("t", text, sizeof(text) - 1, &conf, &e);

	if (r < 0)
		print_error("%s\n", e.text);
	return r;
}

static int tear_down(void **state)
{
	conf_free(&conf);
	return 0;
}

static const struct {
	const char *exe, *script, *cgroup;
	uid_t uid;
	enum match_is is;
	int agent;
} cases[] = {
	/* complete identities */
	{ "/bin/x", "", "/", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/", 1000, MATCH_AGENT, 0 },
	{ "/bin/x", "", "/machine.slice/box", 1000, MATCH_AGENT, 1 },
	{ "/bin/x", "", "/machine.slice/box/inner", 1, MATCH_AGENT, 1 },
	{ "/bin/x", "", "/machine.slice/boxer", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/machine.slice", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/x/machine.slice/box", 1, MATCH_NONE, -1 },
	{ "/usr/bin/node", "", "/", 1, MATCH_AGENT, 3 },
	{ "/usr/bin/node", "", "/", 1000, MATCH_AGENT, 5 },
	{ "/usr/bin/node", "/opt/a.js", "/machine.slice/box", 1000, MATCH_AGENT, 4 },
	{ "/usr/bin/node", "/opt/b.js", "/", 1, MATCH_AGENT, 3 },
	{ "/usr/bin/nodejs", "/opt/a.js", "/", 1, MATCH_NONE, -1 },
	{ "/usr/bin/nod", "", "/", 1, MATCH_NONE, -1 },
	{ "/usr/bin/node (deleted)", "", "/", 1, MATCH_AGENT, 3 },
	{ "/usr/bin/node (deleted) ", "", "/", 1, MATCH_NONE, -1 },
	{ "", "", "/", 1, MATCH_NONE, -1 },
	{ "", "", "", (uid_t)-1, MATCH_NONE, -1 },
	/* units */
	{ "/bin/x", "", "/web.service", 1, MATCH_AGENT, 2 },
	{ "/bin/x", "", "/system.slice/web.service", 1, MATCH_AGENT, 2 },
	{ "/bin/x", "", "/system.slice/web.service/tollgate-a", 1, MATCH_AGENT, 2 },
	{ "/bin/x", "", "/a.slice/a-b.slice/web.service/x", 1, MATCH_AGENT, 2 },
	{ "/bin/x", "", "/user.slice/user-9.slice/user@9.service/app.slice/web.service", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/system.slice/other/web.service", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/system.slice/web.service2", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/system.slice/xweb.service", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "web.service", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/slice/web.service", 1, MATCH_NONE, -1 },
	{ "/bin/x", "", "/user.slice/a@b.scope", 5, MATCH_AGENT, 9 },
	{ "/bin/x", "", "/user.slice/a@b.scope", 6, MATCH_NONE, -1 },
	/* held execs: NULL is not known */
	{ "/usr/bin/node", NULL, "/", 1, MATCH_LATER, 3 },
	{ "/usr/bin/node", NULL, "/", 1000, MATCH_LATER, 5 },
	{ "/bin/x", NULL, "/", 1000, MATCH_AGENT, 0 },
	{ "/bin/x", NULL, "/", 1, MATCH_NONE, -1 },
	{ "/usr/bin/py", NULL, "/y", 7, MATCH_AGENT, 7 },
	{ "/usr/bin/py", NULL, "/x/z", 8, MATCH_LATER, -1 },
	{ "/usr/bin/py", NULL, "/x", 7, MATCH_LATER, 7 },
	{ NULL, "/opt/a.js", "/", 1, MATCH_LATER, -1 },
	{ NULL, "/opt/none.js", "/", 1000, MATCH_LATER, 0 },
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct match m = { .agent = 99 };

		match_exec(&conf, cases[i].exe, cases[i].script, cases[i].uid, cases[i].cgroup, &m);
		if (m.is != cases[i].is || m.agent != cases[i].agent || !m.reason[0])
			fail_msg("case %zu: is %d agent %d (%s), expected %d %d", i, m.is, m.agent,
				 m.reason, cases[i].is, cases[i].agent);
	}
}

static void test_identity(void **state)
{
	struct proc_identity id = { .uid = 1000 };
	struct match m;

	(void)strcpy(id.exe, "/usr/bin/node");
	(void)strcpy(id.script, "/opt/a.js");
	(void)strcpy(id.cgroup, "/");
	match_identity(&conf, &id, NULL, &m);
	assert_int_equal(m.is, MATCH_AGENT);
	assert_int_equal(m.agent, 4);
	assert_string_equal(m.reason, "agent by-script: exe /usr/bin/node script /opt/a.js");
	(void)strcpy(id.script, "");
	match_identity(&conf, &id, NULL, &m);
	assert_string_equal(m.reason, "agent by-exe-uid: exe /usr/bin/node uid 1000");
	id.uid = 3;
	(void)strcpy(id.exe, "/bin/x");
	match_identity(&conf, &id, NULL, &m);
	assert_int_equal(m.is, MATCH_NONE);
	assert_string_equal(m.reason, "no agent has selectors for exe /bin/x uid 3");
}

static void containers(void **state)
{
	struct proc_identity id = { .uid = 1000 };
	struct container c = { .image = "a/b:1", .labels = json_object() };
	struct match m;

	(void)strcpy(id.exe, "/bin/x");
	(void)strcpy(id.cgroup, "/");
	match_identity(&conf, &id, &c, &m);
	assert_int_equal(m.agent, 10); /* before its user, as a cgroup would be */
	assert_int_equal(json_object_set_new(c.labels, "k", json_string("v")), 0);
	match_identity(&conf, &id, &c, &m);
	assert_int_equal(m.agent, 11);
	assert_string_equal(m.reason, "agent by-both: image a/b label k=v");
	(void)strcpy(c.image, "a/bc:1");
	match_identity(&conf, &id, &c, &m);
	assert_int_equal(m.agent, 0);
	(void)strcpy(c.image, "a/b");
	(void)strcpy(id.exe, "/usr/bin/node");
	match_identity(&conf, &id, &c, &m);
	assert_int_equal(m.agent, 5); /* a program is more exact */
	container_done(&c);
}

/* After conf_resolve() the real path counts, which is what the kernel shows. */
static void test_real_path(void **state)
{
	static char real[] = "/usr/bin/node-v20";
	struct conf_agent *a = &conf.agents[3];
	struct match m;

	a->exe_real = real;
	match_exec(&conf, "/usr/bin/node-v20", "", 1, "/", &m);
	assert_int_equal(m.agent, 3);
	match_exec(&conf, "/usr/bin/node", "", 1, "/", &m);
	assert_int_equal(m.agent, -1);
	a->exe_real = NULL;
}

static void test_no_agents(void **state)
{
	struct conf c = { 0 };
	struct match m;

	match_exec(&c, NULL, NULL, 0, "/", &m);
	assert_int_equal(m.is, MATCH_NONE);
	assert_string_equal(m.reason, "no agent has selectors for exe (not known) uid 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_real_path),
		cmocka_unit_test(test_no_agents),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
