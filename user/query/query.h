/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_H
#define TOLLGATE_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/buf.h"

/*
 * The audit socket: HTTP/1.1 and JSON over a UNIX stream socket, read-only on the log directory.
 *
 *	GET /v1/health
 *	GET /v1/records?agent=&session=&server=&tool=&decision=&type=&since=&until=
 *		&from=|after=|before=&limit=[&follow=1]
 *	GET /v1/sessions?agent=&session=&limit=
 *	GET /v1/graph?agent=&session=&limit=
 *	GET /v1/statistics
 *	GET /v1/checkpoint[?form=note]
 *	GET /v1/claims?session=&after=&limit=
 *	GET /v1/claim?session=[&number=N][&part=claim|trust_record|bundle|evidence]
 *	GET /v1/evidence?nonce=HEX
 *	GET /v1/proof?record=LEAF[&from=SIZE][&form=receipt|cose]
 *
 * An error is {"error":{"action":…,"object":…,"reason":…}} with a fitting status.
 */
struct query;

#define QUERY_LIMIT_DEFAULT 100
#define QUERY_LIMIT_MAX 10000 /* records in one answer */

#define QUERY_NONCE_MAX 64 /* bytes; attest.h */

enum query_denied {
	QUERY_DENIED_CREDENTIALS = 1, /* neither root nor of the group */
	QUERY_DENIED_SCOPE, /* the peer is inside an agent's scope */
	QUERY_DENIED_UNKNOWN, /* the kernel did not say who it is */
};

/* A question that somebody may ask, with what it was answered. All borrowed. */
struct query_asked {
	pid_t pid;
	uid_t uid;
	const char *path;
	struct span filter; /* its parameters, decoded, name=value joined by '&'; cut at QUERY_FILTER_MAX */
	unsigned status; /* HTTP */
	uint64_t rows; /* in the answer, or that a stream has given */
	enum query_stream { QUERY_NO_STREAM = 0, QUERY_STREAM_BEGINS, QUERY_STREAM_ENDS } stream;
};

#define QUERY_FILTER_MAX 1000 /* bytes */

struct query_config {
	int listen_fd; /* bound and listening UNIX stream socket; owned by the query from query_open() on */
	int log_dirfd; /* borrowed */
	const char *index_path; /* SQLite file in the role's own directory; NULL: in memory */
	gid_t audit_gid; /* members may ask; (gid_t)-1: root only */
	/* True when the process is inside an agent's scope, or when that cannot be told. NULL: not asked. */
	bool (*in_scope)(void *arg, pid_t pid);
	/* Tells of a refusal, to be recorded. May be NULL. */
	void (*denied)(void *arg, enum query_denied why, pid_t pid, uid_t uid);
	/* Records a question before its answer goes out, and the end of a stream after it. 0, or -errno: it is then not
	 * answered. Everything is asked for but /v1/health. NULL: questions are not recorded. */
	int (*asked)(void *arg, const struct query_asked *asked);
	/* Appends evidence for a nonce as JSON, and waits for it: 0 or -errno, -EBUSY when it was asked for too
	 * often. NULL: there is none. */
	int (*evidence)(void *arg, struct span nonce, struct buf *json);
	void *arg;
};

/* Loads the library that query_open() needs and that a process in its sandbox could not read any more. 0, or -ELIBACC
 * when it is not installed. */
int query_prepare(void);

/* Starts serving; the caller's loop watches query_fd() (EPOLLIN) and calls query_run() when it is
 * readable and at the latest after query_timeout_ms(). No thread is made. 0 or -errno. */
int query_open(const struct query_config *c, struct query **ret);
void query_close(struct query *q);
int query_fd(const struct query *q);
int query_run(struct query *q);
int query_timeout_ms(struct query *q); /* -1: none */

#endif
