// SPDX-License-Identifier: Apache-2.0
/*
 * Variables through which an environment makes a program load other code than its image and script.
 * Values are never kept: they may be secrets.
 */
#include "user/proc/environ.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/file.h"

#define ENVIRON_MAX (16u << 20) /* more than exec accepts with an unlimited stack (6 MiB) */

/* A trailing '*' matches any rest. At most 64. */
static const char *const names[] = {
	"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES",
	"OPENSSL_ENGINES", "NODE_OPTIONS", "NODE_PATH", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME",
	"PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONBREAKPOINT", "PERL5LIB", "PERL5OPT", "PERL5DB",
	"PERLLIB", "RUBYOPT", "RUBYLIB", "GEM_PATH", "GEM_HOME", "PHPRC", "PHP_INI_SCAN_DIR",
	"BUN_OPTIONS", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "BASH_FUNC_*",
	"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "DOTNET_STARTUP_HOOKS",
};

_Static_assert(ARRAY_SIZE(names) <= 64, "one bit each");

static void judge(struct environ_scan *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (names[i][n - 1] == '*') {
			if (s->len >= n && memcmp(s->name, names[i], n - 1) == 0)
				s->found |= 1ull << i;
		} else if (s->len > n + 1 && memcmp(s->name, names[i], n) == 0 && s->name[n] == '=') {
			s->found |= 1ull << i;
		}
	}
}

void environ_scan_feed(struct environ_scan *s, const char *p, size_t n)
{
	while (n > 0) {
		const char *nul = memchr(p, '\0', n);
		size_t piece = nul ? (size_t)(nul - p) : n;

		if (s->len < sizeof(s->name)) {
			size_t room = sizeof(s->name) - s->len;

			memcpy(s->name + s->len, p, piece < room ? piece : room);
		}
		s->len += piece;
		if (!nul)
			return;
		judge(s);
		memset(s->name, 0, sizeof(s->name));
		s->len = 0;
		p += piece + 1;
		n -= piece + 1;
	}
}

void environ_scan_names(const struct environ_scan *s, int complete, char *ret, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strcspn(names[i], "*");

		if (!(s->found >> i & 1))
			continue;
		if (at + n + 4 > size) { /* room for the ',' and what may have to follow */
			complete = 0;
			continue;
		}
		if (at)
			ret[at++] = ',';
		memcpy(ret + at, names[i], n);
		at += n;
	}
	if (!complete) {
		if (at)
			ret[at++] = ',';
		ret[at++] = '?';
	}
	ret[at] = '\0';
}

void environ_loader(pid_t pid, char *ret, size_t size)
{
	_cleanup_close_ int fd = proc_open(pid, "environ", O_RDONLY);
	struct environ_scan s = { 0 };
	bool complete = false;
	size_t total = 0;
	char piece[4096];

	while (fd >= 0 && total < ENVIRON_MAX) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			complete = n == 0;
			break;
		}
		environ_scan_feed(&s, piece, (size_t)n);
		total += (size_t)n;
	}
	environ_scan_feed(&s, "", 1); /* ends a last entry that the process left open */
	environ_scan_names(&s, complete, ret, size);
}
