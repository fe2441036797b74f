// SPDX-License-Identifier: Apache-2.0
/* Framing: input in pieces of chosen sizes; what is delivered and discarded must be the input, in lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/loop.h"
#include "user/stdio/relay.h"

#define LINE_MAX_HERE 32

struct seen {
	const uint8_t *text;
	size_t at, n;
	bool eof, discarding;
};

static void take(struct seen *s, const char *p, size_t n)
{
	if (n > s->n - s->at || (n && memcmp(p, s->text + s->at, n) != 0))
		abort();
	s->at += n;
}

static void on_line(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct seen *s = arg;
	const char *nl = memchr(p, '\n', n);

	if (n == 0 || n > LINE_MAX_HERE || s->discarding || s->eof)
		abort();
	take(s, p, n);
	if (nl ? nl != p + n - 1 : s->at != s->n)
		abort();
	if (p[0] & 1)
		stdio_relay_send(r, dir, p, n);
	else if (p[0] & 2)
		stdio_relay_send_held(r, !dir, p, n, s->at);
	else
		stdio_relay_release(r, !dir, s->at);
}

static void on_partial(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct seen *s = arg;

	if (n == 0 || s->discarding || s->eof || n > s->n - s->at || memcmp(p, s->text + s->at, n) != 0 ||
	    memchr(p, '\n', n))
		abort();
}

static void on_overlong(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	((struct seen *)arg)->discarding = true;
}

static void on_discarded(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, bool end,
			 void *arg)
{
	struct seen *s = arg;

	if (!s->discarding)
		abort();
	take(s, p, n);
	s->discarding = !end;
}

static void on_eof(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	struct seen *s = arg;

	if (s->at != s->n || s->discarding)
		abort();
	s->eof = true;
	stdio_relay_finish(r, dir);
}

static void on_closed(struct stdio_relay *r, enum stdio_end end, void *arg)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct stdio_relay_ops ops = { on_line, on_overlong, on_discarded, on_eof, on_closed, on_partial };
	struct seen s = { .text = data, .n = size };
	int in[2], out[2], to[2], from[2];
	struct stdio_relay *r;
	struct loop *l;
	size_t at = 0;

	if (size > 4096 || loop_new(&l) < 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, in) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, out) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, to) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, from) < 0)
		abort();
	if (stdio_relay_new(l, &(struct stdio_relay_fds){ in[0], out[1], to[1], from[0] }, LINE_MAX_HERE,
			    &ops, &s, &r) < 0)
		abort();
	while (at < size) {
		size_t n = 1 + data[at] % 48;

		if (n > size - at)
			n = size - at;
		if (send(in[1], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			abort();
		at += n;
		(void)loop_once(l, 0);
	}
	close(in[1]);
	while (!s.eof)
		(void)loop_once(l, 0);
	stdio_relay_free(r);
	loop_free(l);
	close(out[0]);
	close(to[0]);
	close(from[1]);
	return 0;
}
