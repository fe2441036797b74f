// SPDX-License-Identifier: Apache-2.0
#include "user/proc/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define ARGS(lit) (lit), sizeof(lit)

static void expect(const char *exe, const char *args, size_t len, const char *script)
{
	const char *got = NULL;
	int r = script_of_args(exe, args, len, &got);

	if (!script) {
		if (r != 0)
			fail_msg("%s %s: got %s", exe, args, got);
		return;
	}
	if (r != 1)
		fail_msg("%s: expected %s, got none", exe, script);
	assert_string_equal(got, script);
}

static void scripts(void **state)
{
	expect("/usr/bin/node", ARGS("node\0server.js\0x.js"), "server.js");
	expect("/usr/bin/node", ARGS("node\0-r\0hook.js\0server.js"), "server.js");
	expect("/usr/bin/node", ARGS("node\0--require\0hook.js\0--no-warnings\0server.js"), "server.js");
	expect("/usr/bin/node", ARGS("node\0--max-old-space-size=4096\0--\0-s.js"), "-s.js");
	expect("/usr/bin/nodejs (deleted)", ARGS("node\0a.js"), "a.js");
	expect("/usr/bin/python3.11", ARGS("python3\0-u\0-W\0ignore\0-Xdev\0s.py\0-c"), "s.py");
	expect("/usr/bin/python3", ARGS("python3\0-uI\0/s.py"), "/s.py");
	expect("/usr/bin/dash", ARGS("sh\0-e\0/s.sh"), "/s.sh");
	expect("/usr/bin/bash", ARGS("bash\0-eo\0pipefail\0--norc\0s.sh"), "s.sh");
	expect("/usr/bin/perl5.36.0", ARGS("perl\0-w\0-I\0lib\0-Ilib2\0s.pl"), "s.pl");
	expect("/usr/bin/ruby3.1", ARGS("ruby\0-rjson\0-I\0lib\0s.rb"), "s.rb");
	expect("/usr/bin/php8.2", ARGS("php\0-d\0a=b\0-dc=d\0s.php"), "s.php");
	expect("/usr/bin/deno", ARGS("deno\0run\0-A\0--allow-net=x\0s.ts"), "s.ts");
	expect("/usr/bin/bun", ARGS("bun\0--smol\0./s.ts"), "./s.ts");
}

/* Wherever what runs is not surely that file, there is no answer. */
static void no_scripts(void **state)
{
	expect("/usr/bin/node", ARGS("node"), NULL);
	expect("/usr/bin/node", ARGS("node\0-e\0code\0good.js"), NULL);
	expect("/usr/bin/node", ARGS("node\0-pe\0code\0good.js"), NULL);
	expect("/usr/bin/node", ARGS("node\0--eval=code\0good.js"), NULL);
	expect("/usr/bin/node", ARGS("node\0--some-new-option\0evil.js\0good.js"), NULL);
	expect("/usr/bin/node", ARGS("node\0-\0good.js"), NULL);
	expect("/usr/bin/node", ARGS("node\0-r"), NULL);
	expect("/usr/bin/node", ARGS("node\0--run\0good.js"), NULL);
	expect("/usr/bin/python3", ARGS("python3\0-m\0server\0good.py"), NULL);
	expect("/usr/bin/python3", ARGS("python3\0-um\0server\0good.py"), NULL);
	expect("/usr/bin/python3", ARGS("python3\0-c\0code\0good.py"), NULL);
	expect("/usr/bin/python3", ARGS("python3\0-ccode\0good.py"), NULL);
	expect("/usr/bin/bash", ARGS("bash\0-ec\0code\0good.sh"), NULL);
	expect("/usr/bin/bash", ARGS("bash\0-oe\0good.sh\0evil.sh"), NULL);
	expect("/usr/bin/bash", ARGS("bash\0+x\0good.sh"), NULL);
	expect("/usr/bin/dash", ARGS("sh\0-s\0good.sh"), NULL);
	expect("/usr/bin/perl", ARGS("perl\0-S\0good.pl"), NULL);
	expect("/usr/bin/perl", ARGS("perl\0-ne\0code\0good.pl"), NULL);
	expect("/usr/bin/deno", ARGS("deno\0eval\0good.ts"), NULL);
	expect("/usr/bin/deno", ARGS("deno\0task\0run\0good.ts"), NULL);
	expect("/usr/bin/bun", ARGS("bun\0run\0./good.ts"), NULL);
	expect("/usr/bin/bun", ARGS("bun\0start"), NULL);
	expect("/usr/bin/cat", ARGS("cat\0good.js"), NULL);
	expect("", ARGS("x\0y"), NULL);
	/* an argument that was cut off is none */
	expect("/usr/bin/node", "node\0server.js", 14, NULL);
	expect("/usr/bin/node", "node", 4, NULL);
	expect("/usr/bin/node", "", 0, NULL);
	expect("/usr/bin/node", ARGS("node\0\0good.js"), NULL);
}

static void interpreters(void **state)
{
	assert_true(script_interpreter("/opt/node"));
	assert_true(script_interpreter("/usr/bin/python3.13"));
	assert_false(script_interpreter("/usr/bin/pythonic"));
	assert_false(script_interpreter("/usr/bin/node/"));
	assert_true(script_adds_suffix("/usr/bin/node"));
	assert_false(script_adds_suffix("/usr/bin/python3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts),
		cmocka_unit_test(no_scripts),
		cmocka_unit_test(interpreters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
