// SPDX-License-Identifier: Apache-2.0
/*
 * The common life of proxy, notary and query. Nothing hostile is read before the sandbox stands.
 */
#include "user/role/member.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/base/settle.h"
#include "user/gate/gate.h"
#include "user/role/spawn.h"

#define SPEC_TIMEOUT_MS 10000 /* the keeper sends it right after the fork */

int member_init(struct member *m, enum role role)
{
	int r;

	*m = (struct member){ 0 };
	r = ipc_wait(ROLE_CHANNEL_FD, SPEC_TIMEOUT_MS, MSG_SPAWN, &m->spec, sizeof(m->spec), NULL, 0);
	if (r < 0)
		return r;
	if (m->spec.role != (uint32_t)role || !msg_string_ok(m->spec.log_dir, sizeof(m->spec.log_dir)) ||
	    !msg_string_ok(m->spec.state_dir, sizeof(m->spec.state_dir)) ||
	    !msg_string_ok(m->spec.node, sizeof(m->spec.node)))
		return -EBADMSG;
	return loop_new(&m->loop);
}

static int from_supervisor(struct ipc *c, struct ipc_msg *msg, void *arg)
{
	struct member *m = arg;

	(void)c;
	return m->ops->message(m, msg, m->arg);
}

static void supervisor_gone(struct ipc *c, void *arg)
{
	struct member *m = arg;

	if (m->supervisor == c)
		m->supervisor = NULL;
	ipc_free(c);
}

static const struct ipc_ops supervisor_ops = { .message = from_supervisor, .closed = supervisor_gone };

static int from_keeper(struct ipc *c, struct ipc_msg *msg, void *arg)
{
	struct member *m = arg;
	struct ipc *sup = NULL;
	int fd, r;

	(void)c;
	if (msg->type != MSG_SUPERVISOR || msg->nfds != 1)
		return -EBADMSG;
	fd = ipc_take_fd(msg, 0);
	r = ipc_new(m->loop, fd, &supervisor_ops, m, &sup);
	if (r < 0) {
		close(fd);
		return r;
	}
	ipc_free(m->supervisor);
	m->supervisor = sup;
	return m->ops->joined ? m->ops->joined(m, m->arg) : 0;
}

static void keeper_gone(struct ipc *c, void *arg)
{
	struct member *m = arg;

	(void)c;
	loop_stop(m->loop, EXIT_FAILURE);
}

static const struct ipc_ops keeper_ops = { .message = from_keeper, .closed = keeper_gone };

static void on_signal(int signo, void *arg)
{
	struct member *m = arg;

	(void)signo;
	if (m->ops->terminate)
		m->ops->terminate(m, m->arg);
	else
		loop_stop(m->loop, EXIT_SUCCESS);
}

int member_enter(struct member *m, const struct sandbox_spec *sandbox, const struct member_ops *ops,
		 void *arg)
{
	static const int signals[] = { SIGTERM, 0 };
	enum role role = (enum role)m->spec.role;
	int r;

	m->ops = ops;
	m->arg = arg;
	(void)signal(SIGPIPE, SIG_IGN);
	r = loop_signals(m->loop, signals, on_signal, m);
	if (r >= 0)
		r = ipc_new(m->loop, ROLE_CHANNEL_FD, &keeper_ops, m, &m->keeper);
	if (r >= 0)
		r = sandbox_enter(role, sandbox, NULL);
	return r < 0 ? log_err(r, "%s: enter sandbox: %s", role_name(role), err_text(r)) : 0;
}

int member_run(struct member *m)
{
	int r;

	memory_settle(false);
	r = loop_run(m->loop);
	return r < 0 ? log_err(EXIT_FAILURE, "%s: run: %s", role_name((enum role)m->spec.role), err_text(r)) : r;
}

int member_tell(struct member *m, uint32_t type, uint64_t cookie, const void *body, size_t len)
{
	return ipc_send(m->supervisor, type, cookie, body, len, NULL, 0);
}

bool setup_valid(const struct msg_setup *s)
{
	return msg_string_ok(s->node, sizeof(s->node)) &&
	       msg_string_ok(s->name_servers, sizeof(s->name_servers)) && s->own_names <= 1 &&
	       msg_string_ok(s->boot_id, sizeof(s->boot_id)) &&
	       msg_string_ok(s->program_hash, sizeof(s->program_hash)) &&
	       msg_string_ok(s->kernel_hash, sizeof(s->kernel_hash)) &&
	       msg_string_ok(s->policy_hash, sizeof(s->policy_hash)) &&
	       msg_string_ok(s->catalog_hash, sizeof(s->catalog_hash)) && s->mode <= GATE_SILENT &&
	       s->durability <= RECORD_SYNCED;
}
