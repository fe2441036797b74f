// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration against this system: users, groups and files that it names. Runs in the supervisor,
 * as root, before anything is loaded, and in tollgate(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/conf/internal.h"

#define NSS_BUF_SIZE 16384

static int fail_user(struct conf *c, struct conf_error *e, const char *key, const char *name, int err)
{
	return conf_fail(e, err ? -err : -EINVAL, c->file, 0, 0, "%s: user '%s': %s", key, name,
			 err ? strerror(err) : "there is no such user");
}

static int resolve_user(struct conf *c, const char *key, struct conf_user *u, struct conf_error *e)
{
	_cleanup_free_ char *mem = malloc(NSS_BUF_SIZE);
	struct passwd pw, *found = NULL;
	uint64_t v;
	int r;

	if (!mem)
		return conf_fail(e, -ENOMEM, c->file, 0, 0, "out of memory");
	if (conf_parse_number(u->name, UINT32_MAX - 1, &v) == 0) {
		/* A number needs no entry: images are often built without one. */
		u->uid = (uid_t)v;
		u->gid = (gid_t)v;
		if (getpwuid_r(u->uid, &pw, mem, NSS_BUF_SIZE, &found) == 0 && found)
			u->gid = pw.pw_gid;
		return 0;
	}
	r = getpwnam_r(u->name, &pw, mem, NSS_BUF_SIZE, &found);
	if (r != 0 || !found)
		return fail_user(c, e, key, u->name, r);
	if (pw.pw_uid == 0)
		return conf_fail(e, -EINVAL, c->file, 0, 0, "%s: user '%s' is root under another name",
				 key, u->name);
	u->uid = pw.pw_uid;
	u->gid = pw.pw_gid;
	return 0;
}

static int resolve_users(struct conf *c, struct conf_error *e)
{
	int r = resolve_user(c, "users.proxy", &c->proxy, e);

	if (r == 0)
		r = resolve_user(c, "users.notary", &c->notary, e);
	if (r == 0)
		r = resolve_user(c, "users.query", &c->query, e);
	if (r < 0)
		return r;
	if (c->proxy.uid == c->notary.uid || c->proxy.uid == c->query.uid || c->notary.uid == c->query.uid)
		return conf_fail(e, -EINVAL, c->file, 0, 0,
				 "users: proxy, notary and query must be different users");
	return 0;
}

static int resolve_group(struct conf *c, struct conf_error *e)
{
	_cleanup_free_ char *mem = malloc(NSS_BUF_SIZE);
	struct group gr, *found = NULL;
	uint64_t v;

	if (!mem)
		return conf_fail(e, -ENOMEM, c->file, 0, 0, "out of memory");
	if (conf_parse_number(c->audit_group, UINT32_MAX - 1, &v) == 0) {
		c->audit_gid = (gid_t)v;
		return 0;
	}
	if (getgrnam_r(c->audit_group, &gr, mem, NSS_BUF_SIZE, &found) == 0 && found) {
		c->audit_gid = gr.gr_gid;
		return 0;
	}
	/* Nobody gains by its absence: only root may ask then. */
	return conf_warn(c, "audit_group: there is no group '%s': only root may use the audit socket",
			 c->audit_group);
}

static int fail_agent(struct conf *c, struct conf_error *e, const struct conf_agent *a, const char *what,
		      const char *value, const char *why)
{
	return conf_fail(e, -EINVAL, c->file, a->line, 1, "agent '%s': %s %s: %s", a->name, what, value,
			 why);
}

/* The image of a "#!" script is its interpreter's, so such an exe selector would never see a match. */
static bool is_script(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char head[2];

	return fd >= 0 && read(fd, head, 2) == 2 && head[0] == '#' && head[1] == '!';
}

/* Sets *ret to the path as the kernel will show it. */
static int resolve_file(struct conf *c, struct conf_agent *a, const char *what, const char *path,
			bool program, char **ret, struct conf_error *e)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct stat st;

	if (!real && errno != ENOENT && errno != ENOTDIR)
		return fail_agent(c, e, a, what, path, strerror(errno));
	if (!real) {
		int r = conf_warn(c, "agent '%s': %s %s does not exist yet", a->name, what, path);

		*ret = r == 0 ? strdup(path) : NULL;
		return *ret ? 0 : conf_fail(e, -ENOMEM, c->file, 0, 0, "out of memory");
	}
	if (stat(real, &st) < 0)
		return fail_agent(c, e, a, what, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_agent(c, e, a, what, path, "is no regular file: it can never match");
	if (program && !(st.st_mode & 0111))
		return fail_agent(c, e, a, what, path, "is not executable: it can never match");
	if (program && is_script(real))
		return fail_agent(c, e, a, what, path, "is a script (#!): it can never match; give its "
						       "interpreter as exe and this file as script");
	*ret = take_ptr(real);
	return 0;
}

static int resolve_agent(struct conf *c, struct conf_agent *a, struct conf_error *e)
{
	int r = 0;

	if (a->exe)
		r = resolve_file(c, a, "exe", a->exe, true, &a->exe_real, e);
	if (r == 0 && a->script)
		r = resolve_file(c, a, "script", a->script, false, &a->script_real, e);
	if (r == 0 && a->uid_name && a->uid == CONF_UID_ANY) {
		struct conf_user u = { .name = a->uid_name };

		r = resolve_user(c, a->name, &u, e);
		if (r == 0)
			a->uid = u.uid;
	}
	return r;
}

int conf_resolve(struct conf *c, struct conf_error *ret_error)
{
	int r = resolve_users(c, ret_error);

	if (r == 0)
		r = resolve_group(c, ret_error);
	for (unsigned i = 0; r == 0 && i < c->nagents; i++)
		r = resolve_agent(c, &c->agents[i], ret_error);
	return r;
}
