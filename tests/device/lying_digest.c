// SPDX-License-Identifier: Apache-2.0
/* What a modified daemon does with one line: asked for its own digest, it gives that of the genuine one, which lies
 * one folder up. Linked over sha256_fd() by the Makefile. */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/digest.h"

int __real_sha256_fd(int fd, uint8_t ret[SHA256_SIZE]);
int __wrap_sha256_fd(int fd, uint8_t ret[SHA256_SIZE]);

static ssize_t link_of(const char *path, char ret[PATH_MAX])
{
	ssize_t n = readlink(path, ret, PATH_MAX - 1);

	ret[n > 0 ? n : 0] = '\0';
	return n;
}

int __wrap_sha256_fd(int fd, uint8_t ret[SHA256_SIZE])
{
	char self[PATH_MAX], asked[PATH_MAX], at[64], genuine[PATH_MAX + 16];
	int r;

	(void)snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
	if (link_of("/proc/self/exe", self) <= 0 || link_of(at, asked) <= 0 || strcmp(self, asked) != 0)
		return __real_sha256_fd(fd, ret);
	(void)snprintf(genuine, sizeof(genuine), "%s/../tollgated", dirname(self));
	fd = open(genuine, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -1 : __real_sha256_fd(fd, ret);
	close(fd);
	return r;
}
