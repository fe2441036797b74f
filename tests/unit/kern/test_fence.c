// SPDX-License-Identifier: Apache-2.0
/*
 * Every way out of a scope, tried: each verb of tests/probe/bypass.c gets through outside of a scope, and where the
 * programs say that they close its row it does not from inside, as root and as an ordinary user. Prints the table as
 * lines "row ID USER ...". In a network namespace of its own.
 */
#include "tests/unit/kern/bed.h"

#include <bpf/bpf.h>
#include <grp.h>
#include <sys/prctl.h>

#include "tests/probe/bypass.c"
#include "user/kern/fence.h"
#include "user/kern/flow.h"

#define NOBODY 65534
#define VERB_SECONDS 20
#define CONNECTIONS 256

static const struct tg_label label = { .agent = AGENT, .instance = 42 };
static uint64_t word; /* the outsiders have it at the same address */

struct outsider {
	struct bed *b;
	char dir[64], cgroup[PATH_MAX], below[2][PATH_MAX]; /* below: of its own, of the scope's */
	pid_t sink, victim[2], peer;
	int ask[2], udp[2];
	struct bypass_stage stage;
};

/* --- who stands outside --------------------------------------------------------------------------- */

static int listens(int family, int type, const void *a, socklen_t n)
{
	int one = 1, fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family != AF_UNIX && type == SOCK_STREAM)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &(int){ 8 }, sizeof(int));
	if (fd < 0 || bind(fd, a, n) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		perror("outsider");
		_exit(1);
	}
	return fd;
}

static void answer_ask(struct outsider *o, int own)
{
	char path[PATH_MAX + 32], text[16], room[CMSG_SPACE(sizeof(int))] = "";
	struct iovec v = { .iov_base = (void *)"", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;
	int what, fd;

	if (read(o->ask[1], &what, sizeof(what)) != sizeof(what))
		_exit(0);
	if (what == BYPASS_SEND) {
		m.msg_control = room;
		m.msg_controllen = sizeof(room);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &own, sizeof(own));
	} else {
		snprintf(path, sizeof(path), "%s/cgroup.procs", o->cgroup);
		snprintf(text, sizeof(text), "%d", what);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			perror("move");
		close(fd);
	}
	(void)sendmsg(o->ask[1], &m, 0);
}

static void sink(struct outsider *o)
{
	struct sockaddr_in a4 = bypass_in(o->stage.port);
	struct sockaddr_in6 a6 = bypass_in6(o->stage.port, 0);
	struct sockaddr_un u;
	struct sockaddr_in dns = bypass_in(53);
	struct pollfd p[9];
	int kept[CONNECTIONS], n = 0, own;
	char c[64];

	p[0].fd = listens(AF_INET, SOCK_STREAM, &a4, sizeof(a4));
	p[1].fd = listens(AF_INET6, SOCK_STREAM, &a6, sizeof(a6));
	p[2].fd = listens(AF_UNIX, SOCK_STREAM, &u, unix_name(&u, o->stage.path, 0));
	p[3].fd = listens(AF_UNIX, SOCK_STREAM, &u, unix_name(&u, o->stage.abstract, 1));
	p[4].fd = listens(AF_INET, SOCK_DGRAM, &a4, sizeof(a4));
	p[5].fd = listens(AF_INET6, SOCK_DGRAM, &a6, sizeof(a6));
	p[6].fd = listens(AF_UNIX, SOCK_DGRAM, &u, unix_name(&u, o->stage.dgram, 0));
	p[7].fd = o->ask[1];
	p[8].fd = listens(AF_INET, SOCK_DGRAM, &dns, sizeof(dns));
	(void)chmod(o->stage.path, 0666);
	(void)chmod(o->stage.dgram, 0666);
	own = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(own, (void *)&a4, sizeof(a4)) < 0)
		_exit(1);
	(void)!write(o->udp[1], "r", 1); /* ready */
	for (;;) {
		for (int i = 0; i < 9; i++)
			p[i].events = POLLIN;
		if (poll(p, 9, -1) < 0)
			_exit(1);
		for (int i = 0; i < 4; i++)
			if (p[i].revents & POLLIN) {
				int fd = accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC);

				(void)!send(fd, "sink\n", 5, MSG_NOSIGNAL);
				if (n >= CONNECTIONS)
					close(kept[n % CONNECTIONS]);
				kept[n++ % CONNECTIONS] = fd;
			}
		for (int i = 4; i < 7; i++)
			if ((p[i].revents & POLLIN) && recv(p[i].fd, c, sizeof(c), 0) > 0 && i < 6)
				(void)!write(o->udp[1], "d", 1);
		if ((p[8].revents & POLLIN) && recv(p[8].fd, c, sizeof(c), 0) > 0)
			(void)!write(o->udp[1], "d", 1);
		if (p[7].revents)
			answer_ask(o, own);
	}
}

/* A process outside of the scope, in the outsiders' cgroup before it makes anything. */
static pid_t stands(struct outsider *o, uid_t uid, void (*fn)(struct outsider *o))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cgroup_move(o->cgroup, 0) < 0)
		_exit(1);
	if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
		_exit(1);
	(void)prctl(PR_SET_DUMPABLE, 1);
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	fn(o);
	_exit(0);
}

static void waits(struct outsider *o)
{
	(void)o;
	for (;;)
		pause();
}

/* Tells of the IPv4 packets that have options. */
static void sniff(struct outsider *o, int fd)
{
	uint8_t frame[256];
	ssize_t n;

	while ((n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT)) > 0)
		if (n > 20 && (frame[0] & 0xf) > 5)
			(void)!write(o->udp[1], "d", 1);
}

/* Another machine, as far as this one can tell. */
static void machine(struct outsider *o)
{
	struct sockaddr_in a = bypass_in(BYPASS_WIRE_PORT);
	int ears;

	inet_pton(AF_INET, BYPASS_WIRE_ADDRESS, &a.sin_addr);
	if (unshare(CLONE_NEWNET) < 0 || write(o->udp[1], "m", 1) != 1)
		_exit(1);
	while (system("ip addr add " BYPASS_WIRE_PEER "/24 dev wire1 2>/dev/null && ip link set wire1 up") != 0)
		usleep(20000);
	ears = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (connect(fd, (void *)&a, sizeof(a)) < 0)
			(void)poll(&p, 1, 200);
		usleep(50000);
		close(fd);
		sniff(o, ears);
	}
}

/* A wire to it, or 0 where there is no veth. */
static pid_t wire(struct outsider *o)
{
	pid_t pid = stands(o, 0, machine);
	char line[256], c;

	while (read(o->udp[0], &c, 1) != 1)
		usleep(10000);
	snprintf(line, sizeof(line),
		 "ip link add " BYPASS_WIRE " type veth peer name wire1 netns %d && "
		 "ip addr add " BYPASS_WIRE_ADDRESS "/24 dev " BYPASS_WIRE " && ip link set " BYPASS_WIRE " up",
		 (int)pid);
	if (system(line) == 0)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

static uint16_t free_port(void)
{
	struct sockaddr_in a = bypass_in(0);
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (void *)&a, n), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void outsider_start(struct outsider *o, struct bed *b)
{
	struct bypass_stage *s = &o->stage;
	char c;

	memset(o, 0, sizeof(*o));
	o->b = b;
	snprintf(o->dir, sizeof(o->dir), "/tmp/tollgate-fence-XXXXXX");
	assert_non_null(mkdtemp(o->dir));
	assert_int_equal(chmod(o->dir, 0755), 0);
	assert_int_equal(cgroup_create(b->top, "outside", o->cgroup), 0);
	assert_int_equal(cgroup_create(o->cgroup, "below", o->below[0]), 0);
	assert_int_equal(cgroup_create(b->agent, "below", o->below[1]), 0);
	snprintf(s->cgroup, sizeof(s->cgroup), "%s", o->cgroup);
	snprintf(s->path, sizeof(s->path), "%s/stream", o->dir);
	snprintf(s->dgram, sizeof(s->dgram), "%s/dgram", o->dir);
	snprintf(s->abstract, sizeof(s->abstract), "%s", o->dir);
	snprintf(s->pin, sizeof(s->pin), "%s/probe", b->pins);
	s->port = free_port();
	s->barred = free_port();
	s->word = &word;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, o->ask), 0);
	assert_int_equal(pipe2(o->udp, O_CLOEXEC), 0);
	s->ask = o->ask[0];
	s->udp_seen = o->udp[0];
	o->sink = stands(o, 0, sink);
	assert_int_equal(read(o->udp[0], &c, 1), 1);
	assert_int_equal(fcntl(o->udp[0], F_SETFL, O_NONBLOCK), 0);
	o->peer = wire(o);
	s->wire = o->peer > 0;
	o->victim[0] = stands(o, 0, waits);
	o->victim[1] = stands(o, NOBODY, waits);
}

static void outsider_stop(struct outsider *o)
{
	pid_t all[] = { o->sink, o->victim[0], o->victim[1], o->peer };

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i] <= 0)
			continue;
		kill(all[i], SIGKILL);
		waitpid(all[i], NULL, 0);
	}
	unlink(o->stage.path);
	unlink(o->stage.dgram);
	assert_int_equal(rmdir(o->dir), 0);
	for (int i = 0; i < 2; i++) {
		close(o->ask[i]);
		close(o->udp[i]);
	}
	for (int i = 0; i < 2; i++)
		(void)cgroup_remove(o->below[i]);
	for (int i = 0; i < 100 && cgroup_remove(o->cgroup) < 0; i++)
		usleep(20000);
}

/* --- one try -------------------------------------------------------------------------------------- */

struct try {
	const struct bypass_verb *verb;
	const struct bypass_stage *stage;
	uid_t uid;
};

static int try_it(void *arg)
{
	struct try *t = arg;

	alarm(VERB_SECONDS);
	signal(SIGPIPE, SIG_IGN);
	if (t->uid && (setgroups(0, NULL) < 0 || setresgid(t->uid, t->uid, t->uid) < 0 ||
		       setresuid(t->uid, t->uid, t->uid) < 0))
		return BYPASS_ODD;
	(void)prctl(PR_SET_DUMPABLE, 1);
	return t->verb->fn(t->stage);
}

/* What the scope's process inherits, made by this process, which is outside. */
static void make_early(struct outsider *o)
{
	struct sockaddr_in a = bypass_in(o->stage.port);
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);
	char c[64];

	o->stage.early_tcp = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(o->stage.early_tcp, (void *)&a, sizeof(a)), 0);
	o->stage.early_fresh = socket(AF_INET, SOCK_STREAM, 0);
	o->stage.early_udp = socket(AF_INET, SOCK_DGRAM, 0);
	while (read(o->udp[0], c, sizeof(c)) > 0)
		;
	(void)unlink(o->stage.pin);
	assert_int_equal(bpf_obj_pin(map, o->stage.pin), 0);
}

static enum bypass try_row(struct outsider *o, const struct bypass_verb *v, uid_t uid, bool inside)
{
	struct try t = { .verb = v, .stage = &o->stage, .uid = uid };
	int st;

	make_early(o);
	o->stage.outsider = o->victim[uid ? 1 : 0];
	snprintf(o->stage.below, sizeof(o->stage.below), "%s", o->below[inside]);
	fflush(stdout);
	if (inside) {
		st = bed_run(o->b, &label, try_it, &t);
	} else {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(try_it(&t));
		st = bed_wait(pid);
	}
	close(o->stage.early_tcp);
	close(o->stage.early_fresh);
	close(o->stage.early_udp);
	(void)unlink(o->stage.pin);
	return st == 256 + SIGKILL ? BYPASS_REFUSED : st >= BYPASS_THROUGH && st <= BYPASS_ODD ? (enum bypass)st : BYPASS_ODD;
}

static const char *outcome(enum bypass b)
{
	static const char *const texts[] = { "through", "refused", "absent", "odd" };

	return texts[b - BYPASS_THROUGH];
}

static const struct kern_fence_row *row_of(const struct kern_fence_row *rows, unsigned n, const char *id)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(rows[i].id, id) == 0)
			return &rows[i];
	return NULL;
}

/* 1 when what happened is not what the row says. */
static int judge(const struct kern_fence_row *row, const char *user, enum bypass before, enum bypass inside)
{
	bool bad = before != BYPASS_THROUGH && before != BYPASS_ABSENT;

	/* A row that is called open, and is not, is wrong too: nobody would know what holds. */
	if (before == BYPASS_THROUGH)
		bad = inside != (row->state == KERN_ROW_CLOSED ? BYPASS_REFUSED : BYPASS_THROUGH) ||
		      row->state == KERN_ROW_NOT_NEEDED;
	printf("row %-14s %-6s %-7s %-10s outside %s, inside %s; %s%s%s%s\n", row->id, user,
	       row->required ? "enforce" : "-", kern_row_state_text(row->state), outcome(before),
	       before == BYPASS_ABSENT ? "-" : outcome(inside), row->hook, row->limit ? " (" : "",
	       row->limit ? row->limit : "", row->limit ? ")" : "");
	if (before == BYPASS_ABSENT)
		printf("skip row %s as %s: nothing here to get out by\n", row->id, user);
	if (bad)
		printf("WRONG %s as %s\n", row->id, user);
	return bad;
}

static void closes_the_rows(void **state)
{
	struct kern_fence_row rows[KERN_FENCE_ROWS_MAX];
	struct outsider o;
	unsigned n, wrong = 0;
	uint64_t netns;
	struct bed b;
	int fd;

	bed_open(&b);
	outsider_start(&o, &b);
	assert_int_equal(kern_state_flags(b.k, TG_STATE_NAMES, 0), 0);
	n = kern_fence_rows(b.k, rows);
	assert_int_equal(kern_scope_attach(b.k, b.agent), 0);
	assert_int_equal(kern_scope_cgroup(b.k, b.agent_id, &label), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(flow_netns_cookie(fd, &netns), 0);
	close(fd);
	/* Another agent's listener, whose daemon is down. */
	assert_int_equal(flow_listener_set(b.k, netns, AGENT + 1, o.stage.barred, 0), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bypass_verbs); i++) {
		const struct bypass_verb *v = &bypass_verbs[i];
		const struct kern_fence_row *row = row_of(rows, n, v->id);

		assert_non_null(row);
		for (uid_t uid = 0; uid <= NOBODY; uid += NOBODY) {
			enum bypass before, inside;

			if (uid && v->root)
				continue;
			before = try_row(&o, v, uid, false);
			/* The connection has to be steered, or it does not come as far as the wire. */
			if (strcmp(v->id, "source-route") == 0)
				assert_int_equal(flow_listener_set(b.k, netns, AGENT, o.stage.port, 0), 0);
			inside = before == BYPASS_ABSENT ? before : try_row(&o, v, uid, true);
			(void)flow_listener_remove(b.k, netns, AGENT);
			wrong += (unsigned)judge(row, uid ? "nobody" : "root", before, inside);
		}
	}
	outsider_stop(&o);
	bed_close(&b);
	assert_int_equal(wrong, 0);
}

/* What is said before anything is loaded is what holds then. */
static void says_the_same_before_it_loads(void **state)
{
	struct kern_fence_row before[KERN_FENCE_ROWS_MAX], after[KERN_FENCE_ROWS_MAX];
	unsigned n = kern_fence_rows(NULL, before);
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_fence_rows(b.k, after), n);
	assert_int_equal(n, ARRAY_SIZE(bypass_verbs));
	for (unsigned i = 0; i < n; i++) {
		assert_string_equal(before[i].id, after[i].id);
		assert_int_equal(before[i].state, after[i].state);
		assert_string_equal(before[i].hook, after[i].hook);
	}
	bed_close(&b);
}

/* What an agent needs stays: its own UNIX sockets, its own tasks, netlink to look at addresses. */
static int lives(void *arg)
{
	struct sockaddr_un u;
	socklen_t n = unix_name(&u, arg, 1);
	int pair[2], st, fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	if (bind(fd, (void *)&u, n) < 0 || listen(fd, 1) < 0 ||
	    connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&u, n) < 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0 || send(pair[0], "x", 1, 0) != 1)
		return 2;
	if (socket(AF_NETLINK, SOCK_RAW, 0) < 0)
		return 3;
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || kill(pid, SIGKILL) < 0 || waitpid(pid, &st, 0) != pid)
		return 4;
	return socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0 ? 5 : 0;
}

static void leaves_an_agent_what_is_its_own(void **state)
{
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_scope_attach(b.k, b.agent), 0);
	assert_int_equal(kern_scope_cgroup(b.k, b.agent_id, &label), 0);
	assert_int_equal(bed_run(&b, &label, lives, b.pins), 0);
	bed_close(&b);
}

static int makes_raw(void *arg)
{
	(void)arg;
	return socket(AF_INET, SOCK_RAW, IPPROTO_RAW) < 0;
}

static int sends(void *arg)
{
	struct sockaddr_in a = bypass_in(9);

	(void)arg;
	return sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (void *)&a, sizeof(a)) < 0;
}

static int packets(void *arg)
{
	(void)arg;
	return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static void told(const struct tg_event *e, uint64_t lost, void *arg)
{
	unsigned *seen = arg;

	(void)lost;
	if (e->type == TG_EV_FENCE)
		seen[e->fence.reason]++;
	else if (e->type == TG_EV_CONNECT)
		seen[e->connect.reason]++;
}

/* The same is told of what is refused and of what would be. */
static void tells_and_lets_pass_when_it_observes(void **state)
{
	unsigned seen[TG_STAT_MAX_] = { 0 };
	struct kern_events *ev;
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_events_open(b.k, told, seen, &ev), 0);
	assert_int_equal(kern_scope_attach(b.k, b.agent), 0);
	assert_int_equal(kern_scope_cgroup(b.k, b.agent_id, &label), 0);
	for (unsigned i = 1; i <= 2; i++) {
		bool observes = i == 2;

		assert_int_equal(bed_run(&b, &label, makes_raw, NULL), !observes);
		assert_int_equal(bed_run(&b, &label, sends, NULL), !observes);
		assert_int_equal(bed_run(&b, &label, packets, NULL) == 0, observes);
		assert_true(kern_events_consume(ev) > 0);
		assert_int_equal(seen[TG_STAT_FENCE_DATAGRAM], i);
		/* A packet socket is refused by a hook, or kills. */
		assert_true(seen[TG_STAT_FENCE_SOCKET] + seen[TG_STAT_FENCE_KILLED] >= 2 * i);
		assert_int_equal(kern_state_flags(b.k, TG_STATE_OBSERVE, 0), 0);
	}
	kern_events_close(ev);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_the_rows),
		cmocka_unit_test(says_the_same_before_it_loads),
		cmocka_unit_test(leaves_an_agent_what_is_its_own),
		cmocka_unit_test(tells_and_lets_pass_when_it_observes),
	};
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	FILE *f;

	bed_skip();
	if (unshare(CLONE_NEWNET) < 0 || ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &up) < 0) {
		printf("skip: a network namespace: %s\n", strerror(errno));
		return 77;
	}
	f = fopen("/proc/sys/net/ipv4/ping_group_range", "we");
	if (f) {
		fprintf(f, "0 2147483647\n");
		fclose(f);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
