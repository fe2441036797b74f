// SPDX-License-Identifier: Apache-2.0
/*
 * The sockets at which agents ask for names: datagrams, which the kernel lets through from their scope alone, and
 * connections. Runs in the proxy.
 */
#include "user/gate/names_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "user/base/loop.h"

#define DATAGRAMS_PER_TURN 32 /* so a flood of questions does not starve conversations */
#define STREAM_IDLE_NS 10000000000ull
#define STREAM_OUT_MAX (4 * (2 + DNS_MESSAGE_MAX)) /* a client that does not read its answers */

/* --- datagrams ------------------------------------------------------------------------------------ */

static void on_datagram(struct loop_io *io, uint32_t events, void *arg)
{
	struct name_stub *s = arg;
	char msg[DNS_MESSAGE_MAX + 1]; /* one more shows that it was longer */

	(void)io;
	(void)events;
	for (unsigned i = 0; i < DATAGRAMS_PER_TURN; i++) {
		struct names_ask ask = { .names = s->names, .stub = s, .from_len = sizeof(ask.from) };
		ssize_t n = recvfrom(s->fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&ask.from,
				     &ask.from_len);

		if (n < 0)
			return;
		ask.agent = names_agent_of(s->names, s->agent);
		if (ask.agent && n <= DNS_MESSAGE_MAX)
			(void)names_take(&ask, (struct span){ msg, (size_t)n });
	}
}

int gate_names_listen(struct gate_names *n, int fd, uint32_t agent, struct name_stub **ret)
{
	struct name_stub *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct name_stub){ .names = n, .fd = fd, .agent = agent };
	r = loop_io_add(n->loop, fd, EPOLLIN, on_datagram, s, &s->io);
	if (r < 0) {
		free(s);
		return r;
	}
	s->next = n->stubs;
	s->link = &n->stubs;
	if (s->next)
		s->next->link = &s->next;
	n->stubs = s;
	*ret = s;
	return 0;
}

void gate_names_unlisten(struct name_stub *s)
{
	if (!s)
		return;
	names_drop(s->names, s, NULL);
	loop_io_remove(s->io);
	close(s->fd);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	free(s);
}

/* --- connections ---------------------------------------------------------------------------------- */

void names_stream_end(struct names_stream *s)
{
	s->ended = true;
	if (s->busy)
		return;
	names_drop(s->names, NULL, s);
	loop_io_remove(s->io);
	loop_timer_remove(s->timer);
	close(s->fd);
	buf_done(&s->in);
	buf_done(&s->out);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->agent->streams--;
	free(s);
}

static void on_idle(struct loop_timer *t, void *arg)
{
	(void)t;
	names_stream_end(arg);
}

/* False when it ended. */
static bool flush(struct names_stream *s)
{
	struct span out = buf_span(&s->out);
	ssize_t n = out.n ? send(s->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		buf_consume(&s->out, (size_t)n);
	return loop_io_set(s->io, (s->asking ? 0 : EPOLLIN) | (buf_len(&s->out) ? EPOLLOUT : 0)) == 0;
}

/* Takes up the next question that is whole: each has its length before it. */
static void take_next(struct names_stream *s)
{
	while (!s->asking && !s->ended) {
		struct names_ask ask = { .names = s->names, .agent = s->agent, .stream = s };
		struct span in = buf_span(&s->in);
		size_t n = in.n < 2 ? 0 : (size_t)(uint8_t)in.p[0] << 8 | (uint8_t)in.p[1];

		if (in.n >= 2 && (n == 0 || n > DNS_MESSAGE_MAX)) {
			s->ended = true;
			return;
		}
		if (in.n < 2 || in.n - 2 < n)
			return;
		s->asking = true;
		if (!names_take(&ask, (struct span){ in.p + 2, n })) {
			s->ended = true;
			return;
		}
		buf_consume(&s->in, 2 + n);
		(void)loop_timer_arm(s->timer, STREAM_IDLE_NS, 0);
	}
}

static void settle(struct names_stream *s)
{
	take_next(s);
	if (!s->ended && !flush(s))
		s->ended = true;
	s->busy = false;
	if (s->ended)
		names_stream_end(s);
}

static void on_stream(struct loop_io *io, uint32_t events, void *arg)
{
	struct names_stream *s = arg;
	char *p;
	ssize_t n;

	(void)io;
	s->busy = true;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !s->asking) {
		if (buf_reserve(&s->in, 2 + DNS_MESSAGE_MAX, &p) < 0) {
			s->ended = true;
		} else {
			n = recv(s->fd, p, 2 + DNS_MESSAGE_MAX, MSG_DONTWAIT);
			if (n > 0)
				buf_commit(&s->in, (size_t)n);
			else if (n == 0 || (errno != EAGAIN && errno != EINTR))
				s->ended = true;
		}
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		s->ended = true;
	}
	settle(s);
}

void gate_names_accept(struct gate_names *n, int fd, uint32_t agent)
{
	struct names_agent *a = names_agent_of(n, agent);
	struct names_stream *s = a && a->streams < NAMES_STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (!s || loop_timer_add(n->loop, on_idle, s, &s->timer) < 0 ||
	    loop_io_add(n->loop, fd, EPOLLIN, on_stream, s, &s->io) < 0) {
		if (s)
			loop_timer_remove(s->timer);
		free(s);
		close(fd);
		return;
	}
	s->names = n;
	s->agent = a;
	s->fd = fd;
	s->in.limit = 4 * (2 + DNS_MESSAGE_MAX);
	s->out.limit = STREAM_OUT_MAX;
	a->streams++;
	s->next = n->streams;
	s->link = &n->streams;
	if (s->next)
		s->next->link = &s->next;
	n->streams = s;
	(void)loop_timer_arm(s->timer, STREAM_IDLE_NS, 0);
}

/* --- both ----------------------------------------------------------------------------------------- */

static void send_stream(struct names_stream *s, const uint8_t *reply, size_t n)
{
	uint8_t head[2] = { (uint8_t)(n >> 8), (uint8_t)n };
	bool nested = s->busy;

	s->asking = false;
	if (buf_append(&s->out, head, sizeof(head)) < 0 || buf_append(&s->out, reply, n) < 0)
		s->ended = true;
	if (nested)
		return;
	s->busy = true;
	settle(s);
}

void names_send(const struct names_ask *ask, const uint8_t *reply, size_t n)
{
	if (ask->stream)
		send_stream(ask->stream, reply, n);
	else /* lost like any datagram when there is no room */
		(void)sendto(ask->stub->fd, reply, n, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (const struct sockaddr *)&ask->from, ask->from_len);
}
