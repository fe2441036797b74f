// SPDX-License-Identifier: Apache-2.0
/*
 * The keeper role: root, small, alive as long as the node is guarded. It starts and restarts the other
 * roles and holds the descriptors that must outlive them. It never parses anything but the fixed messages
 * of msg.h, and believes none of their numbers.
 */
#include "user/role/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/base/settle.h"
#include "user/role/estate.h"
#include "user/role/ipc.h"
#include "user/role/kept.h"
#include "user/role/msg.h"
#include "user/role/sandbox.h"
#include "user/role/spawn.h"
#include "user/role/upgrade.h"

#define NS_PER_MS 1000000ull
#define RESTART_DELAY_NS (100 * NS_PER_MS) /* a role that dies at once must not spin */
#define QUICK_DEATH_NS (1000 * NS_PER_MS)
#define QUICK_DEATHS_MAX 20 /* in a row: the node cannot run; leave it to the service manager */
#define GIVE_WAY_AGAIN_NS (10 * NS_PER_MS) /* between two looks whether all that was sent has been read */
#define STOP_STEP_NS (5000 * NS_PER_MS) /* patience with each kind of role at the end */

struct child {
	bool used, delayed;
	bool replaced; /* its end is on order: another program's takes its place */
	bool earlier; /* it runs the program of the keeper before this one */
	struct msg_spawn spec;
	pid_t pid;
	struct ipc *channel; /* to the role; the supervisor's carries its requests */
	uint64_t started;
	unsigned quick_deaths;
};

struct keeper {
	struct loop *loop;
	struct loop_timer *timer;
	const char *config;
	struct child children[ESTATE_ROLES_MAX]; /* [0] is the supervisor */
	struct kept_set kept;
	struct upgrade upgrade;
	bool stopping;
	unsigned stop_step;
	uint64_t stop_step_since;
	int status;
};

static int start(struct keeper *k, struct child *c);

static struct child *supervisor(struct keeper *k)
{
	return &k->children[0];
}

static void arm(struct keeper *k, uint64_t delay_ns)
{
	(void)loop_timer_arm(k->timer, delay_ns, 0);
}

/* --- descriptors held for others ----------------------------------------------------------------- */

static int keep(struct keeper *k, struct ipc_msg *m)
{
	const struct msg_key *key = m->body;
	int fd, r;

	if (m->len != sizeof(*key) || m->nfds != 1 || !msg_string_ok(key->key, sizeof(key->key)))
		return -EBADMSG;
	fd = ipc_take_fd(m, 0);
	r = kept_put(&k->kept, key->key, fd);
	if (r < 0) {
		close(fd);
		return log_err(r, "keep %s: %u descriptors held already", key->key, k->kept.n);
	}
	return 0;
}

static int unkeep(struct keeper *k, const struct ipc_msg *m)
{
	const struct msg_key *key = m->body;

	if (m->len != sizeof(*key) || !msg_string_ok(key->key, sizeof(key->key)))
		return -EBADMSG;
	kept_drop(&k->kept, key->key);
	return 0;
}

static int hand_back(struct keeper *k)
{
	struct ipc *to = supervisor(k)->channel;
	struct msg_key key;
	int r = 0;

	for (unsigned i = 0; i < k->kept.n && r >= 0; i++) {
		memcpy(key.key, k->kept.v[i].key, sizeof(key.key));
		r = ipc_send(to, MSG_KEPT, 0, &key, sizeof(key), &k->kept.v[i].fd, 1);
	}
	return r < 0 ? r : ipc_send(to, MSG_KEPT_END, 0, NULL, 0, NULL, 0);
}

/* --- roles --------------------------------------------------------------------------------------- */

static int tell_role(struct keeper *k, const struct child *c, uint32_t type, int status, const int *fd)
{
	struct msg_role m = { c->spec.role, c->spec.index, status, c->pid };

	if (type == MSG_ROLE_UP)
		m.status = c->earlier;
	return ipc_send(supervisor(k)->channel, type, 0, &m, sizeof(m), fd, fd ? 1 : 0);
}

/* Joins a role and the supervisor by a channel of their own. An error is the role's: a supervisor that is not there is
 * followed by one to which all are introduced. */
static int introduce(struct keeper *k, struct child *c)
{
	int pair[2], r = ipc_pair(pair);

	if (r < 0)
		return r;
	r = ipc_send(c->channel, MSG_SUPERVISOR, 0, NULL, 0, &pair[0], 1);
	if (r >= 0)
		(void)tell_role(k, c, MSG_ROLE_UP, 0, &pair[1]);
	close(pair[0]);
	close(pair[1]);
	return r;
}

static int spawn_requested(struct keeper *k, const struct ipc_msg *m)
{
	const struct msg_spawn *s = m->body;
	struct child *c = NULL;

	if (m->len != sizeof(*s) || s->role <= ROLE_SUPERVISOR || s->role >= ROLE_MAX_ ||
	    !msg_string_ok(s->log_dir, sizeof(s->log_dir)) ||
	    !msg_string_ok(s->state_dir, sizeof(s->state_dir)) ||
	    !msg_string_ok(s->node, sizeof(s->node)))
		return -EBADMSG;
	for (unsigned i = 1; i < ESTATE_ROLES_MAX; i++) {
		struct child *at = &k->children[i];

		if (at->used && at->spec.role == s->role && at->spec.index == s->index)
			return 0; /* runs already: a restarted supervisor asks again */
		if (!at->used && !c)
			c = at;
	}
	if (!c)
		return log_err(-ENOSPC, "start %s: too many roles", role_name(s->role));
	*c = (struct child){ .used = true, .spec = *s };
	return start(k, c);
}

static void stop_all(struct keeper *k, int status)
{
	if (k->stopping)
		return;
	k->stopping = true;
	k->status = status;
	k->stop_step_since = clock_mono_ns();
	if (supervisor(k)->pid > 0)
		(void)kill(supervisor(k)->pid, SIGTERM);
	arm(k, NS_PER_MS);
}

/* Once there is a supervisor of this program. Not the injector, which may be at work and ends after it, and no proxy:
 * its conversations would end, so the supervisor waits until it has none. */
static void replace_rest(struct keeper *k)
{
	for (unsigned i = 1; i < ESTATE_ROLES_MAX; i++) {
		struct child *c = &k->children[i];

		if (!c->earlier || c->replaced || c->pid <= 0 || c->spec.role == ROLE_PROXY ||
		    c->spec.role == ROLE_INJECTOR)
			continue;
		c->replaced = true;
		/* All of these may die at any moment; the notary's rings hold what it has not written. */
		(void)kill(c->pid, SIGKILL);
	}
}

static int from_supervisor(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct keeper *k = arg;
	const struct msg_exit *e = m->body;
	const struct msg_flag *flag = m->body;

	switch (m->type) {
	case MSG_SPAWN:
		return spawn_requested(k, m);
	case MSG_KEEP:
		return keep(k, m);
	case MSG_UNKEEP:
		return unkeep(k, m);
	case MSG_READY:
		(void)sd_notify(0, "READY=1\nSTATUS=enforcing");
		replace_rest(k);
		return 0;
	case MSG_ALIVE:
		if (m->len != sizeof(*flag))
			return -EBADMSG;
		(void)sd_notify(0, flag->value ? "WATCHDOG=1\nSTATUS=enforcing" :
				   "WATCHDOG=1\nSTATUS=not healthy: see tollgate status");
		return 0;
	case MSG_EXIT:
		if (m->len != sizeof(*e))
			return -EBADMSG;
		stop_all(k, e->status);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int from_role(struct ipc *c, struct ipc_msg *m, void *arg)
{
	(void)c;
	(void)arg;
	return log_err(-EBADMSG, "refuse message %u: roles do not speak to the keeper", m->type);
}

static const struct ipc_ops supervisor_ops = { .message = from_supervisor };
static const struct ipc_ops role_ops = { .message = from_role };

static int start(struct keeper *k, struct child *c)
{
	bool is_supervisor = c == supervisor(k);
	int pair[2], r = ipc_pair(pair);

	if (r < 0)
		return r;
	c->delayed = c->replaced = c->earlier = false;
	c->started = clock_mono_ns();
	c->pid = spawn_role(c->spec.role, c->spec.index, pair[1], is_supervisor ? k->config : NULL);
	close(pair[1]);
	if (c->pid < 0) {
		r = c->pid;
		c->pid = 0;
		close(pair[0]);
		return log_err(r, "start %s: %s", role_name(c->spec.role), err_text(r));
	}
	r = ipc_new(k->loop, pair[0], is_supervisor ? &supervisor_ops : &role_ops, k, &c->channel);
	if (r < 0) {
		close(pair[0]);
		(void)kill(c->pid, SIGKILL);
		return r;
	}
	if (!is_supervisor) {
		r = ipc_send(c->channel, MSG_SPAWN, 0, &c->spec, sizeof(c->spec), NULL, 0);
		if (r >= 0 && supervisor(k)->channel)
			r = introduce(k, c);
		return r;
	}
	r = hand_back(k);
	for (unsigned i = 1; i < ESTATE_ROLES_MAX; i++) {
		struct child *at = &k->children[i];

		/* It is dead already, or does not read: another takes its place, and the others do not wait for it. */
		if (at->used && at->channel && introduce(k, at) < 0 && at->pid > 0)
			(void)kill(at->pid, SIGKILL);
	}
	return r;
}

static void died(struct keeper *k, struct child *c, int status)
{
	bool quick = clock_mono_ns() - c->started < QUICK_DEATH_NS;
	bool normal = c->replaced ||
		      (c->spec.role == ROLE_INJECTOR && WIFEXITED(status) && WEXITSTATUS(status) == 0);

	ipc_free(c->channel);
	c->channel = NULL;
	c->pid = 0;
	if (c == supervisor(k) && WIFEXITED(status) && !c->replaced && !k->stopping) {
		/* It ends by itself only when it cannot or shall not run: its status is ours. */
		if (WEXITSTATUS(status) != EXIT_SUCCESS)
			log_warn("the supervisor ended with status %d: the node ends", WEXITSTATUS(status));
		stop_all(k, WEXITSTATUS(status));
		return;
	}
	if (supervisor(k)->channel)
		(void)tell_role(k, c, MSG_ROLE_DOWN, status, NULL);
	if (k->stopping)
		return;
	if (!normal)
		log_warn("%s %u ended: %s %d", role_name(c->spec.role), c->spec.index,
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	c->quick_deaths = quick && !normal ? c->quick_deaths + 1 : 0;
	if (c->quick_deaths > QUICK_DEATHS_MAX) {
		log_err(0, "give up on %s: it ended %u times at once",
			role_name(c->spec.role), c->quick_deaths);
		stop_all(k, EXIT_FAILURE);
	} else if (quick && !normal) {
		c->delayed = true;
		arm(k, RESTART_DELAY_NS);
	} else {
		(void)start(k, c);
	}
}

/* --- another program --------------------------------------------------------------------------------- */

/* Nothing is lost when this comes back: the program before it goes on. */
static void give_way(struct keeper *k)
{
	struct estate *h = &k->upgrade.table;
	const char *why;

	h->nchildren = 0;
	for (unsigned i = 0; i < ESTATE_ROLES_MAX; i++) {
		struct child *c = &k->children[i];
		int fd = ipc_idle_fd(c->channel);

		if (!c->used)
			continue;
		if (c->pid > 0 && fd < 0) { /* somebody does not read: soon */
			arm(k, GIVE_WAY_AGAIN_NS);
			return;
		}
		h->children[h->nchildren++] = (struct estate_child){ .spec = c->spec, .pid = c->pid, .fd = fd };
	}
	h->kept = k->kept;
	k->upgrade.due = false;
	why = upgrade_become(&k->upgrade, k->config);
	log_err(0, "become %s: %s; this program goes on", k->upgrade.path, why);
}

static void answered(struct keeper *k, int status)
{
	k->upgrade.asked = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
		log_err(0, "become %s: it refuses, status 0x%x; this program goes on", k->upgrade.path,
			(unsigned)status);
		return;
	}
	k->upgrade.due = true;
	if (!k->stopping)
		give_way(k);
}

/* What another program left to this one. */
static int take_over(struct keeper *k, int table)
{
	struct estate *h = &k->upgrade.table;
	const char *why;
	int r = estate_read(table, h, &why);

	if (r < 0)
		return log_err(r, "take over from the program before: %s", why);
	close(table);
	k->kept = h->kept;
	for (unsigned i = 0; i < h->nchildren && r >= 0; i++) {
		struct child *c = &k->children[i];

		*c = (struct child){ .used = true, .spec = h->children[i].spec, .pid = h->children[i].pid,
				     .earlier = true, .started = clock_mono_ns() };
		if (c->pid)
			r = ipc_new(k->loop, h->children[i].fd, i ? &role_ops : &supervisor_ops, k, &c->channel);
		else
			c->delayed = true;
	}
	log_info("took over %u processes and %u descriptors from the program before", h->nchildren, k->kept.n);
	return r;
}

/* The supervisor goes first: it leaves kernel programs, scopes and conversations as they are. */
static void replace_supervisor(struct keeper *k)
{
	struct child *c = supervisor(k);

	c->replaced = true;
	if (c->pid > 0)
		(void)kill(c->pid, SIGUSR2);
	arm(k, NS_PER_MS);
}

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->upgrade.asked)
			answered(k, status);
		for (unsigned i = 0; i < ESTATE_ROLES_MAX; i++)
			if (k->children[i].used && k->children[i].pid == pid) {
				died(k, &k->children[i], status);
				break;
			}
	}
}

/* --- the end ------------------------------------------------------------------------------------- */

/* Roles end in this order, so that what one still says the next can still record. */
static const enum role stop_order[] = { ROLE_SUPERVISOR, ROLE_CANARY, ROLE_INJECTOR, ROLE_PROXY, ROLE_NOTARY,
					ROLE_QUERY };

static unsigned signal_roles(struct keeper *k, enum role role, int signo)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < ESTATE_ROLES_MAX; i++) {
		struct child *c = &k->children[i];

		if (!c->used || c->pid <= 0 || c->spec.role != role)
			continue;
		alive++;
		if (signo)
			(void)kill(c->pid, signo);
	}
	return alive;
}

static void stop_further(struct keeper *k)
{
	while (k->stop_step < ARRAY_SIZE(stop_order)) {
		enum role role = stop_order[k->stop_step];
		uint64_t waited = clock_mono_ns() - k->stop_step_since;

		if (signal_roles(k, role, waited > STOP_STEP_NS ? SIGKILL : 0) > 0) {
			arm(k, STOP_STEP_NS);
			return;
		}
		k->stop_step++;
		k->stop_step_since = clock_mono_ns();
		if (k->stop_step < ARRAY_SIZE(stop_order))
			(void)signal_roles(k, stop_order[k->stop_step], SIGTERM);
	}
	loop_stop(k->loop, k->status);
}

static void on_timer(struct loop_timer *t, void *arg)
{
	struct keeper *k = arg;

	(void)t;
	if (k->stopping) {
		stop_further(k);
		return;
	}
	for (unsigned i = 0; i < ESTATE_ROLES_MAX; i++)
		if (k->children[i].used && k->children[i].delayed)
			(void)start(k, &k->children[i]);
	if (k->upgrade.due)
		give_way(k);
}

static void on_signal(int signo, void *arg)
{
	struct keeper *k = arg;

	switch (signo) {
	case SIGCHLD:
		reap(k);
		if (k->stopping)
			stop_further(k);
		break;
	case SIGHUP:
		if (supervisor(k)->pid > 0)
			(void)kill(supervisor(k)->pid, SIGHUP);
		break;
	case SIGUSR2:
		if (!k->stopping && !k->upgrade.asked && !k->upgrade.due)
			upgrade_ask(&k->upgrade, k->config);
		break;
	default:
		(void)sd_notify(0, "STOPPING=1");
		stop_all(k, EXIT_SUCCESS);
		break;
	}
}

int keeper_run(const char *config, int table)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGUSR2, SIGTERM, SIGINT, 0 };
	static struct keeper keeper;
	struct keeper *k = &keeper;
	int r;

	log_setup("keeper", LOG_LEVEL_INFO);
	k->config = config;
	k->children[0] = (struct child){ .used = true, .spec.role = ROLE_SUPERVISOR };
	r = upgrade_init(&k->upgrade);
	if (r >= 0)
		r = sandbox_enter(ROLE_KEEPER, &(struct sandbox_spec){ 0 }, NULL);
	if (r >= 0)
		r = loop_new(&k->loop);
	if (r >= 0)
		r = loop_signals(k->loop, signals, on_signal, k);
	if (r >= 0)
		r = loop_timer_add(k->loop, on_timer, k, &k->timer);
	if (r >= 0 && table >= 0) {
		r = take_over(k, table);
		if (r >= 0) {
			reap(k); /* who ended in between */
			replace_supervisor(k);
		}
	} else if (r >= 0) {
		kept_from_store(&k->kept);
		r = start(k, supervisor(k));
	}
	if (r >= 0) {
		memory_settle(false);
		r = loop_run(k->loop);
	}
	if (r < 0)
		log_err(r, "run: %s", err_text(r));
	for (unsigned i = 0; i < ESTATE_ROLES_MAX; i++)
		ipc_free(k->children[i].channel);
	loop_timer_remove(k->timer);
	loop_free(k->loop);
	return r < 0 ? EXIT_FAILURE : r;
}
