// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The exec guard, behind fanotify: an exec that a selector matches and that is not in that agent's
 * scope is stopped before its first instruction, or killed when no supervisor answers. Pinned, so
 * it stays in force while no daemon runs. The verdict comes first, the event after it.
 */
#include "bpf/scope.bpf.h"
#include "bpf/stop.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[TG_ARGV_BYTES]);
} argv_copy SEC(".maps");

struct match {
	struct tg_selector_key key; /* of the entry that matched, or is tried */
	u32 agent;
	bool found;
	bool unsure;
};

struct argv_walk {
	struct match *m;
	u8 *bytes;
	u64 hash;
	u32 len;
	u32 arg; /* index of the argument at hand; argv[0] is not a script */
};

static __always_inline bool selector_try(struct match *m)
{
	struct tg_selector *s = bpf_map_lookup_elem(&selectors, &m->key);

	if (!s || !s->agent)
		return false;
	m->agent = s->agent;
	m->found = true;
	return true;
}

static long argv_byte(u32 i, struct argv_walk *w)
{
	u8 c;

	if (i >= w->len || i >= TG_ARGV_BYTES)
		return 1;
	c = w->bytes[i];
	if (c == '/') {
		w->hash = TG_FNV_BASIS;
	} else if (c) {
		w->hash = (w->hash ^ c) * TG_FNV_PRIME;
	} else {
		if (w->arg) {
			w->m->key.c = w->hash;
			if (selector_try(w->m))
				return 1;
		}
		w->hash = TG_FNV_BASIS;
		w->arg++;
	}
	return 0;
}

/* Which script an interpreter runs: the base name of any argument counts. The new image's arguments
 * were just written, so they are resident; what cannot be read is for user space to match. */
static __always_inline void match_script(struct task_struct *p, struct match *m)
{
	u32 zero = 0;
	u64 start = BPF_CORE_READ(p, mm, arg_start);
	u64 len = BPF_CORE_READ(p, mm, arg_end) - start;
	struct argv_walk w = { .m = m, .hash = TG_FNV_BASIS };
	u64 n;

	w.bytes = bpf_map_lookup_elem(&argv_copy, &zero);
	if (!w.bytes)
		return;
	n = len > TG_ARGV_BYTES ? TG_ARGV_BYTES : len;
	barrier_var(n);
	w.len = n;
	m->key.kind = TG_SEL_SCRIPT;
	if (n > TG_ARGV_BYTES || bpf_probe_read_user(w.bytes, n, (void *)start)) {
		count(TG_STAT_EXEC_ARGV_UNREAD);
		m->unsure = true;
		return;
	}
	bpf_loop(TG_ARGV_BYTES, argv_byte, &w, 0);
	if (!m->found && len > TG_ARGV_BYTES) {
		count(TG_STAT_EXEC_ARGV_UNREAD);
		m->unsure = true;
	}
}

#define NAME_BYTES 255

/* By the name it was executed under, whatever file stands there now: one that replaced it since the selectors were
 * set is the agent as well. */
static __always_inline void match_name(struct task_struct *p, struct match *m)
{
	struct file *f = BPF_CORE_READ(p, mm, exe_file);
	struct dentry *d = BPF_CORE_READ(f, f_path.dentry);
	const unsigned char *name = BPF_CORE_READ(d, d_name.name);
	u32 zero = 0;
	u8 *copy = bpf_map_lookup_elem(&argv_copy, &zero);
	u64 hash = TG_FNV_BASIS;

	if (!copy || bpf_probe_read_kernel_str(copy, NAME_BYTES + 1, name) <= 0)
		return;
	for (u32 i = 0; i < NAME_BYTES; i++) {
		if (!copy[i])
			break;
		hash = (hash ^ copy[i]) * TG_FNV_PRIME;
	}
	m->key.kind = TG_SEL_NAME;
	m->key.b = BPF_CORE_READ(d, d_parent, d_inode, i_ino);
	m->key.c = hash;
	selector_try(m);
	m->key.c = 0;
}

static __always_inline void match_cgroup(struct match *m)
{
	m->key.kind = TG_SEL_CGROUP;
	m->key.b = m->key.c = 0;
	for (int level = 0; level < SCOPE_DEPTH; level++) {
		m->key.a = bpf_get_current_ancestor_cgroup_id(level);
		if (!m->key.a || selector_try(m))
			return;
	}
}

/* A file that no directory names any more, or never did, has no place to be known by. It can be a program's copy only
 * if it is as long; whether it is, user space finds out. */
static __always_inline bool may_be_copy(struct task_struct *p, struct match *m)
{
	struct file *f = BPF_CORE_READ(p, mm, exe_file);
	u32 links = 1;

	BPF_CORE_READ_INTO(&links, f, f_inode, i_nlink);
	if (links)
		return false;
	m->key.kind = TG_SEL_SIZE;
	m->key.a = (u64)BPF_CORE_READ(f, f_inode, i_size);
	m->key.b = m->key.c = 0;
	return bpf_map_lookup_elem(&selectors, &m->key);
}

#define CONTAINER_ID_DIGITS 64
#define CONTAINER_NAME_BYTES 128 /* a power of two: a prefix, the container's id, and ".scope" where there is systemd */
#define CONTAINER_LEVELS 16 /* of cgroups that a container makes inside its own */
#define SCOPE_SUFFIX 6

struct container_walk {
	struct cgroup *at;
	bool found;
	char name[CONTAINER_NAME_BYTES];
};

/* Whether the cgroup's name ends like a container's. Which one it is, if any, user space finds out. */
static long container_level(u32 level, struct container_walk *w)
{
	struct cgroup *c = w->at;
	const char *name = BPF_CORE_READ(c, kn, name);
	long end = bpf_probe_read_kernel_str(w->name, sizeof(w->name), name) - 1;

	/* A cgroup begins with its own state. */
	w->at = (struct cgroup *)BPF_CORE_READ(c, self.parent);
	if (end > SCOPE_SUFFIX && w->name[(end - SCOPE_SUFFIX) & (CONTAINER_NAME_BYTES - 1)] == '.')
		end -= SCOPE_SUFFIX;
	if (end < CONTAINER_ID_DIGITS)
		return !w->at;
	for (int i = 1; i <= CONTAINER_ID_DIGITS; i++) {
		char digit = w->name[(end - i) & (CONTAINER_NAME_BYTES - 1)];

		if ((digit < '0' || digit > '9') && (digit < 'a' || digit > 'f'))
			return !w->at;
	}
	w->found = true;
	return 1;
}

static __always_inline bool in_new_container(struct task_struct *p, struct match *m)
{
	struct container_walk w = { .at = BPF_CORE_READ(p, cgroups, dfl_cgrp) };
	u64 id = bpf_get_current_cgroup_id();

	m->key.kind = TG_SEL_CONTAINER;
	m->key.a = m->key.b = m->key.c = 0;
	if (!bpf_map_lookup_elem(&selectors, &m->key) || bpf_map_lookup_elem(&containers, &id))
		return false;
	bpf_loop(CONTAINER_LEVELS, container_level, &w, 0);
	return w.found;
}

/* Most exact first: script, program, cgroup, container, user. */
static __always_inline void selector_match(struct task_struct *p, u32 epoch, struct match *m)
{
	struct tg_selector *s;
	struct tg_file_key exe;

	exe_key(p, &exe);
	m->key.epoch = epoch;
	m->key.kind = TG_SEL_EXE;
	m->key.a = exe.dev;
	m->key.b = exe.ino;
	s = bpf_map_lookup_elem(&selectors, &m->key);
	if (s && (s->flags & TG_SELF_LOADER)) {
		m->unsure = true;
		return;
	}
	if (s && (s->flags & TG_SELF_ARGS)) {
		match_script(p, m);
		if (m->found || m->unsure)
			return;
		m->key.kind = TG_SEL_EXE;
		m->key.c = 0;
	}
	if (s && selector_try(m))
		return;
	match_name(p, m);
	if (m->found)
		return;
	if (may_be_copy(p, m)) {
		m->unsure = true;
		return;
	}
	match_cgroup(m);
	if (m->found)
		return;
	if (in_new_container(p, m)) {
		m->unsure = true;
		return;
	}
	m->key.kind = TG_SEL_UID;
	m->key.a = (u32)bpf_get_current_uid_gid();
	selector_try(m);
}

static __always_inline bool may_be_server(struct task_struct *p, u32 epoch)
{
	struct tg_selector_key key = { .epoch = epoch, .kind = TG_SEL_SERVER };
	struct tg_file_key exe;

	exe_key(p, &exe);
	key.a = exe.dev;
	key.b = exe.ino;
	return bpf_map_lookup_elem(&selectors, &key);
}

static __always_inline void exec_event(struct task_struct *p, const struct match *m,
				       const struct tg_label *l, u32 flags)
{
	struct tg_event *e = event_new_exec(TG_EV_EXEC);
	struct tg_file_key exe;

	if (!e)
		return;
	exe_key(p, &exe);
	e->exec.flags = flags;
	e->exec.agent = m->agent;
	e->exec.in_agent = l ? l->agent : 0;
	e->exec.in_outer = l ? l->outer : 0;
	e->exec.kind = m->key.kind;
	e->exec.uid = (u32)bpf_get_current_uid_gid();
	e->exec.exe_ino = exe.ino;
	e->exec.exe_dev = exe.dev;
	e->exec.ppid = BPF_CORE_READ(p, real_parent, tgid);
	e->exec.cgroup = bpf_get_current_cgroup_id();
	bpf_ringbuf_submit(e, 0);
}

/* The label of a task that executes, given now if its cgroup is a scope's: units and containers are
 * enrolled by where they run, and stay labelled when they leave. */
static __always_inline struct tg_label *label_at_exec(struct task_struct *p)
{
	struct tg_label *l = label_of(p), *c;

	if (l)
		return l;
	l = label_late(p);
	if (l)
		return l;
	c = label_of_cgroup();
	if (!c || !c->agent)
		return NULL;
	l = bpf_task_storage_get(&labels, p, c, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!l)
		return c;
	*l = *c;
	return l;
}

/* After the point of no return, before the new image's first instruction (since 3.4). */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_guard, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
{
	struct tg_stopped entry = { .kind = TG_STOP_EXEC };
	struct tg_label *l = label_at_exec(p);
	struct tg_state *st = state_get();
	struct match m = {};
	bool stale;
	u32 flags;
	int r;

	if (!st || !st->epoch)
		return 0;
	selector_match(p, st->epoch, &m);
	stale = (st->flags & TG_STATE_CLOSED) || bpf_ktime_get_ns() > st->heartbeat + st->stale_ns;
	flags = (l ? TG_EXEC_NESTED : 0) | (m.unsure ? TG_EXEC_UNSURE : 0);
	if ((!m.found && !m.unsure) || (l && m.found && (l->agent == m.agent || l->outer == m.agent))) {
		/* It may run here. A server that cannot be confined now is at its takeover, which is not
		 * passed over. */
		if (!l || p->ptrace || stale || !may_be_server(p, st->epoch))
			return 0;
		flags |= TG_EXEC_SERVER;
		m.agent = l->agent;
		m.key.kind = TG_SEL_SERVER;
	}
	entry.agent = m.agent;
	if (p->ptrace)
		flags |= TG_EXEC_TRACED | TG_EXEC_KILLED;
	else if (stale)
		flags |= TG_EXEC_STALE | TG_EXEC_KILLED;
	else
		flags |= stop_current(&entry) ? TG_EXEC_KILLED : TG_EXEC_STOPPED;
	if (flags & TG_EXEC_KILLED) {
		r = bpf_send_signal(SIGKILL);
		if (r)
			flags = (flags & ~TG_EXEC_KILLED) | TG_EXEC_FAILED;
	}
	count(flags & TG_EXEC_STOPPED ? TG_STAT_EXEC_STOPPED :
	      flags & TG_EXEC_KILLED  ? TG_STAT_EXEC_KILLED :
					TG_STAT_EXEC_FAILED);
	exec_event(p, &m, l, flags);
	return 0;
}
