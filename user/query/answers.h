/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_ANSWERS_H
#define TOLLGATE_QUERY_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"

struct query_index;
struct record_writer;
struct hasher;

/* What an answer is made from. */
struct answer_source {
	int log_dirfd;
	struct query_index *index;
	struct record_writer *writer; /* gives filters the text that records have */
	struct hasher *hasher;
	/* Appends evidence for a nonce; as query_config has it. */
	int (*evidence)(void *arg, struct span nonce, struct buf *json);
	void *arg;
};

#define ANSWER_PARAMS_MAX 16
/* Records that one request takes into the index at most: the role has one thread, and others wait. */
#define ANSWER_UPDATE_MAX 131072u

struct answer_param {
	struct span name, value; /* decoded */
};

struct answer {
	unsigned status; /* HTTP */
	bool text; /* body is text/plain, else application/json */
	bool cose; /* application/cose */
	uint64_t rows; /* records, sessions, edges, claims and names in it */
	struct buf body;
};

/* Answers one GET. Always fills *ret; a failure is an answer too. ret->body is the caller's. */
void answer_make(struct answer_source *src, const char *path, const struct answer_param *params,
		 unsigned params_n, struct answer *ret);

/* {"error":{"action":…,"object":…,"reason":…}} */
void answer_error(struct answer *a, unsigned status, const char *action, const char *object,
		  const char *reason);

#endif
