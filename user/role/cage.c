// SPDX-License-Identifier: Apache-2.0
/*
 * The cage of a stdio server, made ready in the supervisor. The injector puts it on; the proxy holds the
 * conversation to it.
 *
 * LIMIT: what a server is made of is measured when it starts. Who can write to it then, and later, can change what
 * it has not loaded yet.
 * LIMIT: measuring holds the supervisor up, by as long as it takes to read PACKAGE_BYTES_MAX at worst.
 */
#include "user/role/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/mcp/catalog_declare.h"
#include "user/proc/file.h"
#include "user/proc/identity.h"
#include "user/proc/package.h"
#include "user/proc/resolve.h"
#include "user/role/landlock.h"
#include "user/role/sandbox.h"

#define SEE (FS_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define CHANGE \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK | FS_REFER | FS_TRUNCATE)

/* What any program needs to run at all, and none can read secrets from. What is not there is passed over. */
static const struct base_path {
	const char *path;
	uint64_t access;
	bool network; /* only for a server that has one */
} base[] = {
	{ "/usr", SEE, false },
	{ "/lib", SEE, false },
	{ "/lib32", SEE, false },
	{ "/lib64", SEE, false },
	{ "/bin", SEE, false },
	{ "/sbin", SEE, false },
	{ "/etc/ld.so.cache", FS_READ, false },
	{ "/etc/localtime", FS_READ, false },
	{ "/etc/nsswitch.conf", FS_READ, false },
	{ "/etc/ssl/openssl.cnf", FS_READ, false }, /* read by whatever has OpenSSL in it, and needed by Node */
	{ "/etc/pki/tls/openssl.cnf", FS_READ, false },
	{ "/etc/crypto-policies", FS_READ, false },
	{ "/etc/passwd", FS_READ, false },
	{ "/etc/group", FS_READ, false },
	{ "/dev/null", CHANGE, false },
	{ "/dev/zero", CHANGE, false },
	{ "/dev/full", CHANGE, false },
	{ "/dev/random", FS_READ, false },
	{ "/dev/urandom", FS_READ, false },
	{ "/etc/resolv.conf", FS_READ, true },
	{ "/etc/hosts", FS_READ, true },
	{ "/etc/host.conf", FS_READ, true },
	{ "/etc/gai.conf", FS_READ, true },
	{ "/etc/services", FS_READ, true },
	{ "/etc/ssl/certs", FS_READ, true },
	{ "/etc/pki/tls/certs", FS_READ, true },
	{ "/etc/pki/ca-trust", FS_READ, true },
};

#define SHOWN(s) (int)((s).n < 100 ? (s).n : 100), (s).p

static void put_path(struct span s, char ret[CATALOG_DECLARED_PATH_MAX + 1])
{
	(void)snprintf(ret, CATALOG_DECLARED_PATH_MAX + 1, "%.*s", (int)s.n, s.p);
}

/* --- measuring ------------------------------------------------------------------------------------ */

/* The command is what runs, whatever its name leads to by now. */
static int open_part(struct proc_view *v, const struct proc_identity *id, struct span path)
{
	char text[CATALOG_DECLARED_PATH_MAX + 1];

	if (span_is(path, id->exe))
		return id->exe_measured ? proc_open(id->pid, "exe", O_PATH) : -EOPNOTSUPP;
	put_path(path, text);
	return proc_view_resolve(v, text);
}

static bool part_is(struct proc_view *v, const struct proc_identity *id, struct span path,
		    const uint8_t want[SHA256_SIZE], uint64_t *bytes, char why[256])
{
	char digest[SHA256_PREFIXED_SIZE];
	_cleanup_close_ int fd = open_part(v, id, path);
	struct package p = { 0 };
	/* Root could change what it measured without leaving a trace of it in any time stamp. */
	int r = fd < 0 ? fd : package_measure(fd, id->uid != 0, &p);

	*bytes += p.bytes;
	if (r == 0 && *bytes > PACKAGE_BYTES_MAX)
		r = -EFBIG;
	if (r == 0 && memcmp(p.digest, want, SHA256_SIZE) == 0)
		return true;
	sha256_prefixed(p.digest, digest);
	if (r == 0)
		(void)snprintf(why, 256, "%.*s has digest %s, the catalog another", SHOWN(path), digest);
	else
		(void)snprintf(why, 256, "%.*s%s%.80s cannot be measured: %s", SHOWN(path), *p.at ? "/" : "", p.at,
			       strerror(-r));
	return false;
}

bool cage_measure(const struct catalog *c, const struct catalog_server *s, const struct proc_identity *id,
		  char why[256], bool *ret_wrong)
{
	const struct tape *t = catalog_tape(c);
	struct proc_view v = PROC_VIEW_NONE;
	uint64_t bytes = 0;
	bool same;
	int r;

	*ret_wrong = false;
	if (s->measured == TAPE_NONE) {
		(void)snprintf(why, 256, "the catalog does not say what the server is made of");
		return false;
	}
	r = proc_view_open(id->pid, &v);
	same = r == 0;
	if (r < 0)
		(void)snprintf(why, 256, "its files cannot be seen: %s", strerror(-r));
	for (uint32_t i = tape_first(t, s->measured); same && i != TAPE_NONE; i = tape_next(t, s->measured, i)) {
		uint8_t want[SHA256_SIZE];
		struct span path;

		catalog_measured(c, i, &path, want);
		same = part_is(&v, id, path, want, &bytes, why);
	}
	proc_view_done(&v);
	*ret_wrong = !same;
	if (same && *id->script && !catalog_covers(c, s, span_of(id->script))) {
		(void)snprintf(why, 256, "the script %.150s is not among what is measured", id->script);
		return false;
	}
	return same;
}

/* --- rules ---------------------------------------------------------------------------------------- */

struct rules {
	struct proc_view view;
	int fd;
	uint64_t handled;
	char *why; /* 256 bytes */
};

/* What is not there cannot be reached either. */
static int add_rule(struct rules *r, const char *path, uint64_t access)
{
	_cleanup_close_ int fd = proc_view_resolve(&r->view, path);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd, .allowed_access = access & r->handled };
	struct statx sx;
	int e = 0;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		e = fd;
	else if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) < 0)
		e = -errno;
	if (e == 0 && !S_ISDIR(sx.stx_mode))
		rule.allowed_access &= FS_OF_FILE;
	if (e == 0 && syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		e = -errno;
	if (e < 0)
		(void)snprintf(r->why, 256, "%.150s cannot be opened to the server: %s", path, strerror(-e));
	return e;
}

static int add_rules(struct rules *r, const struct catalog *c, const struct catalog_server *s,
		     const struct catalog_confine *f)
{
	const struct { uint32_t list; uint64_t access; } lists[] = { { f->read, FS_READ }, { f->write, CHANGE } };
	const struct tape *t = catalog_tape(c);
	char path[CATALOG_DECLARED_PATH_MAX + 1];
	int e = 0;

	for (size_t i = 0; e == 0 && i < ARRAY_SIZE(base); i++)
		if (f->network || !base[i].network)
			e = add_rule(r, base[i].path, base[i].access);
	for (uint32_t i = tape_first(t, s->measured); e == 0 && i != TAPE_NONE; i = tape_next(t, s->measured, i)) {
		put_path(tape_text(t, tape_get(t, i, "path")), path);
		e = add_rule(r, path, SEE);
	}
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (uint32_t i = tape_first(t, lists[k].list); e == 0 && i != TAPE_NONE;
		     i = tape_next(t, lists[k].list, i)) {
			put_path(tape_text(t, i), path);
			e = add_rule(r, path, lists[k].access);
		}
	return e;
}

static int make_ruleset(const struct catalog *c, const struct catalog_server *s, const struct catalog_confine *f,
			pid_t pid, struct cage *cage)
{
	int abi = sandbox_landlock_abi(), e;
	struct rules r = { .view = PROC_VIEW_NONE, .handled = landlock_fs_of_abi(abi), .why = cage->spawn.refused };
	struct landlock_attr attr = { .handled_access_fs = r.handled };

	if (abi == 0) {
		(void)snprintf(r.why, 256, "this kernel has no Landlock: nothing can be confined on it");
		return -EOPNOTSUPP;
	}
	if (abi >= 4 && !f->network)
		attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	r.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	e = r.fd < 0 ? -errno : proc_view_open(pid, &r.view);
	if (e < 0)
		(void)snprintf(r.why, 256, "its confinement cannot be made: %s", strerror(-e));
	if (e == 0)
		e = add_rules(&r, c, s, f);
	proc_view_done(&r.view);
	cage->ruleset = r.fd;
	cage->how.network = f->network;
	cage->how.truncate = abi < 3;
	cage->how.abi = (uint32_t)abi;
	return e;
}

static int take_env(const struct catalog *c, const struct catalog_confine *f, struct msg_cage *how)
{
	const struct tape *t = catalog_tape(c);

	for (uint32_t i = tape_first(t, f->env); i != TAPE_NONE; i = tape_next(t, f->env, i)) {
		struct span name = tape_text(t, i);

		if (name.n + 1 > sizeof(how->env) - how->env_len)
			return -E2BIG; /* the catalog's reader has refused that */
		memcpy(how->env + how->env_len, name.p, name.n);
		how->env_len += (uint32_t)name.n + 1;
	}
	return 0;
}

/* --- both ----------------------------------------------------------------------------------------- */

void cage_open(const struct catalog *c, pid_t pid, struct cage *ret)
{
	struct catalog_match m = { 0 };
	struct catalog_confine f;
	struct proc_identity id;
	char why[256] = "";
	bool wrong;

	*ret = (struct cage){ .ruleset = -1 };
	if (proc_identity_read(pid, &id) < 0)
		return; /* it is read again before its conversation begins, and must be readable then */
	catalog_server_find_stdio(c, &id, &m);
	if (!m.server || (m.server->measured == TAPE_NONE && m.server->confine == TAPE_NONE))
		return;
	memcpy(ret->spawn.declared, m.server->declared, sizeof(ret->spawn.declared));
	ret->spawn.measured = cage_measure(c, m.server, &id, why, &wrong);
	if (wrong) {
		memcpy(ret->spawn.refused, why, sizeof(why));
		return;
	}
	if (!catalog_confine(c, m.server, &f))
		return;
	ret->confined = make_ruleset(c, m.server, &f, pid, ret) == 0 && take_env(c, &f, &ret->how) == 0;
	if (!ret->confined && !*ret->spawn.refused)
		(void)snprintf(ret->spawn.refused, sizeof(ret->spawn.refused), "its confinement cannot be made");
}

struct cage cage_take(struct cage *cage)
{
	struct cage c = *cage;

	cage->ruleset = -1;
	return c;
}

void cage_done(struct cage *cage)
{
	if (cage->ruleset >= 0)
		close(cage->ruleset);
	cage->ruleset = -1;
}
