// SPDX-License-Identifier: Apache-2.0
/*
 * The canary as the supervisor keeps it: a process in a scope of its own that connects every few seconds. Once to a
 * listener of ours, which no agent may reach: the connection must arrive at the canary's own listener instead, with
 * the record of where it was going, as an agent's arrives at a proxy. And once to that other listener itself, which is
 * barred to all of them: refused. So a connection goes the whole way of an agent's, through every program on it, and
 * health is what came of it, not what ought to.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/kern/cgroup.h"
#include "user/kern/flow.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"
#include "user/role/sup.h"

#define CANARY_CGROUP "tollgated.canary" /* beside the daemon's own */
#define CANARY_TICKS 2 /* seconds between two tries */
#define SILENT_TRIES 2 /* unanswered, in a row, until that is a fault: it is started anew in less */

/* The cgroup may have been taken away since, and its links with it. */
static int make_scope(struct supervisor *s)
{
	struct sup_canary *c = &s->canary;
	char parent[PATH_MAX];
	int r;

	memcpy(parent, c->daemon_dir, sizeof(parent));
	*strrchr(parent, '/') = '\0';
	r = cgroup_create(parent, CANARY_CGROUP, c->dir);
	return r < 0 ? r : kern_canary_attach(s->kern, c->dir);
}

int sup_canary_start(struct supervisor *s, const char *daemon_dir)
{
	struct sup_canary *c = &s->canary;
	int r;

	(void)snprintf(c->daemon_dir, sizeof(c->daemon_dir), "%s", daemon_dir);
	r = make_scope(s);
	if (r >= 0)
		r = listener_open_pid(getpid(), &c->bait);
	if (r >= 0)
		r = listener_open_pid(getpid(), &c->own);
	if (r >= 0)
		r = flow_listener_set(s->kern, c->own.netns_cookie, TG_AGENT_CANARY, c->own.port4, c->own.port6);
	return r < 0 ? log_err(r, "prepare the canary: %s", err_text(r)) : 0;
}

void sup_canary_stop(struct supervisor *s)
{
	struct sup_canary *c = &s->canary;

	listener_close(&c->bait);
	listener_close(&c->own);
	/* It ends after us. */
	if (c->channel)
		(void)cgroup_move(c->daemon_dir, c->pid);
	if (*c->dir)
		(void)cgroup_remove(c->dir);
}

void sup_canary_up(struct supervisor *s, pid_t pid)
{
	struct sup_canary *c = &s->canary;
	int r = make_scope(s);

	if (r >= 0)
		r = cgroup_move(c->dir, pid);
	c->pid = pid;
	c->awaits = false;
	/* What it then tries is not steered, and that is told. */
	if (r < 0 && r != -ESRCH)
		log_err(r, "bring the canary into its scope: %s", err_text(r));
}

/* Takes what waits at a listener; whether the canary's connection to the bait is among it. */
static bool arrived(const struct sup_canary *c, int listener)
{
	bool is = false;

	for (;;) {
		_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		struct tg_origin o;

		if (fd < 0)
			return is;
		is |= flow_origin(fd, &o) == 0 && o.agent == TG_AGENT_CANARY && o.port == c->bait.port4 &&
		      (pid_t)o.tgid == c->pid;
	}
}

static void judge(struct supervisor *s, const struct msg_canary_tried *t)
{
	struct sup_canary *c = &s->canary;
	bool steered = arrived(c, c->own.fd[LISTENER_TCP4]);
	char *p = c->problem;

	(void)arrived(c, c->bait.fd[LISTENER_TCP4]);
	*p = '\0';
	if (t->steered < 0)
		(void)snprintf(p, sizeof(c->problem), "the canary's connection failed instead of being steered: %s",
			       err_text(t->steered));
	else if (!steered)
		(void)snprintf(p, sizeof(c->problem), "the canary's connection was not steered: scopes may be open");
	else if (t->barred == 0 && s->conf.enforcement != CONF_OBSERVE)
		(void)snprintf(p, sizeof(c->problem), "the canary connected to where no agent may: scopes may be open");
	if (*p)
		return;
	if (!c->passed++)
		sup_record_node(s, "canary_passed", "the canary was steered and refused as an agent must be");
}

int sup_canary_tried(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_canary_tried *t = m->body;
	struct sup_canary *c = &s->canary;

	if (m->type != MSG_CANARY_TRIED || m->len != sizeof(*t) || t->steered > 0 || t->barred > 0)
		return -EBADMSG;
	if (t->serial != c->serial || !c->awaits)
		return 0; /* it comes late */
	c->awaits = false;
	c->silent = 0;
	judge(s, t);
	return 0;
}

void sup_canary_tick(struct supervisor *s)
{
	struct sup_canary *c = &s->canary;
	struct msg_canary try = { .steered = c->bait.port4, .barred = c->own.port4 };

	if (s->ticks % CANARY_TICKS)
		return;
	if ((c->awaits || !c->channel) && ++c->silent >= SILENT_TRIES)
		(void)snprintf(c->problem, sizeof(c->problem),
			       "the canary does not answer: nobody knows whether scopes are steered");
	try.serial = ++c->serial;
	c->tries++;
	c->awaits = c->channel && ipc_send(c->channel, MSG_CANARY_TRY, 0, &try, sizeof(try), NULL, 0) >= 0;
}
