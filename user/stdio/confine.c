// SPDX-License-Identifier: Apache-2.0
/*
 * Putting a process into its cage. Runs in the injector, on a process of which every thread stands still. The rules
 * are made elsewhere; here they are put on, thread by thread, since both Landlock and no_new_privs are a thread's own.
 */
#include "user/stdio/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/file.h"

#define ENVIRON_MAX (16u << 20) /* more than exec accepts with an unlimited stack (6 MiB) */
#define STAT_ENV_START 50 /* field of proc(5)'s stat */

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define OTHER_ABI 0x40000000u /* x32: the same calls under other numbers */
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

/* --- the filter ------------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ERRNO(e) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (e))
/* Without its condition the next instruction is passed over. */
#define IF_IS(v) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (v), 0, 1)

/* Arguments are little-endian on both machines: the low half comes first. */
#define LOW(i) (offsetof(struct seccomp_data, args) + 8 * (i))

static unsigned put(struct sock_filter *f, unsigned n, const struct sock_filter *more, unsigned k)
{
	memcpy(f + n, more, k * sizeof(*more));
	return n + k;
}

/* open(.., O_RDONLY | O_TRUNC) cuts a file that need not be open for writing. flags: which argument they are. */
static unsigned put_open(struct sock_filter *f, unsigned n, unsigned nr, unsigned flags)
{
	const struct sock_filter code[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(flags)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, O_ACCMODE | O_TRUNC),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, O_RDONLY | O_TRUNC, 0, 1),
		ERRNO(EACCES),
		LOAD(nr),
	};

	return put(f, n, code, ARRAY_SIZE(code));
}

unsigned confine_filter(const struct stdio_cage *c, struct sock_filter *f)
{
	/* A filter that knows one table of calls must not let another be used. */
	const struct sock_filter head[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
		ERRNO(ENOSYS),
		LOAD(nr),
#ifdef OTHER_ABI
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1),
		ERRNO(ENOSYS),
#endif
	};
	const struct sock_filter no_network[] = {
		IF_IS(SYS_socket), ERRNO(EACCES), IF_IS(SYS_io_uring_setup), ERRNO(ENOSYS),
	};
	/* openat2() has its flags in memory, where a filter cannot see them. */
	const struct sock_filter no_truncate[] = {
		IF_IS(SYS_truncate), ERRNO(EACCES), IF_IS(SYS_openat2), ERRNO(ENOSYS),
		IF_IS(SYS_io_uring_setup), ERRNO(ENOSYS),
	};
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	unsigned n = put(f, 0, head, ARRAY_SIZE(head));

	if (!c->network)
		n = put(f, n, no_network, ARRAY_SIZE(no_network));
	if (c->truncate) {
		n = put(f, n, no_truncate, ARRAY_SIZE(no_truncate));
#ifdef SYS_open
		n = put_open(f, n, SYS_open, 1);
#endif
		n = put_open(f, n, SYS_openat, 2);
	}
	return put(f, n, &allow, 1);
}

/* --- one thread ------------------------------------------------------------------------------------- */

/* In the thread's scratch memory. */
struct filter_frame {
	struct sock_fprog prog;
	struct sock_filter code[CONFINE_FILTER_MAX];
};

_Static_assert(sizeof(struct filter_frame) <= TRACEE_SCRATCH, "fits the scratch memory");

static int install_filter(struct tracee *t, const struct stdio_cage *c)
{
	struct filter_frame f = { 0 };
	int r;

	f.prog.len = (unsigned short)confine_filter(c, f.code);
	f.prog.filter = (void *)(uintptr_t)(t->scratch + offsetof(struct filter_frame, code));
	r = tracee_write(t, 0, &f, sizeof(f));
	if (r < 0)
		return r;
	return (int)tracee_call(t, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, t->scratch, 0);
}

/* What the calls answered is the thread's word; this is the kernel's. */
static int check_thread(pid_t tid)
{
	char text[8192];
	ssize_t n = proc_read(tid, "status", text, sizeof(text));
	struct span all = { text, n > 0 ? (size_t)n : 0 }, v;
	uint64_t value;

	if (n < 0)
		return (int)n;
	if (!proc_field(all, "NoNewPrivs", &v) || !proc_number(&v, 10, &value) || value != 1 ||
	    !proc_field(all, "Seccomp", &v) || !proc_number(&v, 10, &value) || value != SECCOMP_MODE_FILTER)
		return -EPERM;
	return 0;
}

static int confine_thread(struct tracee *t, int ruleset, const struct stdio_cage *c)
{
	long r = tracee_call(t, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);

	if (r == 0)
		r = tracee_call(t, SYS_landlock_restrict_self, (uint64_t)ruleset, 0, 0, 0);
	if (r == 0)
		r = install_filter(t, c);
	return r < 0 ? (int)r : check_thread(t->pid);
}

static int confine_other(struct holder *h, pid_t tid, int ruleset, const struct stdio_cage *c)
{
	struct tracee t;
	int r = tracee_begin(&t, tid, h->tracee.timer), r2;

	if (r == 0)
		r = confine_thread(&t, ruleset, c);
	r2 = tracee_end(&t);
	h->tracee.steps += t.steps;
	h->tracee.stop_seen |= t.stop_seen;
	return r < 0 ? r : r2;
}

/* --- the environment -------------------------------------------------------------------------------- */

static bool keeps(const char *keep, size_t keep_n, const char *entry, size_t n)
{
	const char *eq = memchr(entry, '=', n);
	size_t name = eq ? (size_t)(eq - entry) : n;

	for (size_t i = 0; i < keep_n;) {
		size_t len = strnlen(keep + i, keep_n - i);

		if (len == name && memcmp(keep + i, entry, name) == 0)
			return true;
		i += len + 1;
	}
	return false;
}

size_t confine_scrub(char *p, size_t n, const char *keep, size_t keep_n, bool *ret_dirty)
{
	size_t at = 0;

	*ret_dirty = false;
	while (at < n) {
		size_t len = strnlen(p + at, n - at);

		if (at + len == n)
			break; /* it goes on behind this piece */
		if (len > 0 && !keeps(keep, keep_n, p + at, len)) {
			memset(p + at, 0, len);
			*ret_dirty = true;
		}
		at += len + 1;
	}
	return at;
}

/* Where the kernel put the variables when the process was started; a program that sets new ones puts them elsewhere. */
static int environ_range(pid_t pid, uint64_t *ret_start, uint64_t *ret_end)
{
	char text[4096];
	ssize_t n = proc_read(pid, "stat", text, sizeof(text));
	char *name_end = n > 0 ? strrchr(text, ')') : NULL;
	struct span s;

	if (!name_end)
		return n < 0 ? (int)n : -EBADMSG;
	s = (struct span){ name_end + 1, (size_t)(text + n - name_end - 1) };
	/* Field 3 is the first behind the name. */
	for (unsigned i = 3; i < STAT_ENV_START; i++) {
		const char *blank;

		proc_skip_blanks(&s);
		blank = memchr(s.p, ' ', s.n);
		if (!blank)
			return -EBADMSG;
		s.n -= (size_t)(blank - s.p);
		s.p = blank;
	}
	proc_skip_blanks(&s);
	if (!proc_number(&s, 10, ret_start))
		return -EBADMSG;
	proc_skip_blanks(&s);
	if (!proc_number(&s, 10, ret_end) || *ret_end < *ret_start || *ret_end - *ret_start > ENVIRON_MAX)
		return -EBADMSG;
	return 0;
}

static int move(pid_t pid, uint64_t at, char *p, size_t n, bool in)
{
	struct iovec here = { p, n }, there = { (void *)(uintptr_t)at, n };
	ssize_t got = in ? process_vm_writev(pid, &here, 1, &there, 1, 0) :
			   process_vm_readv(pid, &here, 1, &there, 1, 0);

	return got == (ssize_t)n ? 0 : -EFAULT;
}

static int scrub_environ(pid_t pid, const struct stdio_cage *c)
{
	_cleanup_free_ char *all = NULL;
	uint64_t start, end;
	bool dirty;
	size_t n;
	int r = environ_range(pid, &start, &end);

	if (r < 0 || start == end)
		return r;
	n = (size_t)(end - start);
	all = malloc(n + 1);
	if (!all)
		return -ENOMEM;
	r = move(pid, start, all, n, false);
	if (r < 0)
		return r;
	all[n] = '\0'; /* a process may have left its last entry open */
	(void)confine_scrub(all, n + 1, c->env, c->env_n, &dirty);
	return dirty ? move(pid, start, all, n, true) : 0;
}

/* --- all of it -------------------------------------------------------------------------------------- */

int confine_holder(struct holder *h, const struct stdio_cage *c)
{
	int ruleset, r = holder_bring(h, &c->ruleset, 1, &ruleset);

	for (size_t i = 0; r == 0 && i < h->threads.n; i++) {
		pid_t tid = h->threads.v[i];

		r = tid == h->pid ? confine_thread(&h->tracee, ruleset, c) : confine_other(h, tid, ruleset, c);
	}
	if (r == 0)
		r = scrub_environ(h->pid, c);
	return r;
}
