// SPDX-License-Identifier: Apache-2.0
/*
 * Which number an agent has. Runs in the supervisor. Kernel labels, streams and listeners know agents by number and
 * outlive this process, so a number must mean the same agent when the next supervisor reads a configuration that was
 * changed: otherwise who is in scope would be judged as somebody else. The names in the order of their numbers stand in
 * a file of the run folder, which goes with the kernel's state when the machine starts anew. An agent that is
 * configured no more keeps its number, without selectors.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/enrol/container.h"
#include "user/role/sup.h"

#define FILE_MAX (1u << 20)
#define NUMBERS_MAX 1024 /* as many as may be configured; former ones count until `tollgate release` begins anew */

static void path_of(const struct supervisor *s, char ret[PROC_PATH_MAX])
{
	(void)snprintf(ret, PROC_PATH_MAX, "%s/agents", s->conf.run_dir);
}

bool sup_agent_is_former(const struct conf_agent *a)
{
	return !a->exe && !a->uid_name && !a->cgroup && !a->unit && !container_selects(a);
}

static struct conf_agent *find_name(struct conf *c, const char *name, size_t n)
{
	for (unsigned i = 0; i < c->nagents; i++)
		if (c->agents[i].name && strlen(c->agents[i].name) == n && memcmp(c->agents[i].name, name, n) == 0)
			return &c->agents[i];
	return NULL;
}

/* The next of the old order: the configured agent is moved there, or a former one stands in its place. */
static int place_next(struct conf *c, struct span name, struct conf_agent *ret)
{
	struct conf_agent *a = find_name(c, name.p, name.n);

	if (a) {
		*ret = *a;
		*a = (struct conf_agent){ 0 };
		return 0;
	}
	*ret = (struct conf_agent){ .name = strndup(name.p, name.n), .uid = CONF_UID_ANY };
	return ret->name ? 0 : -ENOMEM;
}

static int reorder(struct conf *c, struct span names)
{
	_cleanup_free_ struct conf_agent *order = calloc(2 * NUMBERS_MAX, sizeof(*order));
	unsigned n = 0;
	int r = 0;

	if (!order)
		return -ENOMEM;
	while (names.n > 0 && r >= 0) {
		const char *end = memchr(names.p, '\n', names.n);
		size_t len = end ? (size_t)(end - names.p) : 0;

		r = len == 0 || n == NUMBERS_MAX ? -EBADMSG :
						   place_next(c, (struct span){ names.p, len }, &order[n++]);
		names.p += len + 1;
		names.n -= len + 1;
	}
	for (unsigned i = 0; i < c->nagents; i++)
		if (c->agents[i].name)
			order[n++] = c->agents[i];
	free(c->agents);
	c->agents = take_ptr(order);
	c->nagents = n;
	return r < 0 ? r : n > NUMBERS_MAX ? -E2BIG : 0;
}

int sup_numbers_settle(struct supervisor *s)
{
	_cleanup_buf_ struct buf names = { 0 };
	char path[PROC_PATH_MAX];
	int r;

	path_of(s, path);
	r = file_read(path, FILE_MAX, &names);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = reorder(&s->conf, buf_span(&names));
	return r < 0 ? log_err(r, "read the agents' numbers from %s: %s", path, err_text(r)) : 0;
}

int sup_numbers_keep(struct supervisor *s)
{
	_cleanup_buf_ struct buf names = { 0 };
	char path[PROC_PATH_MAX];
	int r = 0;

	for (unsigned i = 0; i < s->conf.nagents && r >= 0; i++)
		r = buf_printf(&names, "%s\n", s->conf.agents[i].name);
	path_of(s, path);
	if (r >= 0)
		r = file_replace(path, buf_span(&names).p, buf_span(&names).n, 0600);
	return r < 0 ? log_err(r, "keep the agents' numbers in %s: %s", path, err_text(r)) : 0;
}

void sup_numbers_forget(struct supervisor *s)
{
	char path[PROC_PATH_MAX];

	path_of(s, path);
	(void)remove(path);
}
