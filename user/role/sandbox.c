// SPDX-License-Identifier: Apache-2.0
/*
 * What every role gives up before it does its work. Runs once in each role, as root, with one thread. Each
 * step is verified or fails the whole: a role that could not give something up must not start.
 *
 * The order is forced: limits and folders need root; no_new_privs comes before Landlock and seccomp, which
 * want it of processes without privileges; the bounding set needs CAP_SETPCAP, so it precedes the capabilities; a
 * change of uid makes the kernel forget the parent-death signal and dumpability, so both follow it; seccomp
 * is last because it forbids all of this.
 */
#include "user/role/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/role/landlock.h"
#include "user/role/seccomp_tables.h"

#define CAP(c) (1ull << (c))

/* The supervisor's: BPF and its hooks, fanotify and namespaces (SYS_ADMIN), other users' processes and
 * descriptors (PTRACE, KILL, DAC), the folders it makes for other roles (CHOWN, FOWNER), locked memory. */
#define CAPS_SUPERVISOR \
	(CAP(CAP_BPF) | CAP(CAP_PERFMON) | CAP(CAP_NET_ADMIN) | CAP(CAP_SYS_ADMIN) | \
	 CAP(CAP_SYS_PTRACE) | CAP(CAP_KILL) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_DAC_OVERRIDE) | \
	 CAP(CAP_CHOWN) | CAP(CAP_FOWNER) | CAP(CAP_SYS_RESOURCE))
/* DAC_READ_SEARCH: to list /proc/PID/fd of other users, which ptrace rights alone do not allow. */
#define CAPS_INJECTOR (CAP(CAP_SYS_PTRACE) | CAP(CAP_KILL) | CAP(CAP_DAC_READ_SEARCH))
/* What its children need, and what it takes to make them. */
#define CAPS_KEEPER \
	(CAPS_SUPERVISOR | CAPS_INJECTOR | CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_SETPCAP) | \
	 CAP(CAP_FSETID)) /* the log folder's set-group-ID bit, made before the supervisor's sandbox */

static const uint64_t role_caps[ROLE_MAX_] = {
	[ROLE_KEEPER] = CAPS_KEEPER,
	[ROLE_SUPERVISOR] = CAPS_SUPERVISOR,
	[ROLE_INJECTOR] = CAPS_INJECTOR,
};

static bool stays_root(enum role role)
{
	return role == ROLE_KEEPER || role == ROLE_SUPERVISOR || role == ROLE_INJECTOR;
}

#ifdef __SANITIZE_ADDRESS__
/* The leak check at exit traces the process from a helper, which the sandbox forbids. */
static int entered;

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return entered;
}
#endif

/* --- limits --------------------------------------------------------------------------------------- */

static int set_limits(const struct sandbox_spec *spec, struct sandbox_report *report)
{
	struct rlimit none = { 0 }, files;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	if (spec->nofile > files.rlim_cur) {
		struct rlimit want = { spec->nofile,
				       spec->nofile > files.rlim_max ? spec->nofile : files.rlim_max };

		/* Above the hard limit only with CAP_SYS_RESOURCE, which containers often lack. */
		if (setrlimit(RLIMIT_NOFILE, &want) < 0) {
			want.rlim_cur = want.rlim_max = files.rlim_max;
			(void)setrlimit(RLIMIT_NOFILE, &want);
		}
		if (getrlimit(RLIMIT_NOFILE, &files) < 0)
			return -errno;
	}
	report->nofile = files.rlim_cur;
	return 0;
}

/* --- Landlock ------------------------------------------------------------------------------------- */

#define FS_WRITE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 FS_REFER | FS_TRUNCATE | FS_IOCTL_DEV)

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static int add_path(int ruleset, const struct sandbox_path *p, uint64_t handled)
{
	_cleanup_close_ int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	rule.allowed_access = (FS_READ | (p->write ? FS_WRITE : 0)) & handled;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILE;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
												  : 0;
}

/* The rules, ready to be put in force; -1 when the kernel has none and that is accepted. The roles that
 * stay root get none: Landlock would forbid them to look into any process outside, which is their work. */
static int make_ruleset(enum role role, const struct sandbox_spec *spec, struct sandbox_report *report,
			int *ret_fd)
{
	int abi = sandbox_landlock_abi(), r = 0;
	struct landlock_attr attr = { .handled_access_fs = landlock_fs_of_abi(abi) };
	_cleanup_close_ int fd = -1;

	report->landlock_abi = abi;
	if (stays_root(role) || (abi == 0 && spec->landlock_optional)) {
		*ret_fd = -1;
		return 0;
	}
	if (abi == 0)
		return -EOPNOTSUPP;
	if (abi >= 4)
		attr.handled_access_net = NET_BIND_TCP |
					  (role == ROLE_PROXY || role == ROLE_CANARY ? 0 : NET_CONNECT_TCP);
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return -errno;
	for (unsigned i = 0; r == 0 && i < spec->npaths; i++)
		r = add_path(fd, &spec->paths[i], attr.handled_access_fs);
	if (r < 0)
		return r;
	*ret_fd = take_fd(fd);
	return 0;
}

/* --- users and capabilities ----------------------------------------------------------------------- */

static int drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		if (keep & CAP(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EINVAL && cap > CAP_SYS_RESOURCE ? 0 : -errno;
	}
	return 0;
}

static int set_caps(uint64_t keep)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	/* What is missing already (CAP_SYS_RESOURCE in a container) cannot be kept; whatever needs it
	 * fails by itself and says so. */
	for (unsigned i = 0; i < 2; i++) {
		d[i].permitted &= (uint32_t)(keep >> (32 * i));
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

static int become(const struct sandbox_spec *spec)
{
	uid_t u[3];
	gid_t g[3];

	if (setgroups(spec->extra_gid ? 1 : 0, &spec->extra_gid) < 0 ||
	    setresgid(spec->gid, spec->gid, spec->gid) < 0 ||
	    setresuid(spec->uid, spec->uid, spec->uid) < 0 || getresuid(&u[0], &u[1], &u[2]) < 0 ||
	    getresgid(&g[0], &g[1], &g[2]) < 0)
		return -errno;
	for (unsigned i = 0; i < 3; i++)
		if (u[i] != spec->uid || g[i] != spec->gid)
			return -EPERM;
	/* Believe the kernel, but look. */
	if (spec->uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
		return -EPERM;
	return 0;
}

/* Identity and privileges, with what the kernel forgets on a change of them. */
static int drop_privileges(enum role role, const struct sandbox_spec *spec)
{
	pid_t parent = getppid();
	int death = 0, r;

	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Other bits would let a change of uid keep capabilities. */
	if (prctl(PR_GET_SECUREBITS) != SECUREBITS_DEFAULT &&
	    prctl(PR_SET_SECUREBITS, SECUREBITS_DEFAULT) < 0)
		return -errno;
	r = drop_bounding(role_caps[role]);
	if (r == 0)
		r = become(spec);
	if (r == 0)
		r = set_caps(role_caps[role]);
	if (r < 0)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, death) < 0)
		return -errno;
	/* The parent may have died while the signal was unset. */
	return getppid() == parent ? 0 : -EOWNERDEAD;
}

/* --- seccomp ------------------------------------------------------------------------------------- */

#ifdef SANDBOX_SECCOMP_LOG
/* A build for finding out what a table lacks. Not an option of the program: whoever can set its
 * environment or configuration must not be able to take the filter away, and a record that says
 * "sandboxed" must not depend on how the program was started. */
#define SECCOMP_VIOLATION SCMP_ACT_LOG
#else
#define SECCOMP_VIOLATION SCMP_ACT_KILL_PROCESS
#endif

/* The number of a name; -1 when this architecture has no such call. -EINVAL for a name that is none. */
static int resolve(const char *name, int *ret)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return -EINVAL;
	*ret = nr < 0 ? -1 : nr;
	return 0;
}

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names)
{
	for (; names && *names; names++) {
		int nr, r = resolve(*names, &nr);

		if (r == 0 && nr >= 0)
			r = seccomp_rule_add(ctx, action, nr, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct scmp_arg_cmp compare(const struct seccomp_arg *a, unsigned value)
{
	return SCMP_CMP(a->index, SCMP_CMP_MASKED_EQ, a->mask, a->values[value]);
}

static int add_rule(scmp_filter_ctx ctx, uint32_t action, const struct seccomp_rule *rule)
{
	const struct seccomp_arg *a = &rule->args[0], *b = &rule->args[1];
	int nr, r = resolve(rule->name, &nr);

	if (r < 0 || nr < 0)
		return r;
	for (unsigned i = 0; r == 0 && i < a->nvalues; i++) {
		if (!b->mask)
			r = seccomp_rule_add(ctx, action, nr, 1, compare(a, i));
		for (unsigned k = 0; r == 0 && b->mask && k < b->nvalues; k++)
			r = seccomp_rule_add(ctx, action, nr, 2, compare(a, i), compare(b, k));
	}
	return r;
}

static int add_rules(scmp_filter_ctx ctx, uint32_t action, const struct seccomp_rule *rules)
{
	int r = 0;

	for (; r == 0 && rules && rules->name; rules++)
		r = add_rule(ctx, action, rules);
	return r;
}

static int add_table(scmp_filter_ctx ctx, const struct seccomp_table *t)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(t->allow); i++)
		r = add_names(ctx, SCMP_ACT_ALLOW, t->allow[i]);
	for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(t->rules); i++)
		r = add_rules(ctx, SCMP_ACT_ALLOW, t->rules[i]);
	if (r == 0)
		r = add_names(ctx, SCMP_ACT_ERRNO(EACCES), t->refuse);
	if (r == 0)
		r = add_rules(ctx, SCMP_ACT_ERRNO(EACCES), t->refuse_rules);
	if (r == 0)
		r = add_names(ctx, SCMP_ACT_ERRNO(ENOSYS), t->absent);
	return r;
}

static int enter_seccomp(enum role role)
{
	const struct seccomp_table *t = seccomp_table_of(role);
	scmp_filter_ctx ctx = seccomp_init(t ? SECCOMP_VIOLATION : SCMP_ACT_ALLOW);
	int r;

	if (!ctx)
		return -ENOMEM;
	/* Other ABIs of the machine (x32, i386) have numbers of their own: none of them may be used. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: proxies make many calls */
	if (r == 0)
		r = t ? add_table(ctx, t) : add_names(ctx, SECCOMP_VIOLATION, seccomp_keeper_deny);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

/* --- all of it ------------------------------------------------------------------------------------ */

/* The link count of the folder of threads is two and one for each. */
static bool has_threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink > 3;
}

static int check_spec(enum role role, const struct sandbox_spec *spec)
{
	if ((unsigned)role >= ROLE_MAX_ || spec->npaths > SANDBOX_PATHS_MAX)
		return -EINVAL;
	if (stays_root(role) ? spec->uid != 0 || spec->gid != 0 || spec->npaths > 0
			     : spec->uid == 0 || spec->gid == 0)
		return -EINVAL;
	if ((role == ROLE_PROXY || role == ROLE_CANARY) && spec->npaths > 0)
		return -EINVAL;
	if (geteuid() != 0)
		return -EPERM;
	return has_threads() ? -EBUSY : 0;
}

int sandbox_enter(enum role role, const struct sandbox_spec *spec, struct sandbox_report *ret_report)
{
	struct sandbox_report report = { .seccomp_log_only = SECCOMP_VIOLATION == SCMP_ACT_LOG };
	_cleanup_close_ int ruleset = -1;
	int r = check_spec(role, spec);

	if (r == 0)
		r = set_limits(spec, &report);
	if (r == 0)
		r = make_ruleset(role, spec, &report, &ruleset);
	if (r == 0)
		r = drop_privileges(role, spec);
	if (r == 0 && ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	if (r == 0)
		r = enter_seccomp(role);
	if (r < 0)
		return r;
#ifdef __SANITIZE_ADDRESS__
	entered = 1;
#endif
	if (ret_report)
		*ret_report = report;
	return 0;
}
