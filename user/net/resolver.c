// SPDX-License-Identifier: Apache-2.0
/*
 * The proxy's own resolution of names, on c-ares. Its answers decide where connections go, so nothing that an agent
 * says of addresses comes in here. Holds no key and needs no file once it runs.
 */
#include "user/net/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/loop.h"

#define SERVER_TIMEOUT_MS 2000 /* then the next server is asked */
#define TRIES 2 /* of every server */
#define WATCHES_MAX 64 /* sockets of c-ares: two for each server */
#define WAYS 8 /* answers that compete for one place of the cache */
#define CLASS_IN 1

struct kept {
	char name[NAME_SIZE];
	uint16_t type;
	uint64_t until; /* ns; 0: empty */
	struct dns_answer answer;
};

struct watch {
	struct resolver *resolver;
	struct loop_io *io;
	int fd;
};

struct resolver {
	struct loop *loop;
	struct loop_timer *timer;
	ares_channel channel;
	struct watch watches[WATCHES_MAX];
	struct kept *cache;
	unsigned queries;
	bool ending;
	unsigned long asked, from_cache;
};

struct resolver_query {
	struct resolver *resolver;
	resolver_fn fn; /* NULL: cancelled */
	void *arg;
	bool starting, done; /* c-ares may answer before its call returns */
	uint16_t type;
	char name[NAME_SIZE];
};

/* --- what is kept --------------------------------------------------------------------------------- */

static struct kept *place_of(struct resolver *r, const char *name, unsigned type)
{
	uint32_t h = 2166136261u ^ type; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return r->cache + h % (RESOLVER_CACHE_MAX / WAYS) * WAYS;
}

static struct kept *find(struct resolver *r, const char *name, unsigned type)
{
	struct kept *at = place_of(r, name, type);

	for (unsigned i = 0; i < WAYS; i++)
		if (at[i].until && at[i].type == type && strcmp(at[i].name, name) == 0)
			return &at[i];
	return NULL;
}

static void keep(struct resolver *r, const char *name, unsigned type, const struct dns_answer *a)
{
	bool nothing = a->rcode != DNS_OK || (!a->n && !a->services);
	uint32_t most = nothing ? RESOLVER_NEGATIVE_TTL_MAX : RESOLVER_TTL_MAX;
	uint32_t ttl = a->ttl < most ? a->ttl : most;
	struct kept *at = place_of(r, name, type), *to = find(r, name, type);

	for (unsigned i = 0; !to && i < WAYS; i++)
		if (!at[i].until)
			to = &at[i];
	for (unsigned i = 0; !to && i < WAYS; i++)
		if (i == WAYS - 1 || at[i].until <= clock_mono_ns())
			to = &at[i];
	if (!to)
		return;
	to->until = 0;
	if (ttl == 0)
		return;
	memcpy(to->name, name, strlen(name) + 1);
	to->type = (uint16_t)type;
	to->until = clock_mono_ns() + ttl * 1000000000ull;
	to->answer = *a;
	to->answer.ttl = ttl;
}

static bool look_up(struct resolver *r, const char *name, unsigned type, struct dns_answer *ret)
{
	struct kept *k = find(r, name, type);
	uint64_t now = clock_mono_ns();

	if (!k || k->until <= now)
		return false;
	*ret = k->answer;
	ret->ttl = (uint32_t)((k->until - now) / 1000000000ull);
	r->from_cache++;
	return true;
}

/* --- c-ares in our loop --------------------------------------------------------------------------- */

static void arm(struct resolver *r)
{
	struct timeval tv;

	if (!r->queries || !ares_timeout(r->channel, NULL, &tv))
		return;
	(void)loop_timer_arm(r->timer, (uint64_t)tv.tv_sec * 1000000000ull + (uint64_t)tv.tv_usec * 1000 + 1000000,
			     0);
}

static void on_time(struct loop_timer *t, void *arg)
{
	struct resolver *r = arg;

	(void)t;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(r);
}

static void on_socket(struct loop_io *io, uint32_t events, void *arg)
{
	struct watch *w = arg;
	struct resolver *r = w->resolver;
	int fd = loop_io_fd(io);

	ares_process_fd(r->channel, events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	arm(r);
}

/* Also tells, with neither, that a socket is about to be closed. One that finds no place is not read: its query runs
 * into its time limit. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct watch *w = NULL, *free_one = NULL;
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);

	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		if (r->watches[i].io && r->watches[i].fd == fd)
			w = &r->watches[i];
		else if (!r->watches[i].io)
			free_one = &r->watches[i];
	}
	if (w && !events) {
		loop_io_remove(w->io);
		w->io = NULL;
	} else if (w) {
		(void)loop_io_set(w->io, events);
	} else if (events && free_one) {
		*free_one = (struct watch){ .resolver = r, .fd = fd };
		if (loop_io_add(r->loop, fd, events, on_socket, free_one, &free_one->io) < 0)
			free_one->io = NULL;
	}
}

/* --- queries -------------------------------------------------------------------------------------- */

static void on_answer(void *arg, int status, int timeouts, unsigned char *text, int len)
{
	struct resolver_query *q = arg;
	struct resolver *r = q->resolver;
	struct dns_answer a;
	int error = -EIO;

	(void)timeouts;
	(void)status; /* c-ares' reading of the answer; ours is of its text */
	if (text && len > 0)
		error = dns_answer_read((struct span){ (char *)text, (size_t)len }, q->name, q->type, &a);
	if (error == 0 && a.rcode != DNS_OK && a.rcode != DNS_NO_SUCH_NAME)
		error = -EIO;
	if (error == 0)
		keep(r, q->name, q->type, &a);
	if (q->starting) {
		q->done = true; /* an error: there was no time for an answer */
		return;
	}
	r->queries--;
	if (q->fn && !r->ending)
		q->fn(q->arg, error, error == 0 ? &a : NULL);
	free(q);
}

int resolver_ask(struct resolver *r, const char *name, enum dns_type type, resolver_fn fn, void *arg,
		 struct dns_answer *ret_answer, struct resolver_query **ret_query)
{
	struct resolver_query *q;

	if (look_up(r, name, type, ret_answer))
		return 1;
	if (r->queries >= RESOLVER_QUERIES_MAX)
		return -EAGAIN;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	*q = (struct resolver_query){ .resolver = r, .fn = fn, .arg = arg, .starting = true, .type = (uint16_t)type };
	(void)memccpy(q->name, name, '\0', sizeof(q->name) - 1);
	ares_query(r->channel, q->name, CLASS_IN, type, on_answer, q);
	if (q->done) {
		free(q);
		return -EIO;
	}
	q->starting = false;
	r->queries++;
	r->asked++;
	arm(r);
	*ret_query = q;
	return 0;
}

void resolver_cancel(struct resolver_query *q)
{
	if (q)
		q->fn = NULL;
}

/* --- its life ------------------------------------------------------------------------------------- */

int resolver_new(struct loop *l, struct resolver **ret)
{
	struct ares_options o = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
				  .timeout = SERVER_TIMEOUT_MS, .tries = TRIES, .lookups = (char[]){ "b" },
				  .ednspsz = DNS_UDP_MAX };
	struct resolver *r = calloc(1, sizeof(*r));
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_EDNSPSZ |
		   ARES_OPT_SOCK_STATE_CB;

	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->cache = calloc(RESOLVER_CACHE_MAX, sizeof(*r->cache));
	o.sock_state_cb = on_state;
	o.sock_state_cb_data = r;
	if (!r->cache || loop_timer_add(l, on_time, r, &r->timer) < 0 || ares_library_init(ARES_LIB_INIT_ALL) != 0) {
		loop_timer_remove(r->timer);
		free(r->cache);
		free(r);
		return -ENOMEM;
	}
	if (ares_init_options(&r->channel, &o, mask) != ARES_SUCCESS) {
		r->channel = NULL;
		resolver_free(r);
		return -EIO;
	}
	*ret = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	r->ending = true;
	if (r->channel)
		ares_destroy(r->channel);
	ares_library_cleanup();
	loop_timer_remove(r->timer);
	free(r->cache);
	free(r);
}

int resolver_servers(struct resolver *r, const char *list)
{
	return ares_set_servers_ports_csv(r->channel, list) == ARES_SUCCESS ? 0 : -EINVAL;
}

void resolver_counts(const struct resolver *r, unsigned long *ret_asked, unsigned long *ret_kept)
{
	*ret_asked = r->asked;
	*ret_kept = r->from_cache;
}
