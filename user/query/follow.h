/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_FOLLOW_H
#define TOLLGATE_QUERY_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/query/answers.h"

/*
 * A stream of records: what fits, as JSON lines, now and whenever the log has grown. Memory is bounded by
 * FOLLOW_CHUNK and a record, however slowly the reader reads: the log itself is the queue.
 */
struct follow;

#define FOLLOW_CHUNK 65536

/* True when the parameters ask for a stream. */
bool follow_wanted(const struct answer_param *params, unsigned params_n);
/* NULL with an error in *ret_error, or the stream's state. It begins with the place given, or with the
 * newest records as many as the limit says, or with what comes next when there is no limit. */
struct follow *follow_open(struct answer_source *src, const char *path, const struct answer_param *params,
			   unsigned params_n, struct answer *ret_error);
/* Up to max bytes; 0 when nothing fits at present; -errno: the stream is over. */
ssize_t follow_read(struct follow *f, char *ret, size_t max);
/* An empty line goes out next, which tells whether the reader still lives. */
void follow_beat(struct follow *f);
/* Records given so far. */
uint64_t follow_rows(const struct follow *f);
void follow_close(struct follow *f);

#endif
