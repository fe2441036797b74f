// SPDX-License-Identifier: Apache-2.0
/*
 * The injector role: ptrace and nothing else. It waits for one job from the supervisor, does it, hands over
 * the descriptors and ends. It decides nothing. If it dies in between, the kernel kills what it traced.
 */
#include "user/role/injector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/base/settle.h"
#include "user/role/ipc.h"
#include "user/role/msg.h"
#include "user/role/sandbox.h"
#include "user/stdio/confine.h"
#include "user/stdio/takeover.h"
#include "user/stdio/walk.h"

#define SPEC_TIMEOUT_MS 10000

/* The supervisor's iterators, each good for one pass: those of the scopes, then those of the whole machine. */
struct walks {
	int fd[STDIO_WALKS_SCOPE + STDIO_WALKS_ALL];
	unsigned used[2];
};

static int next_pass(void *arg, bool everywhere, struct walk *ret)
{
	static const unsigned first[] = { 0, STDIO_WALKS_SCOPE }, count[] = { STDIO_WALKS_SCOPE, STDIO_WALKS_ALL };
	struct walks *w = arg;

	if (w->used[everywhere] == count[everywhere])
		return -E2BIG;
	return walk_read(w->fd[first[everywhere] + w->used[everywhere]++], ret);
}

/* What follows a job whose server is to be confined. */
static int wait_cage(int channel, struct msg_cage *m, struct stdio_cage *ret)
{
	int r = ipc_wait(channel, SPEC_TIMEOUT_MS, MSG_CAGE, m, sizeof(*m), &ret->ruleset, 1);

	if (r < 0)
		return r;
	if (ret->ruleset < 0 || m->env_len > sizeof(m->env) || (m->env_len && m->env[m->env_len - 1] != '\0'))
		return -EBADMSG;
	ret->network = m->network;
	ret->truncate = m->truncate;
	ret->env = m->env;
	ret->env_n = m->env_len;
	return 0;
}

static int take(const struct msg_takeover *job, struct walks *walks, const struct stdio_cage *cage,
		struct stdio_taken *taken)
{
	struct stdio_job j = {
		.host = job->host_pid, .root = job->host_pid, .server = job->server_pid,
		.server_start = job->server_start, .mode0 = job->mode0, .mode1 = job->mode1,
		.ino0 = job->ino0, .ino1 = job->ino1, .timeout_ms = job->timeout_ms,
		.walk = next_pass, .walk_arg = walks, .cage = cage,
	};

	if (job->caged == MSG_CAGED_ONLY)
		return stdio_confine(job->server_pid, job->server_start, cage, job->timeout_ms, taken);
	return stdio_take(&j, taken);
}

static int report(int channel, const struct stdio_taken *t, bool taken)
{
	int fds[4] = { t->orig_in, t->orig_out, t->to_server, t->from_server };
	struct msg_taken m = {
		.reason = (uint32_t)t->reason, .dirty = t->dirty, .nholders = t->nholders,
		.unread_in = t->unread_in, .unread_out = t->unread_out,
		.new_ino0 = t->new_ino0, .new_ino1 = t->new_ino1,
	};

	for (unsigned i = 0; i < t->nholders && i < MSG_HOLDERS_MAX; i++)
		m.holders[i] = t->holders[i];
	memcpy(m.text, t->text, sizeof(m.text) < sizeof(t->text) ? sizeof(m.text) : sizeof(t->text));
	m.text[sizeof(m.text) - 1] = '\0';
	return ipc_put(channel, MSG_TAKEN, 0, &m, sizeof(m), fds, taken && t->reason == STDIO_DONE ? 4 : 0);
}

int injector_run(void)
{
	struct msg_spawn spec;
	static struct msg_cage cage_text;
	struct stdio_cage cage = { .ruleset = -1 };
	struct msg_takeover job;
	struct walks walks = { 0 };
	struct stdio_taken taken = { .orig_in = -1, .orig_out = -1, .to_server = -1, .from_server = -1 };
	_cleanup_close_ int channel = -1;
	int r = ipc_wait(ROLE_CHANNEL_FD, SPEC_TIMEOUT_MS, MSG_SPAWN, &spec, sizeof(spec), NULL, 0);

	if (r >= 0)
		r = ipc_wait(ROLE_CHANNEL_FD, -1, MSG_SUPERVISOR, NULL, 0, &channel, 1);
	if (r >= 0)
		r = sandbox_enter(ROLE_INJECTOR, &(struct sandbox_spec){ 0 }, NULL);
	memory_settle(true);
	if (r >= 0)
		r = ipc_wait(channel, -1, MSG_TAKEOVER, &job, sizeof(job), walks.fd, ARRAY_SIZE(walks.fd));
	if (r >= 0 && job.caged)
		r = wait_cage(channel, &cage_text, &cage);
	if (r == -EPIPE)
		return EXIT_SUCCESS; /* the supervisor went: the next one gets a fresh injector */
	if (r < 0) {
		log_err(r, "start: %s", err_text(r));
		return EXIT_FAILURE;
	}
	(void)take(&job, &walks, job.caged ? &cage : NULL, &taken);
	r = report(channel, &taken, job.caged != MSG_CAGED_ONLY);
	stdio_taken_done(&taken);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
