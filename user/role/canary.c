// SPDX-License-Identifier: Apache-2.0
/*
 * The canary role: a process in a scope of its own that tries what agents must not succeed in. It proves what links
 * and pins can only promise. It has no rights, reads nothing, and decides nothing.
 */
#include "user/role/canary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/role/member.h"

#define CONNECT_SECONDS 2 /* both ends are on loopback: who waits longer waits for a supervisor that hangs */

/* A new socket each time: its cgroup is the one that it was made in. */
static int attempt(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = CONNECT_SECONDS };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int on_message(struct member *member, struct ipc_msg *m, void *arg)
{
	const struct msg_canary *try = m->body;
	struct msg_canary_tried tried;

	(void)arg;
	if (m->type != MSG_CANARY_TRY || m->len != sizeof(*try))
		return -EBADMSG;
	tried = (struct msg_canary_tried){ .serial = try->serial, .steered = attempt(try->steered),
					   .barred = attempt(try->barred) };
	return member_tell(member, MSG_CANARY_TRIED, 0, &tried, sizeof(tried));
}

int canary_run(void)
{
	static const struct member_ops ops = { .message = on_message };
	static struct member member;
	struct sandbox_spec sandbox = { 0 };
	int r = member_init(&member, ROLE_CANARY);

	if (r < 0) {
		log_err(r, "start: %s", err_text(r));
		return EXIT_FAILURE;
	}
	sandbox.uid = member.spec.uid;
	sandbox.gid = member.spec.gid;
	r = member_enter(&member, &sandbox, &ops, NULL);
	return r < 0 ? EXIT_FAILURE : member_run(&member);
}
