// SPDX-License-Identifier: Apache-2.0
/*
 * As much of an HTTP/1.1 client as the audit socket needs: one GET per connection. Runs in tollgate(1).
 */
#include "user/cli/audit_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"

#define ANSWER_MAX (64u << 20)
#define HEAD_MAX 16384

static int fail(const char *action, const char *object, const char *reason)
{
	fprintf(stderr, "tollgate: %s %s: %s\n", action, object, reason);
	return CLI_FAILED;
}

int audit_param(struct buf *target, const char *name, const char *value)
{
	struct span s = buf_span(target);
	int r = buf_printf(target, "%c%s=", s.n && memchr(s.p, '?', s.n) ? '&' : '?', name);

	for (; *value && r == 0; value++) {
		unsigned char ch = (unsigned char)*value;
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
			     (ch >= '0' && ch <= '9') || strchr("-._~", ch);

		r = plain ? buf_append(target, value, 1) : buf_printf(target, "%%%02X", ch);
	}
	return r;
}

static int connect_audit(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return take_fd(fd);
}

static int send_get(int fd, const char *target)
{
	_cleanup_buf_ struct buf ask = { 0 };
	int r = buf_printf(&ask, "GET %s HTTP/1.1\r\nHost: tollgate\r\nConnection: close\r\n\r\n", target);

	if (r == 0 && send(fd, buf_span(&ask).p, buf_len(&ask), MSG_NOSIGNAL) != (ssize_t)buf_len(&ask))
		r = errno ? -errno : -EIO;
	return r;
}

/* Splits the answer; the body must be as long as Content-Length says, so a cut answer is seen. */
static int parse_answer(struct span s, unsigned *ret_status, struct span *ret_body)
{
	static const char length[] = "\r\ncontent-length:";
	const char *head_end = s.n ? memmem(s.p, s.n < HEAD_MAX ? s.n : HEAD_MAX, "\r\n\r\n", 4) : NULL;
	unsigned long n;
	bool found = false;

	if (!head_end || s.n < 12 || memcmp(s.p, "HTTP/1.1 ", 9) != 0 ||
	    sscanf(s.p + 9, "%3u", ret_status) != 1)
		return -EPROTO;
	*ret_body = (struct span){ head_end + 4, s.n - (size_t)(head_end + 4 - s.p) };
	for (const char *p = s.p; p < head_end && !found; p++)
		if (strncasecmp(p, length, sizeof(length) - 1) == 0)
			found = sscanf(p + sizeof(length) - 1, "%lu", &n) == 1;
	return found && n == ret_body->n ? 0 : -EPROTO;
}

static int tell_refusal(const char *target, unsigned status, struct span body)
{
	json_t *j = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	const char *reason = json_string_value(json_object_get(json_object_get(j, "error"), "reason"));
	char text[32];

	(void)snprintf(text, sizeof(text), "HTTP status %u", status);
	(void)fail("GET", target, reason ? reason : text);
	json_decref(j);
	return CLI_FAILED;
}

int audit_get(struct cli *c, const char *target, struct buf *ret)
{
	_cleanup_close_ int fd = connect_audit(c->audit);
	_cleanup_buf_ struct buf answer = { 0 };
	struct span body = { 0 };
	unsigned status = 0;
	int r;

	if (fd < 0)
		return fail("connect to", c->audit, err_text(fd));
	r = send_get(fd, target);
	if (r == 0)
		r = file_read_fd(fd, ANSWER_MAX, &answer);
	if (r == 0 && !buf_cstr(&answer))
		r = -ENOMEM;
	if (r == 0)
		r = parse_answer(buf_span(&answer), &status, &body);
	if (r < 0)
		return fail("ask", c->audit, err_text(r));
	if (status != 200)
		return tell_refusal(target, status, body);
	r = buf_append(ret, body.p, body.n);
	return r < 0 ? fail("ask", c->audit, err_text(r)) : CLI_OK;
}

int audit_get_json(struct cli *c, const char *target, json_t **ret)
{
	_cleanup_buf_ struct buf body = { 0 };
	int r = audit_get(c, target, &body);
	json_error_t e;
	json_t *j;

	if (r != CLI_OK)
		return r;
	j = json_loadb(buf_span(&body).p, buf_len(&body), JSON_REJECT_DUPLICATES, &e);
	if (!j)
		return fail("parse answer to", target, e.text);
	*ret = j;
	return CLI_OK;
}

#define CHUNK_MAX (1u << 20)
#define LINE_MAX_BYTES (1u << 20) /* a record is 64 kB at most */

struct stream {
	int fd;
	struct buf in, line; /* not yet taken apart; a line that is not whole yet */
	int (*fn)(void *arg, struct span line);
	void *arg;
	int answer; /* of fn, when it wanted an end */
};

/* More bytes into in. Their number, 0 at the end, or -errno. */
static ssize_t more(struct stream *s)
{
	char *to;
	ssize_t n;
	int r = buf_reserve(&s->in, 65536, &to);

	if (r < 0)
		return r;
	do
		n = read(s->fd, to, 65536);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf_commit(&s->in, (size_t)n);
	return n;
}

/* Gives the lines of a chunk that are whole. */
static int give_lines(struct stream *s, struct span chunk)
{
	const char *nl;
	int r = buf_append(&s->line, chunk.p, chunk.n);

	while (r == 0 && buf_len(&s->line) && (nl = memchr(buf_span(&s->line).p, '\n', buf_len(&s->line)))) {
		struct span line = { buf_span(&s->line).p, (size_t)(nl - buf_span(&s->line).p) };

		s->answer = s->fn(s->arg, line);
		buf_consume(&s->line, line.n + 1);
		if (s->answer != 0)
			return 1;
	}
	return r == 0 && buf_len(&s->line) > LINE_MAX_BYTES ? -EMSGSIZE : r;
}

/* Takes one chunk, or more bytes. 0; 1 when that was the last one that matters; or -errno. */
static int take_chunk(struct stream *s)
{
	struct span in = buf_span(&s->in);
	const char *crlf = in.n ? memmem(in.p, in.n < 32 ? in.n : 32, "\r\n", 2) : NULL;
	unsigned long n = 0;
	size_t head;
	ssize_t got;
	int r;

	if (crlf) {
		char *end, size[16] = { 0 };

		head = (size_t)(crlf - in.p);
		if (head == 0 || head >= sizeof(size))
			return -EPROTO;
		memcpy(size, in.p, head);
		n = strtoul(size, &end, 16);
		if (*end || n > CHUNK_MAX)
			return -EPROTO;
		if (n == 0)
			return 1;
		if (in.n >= head + 2 + n + 2) {
			r = give_lines(s, (struct span){ in.p + head + 2, n });
			buf_consume(&s->in, head + 2 + n + 2);
			return r;
		}
	} else if (in.n >= 32) {
		return -EPROTO;
	}
	got = more(s);
	return got < 0 ? (int)got : got == 0 ? -ECONNRESET : 0;
}

static int run_stream(struct stream *s, const char *target, int *ret_status)
{
	const char *end = NULL;
	unsigned status;
	int r = send_get(s->fd, target);

	while (r == 0 && !end) {
		ssize_t got = more(s);

		if (got <= 0 || buf_len(&s->in) > HEAD_MAX)
			return got < 0 ? (int)got : -EPROTO;
		end = memmem(buf_span(&s->in).p, buf_len(&s->in), "\r\n\r\n", 4);
	}
	if (r < 0 || !buf_cstr(&s->in))
		return r < 0 ? r : -ENOMEM;
	end = strstr(buf_cstr(&s->in), "\r\n\r\n");
	if (!end || sscanf(buf_cstr(&s->in), "HTTP/1.1 %3u", &status) != 1)
		return -EPROTO;
	buf_consume(&s->in, (size_t)(end + 4 - buf_cstr(&s->in)));
	if (status != 200) {
		while (more(s) > 0 && buf_len(&s->in) < HEAD_MAX)
			;
		*ret_status = tell_refusal(target, status, buf_span(&s->in));
		return 0;
	}
	while (r == 0)
		r = take_chunk(s);
	return r;
}

int audit_stream(struct cli *c, const char *target, int (*fn)(void *arg, struct span line), void *arg)
{
	struct stream s = { .fd = connect_audit(c->audit), .fn = fn, .arg = arg };
	int r, status = CLI_OK;

	if (s.fd < 0)
		return fail("connect to", c->audit, err_text(s.fd));
	r = run_stream(&s, target, &status);
	buf_done(&s.in);
	buf_done(&s.line);
	close(s.fd);
	if (r < 0)
		return fail("follow", c->audit, err_text(r));
	return s.answer ? s.answer : status;
}
