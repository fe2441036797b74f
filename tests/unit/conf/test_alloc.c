// SPDX-License-Identifier: Apache-2.0
/* Every allocation while the configuration is read fails once: it is read whole, or refused with a reason. */
#include "tests/unit/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/conf/conf.h"

static const char text[] =
	"node: build-3\n"
	"policy: [/etc/tollgate/a.cedar, /etc/tollgate/more]\n"
	"catalog: /etc/tollgate/c.json\n"
	"users: {proxy: 4001, notary: _n, query: '4003'}\n"
	"limits: {message_bytes: 1M}\n"
	"agents:\n"
	"- name: claude\n"
	"  sponsor: anna@example.org\n"
	"  groups: [coding, trial]\n"
	"  exe: /usr/bin/node\n"
	"  script: /opt/claude/cli.js\n"
	"- {name: batch, uid: '65534'}\n";

static void is_read_whole_or_refused(void **state)
{
	struct conf_error e;
	struct conf c;
	unsigned long n;
	int r = -1;

	for (n = 1; alloc_fail_at(n); n++) {
		memset(&e, 0, sizeof(e));
		memset(&c, 0, sizeof(c));
		alloc_work();
		r = conf_parse("tollgate.yaml", text, sizeof(text) - 1, &c, &e);
		alloc_rest();
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			assert_true(e.text[0]);
			continue;
		}
		assert_int_equal(c.nagents, 2);
		assert_int_equal(c.agents[0].ngroups, 2);
		assert_string_equal(c.agents[0].script, "/opt/claude/cli.js");
		assert_string_equal(c.agents[1].name, "batch");
		assert_int_equal(c.npolicy, 2);
		conf_free(&c);
	}
	assert_int_equal(r, 0); /* when none failed */
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(is_read_whole_or_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
