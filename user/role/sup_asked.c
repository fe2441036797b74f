// SPDX-License-Identifier: Apache-2.0
/*
 * Questions to the audit socket on their way into the log. The query role writes no log, and cannot look at the
 * process that asked: the supervisor says in which unit it runs, and the notary writes.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/file.h"
#include "user/query/query.h"
#include "user/role/sup.h"

static bool is_unit(struct span name)
{
	static const char *const ends[] = { ".service", ".scope", ".slice" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]);

		if (name.n > n && memcmp(name.p + name.n - n, ends[i], n) == 0)
			return true;
	}
	return false;
}

/* The innermost part of a cgroup's path that names a unit; the whole path when none does. */
static struct span unit_of(struct span path)
{
	size_t end = path.n;

	for (size_t i = path.n; i-- > 0;) {
		struct span part = { path.p + i + 1, end - i - 1 };

		if (path.p[i] != '/')
			continue;
		if (is_unit(part))
			return part;
		end = i;
	}
	return path;
}

/* "" when the process is gone: who it was, its uid and pid still say. */
static void read_unit(pid_t pid, char *ret, size_t size)
{
	char text[PROC_PATH_MAX + 512]; /* lines of cgroup v1 may stand before ours */
	ssize_t n = proc_read(pid, "cgroup", text, sizeof(text));
	struct span path, unit;

	ret[0] = '\0';
	if (n < 0 || !proc_field((struct span){ text, (size_t)n }, "0", &path) || path.n < 1)
		return;
	unit = unit_of((struct span){ path.p + 1, path.n - 1 }); /* after the second colon */
	(void)snprintf(ret, size, "%.*s", (int)unit.n, unit.p);
}

static int refuse(struct ipc *to, uint32_t serial, int error)
{
	const struct msg_asked_is is = { .serial = serial, .error = error };

	return ipc_send(to, MSG_QUERY_ASKED_IS, 0, &is, sizeof(is), NULL, 0);
}

static int asked(struct ipc *c, struct ipc_msg *m, void *arg)
{
	const struct msg_asked *from = m->body;
	struct supervisor *s = arg;
	struct msg_asked ask;

	if (m->type != MSG_QUERY_ASKED || m->len != sizeof(*from) || from->stream > QUERY_STREAM_ENDS ||
	    !msg_string_ok(from->path, sizeof(from->path)) || !msg_string_ok(from->filter, sizeof(from->filter)))
		return -EBADMSG;
	if (!s->notary || !s->notary_there)
		return refuse(c, from->serial, -EAGAIN);
	ask = *from;
	read_unit(ask.pid, ask.unit, sizeof(ask.unit));
	return ipc_send(s->notary, MSG_NOTARY_ASKED, 0, &ask, sizeof(ask), NULL, 0);
}

static void closed(struct ipc *c, void *arg)
{
	struct supervisor *s = arg;

	if (s->query_asked == c)
		s->query_asked = NULL;
	ipc_free(c);
}

static const struct ipc_ops asked_ops = { .message = asked, .closed = closed };

int sup_asked_channel(struct supervisor *s, int *ret_fd)
{
	int pair[2], r = ipc_pair(pair);

	if (r < 0)
		return r;
	ipc_free(s->query_asked);
	s->query_asked = NULL;
	r = ipc_new(s->loop, pair[0], &asked_ops, s, &s->query_asked);
	if (r < 0) {
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	*ret_fd = pair[1];
	return 0;
}

int sup_asked_answer(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_asked_is *is = m->body;

	if (m->len != sizeof(*is))
		return -EBADMSG;
	if (!s->query_asked)
		return 0; /* who asked is gone */
	return ipc_send(s->query_asked, MSG_QUERY_ASKED_IS, 0, is, sizeof(*is), NULL, 0);
}
