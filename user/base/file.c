// SPDX-License-Identifier: Apache-2.0
/*
 * Whole-file and whole-buffer input and output with limits.
 */
#include "user/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define READ_STEP 65536

/* at NULL: from the descriptor's own offset. */
static int read_all(int fd, off_t *at, size_t max, struct buf *ret)
{
	for (;;) {
		char *p;
		ssize_t n;
		int r = buf_reserve(ret, READ_STEP, &p);

		if (r < 0)
			return r == -EMSGSIZE ? -EFBIG : r;
		n = at ? pread(fd, p, READ_STEP, *at) : read(fd, p, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_commit(ret, (size_t)n);
		if (at)
			*at += n;
		if (buf_len(ret) > max)
			return -EFBIG;
	}
}

int file_read_fd(int fd, size_t max, struct buf *ret)
{
	return read_all(fd, NULL, max, ret);
}

int file_read_at_start(int fd, size_t max, struct buf *ret)
{
	off_t at = 0;

	return read_all(fd, &at, max, ret);
}

int file_read(const char *path, size_t max, struct buf *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return file_read_fd(fd, max, ret);
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n > 0) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		s += w;
		n -= (size_t)w;
	}
	return 0;
}

int file_replace(const char *path, const void *p, size_t n, mode_t mode)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, p, n);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

int fd_nonblock(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int memfd_sealed(const char *name, const void *p, size_t n)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, p, n);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(fd);
}
