// SPDX-License-Identifier: Apache-2.0
/*
 * Who is the server, and who its host, of a conversation that is about to be taken over. Programs that start others
 * hold the same descriptors for a while, so neither is simply who executed or who wrote last.
 */
#include <errno.h>
#include <fcntl.h>

#include "user/enrol/match.h"
#include "user/gate/snapshot.h"
#include "user/kern/guard.h"
#include "user/kern/stdio.h"
#include "user/mcp/catalog.h"
#include "user/proc/file.h"
#include "user/proc/tree.h"
#include "user/role/sup.h"

#define HOST_CLIMB_MAX 16 /* wrappers between a server and its host that share its descriptors */

/* The host is the nearest ancestor that does not share the server's descriptors: `npx` and `sh -c` stand
 * in between and hold the same ones. */
pid_t sup_server_host(pid_t server, mode_t type, uint64_t ino)
{
	struct proc_object in = { .type = type, .ino = ino, .access = O_RDONLY };
	struct proc_stat st;
	pid_t pid = server;
	bool split;

	for (int i = 0; i < HOST_CLIMB_MAX; i++) {
		if (proc_stat_read(pid, &st) < 0)
			break;
		pid = st.ppid;
		if (pid <= 1 || proc_holds(pid, &in, 1, &split) <= 0)
			break;
	}
	return pid;
}

static bool listed(struct supervisor *s, pid_t pid)
{
	struct catalog_match m = { 0 };
	struct proc_identity id;

	if (proc_identity_read(pid, &id) < 0)
		return false;
	catalog_server_find_stdio(s->current.snap->catalog, &id, &m);
	return m.server;
}

struct reader {
	uint64_t key;
	pid_t pid;
	uint64_t ticks;
};

static int is_reader(pid_t pid, const struct tg_stopped *st, void *arg)
{
	struct reader *r = arg;

	if (st->kind != TG_STOP_STDIO || st->stream != r->key)
		return 0;
	r->pid = pid;
	r->ticks = kern_start_ticks(st->start);
	return 1;
}

/* A host may write before its server is there: `sh -c` and `npx` hold the descriptors first and execute or
 * fork the program that will read. The server is whoever the catalog recognises, or else whoever reads: a
 * read on a held stream stops the reader with the bytes in hand, before its code sees them. Until then a
 * stopped process that the catalog does not know runs on. */
int sup_server_of(struct supervisor *s, uint64_t key, pid_t *ret, uint64_t *ret_ticks)
{
	struct reader r = { .key = key };
	struct tg_stream st;
	bool stands;

	(void)kern_stopped_each(s->kern, is_reader, &r);
	/* Asked before what it has: who stands cannot come to have more. */
	stands = r.pid && proc_stands(r.pid) == 1;
	if (kern_stdio_read(s->kern, key, &st) < 0)
		return -ENOENT;
	*ret = st.taken && r.pid ? r.pid : (pid_t)st.server_tgid;
	*ret_ticks = st.taken && r.pid ? r.ticks : kern_start_ticks(st.server_start);
	if (st.taken || listed(s, *ret))
		return 0;
	if (stands)
		(void)kern_stopped_continue(s->kern, r.pid);
	return -EAGAIN;
}
