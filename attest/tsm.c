// SPDX-License-Identifier: Apache-2.0
/*
 * One report by configfs-tsm. Other processes can open the same entry: the kernel counts each write, and a report
 * is ours only when the count went up by our own write and by nobody else's.
 */
#include "attest/tsm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

#define FOLDER "/sys/kernel/config/tsm/report"
#define TEXT_MAX 64
#define TRIES 3

struct entry {
	char path[PATH_MAX];
	int fd;
};

static void entry_close(struct entry *e)
{
	if (e->fd < 0)
		return;
	close(e->fd);
	(void)rmdir(e->path); /* what stays is an empty entry of ours */
	e->fd = -1;
}

static int entry_open(const char *root, struct entry *ret)
{
	uint64_t unique;

	ret->fd = -1;
	if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
		return -EIO;
	if (snprintf(ret->path, sizeof(ret->path), "%s" FOLDER "/tollgate-%d-%016" PRIx64, root, (int)getpid(),
		     unique) >= (int)sizeof(ret->path))
		return -ENAMETOOLONG;
	if (mkdir(ret->path, 0700) < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0) {
		int r = -errno;

		(void)rmdir(ret->path);
		return r;
	}
	return 0;
}

static int read_blob(const struct entry *e, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = openat(e->fd, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_read_fd(fd, TSM_BLOB_MAX, ret);
}

static int read_text(const struct entry *e, const char *name, char ret[TEXT_MAX])
{
	_cleanup_close_ int fd = openat(e->fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, TEXT_MAX); /* the kernel gives a line in one piece */

	if (n < 0)
		return -errno;
	if (n == 0 || n == TEXT_MAX)
		return -EBADMSG;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int read_generation(const struct entry *e, uint64_t *ret)
{
	char text[TEXT_MAX], *end;
	int r = read_text(e, "generation", text);

	if (r < 0)
		return r;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *end || errno || text[0] < '0' || text[0] > '9' ? -EBADMSG : 0;
}

static int is_provider(const struct entry *e, const char *provider)
{
	char text[TEXT_MAX];
	int r = read_text(e, "provider", text);

	return r < 0 ? r : strcmp(text, provider) == 0 ? 0 : -ENODEV;
}

bool tsm_present(const char *root, const char *provider)
{
	struct entry e;
	int r = entry_open(root, &e);

	if (r == 0)
		r = is_provider(&e, provider);
	entry_close(&e);
	return r == 0;
}

/* The whole in one write: a second one would be another request. */
static int write_data(const struct entry *e, const uint8_t data[TSM_DATA_SIZE])
{
	_cleanup_close_ int fd = openat(e->fd, "inblob", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, data, TSM_DATA_SIZE);

	if (n < 0)
		return -errno;
	if (n != TSM_DATA_SIZE)
		return -EIO;
	n = close(take_fd(fd)); /* some kernels hand it over only now */
	return n < 0 ? -errno : 0;
}

static int report_once(const struct entry *e, const uint8_t data[TSM_DATA_SIZE], struct buf *report, struct buf *aux)
{
	uint64_t before, after;
	int r = read_generation(e, &before);

	if (r == 0)
		r = write_data(e, data);
	if (r == 0)
		r = read_blob(e, "outblob", report);
	if (r == 0) {
		r = read_blob(e, "auxblob", aux);
		if (r == -ENOENT) /* not every provider has one */
			r = 0;
	}
	if (r == 0)
		r = read_generation(e, &after);
	if (r == 0 && after != before + 1)
		r = -EAGAIN;
	return r == -EWOULDBLOCK ? -EAGAIN : r;
}

int tsm_report(const char *root, const char *provider, const uint8_t data[TSM_DATA_SIZE], struct buf *report,
	       struct buf *aux)
{
	const size_t report_n = buf_len(report), aux_n = buf_len(aux);
	struct entry e;
	int r = entry_open(root, &e);

	if (r == 0)
		r = is_provider(&e, provider);
	for (int i = 0; i < TRIES && (r == 0 || r == -EAGAIN); i++) {
		report->end = report->start + report_n;
		aux->end = aux->start + aux_n;
		r = report_once(&e, data, report, aux);
		if (r == 0)
			break;
	}
	entry_close(&e);
	return r < 0 ? r : buf_len(report) > report_n ? 0 : -EBADMSG;
}
