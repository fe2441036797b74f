// SPDX-License-Identifier: Apache-2.0
/*
 * Which mounts are FUSE. Runs in the supervisor, which must never wait for a file system that an agent serves.
 */
#include "user/proc/fuse.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/proc/file.h"

#define MOUNTINFO_MAX (4u << 20)

/* A line of mountinfo is "ID PARENT MAJ:MIN ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE ...". Blanks inside
 * ROOT and POINT are escaped by the kernel. */
static bool line_is_fuse(struct span line, uint64_t mount_id)
{
	const char *dash;
	uint64_t id;

	if (!proc_number(&line, 10, &id) || id != mount_id)
		return false;
	dash = memmem(line.p, line.n, " - ", 3);
	if (!dash)
		return true;
	line.n -= (size_t)(dash + 3 - line.p);
	line.p = dash + 3;
	return line.n >= 4 && memcmp(line.p, "fuse", 4) == 0;
}

int proc_on_fuse(pid_t pid, uint64_t mount_id)
{
	_cleanup_close_ int fd = proc_open(pid, "mountinfo", O_RDONLY);
	_cleanup_buf_ struct buf text = { 0 };
	struct span s;
	int r;

	if (fd < 0)
		return fd;
	r = file_read_fd(fd, MOUNTINFO_MAX, &text);
	if (r < 0)
		return r;
	s = buf_span(&text);
	while (s.n > 0) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t len = nl ? (size_t)(nl - s.p) : s.n;

		if (line_is_fuse((struct span){ s.p, len }, mount_id))
			return 1;
		if (!nl)
			break;
		s.p += len + 1;
		s.n -= len + 1;
	}
	return 0;
}
