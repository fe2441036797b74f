// SPDX-License-Identifier: Apache-2.0
/*
 * Is this stream MCP? Every line counts, not only the first: a server that skips rubbish would still read
 * the line after it. Hostile bytes, so this runs in the proxy, never in the supervisor.
 */
#include "user/role/peek.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/mcp/jsonrpc.h"

#define PEEK_MAX 65536 /* a pipe's capacity; what does not fit is decided by what does */

static enum msg_looked_is judge_lines(struct span s)
{
	enum msg_looked_is is = s.n ? MSG_LOOKED_NOT : MSG_LOOKED_UNDECIDED;

	while (s.n) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t n = nl ? (size_t)(nl - s.p) + 1 : s.n;

		switch (jsonrpc_peek((struct span){ s.p, n })) {
		case JSONRPC_PEEK_YES:
			return MSG_LOOKED_MCP;
		case JSONRPC_PEEK_UNDECIDED:
			is = MSG_LOOKED_UNDECIDED;
			break;
		default:
			break;
		}
		s.p += n;
		s.n -= n;
	}
	return is;
}

static ssize_t read_pipe(int fd, char *to, size_t max)
{
	int pair[2];
	ssize_t n;

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	n = tee(fd, pair[1], max, SPLICE_F_NONBLOCK);
	if (n > 0)
		n = read(pair[0], to, max);
	else if (n < 0)
		n = -errno;
	close(pair[0]);
	close(pair[1]);
	return n;
}

void peek_classify(const struct msg_look *p, int fd, struct msg_looked *ret)
{
	static char queued[PEEK_MAX];
	ssize_t n = p->socket ? recv(fd, queued, sizeof(queued), MSG_PEEK | MSG_DONTWAIT) :
				read_pipe(fd, queued, sizeof(queued));
	enum msg_looked_is seen = judge_lines((struct span){ p->head, p->head_len });
	enum msg_looked_is lies = judge_lines((struct span){ queued, n > 0 ? (size_t)n : 0 });

	*ret = (struct msg_looked){ .is = MSG_LOOKED_UNDECIDED, .full = n == (ssize_t)sizeof(queued) };
	if (seen == MSG_LOOKED_MCP || lies == MSG_LOOKED_MCP)
		ret->is = MSG_LOOKED_MCP;
	else if (lies == MSG_LOOKED_NOT || (n <= 0 && seen == MSG_LOOKED_NOT))
		ret->is = MSG_LOOKED_NOT;
}
