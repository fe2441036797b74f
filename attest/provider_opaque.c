// SPDX-License-Identifier: Apache-2.0
/*
 * A managed runtime that hides its hardware and vouches for it with a signed token. Used only where the
 * configuration names the adapter's socket: what comes from there is a vendor's word.
 *
 * The adapter gets one line, {"nonce":"<base64url of the binding's SHA-256>"}, and answers with the token,
 * a compact JWS, and the end of the stream.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "attest/provider.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

#define TOKEN_MAX 65536
#define ADAPTER_SECONDS 10 /* tokens may be made by a service behind the adapter */

static int dial(const char *path)
{
	const struct timeval limit = { .tv_sec = ADAPTER_SECONDS };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (!path)
		return -ENODEV;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return take_fd(fd);
}

static bool opaque_present(const struct attest_config *c)
{
	_cleanup_close_ int fd = dial(c->token_socket);

	return fd >= 0;
}

static int ask(int fd, const struct attest_digests *bound)
{
	_cleanup_buf_ struct buf b64 = { 0 }, line = { 0 };
	int r = base64_append(&b64, bound->sha256, sizeof(bound->sha256));

	for (size_t i = 0; r == 0 && i < buf_len(&b64); i++) {
		char *ch = b64.data + b64.start + i;

		*ch = *ch == '+' ? '-' : *ch == '/' ? '_' : *ch;
	}
	if (r == 0) /* 32 bytes end in one '=', which base64url leaves out */
		r = buf_printf(&line, "{\"nonce\":\"%.*s\"}\n", (int)buf_len(&b64) - 1, buf_span(&b64).p);
	if (r < 0)
		return r;
	/* One short line: it goes whole or not at all, and an adapter that hangs up ends no process. */
	return send(fd, buf_span(&line).p, buf_len(&line), MSG_NOSIGNAL) == (ssize_t)buf_len(&line) ? 0 : -EPIPE;
}

/* Three parts of base64url with dots between them. */
static bool is_jws(struct span s)
{
	unsigned dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (ch == '.')
			dots++;
		else if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
			   ch == '-' || ch == '_'))
			return false;
	}
	return dots == 2 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

static int opaque_collect(const struct attest_config *c, const struct attest_digests *bound,
			  struct attest_evidence *e)
{
	_cleanup_close_ int fd = dial(c->token_socket);
	struct buf *token = attest_evidence_add(e, "token");
	int r = fd < 0 ? fd : token ? ask(fd, bound) : -ENOSPC;

	if (r == 0)
		r = file_read_fd(fd, TOKEN_MAX, token);
	if (r == 0 && buf_len(token) && token->data[token->end - 1] == '\n')
		token->end--;
	return r < 0 ? r : is_jws(buf_span(token)) ? 0 : -EBADMSG;
}

const struct attest_provider attest_opaque = {
	.name = "opaque",
	.class = ATTEST_VENDOR_ASSERTED,
	.present = opaque_present,
	.collect = opaque_collect,
};
