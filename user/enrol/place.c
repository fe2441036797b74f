// SPDX-License-Identifier: Apache-2.0
/*
 * Scopes: the cgroups that agents' processes live in, made on demand, watched until they are empty. Runs
 * in the supervisor. It must never put a process where its owner could take it out again, and never
 * remove a cgroup that somebody else made.
 *
 * LIMIT: a unit or container that is a scope as it stands may be delegated to its user, who can then move
 * processes out of it. Where BPF LSM loads, the guard refuses that; elsewhere the task's label stays with it.
 */
#include "user/enrol/place.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/loop.h"
#include "user/kern/cgroup.h"

#define PLACES_MAX 4096 /* each holds two descriptors and a map entry */
#define PLACE_DEPTH_MAX 32 /* of cgroups below the mount that are searched or removed */

struct scope {
	struct place p;
	char *dir;
	struct places *places;
	struct loop_io *io;
	int events_fd;
	unsigned opened; /* place_open() without its place_enter() or place_drop(): not to be given up */
};

struct places {
	struct loop *loop;
	struct loop_timer *timer; /* looks at adopted scopes that were empty already */
	place_empty_fn empty;
	void *arg;
	char root[PATH_MAX];
	struct scope **scopes;
	unsigned n;
};

static bool below(const char *top, const char *dir)
{
	size_t n = strlen(top);

	return strncmp(dir, top, n) == 0 && (dir[n] == '\0' || dir[n] == '/');
}

static struct scope *scope_of(struct place *p)
{
	return (struct scope *)((char *)p - offsetof(struct scope, p));
}

/* --- the table ---------------------------------------------------------------------------------- */

struct place *places_find(struct places *ps, const char *dir)
{
	struct scope *best = NULL;

	for (unsigned i = 0; i < ps->n; i++)
		if (below(ps->scopes[i]->dir, dir) &&
		    (!best || strlen(ps->scopes[i]->dir) > strlen(best->dir)))
			best = ps->scopes[i];
	return best ? &best->p : NULL;
}

struct place *places_by_id(struct places *ps, uint64_t id)
{
	for (unsigned i = 0; i < ps->n; i++)
		if (ps->scopes[i]->p.id == id)
			return &ps->scopes[i]->p;
	return NULL;
}

struct place *places_at(struct places *ps, unsigned i)
{
	return i < ps->n ? &ps->scopes[i]->p : NULL;
}

static void scope_free(struct scope *s)
{
	loop_io_remove(s->io);
	if (s->events_fd >= 0)
		close(s->events_fd);
	free(s->dir);
	free(s);
}

static void forget(struct scope *s)
{
	struct places *ps = s->places;

	for (unsigned i = 0; i < ps->n; i++)
		if (ps->scopes[i] == s) {
			ps->scopes[i] = ps->scopes[--ps->n];
			break;
		}
	scope_free(s);
}

/* --- when a scope empties ------------------------------------------------------------------------ */

/* Removes a cgroup of ours with the empty ones that its processes made in it. */
static void remove_tree(const char *dir, unsigned depth)
{
	DIR *d;

	if (cgroup_remove(dir) != -EBUSY || depth >= PLACE_DEPTH_MAX)
		return;
	d = opendir(dir);
	for (struct dirent *de; d && (de = readdir(d));) {
		char child[PATH_MAX];
		int n;

		if (de->d_type != DT_DIR || strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		n = snprintf(child, sizeof(child), "%s/%s", dir, de->d_name);
		if (n > 0 && (size_t)n < sizeof(child))
			remove_tree(child, depth + 1);
	}
	if (d)
		closedir(d);
	(void)cgroup_remove(dir);
}

static struct scope *inner_of(const struct scope *outer)
{
	for (unsigned i = 0; i < outer->places->n; i++) {
		struct scope *s = outer->places->scopes[i];

		if (s != outer && below(outer->dir, s->dir))
			return s;
	}
	return NULL;
}

/* Gives up a scope that is empty, the ones inside it first. */
static void give_up(struct scope *s)
{
	struct places *ps = s->places;
	struct scope *inner;

	while ((inner = inner_of(s)))
		give_up(inner);
	if (s->p.entered && ps->empty)
		ps->empty(&s->p, ps->arg);
	if (s->p.made)
		remove_tree(s->dir, 0);
	forget(s);
}

/* Whether anything still needs the scope: a process, or a caller between place_open() and place_enter(). */
static bool in_use(const struct scope *s)
{
	for (unsigned i = 0; i < s->places->n; i++) {
		const struct scope *o = s->places->scopes[i];

		if (o->opened > 0 && below(s->dir, o->dir))
			return true;
	}
	return cgroup_populated(s->dir) == 1;
}

static void settle(struct scope *s)
{
	if (s->p.entered && !in_use(s))
		give_up(s);
}

static void populated_changed(struct loop_io *io, uint32_t events, void *arg)
{
	struct scope *s = arg;
	char text[256];

	/* Reading is what makes the kernel tell of the next change. */
	if (pread(s->events_fd, text, sizeof(text), 0) < 0 && errno != ENODEV)
		return;
	settle(s);
}

static void look_at_all(struct loop_timer *t, void *arg)
{
	struct places *ps = arg;

	for (unsigned i = 0; i < ps->n;) {
		unsigned before = ps->n;

		settle(ps->scopes[i]);
		i = ps->n == before ? i + 1 : 0; /* the table has moved: begin anew */
	}
}

/* --- making scopes ------------------------------------------------------------------------------ */

static int add(struct places *ps, const char *dir, unsigned agent, bool made, struct scope **ret)
{
	struct place *outer = places_find(ps, dir);
	struct scope *s, **list;
	int r = -ENOMEM;

	if (ps->n >= PLACES_MAX)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct scope){ .places = ps, .events_fd = -1, .dir = strdup(dir),
			     .p = { .agent = agent, .outer = outer ? outer->id : 0, .made = made } };
	list = reallocarray(ps->scopes, ps->n + 1, sizeof(*list));
	if (list)
		ps->scopes = list;
	if (list && s->dir)
		r = cgroup_id(dir, &s->p.id);
	if (r == 0) {
		s->events_fd = cgroup_events_fd(dir);
		r = s->events_fd < 0 ? s->events_fd : 0;
	}
	if (r == 0)
		r = loop_io_add(ps->loop, s->events_fd, EPOLLPRI, populated_changed, s, &s->io);
	if (r < 0) {
		scope_free(s);
		return r;
	}
	s->p.dir = s->dir;
	ps->scopes[ps->n++] = s;
	*ret = s;
	return 0;
}

/* 1 when nobody but root may move processes into or out of the cgroup, 0, or -errno. */
static int roots_own(const char *dir)
{
	static const char *const files[] = { "", "/cgroup.procs", "/cgroup.threads" };

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		char path[PATH_MAX];
		struct stat st;
		int n = snprintf(path, sizeof(path), "%s%s", dir, files[i]);

		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		if (stat(path, &st) < 0) {
			if (errno == ENOENT && i > 0)
				continue; /* a threaded cgroup, or the root of a hybrid hierarchy */
			return -errno;
		}
		if (st.st_uid != 0 || (st.st_mode & 022))
			return 0;
	}
	return 1;
}

int places_delegated(const struct places *ps, const char *dir)
{
	char path[PATH_MAX];

	if (strlen(dir) >= sizeof(path))
		return -ENAMETOOLONG;
	(void)strcpy(path, dir);
	while (strlen(path) > strlen(ps->root)) {
		int r = roots_own(path);

		if (r <= 0)
			return r < 0 ? r : 1;
		*strrchr(path, '/') = '\0';
	}
	return 0;
}

/* The cgroup in which the new scope is to be made. */
static int choose_parent(struct places *ps, const char *dir, const struct place *outer,
			 char ret[static PATH_MAX])
{
	const char *at = outer ? outer->dir : dir;
	int r;

	if (!outer) {
		r = places_delegated(ps, dir);
		if (r < 0)
			return r;
		if (r > 0)
			return cgroup_create(ps->root, PLACE_SLICE, ret);
	}
	if (strlen(at) >= PATH_MAX)
		return -ENAMETOOLONG;
	(void)strcpy(ret, at);
	return 0;
}

static int open_new(struct places *ps, const char *dir, const char *name, unsigned agent,
		    const struct place *outer, struct scope **ret)
{
	char parent[PATH_MAX], mine[PATH_MAX], base[NAME_MAX + 1];
	struct place *there;
	int r, n = snprintf(base, sizeof(base), PLACE_NAME_PREFIX "%s", name);

	if (n < 0 || (size_t)n >= sizeof(base) || strchr(name, '/'))
		return -EINVAL;
	r = choose_parent(ps, dir, outer, parent);
	if (r == 0)
		r = cgroup_create(parent, base, mine);
	if (r < 0)
		return r;
	/* It may have existed: made by whoever owns the cgroup around it, or by a scope of ours. */
	r = roots_own(mine);
	if (r <= 0)
		return r < 0 ? r : -EPERM;
	there = places_find(ps, mine);
	if (there && strcmp(there->dir, mine) == 0) {
		*ret = scope_of(there);
		return there->agent == agent ? 0 : -EEXIST;
	}
	r = add(ps, mine, agent, true, ret);
	if (r < 0)
		(void)cgroup_remove(mine);
	return r;
}

int place_open(struct places *ps, const char *dir, const char *name, unsigned agent, struct place **ret)
{
	struct place *in;
	struct scope *s;
	int r;

	if (!below(ps->root, dir))
		return -EINVAL;
	in = places_find(ps, dir);
	if (in && in->agent == agent) {
		s = scope_of(in);
	} else {
		r = open_new(ps, dir, name, agent, in, &s);
		if (r < 0)
			return r;
	}
	s->opened++;
	*ret = &s->p;
	return 0;
}

int place_adopt(struct places *ps, const char *dir, unsigned agent, bool made, struct place **ret)
{
	struct place *there = places_find(ps, dir);
	struct scope *s;
	int r;

	if (!below(ps->root, dir) || strcmp(ps->root, dir) == 0)
		return -EINVAL;
	if (there && strcmp(there->dir, dir) == 0)
		return -EEXIST;
	r = add(ps, dir, agent, made, &s);
	if (r < 0)
		return r;
	s->p.entered = true;
	(void)loop_timer_arm(ps->timer, 0, 0);
	*ret = &s->p;
	return 0;
}

int place_enter(struct place *p, pid_t pid)
{
	struct scope *s = scope_of(p);
	int r = cgroup_move(s->dir, pid);

	if (r < 0)
		return r;
	p->entered = true;
	if (s->opened > 0)
		s->opened--;
	return 0;
}

void place_drop(struct places *ps, struct place *p)
{
	struct scope *s = scope_of(p);

	if (s->opened > 0)
		s->opened--;
	if (!in_use(s))
		give_up(s);
}

/* --- start-up ------------------------------------------------------------------------------------ */

static int scan(const char *dir, unsigned depth, place_scan_fn fn, void *arg)
{
	DIR *d = opendir(dir);
	int r = 0;

	/* It may have gone since it was listed. */
	for (struct dirent *de; r >= 0 && d && (de = readdir(d));) {
		size_t prefix = strlen(PLACE_NAME_PREFIX);
		char child[PATH_MAX];
		uint64_t id;
		int n;

		if (de->d_type != DT_DIR || strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		n = snprintf(child, sizeof(child), "%s/%s", dir, de->d_name);
		if (n < 0 || (size_t)n >= sizeof(child))
			continue;
		if (strncmp(de->d_name, PLACE_NAME_PREFIX, prefix) == 0 && roots_own(child) == 1 &&
		    cgroup_id(child, &id) == 0)
			r = fn(child, de->d_name + prefix, id, arg);
		if (r >= 0 && depth < PLACE_DEPTH_MAX)
			r = scan(child, depth + 1, fn, arg);
	}
	if (d)
		closedir(d);
	return r;
}

int places_scan(place_scan_fn fn, void *arg)
{
	char root[PATH_MAX];
	int r = cgroup_root(root);

	if (r == 0)
		r = scan(root, 0, fn, arg);
	return r < 0 ? r : 0;
}

int places_new(struct loop *l, place_empty_fn empty, void *arg, struct places **ret)
{
	struct places *ps = calloc(1, sizeof(*ps));
	int r;

	if (!ps)
		return -ENOMEM;
	ps->loop = l;
	ps->empty = empty;
	ps->arg = arg;
	r = cgroup_root(ps->root);
	if (r == 0)
		r = loop_timer_add(l, look_at_all, ps, &ps->timer);
	if (r < 0) {
		free(ps);
		return r;
	}
	*ret = ps;
	return 0;
}

void places_free(struct places *ps)
{
	if (!ps)
		return;
	loop_timer_remove(ps->timer);
	while (ps->n > 0)
		scope_free(ps->scopes[--ps->n]);
	free(ps->scopes);
	free(ps);
}
