// SPDX-License-Identifier: Apache-2.0
/*
 * The query role: answers the audit socket from the log directory, which it can only read. Who may ask is
 * decided by the kernel's word about the peer; whether the peer lies in an agent's scope, by the supervisor's.
 */
#include "user/role/query_role.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/query/query.h"
#include "user/role/member.h"

#define NS_PER_MS 1000000ull
#define EVIDENCE_TIMEOUT_MS 10000 /* a TPM takes up to a second for each of a handful of signatures */
#define EVIDENCE_MAX (96u << 20) /* both of the kernel's logs at their limits */
#define ASKED_TIMEOUT_MS 5000 /* a busy disk; a question that is not recorded by then is not answered */
#define SCOPE_TIMEOUT_MS 2000 /* a supervisor that does not answer counts as "inside" */

struct query_role {
	struct member member;
	struct query *query;
	struct loop_io *io;
	struct loop_timer *timer;
	int log_dirfd, scope_fd; /* scope_fd: a channel of its own, for questions that wait for their answer */
	int evidence_fd; /* another, whose answers may come too late */
	int asked_fd; /* a third like it; -1: questions are not recorded */
	uint32_t serial;
	char index_path[PROC_PATH_MAX + 16];
};

static void serve(struct query_role *q)
{
	int ms;

	(void)query_run(q->query);
	ms = query_timeout_ms(q->query);
	if (ms >= 0)
		(void)loop_timer_arm(q->timer, (uint64_t)ms * NS_PER_MS, 0);
}

static void on_ready(struct loop_io *io, uint32_t events, void *arg)
{
	(void)io;
	(void)events;
	serve(arg);
}

static void on_timer(struct loop_timer *t, void *arg)
{
	struct query_role *q = arg;

	(void)t;
	if (q->query)
		serve(q);
}

static bool in_scope(void *arg, pid_t pid)
{
	struct query_role *q = arg;
	struct msg_pid ask = { .pid = pid };
	struct msg_flag is;

	if (q->scope_fd < 0 || ipc_put(q->scope_fd, MSG_QUERY_SCOPE, 0, &ask, sizeof(ask), NULL, 0) < 0)
		return true;
	if (ipc_wait(q->scope_fd, SCOPE_TIMEOUT_MS, MSG_QUERY_SCOPE_IS, &is, sizeof(is), NULL, 0) < 0)
		return true;
	return is.value;
}

/* LIMIT: the audit socket waits with the one who asked. */
static int evidence(void *arg, struct span nonce, struct buf *json)
{
	struct query_role *q = arg;
	struct msg_evidence ask = { .serial = ++q->serial, .nonce_n = (uint32_t)nonce.n };
	struct msg_evidence_is is;
	int fd = -1, r;

	if (nonce.n > sizeof(ask.nonce))
		return -EINVAL;
	memcpy(ask.nonce, nonce.p, nonce.n);
	r = q->evidence_fd < 0 ? -EPIPE : ipc_put(q->evidence_fd, MSG_QUERY_EVIDENCE, 0, &ask, sizeof(ask), NULL, 0);
	while (r == 0) {
		r = ipc_wait(q->evidence_fd, EVIDENCE_TIMEOUT_MS, MSG_QUERY_EVIDENCE_IS, &is, sizeof(is), &fd, 1);
		if (r < 0 || is.serial == ask.serial)
			break;
		cleanup_close(&fd); /* to a question that was given up */
	}
	if (r == 0)
		r = is.error < 0 ? is.error : fd < 0 ? -EBADMSG : file_read_at_start(fd, EVIDENCE_MAX, json);
	cleanup_close(&fd);
	return r;
}

static int asked(void *arg, const struct query_asked *a)
{
	struct query_role *q = arg;
	struct msg_asked ask = {
		.serial = ++q->serial, .pid = a->pid, .uid = a->uid, .status = a->status,
		.stream = a->stream, .rows = a->rows,
	};
	struct msg_asked_is is;
	int r;

	if (q->asked_fd < 0)
		return 0;
	(void)snprintf(ask.path, sizeof(ask.path), "%s", a->path);
	(void)snprintf(ask.filter, sizeof(ask.filter), "%.*s", (int)a->filter.n, a->filter.n ? a->filter.p : "");
	r = ipc_put(q->asked_fd, MSG_QUERY_ASKED, 0, &ask, sizeof(ask), NULL, 0);
	do { /* answers to questions that were given up come first */
		if (r == 0)
			r = ipc_wait(q->asked_fd, ASKED_TIMEOUT_MS, MSG_QUERY_ASKED_IS, &is, sizeof(is), NULL, 0);
	} while (r == 0 && is.serial != ask.serial);
	if (r == 0)
		r = is.error;
	if (r < 0)
		log_warn("record a question of pid %d, uid %u: %s", a->pid, a->uid, err_text(r));
	return r;
}

static void on_denied(void *arg, enum query_denied why, pid_t pid, uid_t uid)
{
	struct query_role *q = arg;
	struct msg_pid m = { .pid = pid, .uid = uid };

	(void)why;
	(void)member_tell(&q->member, MSG_QUERY_REFUSED, 0, &m, sizeof(m));
}

static int on_listen(struct query_role *q, struct ipc_msg *m)
{
	struct query_config c = {
		.log_dirfd = q->log_dirfd, .index_path = q->index_path,
		.audit_gid = q->member.spec.audit_gid, .in_scope = in_scope, .denied = on_denied,
		.evidence = evidence, .asked = asked, .arg = q,
	};
	int r;

	if (m->nfds != 3 && m->nfds != 4)
		return -EBADMSG;
	if (q->asked_fd >= 0)
		close(q->asked_fd);
	q->asked_fd = m->nfds == 4 ? ipc_take_fd(m, 3) : -1;
	if (q->evidence_fd >= 0)
		close(q->evidence_fd);
	q->evidence_fd = ipc_take_fd(m, 2);
	if (q->scope_fd >= 0)
		close(q->scope_fd);
	q->scope_fd = ipc_take_fd(m, 1);
	if (q->query)
		return 0; /* a restarted supervisor: the socket is served already */
	c.listen_fd = ipc_take_fd(m, 0);
	r = query_open(&c, &q->query);
	if (r < 0)
		return log_err(r, "open log: %s", err_text(r));
	r = loop_io_add(q->member.loop, query_fd(q->query), EPOLLIN, on_ready, q, &q->io);
	if (r >= 0)
		serve(q);
	return r;
}

static int on_message(struct member *member, struct ipc_msg *m, void *arg)
{
	(void)member;
	switch (m->type) {
	case MSG_SETUP:
		return 0;
	case MSG_QUERY_LISTEN:
		return on_listen(arg, m);
	default:
		return -EBADMSG;
	}
}

int query_role_run(void)
{
	static const struct member_ops ops = { .message = on_message };
	static struct query_role role = { .scope_fd = -1, .evidence_fd = -1, .asked_fd = -1 };
	struct query_role *q = &role;
	struct sandbox_spec sandbox = { .npaths = 2 };
	int r = member_init(&q->member, ROLE_QUERY);

	if (r >= 0)
		r = loop_timer_add(q->member.loop, on_timer, q, &q->timer);
	if (r < 0) {
		log_err(r, "start: %s", err_text(r));
		return EXIT_FAILURE;
	}
	(void)snprintf(q->index_path, sizeof(q->index_path), "%.*s/index.sqlite",
		       PROC_PATH_MAX - 1, q->member.spec.state_dir);
	sandbox.uid = q->member.spec.uid;
	sandbox.gid = q->member.spec.gid;
	sandbox.paths[0] = (struct sandbox_path){ q->member.spec.log_dir, false };
	sandbox.paths[1] = (struct sandbox_path){ q->member.spec.state_dir, true };
	r = query_prepare();
	if (r < 0) {
		log_err(r, "load libmicrohttpd: %s", err_text(r));
		return EXIT_FAILURE;
	}
	r = member_enter(&q->member, &sandbox, &ops, q);
	if (r < 0)
		return EXIT_FAILURE;
	q->log_dirfd = open(q->member.spec.log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->log_dirfd < 0) {
		log_err(-errno, "open %s: %s", q->member.spec.log_dir, err_text(errno));
		return EXIT_FAILURE;
	}
	r = member_run(&q->member);
	query_close(q->query);
	return r;
}
