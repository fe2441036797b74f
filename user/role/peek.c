// SPDX-License-Identifier: Apache-2.0
/*
 * Is this stream MCP? Every line counts, not only the first: a server that skips rubbish would still read
 * the line after it. Hostile bytes, so this runs in the proxy, never in the supervisor.
 */
#include "user/role/peek.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
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

/* Nothing can be added any more: a line that has not ended will not. */
static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

void peek_classify(const struct msg_look *p, int fd, struct msg_looked *ret)
{
	static char all[MSG_HEAD_MAX + PEEK_MAX];
	char *queued = all + p->head_len;
	ssize_t n = p->socket ? recv(fd, queued, PEEK_MAX, MSG_PEEK | MSG_DONTWAIT) :
				read_pipe(fd, queued, PEEK_MAX);
	size_t have = n > 0 ? (size_t)n : 0;
	struct span head = { all, p->head_len }, lies = { queued, have }, joined = { all, p->head_len + have };
	enum msg_looked_is is_head, is_rest;

	memcpy(all, p->head, p->head_len);
	*ret = (struct msg_looked){ .is = MSG_LOOKED_UNDECIDED, .full = have == PEEK_MAX || p->gap,
				    .ended = has_ended(fd), .empty = !have && !p->in_hand };
	if (p->in_hand && !p->gap) {
		ret->is = judge_lines(joined);
		return;
	}
	is_head = judge_lines(head);
	is_rest = judge_lines(lies);
	if (is_head == MSG_LOOKED_MCP || is_rest == MSG_LOOKED_MCP)
		ret->is = MSG_LOOKED_MCP;
	else if (!p->gap && (is_rest == MSG_LOOKED_NOT || (!have && is_head == MSG_LOOKED_NOT)))
		ret->is = MSG_LOOKED_NOT;
}
