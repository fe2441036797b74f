// SPDX-License-Identifier: Apache-2.0
/* Command lines of program loaders. Pure. Runs in the supervisor. */
#include "user/enrol/loader.h"

#include <string.h>

#include "user/base/cleanup.h"

static const char *const with_value[] = {
	"--argv0", "--audit", "--glibc-hwcaps-mask", "--glibc-hwcaps-prepend", "--inhibit-rpath", "--library-path",
	"--preload",
};

static const char *const without_value[] = {
	"--help", "--inhibit-cache", "--list", "--list-diagnostics", "--list-tunables", "--verify", "--version",
};

static bool among(const char *arg, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(arg, list[i]) == 0)
			return true;
	return false;
}

bool loader_seeks(const char *args, size_t len)
{
	const char *at = args, *end = args + len;
	/* Whether the argument at hand, and the two behind it, may be the program. */
	bool may = false, may_next = true, may_after = false;
	bool literal = false; /* "--" stood before: what looks like an option is none */

	while (at < end) {
		if (!memchr(at, '\0', (size_t)(end - at)))
			return may || may_next || may_after;
		if (may && (literal || strncmp(at, "--", 2) != 0)) {
			if (!strchr(at, '/'))
				return true;
		} else if (may) {
			literal = at[2] == '\0';
			may_next |= !among(at, with_value, ARRAY_SIZE(with_value));
			may_after = !literal && !strchr(at, '=') &&
				    !among(at, without_value, ARRAY_SIZE(without_value));
		}
		may = may_next;
		may_next = may_after;
		may_after = false;
		at += strlen(at) + 1;
	}
	return false;
}
