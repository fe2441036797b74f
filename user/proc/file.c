// SPDX-License-Identifier: Apache-2.0
/*
 * Small reads from /proc. Runs in the supervisor, the injector and the tools; what it reads was partly
 * chosen by the process it is about (names, arguments), so nothing here trusts its shape.
 */
#include "user/proc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define PROC_NAME_MAX 96 /* "/proc/4194304/task/4194304/fdinfo/1048576" and room */

static int path_of(pid_t pid, const char *name, char ret[PROC_NAME_MAX])
{
	int n = snprintf(ret, PROC_NAME_MAX, "/proc/%d/%s", (int)pid, name);

	return n < 0 || n >= PROC_NAME_MAX ? -ENAMETOOLONG : 0;
}

int proc_open(pid_t pid, const char *name, int flags)
{
	char path[PROC_NAME_MAX];
	int fd, r = path_of(pid, name, path);

	if (r < 0)
		return r;
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == ENOTDIR ? -ESRCH : -errno;
}

ssize_t proc_read(pid_t pid, const char *name, char *ret, size_t size)
{
	_cleanup_close_ int fd = proc_open(pid, name, O_RDONLY);
	size_t have = 0;

	if (fd < 0)
		return fd;
	while (have < size - 1) {
		ssize_t n = read(fd, ret + have, size - 1 - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	ret[have] = '\0';
	return (ssize_t)have;
}

int proc_readlink(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[PROC_NAME_MAX], target[PATH_MAX];
	int r = path_of(pid, name, path);
	ssize_t n;

	if (r < 0)
		return r;
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if ((size_t)n >= size || (size_t)n >= sizeof(target))
		return -ENAMETOOLONG;
	memcpy(ret, target, (size_t)n);
	ret[n] = '\0';
	return 0;
}

int proc_fd_stat(pid_t pid, int fd, struct stat *ret)
{
	char name[32], path[PROC_NAME_MAX];
	int r;

	(void)snprintf(name, sizeof(name), "fd/%d", fd);
	r = path_of(pid, name, path);
	if (r < 0)
		return r;
	if (stat(path, ret) == 0)
		return 0;
	return errno == ENOENT ? -ESRCH : -errno;
}

bool proc_field(struct span text, const char *key, struct span *ret)
{
	size_t klen = strlen(key);

	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t len = nl ? (size_t)(nl - text.p) : text.n;

		if (len > klen && memcmp(text.p, key, klen) == 0 && text.p[klen] == ':') {
			*ret = (struct span){ text.p + klen + 1, len - klen - 1 };
			proc_skip_blanks(ret);
			return true;
		}
		if (!nl)
			break;
		text.p += len + 1;
		text.n -= len + 1;
	}
	return false;
}

void proc_skip_blanks(struct span *s)
{
	while (s->n > 0 && (*s->p == ' ' || *s->p == '\t')) {
		s->p++;
		s->n--;
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool proc_number(struct span *s, unsigned base, uint64_t *ret)
{
	struct span at = *s;
	uint64_t v = 0;

	while (at.n > 0 && (unsigned)digit(*at.p) < base) {
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit(*at.p), &v))
			return false;
		at.p++;
		at.n--;
	}
	if (at.n == s->n)
		return false;
	*s = at;
	*ret = v;
	return true;
}

bool proc_pid_of(const char *name, pid_t *ret)
{
	struct span s = span_of(name);
	uint64_t v;

	if (!proc_number(&s, 10, &v) || s.n > 0 || v == 0 || v > INT_MAX)
		return false;
	*ret = (pid_t)v;
	return true;
}
