// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP over the audit socket, and who may speak to it. Runs in the query role, on the caller's loop.
 * Every request is judged anew, by what the kernel says of the peer. Never writes the log.
 */
#include "user/query/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/hasher.h"
#include "user/notary/record.h"
#include "user/query/answers.h"
#include "user/query/follow.h"
#include "user/query/index.h"
#include "user/query/mhd.h"

#define CONNECTIONS_MAX 64
#define IDLE_SECONDS 30
#define CONNECTION_MEMORY 16384 /* request line and headers */
#define GROUPS_MAX_READ 1024
#define STREAMS_MAX 32 /* half of the connections stay for questions */
#define STREAM_LOOK_MS 200 /* how often streams look for what is new */
#define STREAM_BEAT_NS UINT64_C(15000000000) /* a silent reader is asked for, and judged anew, this often */

/* A connection that follows the log; it is suspended while nothing is new. */
struct stream {
	struct query *q;
	struct MHD_Connection *connection;
	struct ucred peer; /* who began it */
	struct follow *follow;
	bool suspended, over;
	uint64_t beat_ns, seen; /* seen: the index when there was nothing for this stream */
	struct stream *next;
};

struct query {
	struct query_config cfg;
	struct MHD_Daemon *daemon;
	struct answer_source src;
	int listen_fd; /* -1 once MHD owns it */
	struct stream *streams;
	unsigned streams_n;
	uint64_t looked_ns;
	bool behind, closing; /* behind: the index is being built */
};

DEFINE_CLEANUP(struct query *, query_close)

static bool in_group(int fd, const struct ucred *peer, gid_t gid)
{
	gid_t groups[GROUPS_MAX_READ];
	socklen_t n = sizeof(groups);

	if (gid == (gid_t)-1)
		return false;
	if (peer->gid == gid)
		return true;
	/* More groups than fit: -ERANGE, and the peer is not let in on a guess. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return false;
	for (size_t i = 0; i < n / sizeof(gid_t); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* 0 when the peer may ask, else enum query_denied; the refusal is told. */
static int judge_peer(struct query *q, struct MHD_Connection *c, struct ucred *ret_peer)
{
	const union MHD_ConnectionInfo *info = mhd.get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer = { 0 };
	socklen_t n = sizeof(peer);
	int why = 0;

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.pid <= 0)
		why = QUERY_DENIED_UNKNOWN;
	else if (q->cfg.in_scope && q->cfg.in_scope(q->cfg.arg, peer.pid))
		why = QUERY_DENIED_SCOPE;
	else if (peer.uid != 0 && !in_group(info->connect_fd, &peer, q->cfg.audit_gid))
		why = QUERY_DENIED_CREDENTIALS;
	if (why && q->cfg.denied)
		q->cfg.denied(q->cfg.arg, (enum query_denied)why, peer.pid, peer.uid);
	*ret_peer = peer;
	return why;
}

struct params {
	struct answer_param all[ANSWER_PARAMS_MAX];
	unsigned n;
	bool bad;
};

static enum MHD_Result take_param(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_n,
				  const char *value, size_t value_n)
{
	struct params *p = arg;

	if (p->n == ANSWER_PARAMS_MAX || !value || memchr(key, 0, key_n) || memchr(value, 0, value_n)) {
		p->bad = true;
		return MHD_NO;
	}
	p->all[p->n++] = (struct answer_param){ { key, key_n }, { value, value_n } };
	return MHD_YES;
}

static void write_filter(const struct params *p, struct buf *out)
{
	for (unsigned i = 0; i < p->n && buf_len(out) < QUERY_FILTER_MAX; i++) {
		const struct answer_param *one = &p->all[i];

		if ((i && buf_append(out, "&", 1) < 0) || buf_append(out, one->name.p, one->name.n) < 0 ||
		    buf_append(out, "=", 1) < 0 || buf_append(out, one->value.p, one->value.n) < 0)
			return;
	}
}

/* Whoever cannot be recorded is not answered. */
static int record_asked(struct query *q, const struct ucred *peer, const char *url, const struct params *p,
			const struct answer *a, enum query_stream stream)
{
	_cleanup_buf_ struct buf filter = { 0 };
	struct query_asked asked = {
		.pid = peer->pid, .uid = peer->uid, .path = url, .status = stream ? MHD_HTTP_OK : a->status,
		.rows = a->rows, .stream = stream,
	};

	if (!q->cfg.asked || strcmp(url, "/v1/health") == 0)
		return 0;
	write_filter(p, &filter);
	asked.filter = buf_span(&filter);
	if (asked.filter.n > QUERY_FILTER_MAX)
		asked.filter.n = QUERY_FILTER_MAX;
	return q->cfg.asked(q->cfg.arg, &asked);
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct answer *a)
{
	struct MHD_Response *resp;
	enum MHD_Result r;
	size_t n = 0;
	char *body;

	if (buf_len(&a->body) == 0) /* no memory even for the error */
		return MHD_NO;
	body = buf_steal(&a->body, &n);
	if (!body)
		return MHD_NO;
	resp = mhd.create_response_from_buffer(n, body, MHD_RESPMEM_MUST_FREE);
	if (!resp) {
		free(body);
		return MHD_NO;
	}
	(void)mhd.add_response_header(resp, "Content-Type",
				      a->cose ? "application/cose" :
				      a->text ? "text/plain; charset=utf-8" : "application/json");
	(void)mhd.add_response_header(resp, "Cache-Control", "no-store");
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)mhd.add_response_header(resp, "Allow", "GET");
	r = mhd.queue_response(c, a->status, resp);
	mhd.destroy_response(resp);
	return r;
}

static const char *denied_text(int why)
{
	return why == QUERY_DENIED_SCOPE ? "the caller is inside an agent's scope" :
	       why == QUERY_DENIED_CREDENTIALS ? "the caller is neither root nor of the audit group" :
						 "the kernel does not say who the caller is";
}

static ssize_t stream_read(void *arg, uint64_t pos, char *ret, size_t max)
{
	struct stream *s = arg;
	ssize_t n = s->over || s->q->closing ? MHD_CONTENT_READER_END_OF_STREAM :
					       follow_read(s->follow, ret, max);

	if (n == 0) {
		mhd.suspend_connection(s->connection);
		s->suspended = true;
		s->seen = index_size(s->q->src.index);
	}
	return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void stream_free(void *arg)
{
	struct stream *s = arg;

	for (struct stream **at = &s->q->streams; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			s->q->streams_n--;
			break;
		}
	if (s->q->cfg.asked) {
		const struct query_asked end = {
			.pid = s->peer.pid, .uid = s->peer.uid, .path = "/v1/records", .status = MHD_HTTP_OK,
			.rows = follow_rows(s->follow), .stream = QUERY_STREAM_ENDS,
		};

		(void)s->q->cfg.asked(s->q->cfg.arg, &end); /* told already; nothing is left to be withheld */
	}
	follow_close(s->follow);
	free(s);
}

/* Wakes the streams that may have something to say. Waking one for nothing would make the loop spin. */
static void wake_streams(struct query *q)
{
	uint64_t now = clock_mono_ns();
	struct ucred peer;

	for (struct stream *s = q->streams; s; s = s->next) {
		bool wake = q->closing || s->seen != index_size(q->src.index);

		if (now - s->beat_ns >= STREAM_BEAT_NS) {
			s->beat_ns = now;
			follow_beat(s->follow);
			s->over |= judge_peer(q, s->connection, &peer) != 0; /* it may have entered a scope */
			wake = true;
		}
		if (!s->suspended || !wake)
			continue;
		s->suspended = false;
		mhd.resume_connection(s->connection);
	}
}

static enum MHD_Result send_stream(struct query *q, struct MHD_Connection *c, struct follow *f,
				   const struct ucred *peer)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct MHD_Response *resp;
	enum MHD_Result r;

	if (!s) {
		follow_close(f);
		return MHD_NO;
	}
	*s = (struct stream){
		.q = q, .connection = c, .peer = *peer, .follow = f, .beat_ns = clock_mono_ns(), .next = q->streams,
	};
	q->streams = s;
	q->streams_n++;
	resp = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, FOLLOW_CHUNK, stream_read, s, stream_free);
	if (!resp) {
		stream_free(s);
		return MHD_NO;
	}
	(void)mhd.add_response_header(resp, "Content-Type", "application/jsonl");
	(void)mhd.add_response_header(resp, "Cache-Control", "no-store");
	r = mhd.queue_response(c, MHD_HTTP_OK, resp);
	mhd.destroy_response(resp);
	return r;
}

/* The stream of records when one is asked for and may be had; else *a says what is wrong. */
static struct follow *open_stream(struct query *q, const char *url, const struct params *p, struct answer *a)
{
	if (q->streams_n >= STREAMS_MAX) {
		answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE, "GET", url,
			     "as many as may follow the log do so already");
		return NULL;
	}
	return follow_open(&q->src, url, p->all, p->n, a);
}

/* The answer, or the stream that is one. */
static struct follow *make_answer(struct query *q, struct MHD_Connection *c, const char *url, const char *method,
				  struct params *p, struct answer *a)
{
	if (strcmp(method, "GET") != 0) {
		answer_error(a, MHD_HTTP_METHOD_NOT_ALLOWED, method, url, "this socket only answers GET");
		return NULL;
	}
	(void)mhd.get_connection_values_n(c, MHD_GET_ARGUMENT_KIND, take_param, p);
	if (p->bad)
		answer_error(a, MHD_HTTP_BAD_REQUEST, method, url,
			     "parameters are name=value, without zero bytes, and not many");
	else if (strcmp(url, "/v1/records") == 0 && follow_wanted(p->all, p->n))
		return open_stream(q, url, p, a);
	else
		answer_make(&q->src, url, p->all, p->n, a);
	return NULL;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_n, void **con_cls)
{
	static char seen;
	struct query *q = arg;
	struct answer a = { 0 };
	struct params params = { .n = 0 };
	struct follow *f = NULL;
	struct ucred peer;
	enum MHD_Result r;
	int why;

	if (!*con_cls) { /* MHD has read the headers; it calls again when the request is whole */
		*con_cls = &seen;
		return MHD_YES;
	}
	if (*upload_n) { /* a body is read over */
		*upload_n = 0;
		return MHD_YES;
	}
	why = judge_peer(q, c, &peer);
	if (why)
		answer_error(&a, MHD_HTTP_FORBIDDEN, method, url, denied_text(why));
	else
		f = make_answer(q, c, url, method, &params, &a);
	if (!why && record_asked(q, &peer, url, &params, &a, f ? QUERY_STREAM_BEGINS : QUERY_NO_STREAM) < 0) {
		follow_close(f);
		f = NULL;
		answer_error(&a, MHD_HTTP_SERVICE_UNAVAILABLE, method, url,
			     "the question could not be recorded, so it is not answered; tollgate status says why");
	}
	r = f ? send_stream(q, c, f, &peer) : send_answer(c, &a);
	buf_done(&a.body);
	return r;
}

static int start_daemon(struct query *q)
{
	q->daemon = mhd.start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, q,
				     MHD_OPTION_LISTEN_SOCKET, q->listen_fd,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				     MHD_OPTION_END);
	if (!q->daemon)
		return -EIO;
	q->listen_fd = -1;
	return 0;
}

int query_prepare(void)
{
	return mhd_load();
}

int query_open(const struct query_config *c, struct query **ret)
{
	_cleanup_(query_close_p) struct query *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->cfg = *c;
	q->cfg.index_path = NULL; /* borrowed for the call only */
	q->listen_fd = c->listen_fd;
	q->src.log_dirfd = c->log_dirfd;
	q->src.evidence = c->evidence;
	q->src.arg = c->arg;
	r = record_writer_new(&q->src.writer);
	if (r == 0)
		r = hasher_new(&q->src.hasher);
	if (r == 0)
		r = index_open(c->index_path, c->log_dirfd, &q->src.index);
	q->behind = true;
	if (r == 0)
		r = query_prepare();
	if (r == 0)
		r = start_daemon(q);
	if (r < 0)
		return r;
	*ret = take_ptr(q);
	return 0;
}

void query_close(struct query *q)
{
	if (!q)
		return;
	q->closing = true;
	if (q->daemon) {
		wake_streams(q); /* MHD does not end what is suspended */
		mhd.stop_daemon(q->daemon);
	}
	cleanup_close(&q->listen_fd);
	index_close(q->src.index);
	hasher_free(q->src.hasher);
	record_writer_free(q->src.writer);
	free(q);
}

int query_fd(const struct query *q)
{
	const union MHD_DaemonInfo *info = mhd.get_daemon_info(q->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? info->epoll_fd : -EBADF;
}

/* A log that cannot be read is told to whoever asks. */
int query_run(struct query *q)
{
	uint64_t now = clock_mono_ns();

	if (q->behind || (q->streams && now - q->looked_ns >= STREAM_LOOK_MS * UINT64_C(1000000))) {
		q->looked_ns = now;
		q->behind = index_update(q->src.index, ANSWER_UPDATE_MAX) == 1;
	}
	wake_streams(q);
	return mhd.run(q->daemon) == MHD_YES ? 0 : -EIO;
}

int query_timeout_ms(struct query *q)
{
	unsigned MHD_LONG_LONG ms;

	if (q->behind)
		return 0;
	if (mhd.get_timeout(q->daemon, &ms) != MHD_YES)
		return q->streams ? STREAM_LOOK_MS : -1;
	if (q->streams && ms > STREAM_LOOK_MS)
		return STREAM_LOOK_MS;
	return ms > 60000 ? 60000 : (int)ms;
}
