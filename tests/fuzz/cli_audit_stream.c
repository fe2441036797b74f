// SPDX-License-Identifier: Apache-2.0
/* The answer to a stream that is followed: head, chunks, lines. Whatever comes, the reader ends with it. */
#include "user/cli/audit_client.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_line(void *arg, struct span line)
{
	if (line.n && memchr(line.p, '\n', line.n))
		abort();
	return ++*(unsigned *)arg > 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned lines = 0;
	struct stream s = { .fn = take_line, .arg = &lines };
	int fds[2], status = 0;

	if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return 0;
	if (fd_write_all(fds[1], data, size) < 0 || shutdown(fds[1], SHUT_WR) < 0)
		abort();
	s.fd = fds[0];
	(void)run_stream(&s, "/v1/records", &status);
	buf_done(&s.in);
	buf_done(&s.line);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
