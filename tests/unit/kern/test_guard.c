// SPDX-License-Identifier: Apache-2.0
/* The exec guard: what it stops, what it kills, what it leaves alone. */
#include "tests/unit/kern/bed.h"

#include <bpf/bpf.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "user/kern/internal.h"

struct run {
	char *argv[8];
	char file[PATH_MAX];
	unsigned uid;
	bool traced;
};

static struct tg_event last;
static unsigned events;

static void on_event(const struct tg_event *e, uint64_t lost, void *arg)
{
	assert_int_equal(lost, 0);
	assert_int_equal(e->type, TG_EV_EXEC);
	last = *e;
	events++;
}

static int run(void *arg)
{
	struct run *r = arg;

	if (r->uid && setresuid(r->uid, r->uid, r->uid) < 0)
		return 97;
	if (r->traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		return 96;
	execv(r->file, r->argv);
	return 98;
}

/* A program of our own: a copy of sleep(1), so that no other process of the machine is
 * concerned. */
static void program(struct run *r, char dir[static 64])
{
	char command[256];

	memset(r, 0, sizeof(*r));
	strcpy(dir, "/tmp/tollgate-exe-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(r->file, sizeof(r->file), "%s/agent", dir);
	snprintf(command, sizeof(command), "cp /bin/sleep %s/agent && cp /bin/sh %s/sh", dir, dir);
	assert_int_equal(system(command), 0);
	r->argv[0] = r->file;
	r->argv[1] = (char *)"0";
}

static void script(const char *dir, const char *name, const char *first, char ret[static PATH_MAX])
{
	FILE *f;

	snprintf(ret, PATH_MAX, "%s/%s", dir, name);
	f = fopen(ret, "we");
	assert_non_null(f);
	fprintf(f, "%s\nexit 5\n", first);
	fclose(f);
	assert_int_equal(chmod(ret, 0755), 0);
}

static void program_done(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static int find(pid_t pid, const struct tg_stopped *s, void *arg)
{
	assert_int_equal(s->kind, TG_STOP_EXEC);
	*(pid_t *)arg = pid;
	return 0;
}

/* Runs it and expects it stopped; lets it go on and gives its status. */
static int stopped_then(struct bed *b, const struct tg_label *l, struct run *r)
{
	pid_t listed = 0, pid = bed_spawn(b, l, run, r);

	assert_true(bed_stopped(pid));
	assert_int_equal(kern_stopped_each(b->k, find, &listed), 0);
	assert_int_equal(listed, pid);
	assert_int_equal(kern_stopped_continue(b->k, pid), 0);
	assert_int_equal(kern_stopped_continue(b->k, pid), -ENOENT);
	return bed_wait(pid);
}

static void select_exe(struct bed *b, const char *file)
{
	struct kern_selector s = { .kind = TG_SEL_EXE, .agent = AGENT };

	assert_int_equal(kern_file_key(file, &s.exe), 0);
	assert_int_equal(kern_selectors_set(b->k, &s, 1), 0);
}

/* A server's program is stopped wherever an agent runs it, and nowhere else. */
static void stops_servers_in_scope(void **state)
{
	struct kern_selector s[2] = { { .kind = TG_SEL_SERVER }, { .kind = TG_SEL_EXE, .agent = AGENT } };
	struct tg_label inside = { .agent = AGENT }, other = { .agent = 9 };
	struct kern_events *ev;
	struct run r;
	struct bed b;
	char dir[64];

	bed_open(&b);
	program(&r, dir);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	assert_int_equal(kern_file_key(r.file, &s[0].exe), 0);
	s[1].exe = s[0].exe;
	assert_int_equal(kern_selectors_set(b.k, s, 1), 0);
	events = 0;
	assert_int_equal(bed_run(&b, NULL, run, &r), 0);
	assert_int_equal(stopped_then(&b, &other, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(events, 1);
	assert_int_equal(last.exec.flags, TG_EXEC_STOPPED | TG_EXEC_NESTED | TG_EXEC_SERVER);
	assert_int_equal(last.exec.kind, TG_SEL_SERVER);
	assert_int_equal(last.exec.agent, 9);
	/* The agent's own program may be a server of its own too. */
	assert_int_equal(kern_selectors_set(b.k, s, 2), 0);
	assert_int_equal(stopped_then(&b, &inside, &r), 0);
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(last.exec.flags, TG_EXEC_STOPPED);
	assert_int_equal(last.exec.kind, TG_SEL_EXE);
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

static void stops_by_program(void **state)
{
	struct tg_label inside = { .agent = AGENT }, other = { .agent = 9 };
	struct tg_label nested = { .agent = 9, .outer = AGENT };
	struct kern_events *ev;
	struct run r;
	struct bed b;
	char dir[64];

	bed_open(&b);
	program(&r, dir);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	assert_int_equal(bed_run(&b, NULL, run, &r), 0);
	select_exe(&b, r.file);
	events = 0;
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(events, 1);
	assert_int_equal(last.exec.flags, TG_EXEC_STOPPED);
	assert_int_equal(last.exec.agent, AGENT);
	assert_int_equal(last.exec.kind, TG_SEL_EXE);
	assert_int_equal(last.exec.cgroup, b.agent_id);
	/* In its own scope it runs; in another's it is nested. */
	assert_int_equal(bed_run(&b, &inside, run, &r), 0);
	assert_int_equal(bed_run(&b, &nested, run, &r), 0);
	assert_int_equal(stopped_then(&b, &other, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(events, 2);
	assert_int_equal(last.exec.flags, TG_EXEC_STOPPED | TG_EXEC_NESTED);
	assert_int_equal(last.exec.in_agent, 9);
	/* An empty set selects nothing. */
	assert_int_equal(kern_selectors_set(b.k, NULL, 0), 0);
	assert_int_equal(bed_run(&b, NULL, run, &r), 0);
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

/* Whatever file stands at the place is stopped; the same file elsewhere is not. */
static void stops_by_name(void **state)
{
	struct kern_selector s = { .kind = TG_SEL_NAME, .agent = AGENT };
	char dir[64], first[PATH_MAX], moved[PATH_MAX];
	struct run r;
	struct bed b;

	bed_open(&b);
	program(&r, dir);
	strcpy(first, r.file);
	assert_int_equal(kern_file_key(dir, &s.exe), 0);
	s.script = strrchr(first, '/') + 1;
	assert_int_equal(kern_selectors_set(b.k, &s, 1), 0);
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	snprintf(moved, sizeof(moved), "%s/moved", dir);
	assert_int_equal(rename(first, moved), 0);
	strcpy(r.file, moved);
	assert_int_equal(bed_run(&b, NULL, run, &r), 0);
	assert_int_equal(link(moved, first), 0);
	strcpy(r.file, first);
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	s.script = "";
	assert_int_equal(kern_selectors_set(b.k, &s, 1), -EINVAL);
	assert_int_equal(unlink(moved), 0);
	program_done(dir);
	bed_close(&b);
}

static void stops_by_script(void **state)
{
	struct kern_selector s = { .kind = TG_SEL_SCRIPT, .agent = AGENT, .script = "agent.sh" };
	char dir[64], sh[128], first[160], hit[PATH_MAX], miss[PATH_MAX], big[6000];
	struct kern_events *ev;
	struct run r;
	struct bed b;

	bed_open(&b);
	program(&r, dir);
	snprintf(sh, sizeof(sh), "%s/sh", dir);
	snprintf(first, sizeof(first), "#!%s", sh);
	script(dir, "agent.sh", first, hit);
	script(dir, "agent.sh2", first, miss);
	assert_int_equal(kern_file_key(sh, &s.exe), 0);
	assert_int_equal(kern_selectors_set(b.k, &s, 1), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	strcpy(r.file, sh);
	r.argv[1] = hit;
	assert_int_equal(stopped_then(&b, NULL, &r), 5);
	r.argv[1] = miss;
	assert_int_equal(bed_run(&b, NULL, run, &r), 5);
	/* By its first line, and with an option before it. */
	strcpy(r.file, hit);
	r.argv[1] = NULL;
	assert_int_equal(stopped_then(&b, NULL, &r), 5);
	strcpy(r.file, sh);
	r.argv[1] = (char *)"-e";
	r.argv[2] = hit;
	assert_int_equal(stopped_then(&b, NULL, &r), 5);
	/* The name of the interpreter is no script's. */
	r.argv[0] = hit;
	r.argv[1] = miss;
	r.argv[2] = NULL;
	assert_int_equal(bed_run(&b, NULL, run, &r), 5);
	/* Behind more than is searched: stopped, for user space to look. */
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	r.argv[0] = sh;
	r.argv[2] = big;
	assert_int_equal(stopped_then(&b, NULL, &r), 5);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(last.exec.flags, TG_EXEC_STOPPED | TG_EXEC_UNSURE);
	assert_int_equal(last.exec.agent, 0);
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

/* A loader is stopped wherever it runs, for user space to look; so is a nameless file of a program's size. */
static void stops_detours(void **state)
{
	struct kern_selector s[] = { { .kind = TG_SEL_LOADER, .agent = AGENT }, { .kind = TG_SEL_SIZE, .agent = AGENT } };
	struct tg_label inside = { .agent = AGENT };
	struct kern_events *ev;
	struct stat st;
	struct run r;
	struct bed b;
	char dir[64], named[PATH_MAX];
	int fd;

	bed_open(&b);
	program(&r, dir);
	strcpy(named, r.file);
	assert_int_equal(kern_file_key(named, &s[0].exe), 0);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	assert_int_equal(kern_selectors_set(b.k, s, 1), 0);
	events = 0;
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	assert_int_equal(stopped_then(&b, &inside, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(events, 2);
	assert_int_equal(last.exec.flags, TG_EXEC_STOPPED | TG_EXEC_UNSURE | TG_EXEC_NESTED);
	assert_int_equal(last.exec.agent, 0);

	assert_int_equal(stat(named, &st), 0);
	s[1].size = (uint64_t)st.st_size;
	assert_int_equal(kern_selectors_set(b.k, &s[1], 1), 0);
	assert_int_equal(bed_run(&b, NULL, run, &r), 0); /* it has a name */
	fd = open(named, O_RDONLY);
	assert_int_equal(unlink(named), 0);
	snprintf(r.file, sizeof(r.file), "/proc/self/fd/%d", fd);
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	s[1].size++;
	assert_int_equal(kern_selectors_set(b.k, &s[1], 1), 0);
	assert_int_equal(bed_run(&b, NULL, run, &r), 0);
	close(fd);
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

static void stops_by_user_and_cgroup(void **state)
{
	struct kern_selector s[] = { { .kind = TG_SEL_UID, .agent = 11, .uid = 64999 },
				     { .kind = TG_SEL_CGROUP, .agent = 12 } };
	struct kern_events *ev;
	struct run r;
	struct bed b;
	char dir[64];

	bed_open(&b);
	program(&r, dir);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	assert_int_equal(kern_selectors_set(b.k, s, 1), 0);
	assert_int_equal(bed_run(&b, NULL, run, &r), 0);
	r.uid = 64999;
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(last.exec.agent, 11);
	assert_int_equal(last.exec.uid, 64999);
	s[1].cgroup = b.agent_id;
	assert_int_equal(kern_selectors_set(b.k, s, 2), 0);
	assert_int_equal(stopped_then(&b, NULL, &r), 0);
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(last.exec.agent, 12);
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

/* A cgroup below the bed's, made for the time of one test. */
static void below(const struct bed *b, const char *name, char ret[static PATH_MAX], uint64_t *ret_id)
{
	assert_true(snprintf(ret, PATH_MAX, "%s/%s", b->agent, name) < PATH_MAX);
	assert_int_equal(mkdir(ret, 0755), 0);
	assert_int_equal(cgroup_id(ret, ret_id), 0);
}

struct placed {
	struct run *r;
	const char *dir;
};

static int run_in(void *arg)
{
	struct placed *p = arg;

	return cgroup_move(p->dir, 0) < 0 ? 95 : run(p->r);
}

#define CONTAINER_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Runs it in a cgroup; it must be stopped first, or not. */
static void runs_in(struct bed *b, struct run *r, const char *dir, bool stopped)
{
	struct placed p = { r, dir };
	pid_t pid = bed_spawn(b, NULL, run_in, &p);

	if (stopped) {
		assert_true(bed_stopped(pid));
		assert_int_equal(kern_stopped_continue(b->k, pid), 0);
	}
	assert_int_equal(bed_wait(pid), 0);
}

/* The first exec in a cgroup that is called like a container's, and in one inside of it, until each is settled. */
static void new_container(struct bed *b, struct run *r, const char *name, bool is)
{
	struct kern_selector s = { .kind = TG_SEL_CONTAINER, .agent = AGENT };
	char cgroup[PATH_MAX], deeper[NAME_MAX + 1], inner[PATH_MAX];
	uint64_t id, inner_id;

	below(b, name, cgroup, &id);
	assert_true(snprintf(deeper, sizeof(deeper), "%s/inner", name) < (int)sizeof(deeper));
	below(b, deeper, inner, &inner_id);
	assert_int_equal(kern_selectors_set(b->k, NULL, 0), 0);
	runs_in(b, r, cgroup, false);
	assert_int_equal(kern_selectors_set(b->k, &s, 1), 0);
	runs_in(b, r, cgroup, is);
	runs_in(b, r, cgroup, is);
	assert_int_equal(kern_container_settle(b->k, id), 0);
	runs_in(b, r, cgroup, false);
	runs_in(b, r, inner, is);
	assert_int_equal(kern_container_settle(b->k, inner_id), 0);
	runs_in(b, r, inner, false);
	kern_containers_forget(b->k);
	runs_in(b, r, cgroup, is);
	assert_int_equal(cgroup_remove(inner), 0);
	assert_int_equal(cgroup_remove(cgroup), 0);
}

static void stops_in_new_containers(void **state)
{
	struct run r;
	struct bed b;
	char dir[64];

	bed_open(&b);
	program(&r, dir);
	new_container(&b, &r, CONTAINER_ID, true);
	new_container(&b, &r, "libpod-" CONTAINER_ID, true);
	new_container(&b, &r, "docker-" CONTAINER_ID ".scope", true);
	new_container(&b, &r, "0123456789abcdef", false);
	new_container(&b, &r, "G" CONTAINER_ID "-" CONTAINER_ID "G", false);
	new_container(&b, &r, "disk-by\\x2duuid-01234567\\x2d0123\\x2d4567\\x2d89ab\\x2d0123456789ab.service", false);
	assert_int_equal(kern_selectors_set(b.k, NULL, 0), 0);
	program_done(dir);
	bed_close(&b);
}

static void kills_without_a_supervisor(void **state)
{
	struct run r;
	struct bed b;
	char dir[64];

	bed_open_stale(&b, 1);
	program(&r, dir);
	select_exe(&b, r.file);
	assert_int_equal(bed_run(&b, NULL, run, &r), 256 + SIGKILL);
	assert_int_equal(bed_run(&b, &(struct tg_label){ .agent = AGENT }, run, &r), 0);
	/* Nothing of ours runs: the guard lives by its pins. */
	kern_close(b.k);
	b.k = NULL;
	{
		pid_t pid = fork();

		if (pid == 0)
			_exit(run(&r));
		assert_int_equal(bed_wait(pid), 256 + SIGKILL);
	}
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins }, &b.k), 0);
	assert_int_equal(bed_stat(&b, TG_STAT_EXEC_KILLED), 2);
	program_done(dir);
	bed_close(&b);

	bed_open(&b);
	program(&r, dir);
	select_exe(&b, r.file);
	assert_int_equal(kern_state_flags(b.k, TG_STATE_CLOSED, 0), 0);
	assert_int_equal(bed_run(&b, NULL, run, &r), 256 + SIGKILL);
	assert_int_equal(kern_state_flags(b.k, 0, TG_STATE_CLOSED), 0);
	/* A tracer could let it go on. */
	r.traced = true;
	assert_int_equal(bed_run(&b, NULL, run, &r), 256 + SIGKILL);
	program_done(dir);
	bed_close(&b);
}

static uint64_t lost_before;

static void count_event(const struct tg_event *e, uint64_t lost, void *arg)
{
	lost_before += lost;
	events++;
}

/* Losses are told by the next event, or where there is none, to who asks. Never twice. */
static void tells_losses(void **state)
{
	struct kern_events *ev;
	struct run r;
	struct bed b;
	char dir[64];

	bed_open_with(&b, (struct kern_config){ .stale_ns = 1, .ring_bytes = 4096 });
	program(&r, dir);
	select_exe(&b, r.file);
	assert_int_equal(kern_events_open(b.k, count_event, NULL, &ev), 0);
	for (int round = 0; round < 2; round++) {
		lost_before = events = 0;
		for (int i = 0; i < 50; i++) /* there is room for 39 */
			assert_int_equal(bed_run(&b, NULL, run, &r), 256 + SIGKILL);
		if (round == 1)
			assert_int_equal(kern_events_lost(ev), 50 - 39);
		assert_true(kern_events_consume(ev) >= 0);
		assert_int_equal(events, 39);
		assert_int_equal(lost_before, round == 0 ? 50 - 39 : 0);
		assert_int_equal(kern_events_lost(ev), 0);
	}
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

static int send_continue(void *arg)
{
	return kill(*(pid_t *)arg, SIGCONT) < 0;
}

static int orphan(void *arg)
{
	struct run *r = arg;
	pid_t pid;

	/* A group of its own, whose only tie to the session is this process: when it goes, the
	 * kernel sends SIGHUP and SIGCONT. */
	(void)setsid();
	pid = fork();
	if (pid == 0) {
		(void)setpgid(0, 0);
		(void)signal(SIGHUP, SIG_IGN);
		return run(r);
	}
	return bed_stopped(pid) ? 0 : 1;
}

static void nobody_else_continues(void **state)
{
	struct run r;
	struct bed b;
	struct kern_events *ev;
	char dir[64];
	pid_t pid;
	int st;

	bed_open(&b);
	assert_int_equal(kern_events_open(b.k, on_event, NULL, &ev), 0);
	program(&r, dir);
	select_exe(&b, r.file);
	r.argv[1] = (char *)"1000";
	pid = bed_spawn(&b, NULL, run, &r);
	assert_true(bed_stopped(pid));
	assert_int_equal(bed_run(&b, NULL, send_continue, &pid), 0);
	/* Before Linux 6.13 no program may send the signal: the consumer of the event does. */
	assert_true(kern_events_consume(ev) >= 0);
	assert_int_equal(bed_wait(pid), 256 + SIGKILL);
	assert_int_equal(bed_stat(&b, TG_STAT_CONTINUED_KILLED) + bed_stat(&b, TG_STAT_CONTINUED_ALIVE), 1);

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	events = 1;
	pid = bed_spawn(&b, NULL, orphan, &r);
	assert_int_equal(bed_wait(pid), 0);
	/* Killed by the program, or where the kernel does not let it, by the consumer of the
	 * event. */
	for (int i = 0; i < 300 && events < 3; i++) {
		assert_true(kern_events_consume(ev) >= 0);
		usleep(10000);
	}
	assert_true(last.exec.flags & TG_EXEC_CONTINUED);
	assert_int_equal(kern_stopped_continue(b.k, (pid_t)last.tgid), -ENOENT);
	assert_int_equal(waitpid((pid_t)last.tgid, &st, 0), (pid_t)last.tgid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	kern_events_close(ev);

	/* The daemon's own SIGCONT is a release, also without the verb. */
	r.argv[1] = (char *)"0";
	pid = bed_spawn(&b, NULL, run, &r);
	assert_true(bed_stopped(pid));
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(bed_wait(pid), 0);
	assert_int_equal(kern_stopped_continue(b.k, pid), -ENOENT);

	pid = bed_spawn(&b, NULL, run, &r);
	assert_true(bed_stopped(pid));
	assert_int_equal(kern_stopped_kill(b.k, pid), 0);
	assert_int_equal(bed_wait(pid), 256 + SIGKILL);
	program_done(dir);
	bed_close(&b);
}

static void refuses_bad_selectors(void **state)
{
	struct kern_selector s = { .kind = TG_SEL_SCRIPT, .agent = AGENT, .script = "a/b" };
	struct tg_file_key key;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_selectors_set(b.k, &s, 1), -EINVAL);
	s.script = "";
	assert_int_equal(kern_selectors_set(b.k, &s, 1), -EINVAL);
	s.kind = 99;
	assert_int_equal(kern_selectors_set(b.k, &s, 1), -EINVAL);
	s.kind = TG_SEL_UID;
	s.agent = 0;
	assert_int_equal(kern_selectors_set(b.k, &s, 1), -EINVAL);
	assert_int_equal(kern_selectors_set(b.k, &s, 1 << 20), -E2BIG);
	assert_int_equal(kern_file_key("/nonexistent/x", &key), -ENOENT);
	assert_int_equal(kern_stopped_continue(b.k, 1 << 21), -ENOENT);
	assert_true(kern_basename_hash("/a/b") == kern_basename_hash("b"));
	assert_true(kern_basename_hash("a") == 0xaf63dc4c8601ec8cull);
	bed_close(&b);
}

/* Numbers that neither came nor were counted as lost, as if events had been taken out of a ring: seen twice, it is
 * believed, and told once. What the rings say they lost is none of it. */
static void finds_missing_events(void **state)
{
	struct kern_events *ev;
	uint32_t ring = 0;
	struct run r;
	struct bed b;
	char dir[64];
	uint64_t seq;

	bed_open_with(&b, (struct kern_config){ .stale_ns = 1, .ring_bytes = 4096 });
	program(&r, dir);
	select_exe(&b, r.file);
	assert_int_equal(kern_events_open(b.k, count_event, NULL, &ev), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(bed_run(&b, NULL, run, &r), 256 + SIGKILL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kern_events_missing(ev), 0);
	assert_int_equal(bpf_map_lookup_elem(b.k->map[KM_SEQUENCES], &ring, &seq), 0);
	seq += 3;
	assert_int_equal(bpf_map_update_elem(b.k->map[KM_SEQUENCES], &ring, &seq, BPF_ANY), 0);
	assert_int_equal(kern_events_missing(ev), 0);
	assert_int_equal(kern_events_missing(ev), 3);
	assert_int_equal(kern_events_missing(ev), 0);
	kern_events_close(ev);
	program_done(dir);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_by_program),
		cmocka_unit_test(stops_servers_in_scope),
		cmocka_unit_test(stops_by_name),
		cmocka_unit_test(stops_by_script),
		cmocka_unit_test(stops_detours),
		cmocka_unit_test(stops_by_user_and_cgroup),
		cmocka_unit_test(stops_in_new_containers),
		cmocka_unit_test(kills_without_a_supervisor),
		cmocka_unit_test(tells_losses),
		cmocka_unit_test(nobody_else_continues),
		cmocka_unit_test(refuses_bad_selectors),
		cmocka_unit_test(finds_missing_events),
	};

	bed_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
