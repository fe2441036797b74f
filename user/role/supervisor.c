// SPDX-License-Identifier: Apache-2.0
/*
 * The supervisor role: root with a fixed set of capabilities. It loads and watches the kernel programs, brings
 * agents into scope, orders takeovers, and gives the other roles what they need. It reads no byte that an
 * agent or a server wrote: a proxy looks and tells.
 */
#include "user/role/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/base/settle.h"
#include "user/gate/gate.h"
#include "user/gate/snapshot.h"
#include "user/kern/cgroup.h"
#include "user/kern/events.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"
#include "user/kern/stdio.h"
#include "user/role/control.h"
#include "user/role/sandbox.h"
#include "user/role/sup.h"

#define DAEMON_CGROUP "tollgated"
#define AUDIT_BACKLOG 64
#define SWEEP_TICKS 5
#define LEAVE_TICKS 5 /* seconds that takeovers under way are waited for */
#define NOFILE_WANTED 65536 /* listeners, pidfds, channels; less is a warning */

/* --- the end -------------------------------------------------------------------------------------- */

void sup_exit(struct supervisor *s, int status)
{
	struct msg_exit m = { .status = status };

	s->stopping = true;
	(void)ipc_send(s->keeper, MSG_EXIT, 0, &m, sizeof(m), NULL, 0);
	loop_stop(s->loop, status);
}

/* SIGTERM closes the gates: pinned programs stay, and an exec that a selector matches is killed. */
static void close_gates(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	if (s->kern)
		(void)kern_state_flags(s->kern, TG_STATE_CLOSED, 0);
	sup_record_node(s, "stop", "stopped: the gates are closed");
	loop_stop(s->loop, EXIT_SUCCESS);
}

/* SIGUSR2 makes room for a supervisor of another program, which adopts everything as it is. A takeover that is under
 * way would be cut short by it, and its server killed. */
void sup_leave(struct supervisor *s)
{
	if (!s->leaving || s->stopping || (s->jobs && --s->leave_ticks > 0))
		return;
	s->stopping = true;
	sup_record_node(s, "replaced", "the supervisor makes room for one of another program");
	loop_stop(s->loop, EXIT_SUCCESS);
}

static void on_signal(int signo, void *arg)
{
	struct supervisor *s = arg;

	if (signo == SIGHUP) {
		sup_reload(s, NULL);
	} else if (signo == SIGUSR2) {
		s->leaving = true;
		s->leave_ticks = LEAVE_TICKS;
		sup_leave(s);
	} else {
		close_gates(s);
	}
}

/* --- kernel --------------------------------------------------------------------------------------- */

static void look_at_all(struct supervisor *s, uint64_t lost)
{
	char reason[128];

	s->health.events_lost += lost;
	(void)snprintf(reason, sizeof(reason), "%llu kernel events were lost; everything was looked at again",
		       (unsigned long long)lost);
	log_warn("%s", reason);
	sup_record_node(s, "events_lost", reason);
	sup_enrol_rescan(s);
	sup_stdio_rescan(s);
}

static void on_event(const struct tg_event *e, uint64_t lost, void *arg)
{
	struct supervisor *s = arg;

	if (lost)
		look_at_all(s, lost);
	if (e->type == TG_EV_EXEC || e->type == TG_EV_CONNECT)
		sup_enrol_event(s, e);
	else if (e->type == TG_EV_FENCE)
		sup_fence_event(s, e);
	else
		sup_stdio_event(s, e);
}

static void events_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct supervisor *s = arg;

	(void)io;
	(void)events;
	if (s->kern)
		(void)kern_events_consume(s->events);
}

/* The daemon's roles share a cgroup of their own beside the one they were started in: sockets made here are
 * known by it, and only its tasks may continue what our programs stopped. */
static int join_cgroup(char dir[PATH_MAX])
{
	char here[PATH_MAX];
	const char *base;
	int r = cgroup_of_pid(getppid(), here);

	if (r < 0)
		return r;
	base = strrchr(here, '/');
	if (base && strcmp(base + 1, DAEMON_CGROUP) == 0)
		(void)snprintf(dir, PATH_MAX, "%s", here);
	else
		r = cgroup_create(here, DAEMON_CGROUP, dir);
	if (r >= 0 && !(base && strcmp(base + 1, DAEMON_CGROUP) == 0) && cgroup_populated(dir) == 1)
		return log_err(-EBUSY, "join %s: another tollgated runs there; stop it first", dir);
	if (r >= 0)
		r = cgroup_move(dir, getppid());
	return r < 0 ? r : cgroup_move(dir, 0);
}

/* Who asks name servers; before it is looked which ways out are open. */
static int set_names(struct supervisor *s)
{
	bool own = s->conf.names.resolve == CONF_RESOLVE_OWN;

	return kern_state_flags(s->kern, own ? TG_STATE_NAMES : TG_STATE_UDP_DNS,
				own ? TG_STATE_UDP_DNS : TG_STATE_NAMES);
}

static int open_kernel(struct supervisor *s)
{
	char pins[PROC_PATH_MAX], dir[PATH_MAX];
	struct kern_config cfg = { .pin_dir = pins };
	const char *why = "";
	int r = kern_supported(&why);

	if (r < 0)
		return log_err(r, "load kernel programs: %s", why);
	(void)snprintf(pins, sizeof(pins), "%s/bpf", s->conf.run_dir);
	if (mkdir(pins, 0700) < 0 && errno != EEXIST)
		return log_err(-errno, "make %s: %s", pins, err_text(errno));
	r = join_cgroup(dir);
	if (r < 0)
		return log_err(r, "join the daemon's cgroup: %s", err_text(r));
	r = kern_open(&cfg, &s->kern);
	if (r == -ESTALE && s->conf.enforcement != CONF_OBSERVE)
		return log_err(r, "load kernel programs: those pinned in %s cannot be replaced by this program's, "
			       "and stay in force: end enforcement with /usr/lib/tollgate/unguard, then start again",
			       pins);
	if (r == -ESTALE) {
		log_warn("pins of other kernel programs in %s are replaced: agents are not guarded meanwhile",
			 pins);
		r = kern_release_pins(pins);
		if (r >= 0)
			r = kern_open(&cfg, &s->kern);
	}
	if (r >= 0)
		r = set_names(s);
	if (r >= 0) {
		r = sup_fence_check(s);
		/* Nothing that was there before is taken away: a refused start is no release. */
		if (r < 0 && !kern_adopted(s->kern)) {
			(void)kern_release(s->kern);
			s->kern = NULL;
		}
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = kern_heartbeat(s->kern);
	if (r >= 0)
		r = kern_daemon_attach(s->kern, dir);
	if (r >= 0)
		r = sup_canary_start(s, dir);
	if (r >= 0)
		r = kern_state_flags(s->kern, 0, TG_STATE_CLOSED);
	if (r >= 0)
		r = kern_state_flags(s->kern, s->conf.enforcement == CONF_OBSERVE ? TG_STATE_OBSERVE : 0,
				     s->conf.enforcement == CONF_OBSERVE ? 0 : TG_STATE_OBSERVE);
	if (r >= 0)
		r = kern_events_open(s->kern, on_event, s, &s->events);
	return r < 0 ? log_err(r, "load kernel programs: %s", err_text(r)) : 0;
}

/* A full disk keeps a node that starts from being ready, and is no reason to end it. */
static void await_record(struct supervisor *s)
{
	struct msg_flag alive = { 0 };

	if (!s->record_awaited && !s->notary_awaited)
		return;
	(void)ipc_send(s->keeper, MSG_ALIVE, 0, &alive, sizeof(alive), NULL, 0);
	if (s->record_awaited && sup_record_start(s) == 0)
		sup_check_ready(s);
}

static void on_tick(struct loop_timer *t, void *arg)
{
	struct supervisor *s = arg;
	int64_t lost;

	(void)t;
	if (!s->kern)
		return;
	s->ticks++;
	s->fence_told = 0;
	(void)kern_heartbeat(s->kern);
	sup_leave(s);
	sup_notary_again(s);
	if (!s->ready) {
		await_record(s);
		return;
	}
	lost = kern_events_lost(s->events);
	if (lost > 0)
		look_at_all(s, (uint64_t)lost);
	sup_enrol_tick(s);
	sup_members_tick(s);
	sup_canary_tick(s);
	sup_health_tick(s);
	sup_escrow_tick(s);
	if (s->ticks % SWEEP_TICKS == 0 && kern_stdio_attached(s->kern))
		(void)kern_stdio_sweep(s->kern);
}

static void on_look(struct loop_timer *t, void *arg)
{
	(void)t;
	sup_stdio_look_again(arg);
}

/* --- what is told to the others ------------------------------------------------------------------- */

static void read_boot_id(char ret[40])
{
	_cleanup_buf_ struct buf b = { 0 };

	if (file_read("/proc/sys/kernel/random/boot_id", 64, &b) >= 0 && buf_len(&b) >= 36)
		memcpy(ret, buf_span(&b).p, 36);
}

static int hash_program(char ret[SHA256_PREFIXED_SIZE])
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint8_t d[SHA256_SIZE];
	int r = fd < 0 ? -errno : sha256_fd(fd, d);

	if (r >= 0)
		sha256_prefixed(d, ret);
	return r;
}

static int fill_setup(struct supervisor *s)
{
	struct msg_setup *m = &s->setup;
	uint8_t d[SHA256_SIZE];
	int r = kern_digest(s->kern, d);

	if (r >= 0)
		r = hash_program(m->program_hash);
	if (r < 0)
		return r;
	sha256_prefixed(d, m->kernel_hash);
	m->mode = (uint32_t)s->conf.mode;
	m->durability = (uint32_t)s->conf.durability;
	m->message_max = s->conf.limits.message_bytes;
	m->connections_max = s->conf.limits.connections;
	m->conversations_max = s->conf.limits.conversations;
	m->log_segment_bytes = s->conf.limits.log_segment_bytes;
	m->log_retention_s = s->conf.retention_s;
	m->request_timeout_ms = s->conf.http.request_ms;
	m->idle_timeout_ms = s->conf.http.idle_ms;
	m->connect_timeout_ms = s->conf.http.connect_ms;
	m->header_timeout_ms = s->conf.http.header_ms;
	m->body_timeout_ms = s->conf.http.body_ms;
	m->audit_gid = s->conf.audit_gid;
	m->own_names = s->conf.names.resolve == CONF_RESOLVE_OWN;
	(void)snprintf(m->name_servers, sizeof(m->name_servers), "%s",
		       s->conf.names.servers ? s->conf.names.servers : "");
	(void)snprintf(m->node, sizeof(m->node), "%s", s->conf.node);
	read_boot_id(m->boot_id);
	return 0;
}

/* --- folders -------------------------------------------------------------------------------------- */

static int make_dir(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	char path[PROC_PATH_MAX];
	_cleanup_close_ int fd = -1;

	(void)snprintf(path, sizeof(path), "%s%s%s", parent, name ? "/" : "", name ? name : "");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return log_err(-errno, "make folder %s: %s", path, err_text(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return log_err(-errno, "own folder %s: %s", path, err_text(errno));
	return 0;
}

/* The log belongs to the notary; the set-group-ID bit lets the query role read what is written in it. */
static int make_dirs(struct supervisor *s)
{
	const struct conf *c = &s->conf;
	int r = make_dir(c->state_dir, NULL, 0, 0, 0711);

	if (r >= 0)
		r = make_dir(c->run_dir, NULL, 0, 0, 0755);
	if (r >= 0)
		r = make_dir(c->state_dir, "log", c->notary.uid, c->query.gid, 02750);
	if (r >= 0)
		r = make_dir(c->state_dir, "notary", c->notary.uid, c->notary.gid, 0700);
	return r < 0 ? r : make_dir(c->state_dir, "query", c->query.uid, c->query.gid, 0700);
}

/* Everybody may connect; the query role asks the kernel who it is and refuses. */
static int open_audit_socket(struct supervisor *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (snprintf(a.sun_path, sizeof(a.sun_path), "%s/audit.sock", s->conf.run_dir) >=
	    (int)sizeof(a.sun_path))
		return -ENAMETOOLONG;
	(void)unlink(a.sun_path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0666) < 0 ||
	    listen(fd, AUDIT_BACKLOG) < 0)
		return -errno;
	s->audit_fd = take_fd(fd);
	return 0;
}

/* --- start ---------------------------------------------------------------------------------------- */

static unsigned count_proxies(const struct conf *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = c->proxies ? c->proxies : cores > 0 ? (unsigned)cores : 1;

	return n < SUP_PROXIES_MAX ? n : SUP_PROXIES_MAX;
}

/* Everything that can be wrong with the operator's files is found before anything is changed. */
static int read_files(struct supervisor *s)
{
	_cleanup_buf_ struct buf text = { .limit = 65536 };
	struct conf_error e = { 0 };

	if (conf_load(s->config, &s->conf, &e) < 0)
		return log_err(-EINVAL, "configuration: %s", e.text);
	for (unsigned i = 0; i < s->conf.nwarnings; i++)
		log_warn("configuration: %s", s->conf.warnings[i]);
	if (sup_numbers_settle(s) < 0 || sup_escrow_read(s) < 0)
		return -EINVAL;
	s->nproxies = count_proxies(&s->conf);
	for (unsigned i = 0; i < s->nproxies; i++)
		s->proxies[i] = (struct sup_proxy){ .sup = s, .index = i, .escrow_fd = -1 };
	if (sup_set_read(s, 1, &s->current, &text) < 0)
		return log_err(-EINVAL, "policy and catalog: %s",
			       buf_cstr(&text) ? buf_cstr(&text) : "out of memory");
	return 0;
}

/* Restarts over the keeper's descriptors happen after they have all come back. */
static int begin(struct supervisor *s)
{
	struct sandbox_spec sandbox = { .nofile = NOFILE_WANTED };
	int r = make_dirs(s);

	if (r >= 0)
		r = sup_numbers_keep(s);
	if (r < 0)
		return r;
	r = sandbox_enter(ROLE_SUPERVISOR, &sandbox, NULL);
	if (r < 0)
		return log_err(r, "enter sandbox: %s", err_text(r));
	r = open_kernel(s);
	if (r >= 0)
		r = fill_setup(s);
	if (r >= 0)
		r = open_audit_socket(s);
	if (r >= 0)
		r = loop_timer_arm(s->tick, SUP_TICK_NS, SUP_TICK_NS);
	return r < 0 ? r : sup_members_start(s);
}

static bool all_there(const struct supervisor *s)
{
	if (!s->chain_open || !s->notary_there)
		return false;
	for (unsigned i = 0; i < s->nproxies; i++)
		if (!s->proxies[i].channel || !s->proxies[i].committed || !s->proxies[i].recording)
			return false;
	return true;
}

void sup_check_ready(struct supervisor *s)
{
	if (s->ready || s->stopping || !all_there(s))
		return;
	s->ready = true;
	/* Events of a time without a supervisor wait in the rings until there is somebody to act on them. */
	if (sup_enrol_start(s) < 0 || sup_control_start(s) < 0 ||
	    loop_io_add(s->loop, kern_events_fd(s->events), EPOLLIN, events_ready, s, &s->events_io) < 0) {
		sup_exit(s, EXIT_FAILURE);
		return;
	}
	sup_enrol_rescan(s);
	sup_stdio_rescan(s);
	sup_running_scan(s);
	log_info("node %s enforces: %u agents, policy mode %s, platform %s", s->conf.node, s->conf.nagents,
		 gate_mode_text((enum gate_mode)s->setup.mode), s->notary_up.platform);
	(void)ipc_send(s->keeper, MSG_READY, 0, NULL, 0, NULL, 0);
}

static int from_keeper(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct supervisor *s = arg;

	(void)c;
	if (m->type != MSG_KEPT_END)
		return sup_from_keeper(s, m);
	sup_listen_settle(s);
	if (begin(s) < 0)
		sup_exit(s, EXIT_FAILURE);
	return 0;
}

static void keeper_gone(struct ipc *c, void *arg)
{
	struct supervisor *s = arg;

	(void)c;
	loop_stop(s->loop, EXIT_FAILURE);
}

static const struct ipc_ops keeper_ops = { .message = from_keeper, .closed = keeper_gone };

static int prepare(struct supervisor *s)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGUSR2, 0 };
	int r = loop_new(&s->loop);

	(void)signal(SIGPIPE, SIG_IGN);
	if (r >= 0)
		r = loop_signals(s->loop, signals, on_signal, s);
	if (r >= 0)
		r = loop_timer_add(s->loop, on_tick, s, &s->tick);
	if (r >= 0)
		r = loop_timer_add(s->loop, on_look, s, &s->look_timer);
	return r < 0 ? r : ipc_new(s->loop, ROLE_CHANNEL_FD, &keeper_ops, s, &s->keeper);
}

int supervisor_check(const char *config)
{
	static struct supervisor sup;

	sup.config = config;
	if (read_files(&sup) < 0)
		return EX_CONFIG;
	log_info("configuration, policy and catalog are good: policy %s, catalog %s",
		 sup.current.snap->policy_hash, sup.current.snap->catalog_hash);
	return EXIT_SUCCESS;
}

int supervisor_run(const char *config)
{
	static struct supervisor sup;
	struct supervisor *s = &sup;
	int r;

	s->config = config;
	sup_health_start(s);
	s->audit_fd = -1;
	s->canary.bait = s->canary.own = (struct listener)LISTENER_NONE;
	s->current.fds[0] = s->offered.fds[0] = -1;
	for (unsigned i = 0; i < SUP_PRODUCERS_MAX; i++)
		s->rings[i].ring = s->rings[i].wake = s->rings[i].progress = -1;
	if (read_files(s) < 0)
		return EX_CONFIG;
	r = prepare(s);
	if (r < 0)
		return log_err(EXIT_FAILURE, "start: %s", err_text(r));
	memory_settle(false);
	r = loop_run(s->loop);
	sup_record_stop(s);
	control_free(s->control);
	sup_enrol_stop(s);
	sup_canary_stop(s);
	kern_events_close(s->events);
	kern_close(s->kern);
	return r < 0 ? EXIT_FAILURE : r;
}
