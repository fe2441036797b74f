// SPDX-License-Identifier: Apache-2.0
/* Programs in force are replaced while a process of a scope tries all the time what it must not succeed in. */
#include "tests/unit/kern/bed.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "user/base/digest.h"
#include "user/kern/flow.h"
#include "user/kern/internal.h"
#include "user/kern/stdio.h"

#define RENEWALS 12
#define BACKLOG 4096

static const struct tg_label label = { .agent = AGENT, .instance = 1 };

struct prober {
	uint16_t bait, barred;
	struct shared {
		uint64_t tries, passed;
		int stop;
	} *seen;
};

static int listener(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, BACKLOG), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* Gives whether the call succeeded. */
static bool connects(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger gone = { .l_onoff = 1 }; /* no port stays behind: there are many tries */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool r = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, sizeof(gone));
		close(fd);
	}
	return r;
}

static bool sends(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool r = fd >= 0 && sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1;

	if (fd >= 0)
		close(fd);
	return r;
}

static bool raw(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* What the bait sees, its owner tells; what must be refused, is told here. */
static int probe(void *arg)
{
	struct prober *p = arg;

	while (!__atomic_load_n(&p->seen->stop, __ATOMIC_ACQUIRE)) {
		(void)connects(p->bait);
		p->seen->passed += connects(p->barred) + sends(p->bait) + raw();
		__atomic_fetch_add(&p->seen->tries, 1, __ATOMIC_ACQ_REL);
	}
	return 0;
}

struct stage {
	struct bed b;
	struct prober p;
	int bait, own;
	uint16_t own_port;
	pid_t pid;
	uint64_t netns;
	pthread_t taker;
	uint64_t steered, bare, out; /* connections that came with their record, without, and to the bait */
};

/* All the time: a full backlog would stop the prober. */
static void *take(void *arg)
{
	struct stage *s = arg;
	struct pollfd p[] = { { .fd = s->own, .events = POLLIN }, { .fd = s->bait, .events = POLLIN } };
	struct tg_origin o;

	while (!__atomic_load_n(&s->p.seen->stop, __ATOMIC_ACQUIRE)) {
		(void)poll(p, 2, 100);
		for (unsigned i = 0; i < 2; i++) {
			int c = accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC);

			if (c < 0)
				continue;
			__atomic_fetch_add(i ? &s->out :
					   flow_origin(c, &o) == 0 && o.agent == AGENT ? &s->steered : &s->bare, 1,
					   __ATOMIC_ACQ_REL);
			close(c);
		}
	}
	return NULL;
}

/* The pins become those of another program: only the digest of what was loaded tells. */
static void become_old(const struct bed *b, int version)
{
	char path[PATH_MAX], copy[256];
	struct bpf_map_info info = { 0 };
	uint32_t n = sizeof(info), zero = 0;
	int was, is;

	assert_int_equal(pin_path(path, "%s/v%d/meta", b->pins, version), 0);
	was = bpf_obj_get(path);
	assert_true(was >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(was, &info, &n), 0);
	assert_true(info.value_size <= sizeof(copy));
	assert_int_equal(bpf_map_lookup_elem(was, &zero, copy), 0);
	copy[info.value_size - 1] ^= 1;
	is = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tollgate_meta", 4, info.value_size, 1, NULL);
	assert_true(is >= 0);
	assert_int_equal(bpf_map_update_elem(is, &zero, copy, BPF_ANY), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bpf_obj_pin(is, path), 0);
	close(was);
	close(is);
}

static uint32_t id_of(int prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t n = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(prog, &info, &n), 0);
	return info.id;
}

static void reopen(struct bed *b)
{
	kern_close(b->k);
	b->k = NULL;
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b->pins }, &b->k), 0);
	assert_true(kern_adopted(b->k) && kern_renewed(b->k));
	assert_int_equal(kern_heartbeat(b->k), 0);
}

static void stage_open(struct stage *s)
{
	memset(s, 0, sizeof(*s));
	bed_open(&s->b);
	s->bait = listener(&s->p.bait);
	s->own = listener(&s->own_port);
	s->p.barred = s->own_port;
	s->p.seen = mmap(NULL, sizeof(*s->p.seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s->p.seen != MAP_FAILED);
	assert_int_equal(flow_netns_cookie(s->own, &s->netns), 0);
	assert_int_equal(kern_scope_attach(s->b.k, s->b.agent), 0);
	assert_int_equal(kern_scope_cgroup(s->b.k, s->b.agent_id, &label), 0);
	assert_int_equal(flow_listener_set(s->b.k, s->netns, AGENT, s->own_port, 0), 0);
	assert_int_equal(kern_stdio_attach(s->b.k), 0);
	s->pid = bed_spawn(&s->b, &label, probe, &s->p);
	assert_int_equal(pthread_create(&s->taker, NULL, take, s), 0);
}

static void stage_close(struct stage *s)
{
	__atomic_store_n(&s->p.seen->stop, 1, __ATOMIC_RELEASE);
	assert_int_equal(bed_wait(s->pid), 0);
	assert_int_equal(pthread_join(s->taker, NULL), 0);
	munmap(s->p.seen, sizeof(*s->p.seen));
	close(s->bait);
	close(s->own);
	bed_close(&s->b);
}

static uint64_t tries(const struct stage *s)
{
	return __atomic_load_n(&s->p.seen->tries, __ATOMIC_ACQUIRE);
}

static void more_tries(struct stage *s)
{
	uint64_t before = tries(s), steered = __atomic_load_n(&s->steered, __ATOMIC_ACQUIRE);

	while (tries(s) < before + 20 || __atomic_load_n(&s->steered, __ATOMIC_ACQUIRE) < steered + 10)
		usleep(1000);
}

static void nothing_passes_meanwhile(void **state)
{
	const char *what = "";
	uint32_t ids[KP_MAX_];
	struct tg_label l;
	struct stage s;

	stage_open(&s);
	more_tries(&s);
	for (unsigned i = 0; i < RENEWALS; i++) {
		for (int p = 0; p < KP_MAX_; p++)
			ids[p] = s.b.k->prog[p] < 0 ? 0 : id_of(s.b.k->prog[p]);
		become_old(&s.b, TG_ABI_VERSION);
		reopen(&s.b);
		for (int p = 0; p < KP_MAX_; p++)
			if (ids[p])
				assert_int_not_equal(id_of(s.b.k->prog[p]), ids[p]);
		if (kern_verify(s.b.k, &what) < 0)
			fail_msg("after renewal %u: %s", i, what);
		assert_true(kern_stdio_attached(s.b.k));
		assert_int_equal(kern_scope_of(s.b.k, s.pid, &l), 0);
		assert_int_equal(l.agent, AGENT);
		more_tries(&s);
	}
	print_message("%llu tries over %u renewals, %llu steered\n", (unsigned long long)tries(&s), RENEWALS,
		      (unsigned long long)s.steered);
	assert_int_equal(__atomic_load_n(&s.out, __ATOMIC_ACQUIRE), 0);
	assert_int_equal(s.p.seen->passed, 0);
	assert_int_equal(s.bare, 0);
	stage_close(&s);
}

/* A link that was detached, a pin that was removed, a scope's folder, and the programs of stdio. */
static void what_is_missing_comes_back(void **state)
{
	const char *what = "";
	char path[PATH_MAX];
	struct stage s;
	int fd;

	stage_open(&s);
	assert_int_equal(pin_path(path, "%s/scopes/%llx/connect4_steer", s.b.k->dir,
				  (unsigned long long)s.b.agent_id), 0);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_link_detach(fd), 0);
	close(fd);
	assert_int_equal(pin_path(path, "%s/scopes/%llx/egress_fence", s.b.k->dir, (unsigned long long)s.b.agent_id), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pin_path(path, "%s/links/newtask_label", s.b.k->dir), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kern_verify(s.b.k, &what), -ENOLINK);
	reopen(&s.b);
	assert_int_equal(kern_verify(s.b.k, &what), 0);
	more_tries(&s);
	stage_close(&s);
}

/* Every state that a crash can leave is one from which the next start comes to the same end. */
static void begins_again_after_a_crash(void **state)
{
	char frozen[PATH_MAX], path[PATH_MAX], freeze[PATH_MAX], text[2] = "";
	const char *what = "";
	struct stage s;
	int fd;

	stage_open(&s);
	/* Half a tree, and a scope that was frozen for it. */
	assert_int_equal(pin_path(path, "%s_new", s.b.k->dir), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pin_path(frozen, "%s/frozen", s.b.pins), 0);
	assert_int_equal(mkdir(frozen, 0700), 0);
	assert_int_equal(pin_path(path, "%s/%llx", frozen, (unsigned long long)s.b.agent_id), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(cgroup_freeze(s.b.agent), 0);
	become_old(&s.b, TG_ABI_VERSION);
	reopen(&s.b);
	assert_int_equal(kern_verify(s.b.k, &what), 0);
	assert_int_equal(access(frozen, F_OK), -1);
	more_tries(&s);
	/* Who else froze a scope finds it frozen. */
	assert_int_equal(cgroup_freeze(s.b.agent), 0);
	assert_int_equal(cgroup_freeze(s.b.agent), -EALREADY);
	become_old(&s.b, TG_ABI_VERSION);
	reopen(&s.b);
	assert_int_equal(pin_path(freeze, "%s/cgroup.freeze", s.b.agent), 0);
	fd = open(freeze, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, 1), 1);
	assert_string_equal(text, "1");
	close(fd);
	assert_int_equal(cgroup_thaw(s.b.agent), 0);
	more_tries(&s);
	stage_close(&s);
}

/* The folder of an earlier ABI whose maps are the same: taken over, and gone. */
static void from_another_version(void **state)
{
	char was[PATH_MAX], is[PATH_MAX];
	const char *what = "";
	struct stage s;

	stage_open(&s);
	assert_int_equal(pin_path(was, "%s/v%d", s.b.pins, TG_ABI_VERSION), 0);
	assert_int_equal(pin_path(is, "%s/v%d", s.b.pins, TG_ABI_VERSION - 1), 0);
	assert_int_equal(rename(was, is), 0);
	reopen(&s.b);
	assert_int_equal(access(is, F_OK), -1);
	assert_int_equal(kern_verify(s.b.k, &what), 0);
	more_tries(&s);
	assert_int_equal(__atomic_load_n(&s.out, __ATOMIC_ACQUIRE), 0);
	assert_int_equal(s.p.seen->passed, 0);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_passes_meanwhile),
		cmocka_unit_test(what_is_missing_comes_back),
		cmocka_unit_test(begins_again_after_a_crash),
		cmocka_unit_test(from_another_version),
	};

	bed_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
