// SPDX-License-Identifier: Apache-2.0
/*
 * Agents' programs by content. Runs in the supervisor, on a process that stands at its first instruction. What cannot
 * be told is an error, never a "no": the caller lets nothing go on then.
 */
#include "user/enrol/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/conf/conf.h"
#include "user/enrol/loader.h"
#include "user/enrol/match.h"
#include "user/kern/guard.h"
#include "user/proc/elf.h"
#include "user/proc/file.h"
#include "user/proc/identity.h"
#include "user/proc/measure.h"
#include "user/proc/resolve.h"

/* A process that is asked about stands still meanwhile, and so does the supervisor. */
#define ARGS_BYTES_MAX (1u << 20)
#define ARGS_MAX 4096

/* A file as it was when it was last read. */
struct known {
	struct stat is;
	bool seen, settled;
	int error; /* why there is no digest; 0: there is one */
	uint8_t digest[SHA256_SIZE];
};

struct program {
	const struct conf_agent *agent;
	const char *path; /* NULL: the agent is not known by a program */
	struct known file, loader;
	struct stat script;
	bool script_seen;
	struct tg_file_key loader_key; /* valid while loader.seen */
	char loader_path[PATH_MAX]; /* "": it has none */
};

struct programs {
	const struct conf *conf;
	struct program *v; /* of each agent */
	unsigned n;
};

/* What was found of an agent: its program, its script. */
enum {
	FOUND_PROGRAM = 1 << 0,
	FOUND_SCRIPT = 1 << 1,
};

/* --- knowing them --------------------------------------------------------------------------------- */

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool unchanged(const struct known *k, const struct stat *st)
{
	return k->settled && k->is.st_dev == st->st_dev && k->is.st_ino == st->st_ino &&
	       k->is.st_size == st->st_size && same_time(k->is.st_mtim, st->st_mtim) &&
	       same_time(k->is.st_ctim, st->st_ctim);
}

/* Whether the file was looked at anew. fd: O_PATH. */
static bool known_refresh(struct known *k, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || unchanged(k, &st))
		return false;
	k->is = st;
	k->seen = true;
	k->settled = measure_is_settled(&st);
	k->error = measure_file(getpid(), fd, k->digest);
	return true;
}

static int open_readable(int path_fd)
{
	char self[32];
	int fd;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* A program on FUSE is not read: its server may be the agent's own. */
static void find_loader(struct program *p, int path_fd)
{
	_cleanup_close_ int fd = p->file.error == -EOPNOTSUPP ? -1 : open_readable(path_fd);
	char path[PATH_MAX] = "";
	int r = fd < 0 ? fd : elf_interpreter(fd, path, sizeof(path));

	if ((r < 0 && r != -ENOENT) || strcmp(path, p->loader_path) == 0)
		return;
	(void)strcpy(p->loader_path, path);
	p->loader = (struct known){ 0 };
}

static void refresh_loader(struct program *p)
{
	_cleanup_close_ int fd = open(p->loader_path, O_PATH | O_CLOEXEC);

	if (fd < 0 || kern_file_key_fd(fd, &p->loader_key) < 0)
		return;
	(void)known_refresh(&p->loader, fd);
}

static void refresh_script(struct program *p)
{
	const char *path = p->agent->script_real ? p->agent->script_real : p->agent->script;
	_cleanup_close_ int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	p->script = st;
	p->script_seen = true;
}

static void refresh(struct program *p)
{
	_cleanup_close_ int fd = open(p->path, O_PATH | O_CLOEXEC);
	int before = p->file.error;

	refresh_script(p);
	if (fd >= 0 && known_refresh(&p->file, fd)) {
		find_loader(p, fd);
		if (p->file.error && p->file.error != before)
			log_warn("agent %s: %s is not measured, so a nameless file of its size is not run: %s",
				 p->agent->name, p->path, err_text(p->file.error));
	}
	if (*p->loader_path)
		refresh_loader(p);
}

void programs_refresh(struct programs *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].path)
			refresh(&p->v[i]);
}

int programs_new(const struct conf *c, struct programs **ret)
{
	struct programs *p = calloc(1, sizeof(*p));

	if (p)
		p->v = calloc(c->nagents + 1, sizeof(*p->v));
	if (!p || !p->v) {
		programs_free(p);
		return -ENOMEM;
	}
	p->conf = c;
	p->n = c->nagents;
	for (unsigned i = 0; i < p->n; i++) {
		const struct conf_agent *a = &c->agents[i];

		p->v[i].agent = a;
		p->v[i].path = a->exe_real ? a->exe_real : a->exe;
	}
	*ret = p;
	return 0;
}

void programs_free(struct programs *p)
{
	if (!p)
		return;
	free(p->v);
	free(p);
}

/* Whether an earlier agent has the same loader, so that the kernel knows it. */
static bool loader_told(const struct programs *p, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (p->v[k].loader.seen && p->v[k].loader_key.ino == p->v[i].loader_key.ino &&
		    p->v[k].loader_key.dev == p->v[i].loader_key.dev)
			return true;
	return false;
}

size_t programs_selectors(const struct programs *p, struct kern_selector *ret)
{
	size_t n = 0;

	for (unsigned i = 0; i < p->n; i++) {
		const struct program *at = &p->v[i];

		if (at->file.seen)
			ret[n++] = (struct kern_selector){ .kind = TG_SEL_SIZE, .agent = i + 1,
							   .size = (uint64_t)at->file.is.st_size };
		if (!at->loader.seen || loader_told(p, i))
			continue;
		ret[n++] = (struct kern_selector){ .kind = TG_SEL_LOADER, .agent = i + 1, .exe = at->loader_key };
		ret[n++] = (struct kern_selector){ .kind = TG_SEL_SIZE, .agent = i + 1,
						   .size = (uint64_t)at->loader.is.st_size };
	}
	return n;
}

/* --- recognising them ----------------------------------------------------------------------------- */

static int inability(struct match *m, int error, const char *what)
{
	*m = (struct match){ .agent = -1 };
	(void)snprintf(m->reason, sizeof(m->reason), "%s: %s", what, err_text(error));
	return error;
}

/* A file at which a process or an argument points; measured at most once. */
struct candidate {
	pid_t pid;
	int fd; /* O_PATH */
	struct statx is;
	int measured; /* 1, 0: not yet, -errno */
	uint8_t digest[SHA256_SIZE];
};

static int candidate_init(pid_t pid, int fd, struct candidate *ret)
{
	*ret = (struct candidate){ .pid = pid, .fd = fd };
	/* DONT_SYNC: a FUSE server is not asked for attributes. */
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &ret->is) < 0 ? -errno : 0;
}

static bool is_file(const struct candidate *c, const struct stat *st)
{
	return c->is.stx_ino == st->st_ino && makedev(c->is.stx_dev_major, c->is.stx_dev_minor) == st->st_dev;
}

static bool may_be_known(const struct candidate *c, const struct known *k)
{
	return k->seen && c->is.stx_nlink == 0 && c->is.stx_size == (uint64_t)k->is.st_size;
}

/* The file itself, or a copy of it that has no name. 1, 0, or -errno when it may be one but cannot be compared. */
static int is_known(struct candidate *c, const struct known *k)
{
	if (!k->seen || !S_ISREG(c->is.stx_mode))
		return 0;
	if (is_file(c, &k->is))
		return 1;
	if (!may_be_known(c, k))
		return 0;
	if (k->error)
		return k->error;
	if (!c->measured) {
		int r = measure_file(c->pid, c->fd, c->digest);

		c->measured = r < 0 ? r : 1;
	}
	return c->measured < 0 ? c->measured : memcmp(c->digest, k->digest, SHA256_SIZE) == 0;
}

bool programs_suspect(const struct programs *p, pid_t pid)
{
	_cleanup_close_ int exe = proc_open(pid, "exe", O_PATH);
	struct candidate c;

	/* Who is gone, or a thread of the kernel, runs no program; one that cannot be looked at may run any. */
	if (exe < 0)
		return exe != -ESRCH;
	if (candidate_init(pid, exe, &c) < 0)
		return true;
	for (unsigned i = 0; i < p->n; i++) {
		const struct program *at = &p->v[i];

		if ((at->loader.seen && is_file(&c, &at->loader.is)) || may_be_known(&c, &at->loader) ||
		    may_be_known(&c, &at->file))
			return true;
	}
	return false;
}

/* Marks the agents whose program or script a file is. */
static int find(const struct programs *p, struct candidate *c, uint8_t *found)
{
	for (unsigned i = 0; i < p->n; i++) {
		int r = is_known(c, &p->v[i].file);

		if (r < 0)
			return r;
		if (r > 0)
			found[i] |= FOUND_PROGRAM;
		/* Scripts are told by their place: a copy of one is not the approved one. */
		if (p->v[i].script_seen && is_file(c, &p->v[i].script))
			found[i] |= FOUND_SCRIPT;
	}
	return 0;
}

/* A way that the process itself could not go leads it nowhere either. */
static bool names_nothing(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ENAMETOOLONG || error == -ELOOP;
}

static int find_argument(const struct programs *p, struct proc_view *view, const char *arg, uint8_t *found)
{
	_cleanup_close_ int fd = proc_view_resolve(view, arg);
	struct candidate c;
	int r;

	if (fd < 0)
		return names_nothing(fd) ? 0 : fd;
	r = candidate_init(view->pid, fd, &c);
	return r < 0 ? r : find(p, &c, found);
}

static int read_args(pid_t pid, struct buf *ret)
{
	_cleanup_close_ int fd = proc_open(pid, "cmdline", O_RDONLY);
	int r;

	if (fd < 0)
		return fd;
	r = file_read_fd(fd, ARGS_BYTES_MAX, ret);
	if (r < 0)
		return r;
	/* A process may have written over its arguments' end. */
	return buf_append(ret, "", 1);
}

static int find_arguments(const struct programs *p, pid_t pid, struct span args, uint8_t *found)
{
	_cleanup_(proc_view_done) struct proc_view view = PROC_VIEW_NONE;
	size_t n = 0;
	int r = proc_view_open(pid, &view);

	while (args.n > 0 && r >= 0) {
		size_t len = strlen(args.p) + 1;

		r = ++n > ARGS_MAX ? -E2BIG : find_argument(p, &view, args.p, found);
		args.p += len;
		args.n -= len;
	}
	return r;
}

/* Whether the executed file is a loader of some program. 1, 0 or -errno. */
static int is_loader(const struct programs *p, struct candidate *c)
{
	for (unsigned i = 0; i < p->n; i++) {
		int r = is_known(c, &p->v[i].loader);

		if (r != 0)
			return r;
	}
	return 0;
}

/* The script that goes with a program, of whichever agent. */
static const char *script_with(const struct programs *p, const char *path, const uint8_t *found)
{
	for (unsigned i = 0; i < p->n; i++)
		if ((found[i] & FOUND_SCRIPT) && p->v[i].path && strcmp(p->v[i].path, path) == 0)
			return p->v[i].agent->script_real ? p->v[i].agent->script_real : p->v[i].agent->script;
	return "";
}

static int match_found(const struct programs *p, const struct proc_identity *id, const uint8_t *found, const char *how,
		       struct match *ret)
{
	for (unsigned i = 0; i < p->n; i++) {
		size_t n;

		if (!(found[i] & FOUND_PROGRAM) || !p->v[i].path)
			continue;
		match_exec(p->conf, p->v[i].path, script_with(p, p->v[i].path, found), id->uid, id->cgroup, ret);
		if (ret->is != MATCH_AGENT)
			continue;
		n = strlen(ret->reason);
		(void)snprintf(ret->reason + n, sizeof(ret->reason) - n, ", %s", how);
		return 1;
	}
	return 0;
}

int programs_match(const struct programs *p, const struct proc_identity *id, struct match *ret)
{
	_cleanup_close_ int exe = proc_open(id->pid, "exe", O_PATH);
	_cleanup_free_ uint8_t *found = calloc(p->n + 1, 1);
	_cleanup_buf_ struct buf args = { 0 };
	struct candidate c;
	bool program = false;
	int loader, r;

	if (!found)
		return inability(ret, -ENOMEM, "its program is not known");
	r = exe < 0 ? exe : candidate_init(id->pid, exe, &c);
	loader = r < 0 ? r : is_loader(p, &c);
	if (loader >= 0 && (loader || c.is.stx_nlink == 0))
		r = find(p, &c, found);
	if (loader < 0 || r < 0)
		return inability(ret, loader < 0 ? loader : r, "its program cannot be compared with the agents'");
	for (unsigned i = 0; i < p->n; i++)
		program |= found[i] & FOUND_PROGRAM;
	if (!loader && !program)
		return 0;
	r = read_args(id->pid, &args);
	if (r >= 0)
		r = find_arguments(p, id->pid, buf_span(&args), found);
	if (r < 0)
		return inability(ret, r, "what its arguments name cannot be told");
	if (match_found(p, id, found, c.is.stx_nlink ? "run by its loader" : "run from a file without a name", ret))
		return 1;
	if (loader && loader_seeks(buf_span(&args).p, buf_span(&args).n - 1))
		return inability(ret, -ENOENT, "its loader is to seek a program by a name without '/'");
	return 0;
}
