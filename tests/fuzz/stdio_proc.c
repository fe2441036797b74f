// SPDX-License-Identifier: Apache-2.0
/* Everything that user/proc and user/stdio parse from /proc: the first byte chooses the parser. */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/proc/environ.h"
#include "user/proc/identity.h"
#include "user/proc/script.h"
#include "user/proc/sock.h"
#include "user/proc/tree.h"
#include "user/stdio/epoll_info.h"

static void check_script(const char *p, size_t n)
{
	static const char *const exes[] = { "/usr/bin/node", "/usr/bin/python3.11", "/bin/bash", "/bin/dash",
					    "/usr/bin/bun",  "/usr/bin/deno",	    "/usr/bin/php" };
	const char *script;

	for (size_t i = 0; i < sizeof(exes) / sizeof(exes[0]); i++)
		if (script_of_args(exes[i], p, n, &script) == 1 &&
		    (script < p || script + strlen(script) >= p + n))
			abort();
}

static void check_identity(const uint8_t *p, size_t n)
{
	static struct proc_identity id;

	memset(&id, 0, sizeof(id));
	memcpy(&id, p, n < sizeof(id) ? n : sizeof(id));
	if (proc_identity_valid(&id))
		for (unsigned i = 0; i < 8; i++)
			(void)proc_identity_arg(&id, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t loopback[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
	struct proc_listener list[4];
	struct environ_scan env = { 0 };
	struct epoll_info info;
	struct proc_stat st;
	unsigned rank = 0;
	char names[64], *text;

	if (size == 0)
		return 0;
	text = malloc(size); /* exactly as long as it is */
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 6) {
	case 0:
		(void)proc_stat_parse(text, size - 1, &st);
		break;
	case 1:
		if (proc_listener_scan(text, size - 1, size & 1 ? AF_INET : AF_INET6, loopback, 8080, &rank,
				       list, 0, 4) > 4)
			abort();
		break;
	case 2:
		check_script(text, size - 1);
		break;
	case 3:
		environ_scan_feed(&env, text, (size - 1) / 2);
		environ_scan_feed(&env, text + (size - 1) / 2, size - 1 - (size - 1) / 2);
		environ_scan_names(&env, size & 1, names, sizeof(names));
		if (strlen(names) >= sizeof(names))
			abort();
		break;
	case 4:
		(void)epoll_info_parse((struct span){ text, size - 1 }, &info);
		break;
	case 5:
		check_identity(data + 1, size - 1);
		break;
	}
	free(text);
	return 0;
}
