// SPDX-License-Identifier: Apache-2.0
/*
 * What the connections of one proxy share: blocks of memory, limits, one timer. A block is held
 * only while it has bytes in it, so idle connections cost their struct and nothing else, and busy
 * ones share blocks that are warm in the cache.
 */
#include "user/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "user/base/cleanup.h"
#include "user/net/conn_int.h"

#define ROOM_MIN (NET_BLOCK / 4) /* less is not worth a read */
#define GROW_MAX (1u << 20) /* a declared length is believed this far ahead of its bytes */
#define TICK_MIN_MS 10u

int net_dest_set(struct net_dest *d, int family, const void *addr, unsigned port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *bytes = addr;

	if (port == 0 || port > 65535)
		return -EINVAL;
	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		bytes += sizeof(mapped);
	}
	if (family != AF_INET && family != AF_INET6)
		return -EINVAL;
	memset(d, 0, sizeof(*d));
	d->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		d->in.sin_port = htons((uint16_t)port);
		memcpy(&d->in.sin_addr, bytes, sizeof(d->in.sin_addr));
	} else {
		d->in6.sin6_port = htons((uint16_t)port);
		memcpy(&d->in6.sin6_addr, bytes, sizeof(d->in6.sin6_addr));
	}
	return 0;
}

unsigned net_dest_port(const struct net_dest *d)
{
	return ntohs(d->sa.sa_family == AF_INET ? d->in.sin_port : d->in6.sin6_port);
}

bool net_dest_is_loopback(const struct net_dest *d)
{
	if (d->sa.sa_family == AF_INET)
		return ntohl(d->in.sin_addr.s_addr) >> 24 == 127;
	return d->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&d->in6.sin6_addr);
}

void net_dest_text(const struct net_dest *d, char ret[NET_DEST_TEXT_SIZE])
{
	char addr[INET6_ADDRSTRLEN] = "?";

	if (d->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &d->in.sin_addr, addr, sizeof(addr));
		(void)snprintf(ret, NET_DEST_TEXT_SIZE, "%s:%u", addr, net_dest_port(d));
	} else {
		inet_ntop(AF_INET6, &d->in6.sin6_addr, addr, sizeof(addr));
		(void)snprintf(ret, NET_DEST_TEXT_SIZE, "[%s]:%u", addr, net_dest_port(d));
	}
}

uint64_t net_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 + 1;
}

static void arm(struct net *n, uint64_t at)
{
	uint64_t now;

	if (!at || (n->armed && n->armed <= at))
		return;
	now = net_now_ms();
	if (at < now + TICK_MIN_MS)
		at = now + TICK_MIN_MS;
	if (loop_timer_arm(n->timer, (at - now) * 1000000, 0) == 0)
		n->armed = at;
}

void net_deadline(struct net_conn *c, unsigned ms)
{
	c->deadline = ms ? net_now_ms() + ms : 0;
	arm(c->net, c->deadline);
}

void net_stalled(struct net_conn *c, bool is)
{
	c->stalled = is ? net_now_ms() + c->net->limits.write_ms : 0;
	arm(c->net, c->stalled);
}

static void tick(struct loop_timer *t, void *arg)
{
	struct net *n = arg;
	uint64_t now = net_now_ms(), next = 0;
	struct net_conn *c;

	n->armed = 0;
	for (n->visit = n->conns; (c = n->visit);) {
		uint64_t at = c->deadline;

		n->visit = c->next;
		if (c->stalled && (!at || c->stalled < at))
			at = c->stalled;
		if (at && at <= now)
			conn_expired(c);
		else if (at && (!next || at < next))
			next = at;
	}
	arm(n, next);
}

static void or_default(unsigned *v, unsigned d)
{
	if (!*v)
		*v = d;
}

static void or_default_size(size_t *v, size_t d)
{
	if (!*v)
		*v = d;
}

static void fill_limits(struct net_limits *l)
{
	or_default_size(&l->head_max, 64u << 10);
	or_default_size(&l->body_max, 16u << 20);
	or_default_size(&l->event_max, 16u << 20);
	or_default_size(&l->buffered_max, 512u << 20);
	or_default(&l->first_ms, 10000);
	or_default(&l->head_ms, 30000);
	or_default(&l->body_ms, 30000);
	or_default(&l->request_ms, 600000);
	or_default(&l->idle_ms, 600000);
	or_default(&l->connect_ms, 10000);
	or_default(&l->response_ms, 3600000);
	or_default(&l->write_ms, 120000);
}

int net_new(struct loop *l, const struct net_limits *limits, struct net **ret)
{
	_cleanup_free_ struct net *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->loop = l;
	if (limits)
		n->limits = *limits;
	fill_limits(&n->limits);
	r = loop_timer_add(l, tick, n, &n->timer);
	if (r < 0)
		return r;
	*ret = take_ptr(n);
	return 0;
}

void net_free(struct net *n)
{
	if (!n)
		return;
	while (n->conns)
		conn_destroy(n->conns);
	loop_timer_remove(n->timer);
	while (n->pooled)
		free(n->pool[--n->pooled]);
	free(n);
}

size_t net_count(const struct net *n)
{
	return n->count;
}

size_t net_buffered(const struct net *n)
{
	return n->buffered;
}

void net_buf_ready(struct net *n, struct buf *b)
{
	if (b->data || !n->pooled)
		return;
	b->data = n->pool[--n->pooled];
	b->cap = NET_BLOCK;
	b->start = b->end = 0;
}

int net_buf_room(struct net *n, struct buf *b, size_t want, char **ret_p, size_t *ret_n)
{
	size_t len = buf_len(b), step = len > GROW_MAX ? len : GROW_MAX;
	int r;

	net_buf_ready(n, b);
	if (want > step)
		want = step;
	if (b->cap - b->end < ROOM_MIN || b->cap - b->end < want) {
		r = buf_reserve(b, !b->data ? NET_BLOCK : want > ROOM_MIN ? want : ROOM_MIN, ret_p);
		if (r < 0)
			return r;
	}
	*ret_p = b->data + b->end;
	*ret_n = b->cap - b->end;
	return 0;
}

void net_buf_release(struct net *n, struct buf *b)
{
	if (!b->data || buf_len(b))
		return;
	if (b->cap == NET_BLOCK && n->pooled < NET_POOL_MAX) {
		n->pool[n->pooled++] = b->data;
		b->data = NULL;
	}
	buf_done(b);
}

bool net_account(struct net_conn *c)
{
	struct net *n = c->net;
	size_t now = c->client.in.cap + c->client.out.cap + c->server.in.cap + c->server.out.cap +
		     c->x.body.cap + c->x.staged.cap + c->x.sse.joined.cap;

	n->buffered += now - c->accounted;
	c->accounted = now;
	return n->buffered <= n->limits.buffered_max || now <= 2 * NET_BLOCK;
}
