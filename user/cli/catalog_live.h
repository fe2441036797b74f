/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_CATALOG_LIVE_H
#define TOLLGATE_CLI_CATALOG_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/buf.h"
#include "user/base/span.h"
#include "user/mcp/tape.h"
#include "user/proc/identity.h"

/* A running MCP server as its client sees it. For `tollgate catalog`: it runs with the rights of
 * who calls it, and the server is not trusted: sizes, counts and times are limited. */
#define LIVE_MESSAGE_MAX (16u << 20)
#define LIVE_TOOLS_MAX 4096
#define LIVE_PAGES_MAX 1000
#define LIVE_ERROR_MAX 256

struct live_target {
	char **argv; /* stdio: command and arguments; NULL: url */
	const char *url; /* Streamable HTTP */
	pid_t pid; /* url: owner of a loopback listener, 0: found by its port */
	unsigned timeout_s; /* per answer */
};

/* What the server is and offers. */
struct live {
	struct buf text; /* JSON array of all tools' definitions, as received */
	struct tape tools; /* its tape */
	char name[128]; /* what it calls itself, "" when it does not */
	char version[32]; /* protocol version spoken */
	bool has_identity;
	struct proc_identity identity; /* stdio: the process that reads the input; url: the listener's owner */
};

/* Starts or connects, lists all tools, measures, ends. 0 or -errno with a message in err. */
int live_scan(const struct live_target *target, struct live *ret, char err[LIVE_ERROR_MAX]);
void live_done(struct live *l);
/* Token of the tool so named, or TAPE_NONE. */
uint32_t live_find(const struct live *l, struct span name);

/* One transport. recv gives the next whole message. */
struct live_io {
	/* method: of the message, or NULL for an answer; request: an answer is expected. */
	int (*send)(struct live_io *io, struct span message, const char *method, bool request);
	/* 0; -EPIPE the server ended; -ETIMEDOUT; -EMSGSIZE; other -errno. */
	int (*recv)(struct live_io *io, int timeout_ms, struct buf *message);
	int (*identify)(struct live_io *io, struct proc_identity *ret);
	void (*close)(struct live_io *io);
	char version[32]; /* for headers; set once agreed */
	bool modern;
	int timeout_ms; /* per answer */
	char err[192]; /* more about the last failure, or "" */
};

int live_stdio_open(char **argv, struct live_io **ret);
int live_http_open(const char *url, pid_t owner, struct live_io **ret, char err[LIVE_ERROR_MAX]);

/* Milliseconds left of timeout_ms since start_ns, not below 0. */
int live_left(uint64_t start_ns, int timeout_ms);

#endif
