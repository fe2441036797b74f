// SPDX-License-Identifier: Apache-2.0
/*
 * The listeners at which agents' steered connections end: one set for each agent in each network namespace. They
 * outlive this process in the keeper's hands; after the keeper's death they are made anew for whoever is still in
 * scope, or their connections would be refused until they start again. Runs in the supervisor.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/kern/flow.h"
#include "user/kern/scope.h"
#include "user/role/sup.h"

/* --- in the hands of keeper and proxy ----------------------------------------------------------------- */

static void listener_key(const struct sup_listener *l, enum listener_end end, char ret[MSG_KEY_MAX])
{
	(void)snprintf(ret, MSG_KEY_MAX, "listen/%" PRIu32 "/%" PRIu64 "/%u/%u", l->agent, l->l.netns_cookie,
		       (unsigned)end, listener_port(&l->l, end));
}

static struct sup_listener *kept_listener(struct supervisor *s, uint32_t agent, uint64_t cookie)
{
	struct sup_listener *l;

	for (l = s->listeners; l; l = l->next)
		if (l->agent == agent && l->l.netns_cookie == cookie)
			return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->agent = agent;
	l->l = (struct listener)LISTENER_NONE;
	l->l.netns_cookie = cookie;
	l->next = s->listeners;
	s->listeners = l;
	return l;
}

int sup_listener_take_back(struct supervisor *s, const char *key, int fd)
{
	struct sup_listener *l;
	uint32_t agent;
	uint64_t cookie;
	unsigned port, end;

	if (sscanf(key, "listen/%" SCNu32 "/%" SCNu64 "/%u/%u", &agent, &cookie, &end, &port) != 4)
		return -ENOENT;
	if (end >= LISTENER_ENDS || port > UINT16_MAX)
		return -EBADMSG;
	if (!listener_is(fd, end, (uint16_t)port, cookie)) {
		log_warn("descriptor %s that was kept is no such listener", key);
		s->listeners_refused = true;
	}
	l = kept_listener(s, agent, cookie);
	if (!l)
		return -ENOMEM;
	l->l.fd[end] = fd;
	*(end == LISTENER_TCP4 || end == LISTENER_NAMES4 ? &l->l.port4 : &l->l.port6) = (uint16_t)port;
	return 0;
}

static void tell_one(const struct sup_listener *l, struct ipc *to, enum listener_end end)
{
	struct msg_listen m = { .agent = l->agent, .end = (uint32_t)end, .netns_cookie = l->l.netns_cookie,
				.port = listener_port(&l->l, end) };

	if (l->l.fd[end] >= 0 && to)
		(void)ipc_send(to, MSG_LISTEN, 0, &m, sizeof(m), &l->l.fd[end], 1);
}

static void tell_listener(struct supervisor *s, const struct sup_listener *l)
{
	struct ipc *to = sup_proxy_that_judges(s, l->agent);
	char key[MSG_KEY_MAX];

	for (unsigned end = 0; end < LISTENER_ENDS; end++) {
		if (l->l.fd[end] < 0)
			continue;
		listener_key(l, end, key);
		sup_keep(s, key, l->l.fd[end]);
		tell_one(l, to, end);
	}
}

static void drop_listener(struct supervisor *s, const struct sup_listener *l)
{
	struct ipc *to = sup_proxy_of(s, l->agent);
	char key[MSG_KEY_MAX];

	for (unsigned end = 0; end < LISTENER_ENDS; end++) {
		struct msg_listen m = { .agent = l->agent, .end = end, .netns_cookie = l->l.netns_cookie };

		listener_key(l, end, key);
		sup_unkeep(s, key);
		if (to)
			(void)ipc_send(to, MSG_UNLISTEN, 0, &m, sizeof(m), NULL, 0);
	}
}

void sup_listen_settle(struct supervisor *s)
{
	while (s->listeners_refused && s->listeners) {
		struct sup_listener *l = s->listeners;

		drop_listener(s, l);
		listener_close(&l->l);
		s->listeners = l->next;
		free(l);
	}
}

void sup_listen_pause(struct supervisor *s, struct ipc *proxy)
{
	for (const struct sup_listener *l = s->listeners; l; l = l->next)
		for (unsigned end = 0; sup_proxy_of(s, l->agent) == proxy && end < LISTENER_ENDS; end++) {
			struct msg_listen m = { .agent = l->agent, .end = end,
						.netns_cookie = l->l.netns_cookie };

			(void)ipc_send(proxy, MSG_UNLISTEN, 0, &m, sizeof(m), NULL, 0);
		}
}

void sup_listen_tell_proxy(struct supervisor *s, struct sup_proxy *p)
{
	for (const struct sup_listener *l = s->listeners; l; l = l->next) {
		struct ipc *to = sup_proxy_that_judges(s, l->agent);

		for (unsigned end = 0; to && to == p->channel && end < LISTENER_ENDS; end++)
			tell_one(l, to, end);
	}
}

/* --- for a process that comes into scope -------------------------------------------------------------- */

static struct sup_listener *find_listener(struct supervisor *s, uint32_t agent, uint64_t cookie)
{
	for (struct sup_listener *l = s->listeners; l; l = l->next)
		if (l->agent == agent && l->l.netns_cookie == cookie && l->l.fd[LISTENER_TCP4] >= 0)
			return l;
	return NULL;
}

int sup_listen_for(struct supervisor *s, pid_t pid, uint32_t agent)
{
	struct listener fresh = LISTENER_NONE;
	struct sup_listener *l;
	int r = listener_open_pid(pid, &fresh);

	if (r < 0)
		return r;
	l = find_listener(s, agent, fresh.netns_cookie);
	if (l) {
		listener_close(&fresh);
	} else {
		l = calloc(1, sizeof(*l));
		if (!l) {
			listener_close(&fresh);
			return -ENOMEM;
		}
		l->agent = agent;
		l->l = fresh;
		l->next = s->listeners;
		s->listeners = l;
		tell_listener(s, l);
	}
	return flow_listener_set(s->kern, l->l.netns_cookie, agent, l->l.port4, l->l.port6);
}

void sup_listen_end(struct supervisor *s, uint32_t agent)
{
	struct sup_listener **at = &s->listeners;

	while (*at) {
		struct sup_listener *l = *at;

		if (l->agent != agent) {
			at = &l->next;
			continue;
		}
		(void)flow_listener_remove(s->kern, l->l.netns_cookie, agent);
		drop_listener(s, l);
		listener_close(&l->l);
		*at = l->next;
		free(l);
	}
}

/* --- processes that were in scope before this supervisor ------------------------------------------ */

struct served {
	uint64_t netns; /* inode */
	uint32_t agent;
};

struct again {
	struct supervisor *s;
	struct served *done;
	size_t n, cap;
};

static bool is_served(const struct again *a, const struct served *who)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->done[i].netns == who->netns && a->done[i].agent == who->agent)
			return true;
	return false;
}

static int add_served(struct again *a, const struct served *who)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 16;
		struct served *more = reallocarray(a->done, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		a->done = more;
		a->cap = cap;
	}
	a->done[a->n++] = *who;
	return 0;
}

/* Who has no listener cannot connect; that is no reason to leave the others without. */
static int listen_again(const struct tg_scope_task *t, void *arg)
{
	struct again *a = arg;
	struct served who = { .agent = t->label.agent };
	char path[48];
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%u/ns/net", t->tgid);
	if (who.agent == 0 || who.agent > a->s->conf.nagents || stat(path, &st) < 0)
		return 0;
	who.netns = st.st_ino;
	if (is_served(a, &who))
		return 0;
	r = sup_listen_for(a->s, (pid_t)t->tgid, who.agent);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		log_warn("agent %s: listen where pid %u is: %s", a->s->conf.agents[who.agent - 1].name, t->tgid,
			 err_text(r));
	return add_served(a, &who);
}

int sup_listen_again(struct supervisor *s)
{
	struct again a = { .s = s };
	int r = 0;

	for (const struct sup_listener *l = s->listeners; l && r >= 0; l = l->next)
		r = flow_listener_set(s->kern, l->l.netns_cookie, l->agent, l->l.port4, l->l.port6);
	if (r >= 0)
		r = kern_scope_each(s->kern, listen_again, &a);
	free(a.done);
	return r;
}
