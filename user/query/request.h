/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_REQUEST_H
#define TOLLGATE_QUERY_REQUEST_H

#include "user/base/json_out.h"
#include "user/notary/checkpoint.h"
#include "user/notary/view.h"
#include "user/query/answers.h"
#include "user/query/index.h"

/* Shared by the files that answer; not for others. A function that gives false has made the answer. */
struct request {
	struct answer_source *src;
	const char *path;
	const struct answer_param *params;
	unsigned params_n;
	struct answer *out;
};

__attribute__((format(printf, 3, 4)))
void request_refuse(struct request *q, unsigned status, const char *fmt, ...);

/* Brings the index up to the log. A log whose index is still being built is told so (503). */
bool request_update(struct request *q);

/* The body's outer object; end makes the answer a 200, or a 500 when writing failed. */
void request_begin(struct request *q, struct json_out *j);
void request_end(struct request *q, struct json_out *j);

/* The parameter of that name, or NULL. */
const struct answer_param *request_param(const struct request *q, const char *name);
/* Only parameters of these names (NULL-terminated), each at most once. */
bool request_known(struct request *q, const char *const *names);
/* A decimal number of at most max, or fallback when the parameter is absent. */
bool request_number(struct request *q, const char *name, uint64_t fallback, uint64_t max, uint64_t *ret);
/* A time, ISO 8601 or seconds since 1970, as microseconds; *ret is untouched when the parameter is absent. */
bool request_time(struct request *q, const char *name, uint64_t *ret);
/* The parameter's value as records have it, kept in keep (used for one value only); ret->p stays NULL
 * when the parameter is absent. */
bool request_filter(struct request *q, const char *name, struct buf *keep, struct span *ret);

/* A small file of the log directory. 0 or -errno. */
int request_file(struct request *q, const char *name, struct buf *ret);
/* The latest checkpoint. */
bool request_checkpoint(struct request *q, struct buf *note, struct checkpoint *cp);
void request_root(struct json_out *j, const struct checkpoint *cp);
void request_path(struct json_out *j, const char *name, const struct tree_hash *p, unsigned n);

/* Reads a line of the log, which must be a whole, canonical record since it goes out as JSON. *fd and
 * *segment keep the open segment between calls; *fd is -1 at first and the caller's to close. */
int request_line(int dirfd, const struct index_place *p, int *fd, uint64_t *segment, struct buf *ret,
		 struct record_view *ret_view);

/* What is asked of records: /v1/records and the stream of them. */
struct record_query {
	struct index_filter f;
	struct buf keep[6]; /* the filter's texts */
	bool follow;
};
bool record_query_read(struct request *q, struct record_query *ret);
void record_query_done(struct record_query *rq);

/* Reads the lines that an index points at, one segment open at a time. */
struct line_source {
	struct answer_source *src;
	const struct record_query *rq;
	uint64_t segment;
	int fd; /* -1 at first */
	struct buf line;
};
/* Appends {"leaf":N,"record":{...}}; null stands for a line that is no record, which verify explains.
 * 1 when nothing was appended because the record is not what the index says, or is gone: the index then
 * changes. */
int line_source_put(struct line_source *l, const struct index_place *p, struct json_out *j);
void line_source_done(struct line_source *l);

/* Key changes that a proof of growth goes over: the member "handovers", [{"leaf","path","record"}…] of the signed
 * hand-overs from <= leaf < the head's size, each with its path to the head. Removed ones are of what retention
 * kept of them. 0 or -errno, with a part of it written. */
int request_handovers(struct request *q, const struct checkpoint *cp, uint64_t from, int tree_fd, struct json_out *j);

/* Parts of the API in files of their own. */
void answer_evidence(struct request *q);
void answer_records(struct request *q);
void answer_proof(struct request *q);
void answer_claims(struct request *q);
void answer_claim(struct request *q);
void answer_sessions(struct request *q);
void answer_graph(struct request *q);
void answer_statistics(struct request *q);

#endif
