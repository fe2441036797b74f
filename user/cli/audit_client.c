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
	_cleanup_buf_ struct buf ask = { 0 }, answer = { 0 };
	struct span body = { 0 };
	unsigned status = 0;
	int r;

	if (fd < 0)
		return fail("connect to", c->audit, err_text(fd));
	r = buf_printf(&ask, "GET %s HTTP/1.1\r\nHost: tollgate\r\nConnection: close\r\n\r\n", target);
	if (r == 0 && send(fd, buf_span(&ask).p, buf_len(&ask), MSG_NOSIGNAL) != (ssize_t)buf_len(&ask))
		r = errno ? -errno : -EIO;
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
