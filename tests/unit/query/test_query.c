// SPDX-License-Identifier: Apache-2.0
#include "user/query/query.h"

#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/notary/log_fixture.h"
#include "user/notary/claims.h"
#include "user/notary/proof.h"
#include "user/notary/receipt.h"
#include "user/notary/retention.h"
#include "user/notary/segment.h"
#include "user/query/index.h"

#define RECORDS 30

struct server {
	struct log_fixture *f;
	struct query *q;
	char sock[100], index[100];
	bool scoped, recorded, unrecordable;
	unsigned denied[4], asked_n;
	struct query_asked asked; /* the last one */
	char path[64], filter[QUERY_FILTER_MAX + 1];
	gid_t gid;
};

static bool in_scope(void *arg, pid_t pid)
{
	return ((struct server *)arg)->scoped;
}

static void on_denied(void *arg, enum query_denied why, pid_t pid, uid_t uid)
{
	((struct server *)arg)->denied[why]++;
}

static int on_asked(void *arg, const struct query_asked *asked)
{
	struct server *s = arg;

	if (s->unrecordable)
		return -ENOSPC;
	s->asked_n++;
	s->asked = *asked;
	assert_true(asked->filter.n <= QUERY_FILTER_MAX);
	(void)snprintf(s->path, sizeof(s->path), "%s", asked->path);
	(void)snprintf(s->filter, sizeof(s->filter), "%.*s", (int)asked->filter.n, asked->filter.p);
	return 0;
}

static void serve(struct server *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct query_config c = {
		.log_dirfd = s->f->dirfd, .index_path = s->index, .audit_gid = s->gid,
		.in_scope = in_scope, .denied = on_denied, .asked = s->recorded ? on_asked : NULL, .arg = s,
	};

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->sock);
	c.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(c.listen_fd >= 0);
	(void)unlink(s->sock);
	assert_int_equal(bind(c.listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(c.listen_fd, 16), 0);
	assert_int_equal(chmod(s->sock, 0666), 0);
	assert_int_equal(query_open(&c, &s->q), 0);
}

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	void *f;

	assert_non_null(s);
	assert_int_equal(fixture_setup(&f), 0);
	s->f = f;
	s->gid = (gid_t)-1;
	assert_int_equal(chmod(s->f->dir, 0755), 0);
	(void)snprintf(s->sock, sizeof(s->sock), "%s/audit.sock", s->f->dir);
	(void)snprintf(s->index, sizeof(s->index), "%s/index.db", s->f->dir);
	fixture_fill(s->f, RECORDS, 6000);
	serve(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;
	void *f = s->f;

	query_close(s->q);
	free(s);
	return fixture_teardown(&f);
}

/* Runs the server while a child asks; gives what the child wrote to its standard output. */
static void run_client(struct server *s, pid_t child, int out, struct buf *ret)
{
	struct pollfd p[2] = { { .fd = query_fd(s->q), .events = POLLIN }, { .fd = out, .events = POLLIN } };
	int status;

	for (;;) {
		char chunk[4096];
		ssize_t n;

		assert_true(poll(p, 2, 5000) > 0);
		if (p[0].revents)
			assert_int_equal(query_run(s->q), 0);
		if (!p[1].revents)
			continue;
		n = read(out, chunk, sizeof(chunk));
		if (n <= 0)
			break;
		assert_int_equal(buf_append(ret, chunk, (size_t)n), 0);
	}
	close(out);
	assert_int_equal(waitpid(child, &status, 0), child);
}

/* Sends bytes as they are from a child of the given identity and gives the whole answer. */
static void ask_as(struct server *s, struct span request, uid_t uid, gid_t gid, struct buf *ret)
{
	int fds[2];
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		struct sockaddr_un sa = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		char chunk[4096];
		ssize_t n;

		(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->sock);
		if (gid && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0))
			_exit(1);
		if (uid && setresuid(uid, uid, uid) < 0)
			_exit(1);
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		    send(fd, request.p, request.n, MSG_NOSIGNAL) < 0)
			_exit(1);
		(void)shutdown(fd, SHUT_WR);
		while ((n = read(fd, chunk, sizeof(chunk))) > 0)
			if (write(fds[1], chunk, (size_t)n) != n)
				break;
		_exit(0);
	}
	close(fds[1]);
	run_client(s, child, fds[0], ret);
}

/* GET as ourselves; gives the body, checks the status. */
static void get(struct server *s, const char *target, const char *status, struct buf *ret)
{
	_cleanup_buf_ struct buf ask = { 0 };
	char want[32];
	char *body;

	assert_int_equal(buf_printf(&ask, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target), 0);
	buf_clear(ret);
	ask_as(s, buf_span(&ask), 0, 0, ret);
	(void)snprintf(want, sizeof(want), "HTTP/1.1 %s ", status);
	assert_int_equal(strncmp(buf_cstr(ret), want, strlen(want)), 0);
	body = strstr(buf_cstr(ret), "\r\n\r\n");
	assert_non_null(body);
	buf_consume(ret, (size_t)(body + 4 - buf_cstr(ret)));
}

static unsigned count(struct buf *b, const char *what)
{
	unsigned n = 0;

	for (const char *p = buf_cstr(b); (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void answers_and_filters(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };
	char target[256];

	get(s, "/v1/health", "200", &b);
	assert_int_equal(count(&b, "\"records\":30,\"status\":\"ok\""), 1);
	get(s, "/v1/records", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), RECORDS);
	assert_int_equal(count(&b, "\"size\":30"), 1);
	get(s, "/v1/records?tool=read_file&decision=allow", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 20);
	get(s, "/v1/records?decision=deny", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 9);
	get(s, "/v1/records?agent=coder&type=session_start", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":0,"), 1);
	get(s, "/v1/records?agent=nobody", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 0);
	get(s, "/v1/records?limit=2", "200", &b); /* the newest, in order */
	assert_int_equal(count(&b, "\"leaf\":28,"), 1);
	assert_int_equal(count(&b, "\"leaf\":29,"), 1);
	assert_int_equal(count(&b, "\"last\":29"), 1);
	get(s, "/v1/records?after=3&limit=2", "200", &b); /* from there on */
	assert_int_equal(count(&b, "\"leaf\":4,"), 1);
	assert_int_equal(count(&b, "\"leaf\":5,"), 1);
	get(s, "/v1/records?since=2026-09-21T14:13:20.025Z", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 5);
	get(s, "/v1/records?since=1790000001", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 0);
	(void)snprintf(target, sizeof(target), "/v1/records?session=%s&limit=7", s->f->chain.session_id);
	get(s, target, "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 7);
	get(s, "/v1/records?since=1790000000&until=2026-09-21T14:13:20.002Z", "200", &b); /* both ends are in */
	assert_int_equal(count(&b, "\"leaf\":"), 3);
	get(s, "/v1/records?server=files&tool=read_file&decision=allow&type=tool_call&agent=coder&limit=1", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":29,"), 1);
	get(s, "/v1/records?tool=read_file&decision=deny", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 0);
	get(s, "/v1/records?from=0&limit=4", "200", &b); /* the pages of all there is */
	assert_int_equal(count(&b, "\"leaf\":0,"), 1);
	assert_int_equal(count(&b, "\"last\":3,\"more\":true,"), 1);
	get(s, "/v1/records?from=28&limit=4", "200", &b);
	assert_int_equal(count(&b, "\"first\":28,\"last\":29,\"more\":false,"), 1);
	get(s, "/v1/records?before=5&limit=2", "200", &b);
	assert_int_equal(count(&b, "\"first\":3,\"last\":4,\"more\":true,"), 1);
	get(s, "/v1/records?before=0", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 0);
	get(s, "/v1/graph", "200", &b);
	assert_int_equal(count(&b, "\"tool\":\"read_file\""), 1);
	assert_int_equal(count(&b, "\"denied\":9,\"first_leaf\":3,\"last_leaf\":27,\"records\":9,"), 1);
	(void)snprintf(target, sizeof(target), "/v1/graph?session=%s&limit=1", s->f->chain.session_id);
	get(s, target, "200", &b);
	assert_int_equal(count(&b, "\"records\":20,\"server\":\"files\",\"tool\":\"read_file\""), 1);
	get(s, "/v1/statistics", "200", &b);
	assert_int_equal(count(&b, "\"open_sessions\":1,\"records\":30,\"sessions\":1}"), 1);
	assert_int_equal(count(&b, "{\"name\":\"deny\",\"records\":9}"), 1);
	get(s, "/v1/sessions", "200", &b);
	assert_int_equal(count(&b, "\"records\":30,"), 1);
	assert_int_equal(count(&b, "\"first_time\":\"2026-09-21T14:13:20.000000+00:00\""), 1);
	assert_int_equal(count(&b, "\"denied\":9,"), 1);
	assert_int_equal(count(&b, "\"agent\":\"coder\""), 1);
	get(s, "/v1/sessions?agent=nobody", "200", &b);
	assert_int_equal(count(&b, "session_id"), 0);
}

static void read_line(struct server *s, uint64_t leaf, struct buf *ret)
{
	struct segment_reader *reader;
	struct span line;

	assert_int_equal(segment_reader_open(s->f->dirfd, leaf, &reader), 0);
	assert_int_equal(segment_read(reader, &line, NULL), 0);
	assert_int_equal(buf_append(ret, line.p, line.n), 0);
	segment_reader_close(reader);
}

static void proofs_verify_outside(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 }, head = { 0 }, line = { 0 };
	struct checkpoint cp;
	uint64_t leaf, size;
	const char *why;
	struct proof p;

	get(s, "/v1/checkpoint?form=note", "200", &b);
	assert_int_equal(checkpoint_verify(buf_span(&b), &s->f->vk, &cp), 0);
	assert_int_equal(cp.size, RECORDS);
	get(s, "/v1/checkpoint", "200", &b);
	assert_int_equal(count(&b, "\"verifier_key\":\"node.test+"), 1);
	get(s, "/v1/proof?record=17&form=receipt", "200", &b);
	assert_int_equal(proof_parse(buf_span(&b), &p), 0);
	assert_int_equal(proof_check(&p, &s->f->vk, &cp, &why), 0);
	assert_int_equal(p.leaf, 17);
	proof_done(&p);
	get(s, "/v1/proof?record=17&from=9", "200", &b);
	assert_int_equal(count(&b, "\"growth\":["), 1);
	assert_int_equal(count(&b, "\"path\":["), 1);
	get(s, "/v1/proof?record=17&form=cose", "404", &b); /* no head of that kind yet */
	assert_int_equal(count(&b, "no head is signed for COSE yet"), 1);
	assert_int_equal(receipt_head_sign(&cp, &s->f->vk, s->f->key, &head), 0);
	fixture_write(s->f, RECEIPT_FILE_HEAD, buf_span(&head));
	get(s, "/v1/proof?record=17&form=cose", "200", &b);
	read_line(s, 17, &line);
	assert_int_equal(receipt_check(buf_span(&b), buf_span(&line), &s->f->vk, &leaf, &size, &why), 0);
	assert_int_equal(leaf, 17);
	get(s, "/v1/proof?record=30", "404", &b);
	get(s, "/v1/proof?from=31", "404", &b);
	get(s, "/v1/proof", "400", &b);
	/* A tree file that does not lead to the signed root gives no proof. */
	fixture_write(s->f, STORE_FILE_TREE, SPAN("rubbish"));
	get(s, "/v1/proof?record=17", "500", &b);
}

static void a_proof_of_growth_tells_the_keys(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 }, record = { 0 }, other = { 0 }, text = { 0 };
	char name[RETENTION_NAME_SIZE];
	struct log_key *keys[3];
	uint64_t leaf, another, *all;
	struct tree t;
	size_t n;
	int fd;

	get(s, "/v1/proof?from=9", "200", &b);
	assert_int_equal(count(&b, "\"handovers\":[]"), 1);
	assert_int_equal(log_key_open(NULL, &keys[2]), 0);
	keys[0] = fixture_hand_over(s->f, NULL, &record, &leaf);
	keys[1] = fixture_hand_over(s->f, keys[2], &other, &another); /* no hand-over: another key signed it */
	fixture_fill(s->f, 40, 6000);
	get(s, "/v1/proof?from=9", "200", &b);
	assert_int_equal(count(&b, "\"handovers\":[{\"leaf\":30,\"path\":["), 1);
	assert_int_equal(count(&b, "\"record\":"), 1);
	assert_int_equal(count(&b, buf_cstr(&record)), 1);
	get(s, "/v1/proof?from=31", "200", &b);
	assert_int_equal(count(&b, "\"handovers\":[]"), 1);

	assert_int_equal(segment_list(s->f->dirfd, &all, &n), 0); /* what retention keeps of it is told too */
	assert_true(n > 2 && all[n - 1] > another);
	fd = openat(s->f->dirfd, STORE_FILE_TREE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(tree_load(&t, all[n - 1], store_tree_read, &fd), 0);
	close(fd);
	assert_int_equal(handover_list_add(&text, leaf, buf_span(&record)), 0);
	buf_clear(&b);
	assert_int_equal(retention_format(&t, buf_span(&text), &b), 0);
	retention_name(all[n - 1], name);
	fixture_write(s->f, name, buf_span(&b));
	assert_int_equal(retention_unlink(s->f->dirfd, all[n - 1]), 0);
	get(s, "/v1/proof?from=9", "200", &b);
	assert_int_equal(count(&b, "\"handovers\":[{\"leaf\":30,\"path\":["), 1);
	assert_int_equal(count(&b, buf_cstr(&record)), 1);
	for (unsigned i = 0; i < 3; i++)
		log_key_free(keys[i]);
	free(all);
}

static void bad_questions_get_json_errors(void **state)
{
	static const struct {
		const char *target, *status;
	} bad[] = {
		{ "/", "404" }, { "/v1/record", "404" }, { "/v1/records?tol=x", "400" },
		{ "/v1/records?limit=0x10", "400" }, { "/v1/records?limit=10001", "400" },
		{ "/v1/records?limit=", "400" }, { "/v1/records?limit=xxxxxxxxxxxxxxxx", "400" },
		{ "/v1/records?limit=%3A%3A%3A5", "400" }, { "/v1/records?limit=-1", "400" },
		{ "/v1/records?limit=99999999999999999999", "400" }, { "/v1/records?tool=a&tool=b", "400" },
		{ "/v1/records?since=yesterday", "400" }, { "/v1/records?since=", "400" },
		{ "/v1/records?tool=a%00b", "400" }, { "/v1/proof?record=-1", "400" },
		{ "/v1/proof?record=1&form=pdf", "400" }, { "/v1/checkpoint?form=pdf", "400" },
		{ "/v1/health?x=1", "400" }, { "/v1/records?tool", "400" }, { "/v1/records?until=", "400" },
		{ "/v1/records?from=1&after=2", "400" }, { "/v1/records?since=2&until=1", "400" },
		{ "/v1/records?follow=yes", "400" }, { "/v1/records?follow=1&until=1", "400" },
		{ "/v1/records?follow=1&limit=x", "400" }, { "/v1/records?before=x", "400" },
		{ "/v1/graph?tool=x", "400" }, { "/v1/statistics?limit=1", "400" },
	};
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		get(s, bad[i].target, bad[i].status, &b);
		assert_int_equal(strncmp(buf_cstr(&b), "{\"error\":{\"action\":\"GET\",\"object\":\"/", 36), 0);
		assert_int_equal(count(&b, "\"reason\":\""), 1);
	}
	get(s, "/v1/records?tol=x", "400", &b); /* it says what is wrong */
	assert_int_equal(count(&b, "there is no parameter tol here"), 1);
	get(s, "/v1/records?limit=10001", "400", &b);
	assert_int_equal(count(&b, "limit is not a number from 0 to 10000"), 1);
	get(s, "/v1/records?tool=a&tool=b", "400", &b);
	assert_int_equal(count(&b, "tool is given twice"), 1);
	get(s, "/v1/records?tool='%20OR%201=1--", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 0);
	buf_clear(&b);
	ask_as(s, SPAN("POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"),
	       0, 0, &b);
	assert_int_equal(strncmp(buf_cstr(&b), "HTTP/1.1 405 ", 13), 0);
	buf_clear(&b);
	ask_as(s, SPAN("\x16\x03\x01 not http at all\r\n\r\n"), 0, 0, &b);
	assert_true(buf_len(&b) == 0 || strncmp(buf_cstr(&b), "HTTP/1.", 7) == 0);
	get(s, "/v1/health", "200", &b); /* still there */
}

static void only_who_may_is_answered(void **state)
{
	static const char ask[] = "GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };

	s->scoped = true;
	get(s, "/v1/health", "403", &b); /* root inside an agent's scope */
	assert_int_equal(s->denied[QUERY_DENIED_SCOPE], 1);
	s->scoped = false;
	if (geteuid() != 0) {
		print_message("not root: cannot ask as another user\n");
		skip();
	}
	buf_clear(&b);
	ask_as(s, span_of(ask), 65534, 65534, &b);
	assert_int_equal(strncmp(buf_cstr(&b), "HTTP/1.1 403 ", 13), 0);
	assert_int_equal(s->denied[QUERY_DENIED_CREDENTIALS], 1);
	query_close(s->q);
	s->gid = 12345;
	serve(s);
	buf_clear(&b);
	ask_as(s, span_of(ask), 65534, 12345, &b);
	assert_int_equal(strncmp(buf_cstr(&b), "HTTP/1.1 200 ", 13), 0);
	buf_clear(&b);
	ask_as(s, span_of(ask), 65534, 12346, &b);
	assert_int_equal(strncmp(buf_cstr(&b), "HTTP/1.1 403 ", 13), 0);
}

static void the_index_follows_the_log_and_is_rebuilt(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 }, db = { 0 };

	get(s, "/v1/records?limit=1", "200", &b);
	fixture_fill(s->f, 10, 6000); /* the log grows while we serve */
	get(s, "/v1/records?limit=1", "200", &b);
	assert_int_equal(count(&b, "\"size\":40"), 1);
	assert_int_equal(count(&b, "\"leaf\":39,"), 1);
	query_close(s->q); /* it is kept */
	serve(s);
	get(s, "/v1/records?limit=1", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":39,"), 1);
	query_close(s->q); /* rubbish instead of it */
	fixture_write(s->f, "index.db", SPAN("this is not a database, and it is long enough to be read as one"));
	serve(s);
	get(s, "/v1/records?limit=1000", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 40);
	query_close(s->q); /* another log under it */
	fixture_read(s->f, "index.db", &db);
	fixture_wipe(s->f->dir);
	s->f->chain.sequence = 0;
	memcpy(s->f->chain.prev, CHAIN_GENESIS, sizeof(CHAIN_GENESIS));
	s->f->chain.session_id[0] = s->f->chain.session_id[0] == '0' ? '1' : '0';
	fixture_fill(s->f, 50, 6000);
	fixture_write(s->f, "index.db", buf_span(&db));
	serve(s);
	get(s, "/v1/sessions", "200", &b);
	assert_int_equal(count(&b, "session_id"), 1);
	assert_int_equal(count(&b, s->f->chain.session_id), 1);
}

/* A line that somebody damaged is not passed on as JSON. */
static void a_damaged_line_is_not_passed_on(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 }, seg = { 0 };
	char *at;

	fixture_read(s->f, "0000000000000000.jsonl", &seg);
	at = strstr((char *)(uintptr_t)buf_cstr(&seg), "coder");
	*at = '"';
	fixture_write(s->f, "0000000000000000.jsonl", buf_span(&seg));
	get(s, "/v1/records?after=0&limit=1", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":1,"), 1);
	get(s, "/v1/records?limit=1000", "200", &b);
	assert_int_equal(count(&b, "\"record\":null"), 1);
}

static void was_asked(struct server *s, unsigned n, const char *filter, unsigned status, uint64_t rows)
{
	assert_int_equal(s->asked_n, n);
	assert_string_equal(s->filter, filter);
	assert_int_equal(s->asked.status, status);
	assert_int_equal(s->asked.rows, rows);
	assert_int_equal(s->asked.uid, geteuid());
	assert_true(s->asked.pid > 0 && s->asked.pid != getpid());
}

static void questions_are_recorded_or_not_answered(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };
	char target[2048];

	get(s, "/v1/records", "200", &b); /* not unless the configuration says so */
	assert_int_equal(s->asked_n, 0);
	query_close(s->q);
	s->recorded = true;
	serve(s);
	get(s, "/v1/health", "200", &b); /* says nothing of records */
	assert_int_equal(s->asked_n, 0);
	get(s, "/v1/records?tool=write_file&limit=4", "200", &b);
	assert_string_equal(s->path, "/v1/records");
	was_asked(s, 1, "tool=write_file&limit=4", 200, 4);
	get(s, "/v1/records?agent=a%26b%3D", "200", &b);
	was_asked(s, 2, "agent=a&b=", 200, 0);
	get(s, "/v1/sessions", "200", &b);
	was_asked(s, 3, "", 200, 1);
	get(s, "/v1/graph", "200", &b);
	was_asked(s, 4, "", 200, count(&b, "\"tool\":"));
	get(s, "/v1/proof?record=7", "200", &b);
	was_asked(s, 5, "record=7", 200, 1);
	get(s, "/v1/nothing?x=y", "404", &b);
	assert_string_equal(s->path, "/v1/nothing");
	was_asked(s, 6, "x=y", 404, 0);
	(void)snprintf(target, sizeof(target), "/v1/records?agent=%01500d", 0);
	get(s, target, "200", &b);
	assert_int_equal(s->asked_n, 7);
	assert_int_equal(strlen(s->filter), QUERY_FILTER_MAX);
	s->scoped = true; /* refused as ever, and told as that */
	get(s, "/v1/records", "403", &b);
	assert_int_equal(s->asked_n, 7);
	assert_int_equal(s->denied[QUERY_DENIED_SCOPE], 1);
	s->scoped = false;
	s->unrecordable = true;
	get(s, "/v1/records", "503", &b);
	assert_int_equal(count(&b, "could not be recorded"), 1);
	assert_int_equal(count(&b, "leaf"), 0);
	get(s, "/v1/records?follow=1&limit=5", "503", &b);
	assert_int_equal(count(&b, "leaf"), 0);
}

/* Asks without end and reads until the answer holds what is waited for; the log grows meanwhile. */
static void a_stream_follows_the_log(void **state)
{
	static const char ask[] = "GET /v1/records?follow=1&limit=2&tool=read_file HTTP/1.1\r\nHost: x\r\n\r\n";
	struct server *s = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_buf_ struct buf got = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bool grown = false;

	query_close(s->q);
	s->recorded = true;
	serve(s);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->sock);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(fd, ask, sizeof(ask) - 1, 0), (ssize_t)sizeof(ask) - 1);
	while (!strstr(buf_cstr(&got), "\"leaf\":38,")) {
		struct pollfd p[2] = { { .fd = query_fd(s->q), .events = POLLIN }, { .fd = fd, .events = POLLIN } };
		char chunk[4096];
		int ms = query_timeout_ms(s->q);
		ssize_t n;

		assert_true(poll(p, 2, ms < 0 || ms > 5000 ? 5000 : ms) >= 0);
		assert_int_equal(query_run(s->q), 0);
		n = read(fd, chunk, sizeof(chunk));
		assert_true(n != 0);
		if (n > 0)
			assert_int_equal(buf_append(&got, chunk, (size_t)n), 0);
		if (grown || !strstr(buf_cstr(&got), "\"leaf\":29,"))
			continue;
		grown = true; /* the two newest have come: 30 to 39 are written now, of which 30 33 36 39 are no reads */
		fixture_fill(s->f, 10, 6000);
	}
	assert_non_null(strstr(buf_cstr(&got), "Transfer-Encoding: chunked"));
	assert_int_equal(count(&got, "{\"leaf\":28,"), 1);
	assert_null(strstr(buf_cstr(&got), "{\"leaf\":27,"));
	assert_null(strstr(buf_cstr(&got), "write_file"));
	assert_int_equal(s->asked_n, 1);
	assert_int_equal(s->asked.stream, QUERY_STREAM_BEGINS);
	assert_string_equal(s->filter, "follow=1&limit=2&tool=read_file");
	close(fd);
	get(s, "/v1/health", "200", &got);
	query_close(s->q); /* at the latest then the stream is over */
	assert_int_equal(s->asked_n, 2);
	assert_int_equal(s->asked.stream, QUERY_STREAM_ENDS);
	assert_int_equal(s->asked.rows, 8);
	s->recorded = false;
	serve(s);
}

/* Retention took the first segments: nothing is said of them any more, whether we were running or not. */
static void removed_records_are_forgotten(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };
	uint64_t *all;
	size_t n;

	get(s, "/v1/records?from=0&limit=30", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), RECORDS);
	assert_int_equal(segment_list(s->f->dirfd, &all, &n), 0);
	assert_true(n > 3);
	assert_int_equal(retention_unlink(s->f->dirfd, all[1]), 0);
	get(s, "/v1/records?from=0&limit=30", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), RECORDS - all[1]);
	get(s, "/v1/statistics", "200", &b);
	assert_int_equal(count(&b, "\"sessions\":1}"), 1);
	assert_null(strstr(buf_cstr(&b), "session_start"));
	get(s, "/v1/proof?record=0", "404", &b);
	query_close(s->q);
	assert_int_equal(retention_unlink(s->f->dirfd, all[2]), 0);
	serve(s);
	get(s, "/v1/records?from=0&limit=30", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), RECORDS - all[2]);
	query_close(s->q);
	assert_int_equal(unlink(s->index), 0); /* built from what is left */
	serve(s);
	get(s, "/v1/records?from=0&limit=30", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), RECORDS - all[2]);
	free(all);
}

/* Somebody wrote into the index: what it says is not believed, and it is built again. */
static void an_index_that_lies_is_not_believed(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };
	sqlite3 *db;

	get(s, "/v1/records?tool=write_file", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":"), 9);
	query_close(s->q);
	assert_int_equal(sqlite3_open(s->index, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE value SET text='x' WHERE text='read_file';"
					  "UPDATE value SET text='read_file' WHERE text='write_file';"
					  "UPDATE value SET text='write_file' WHERE text='x'", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	serve(s);
	get(s, "/v1/records?tool=write_file", "200", &b);
	assert_int_equal(count(&b, "\"tool_name\":\"read_file\""), 0);
	get(s, "/v1/records?tool=write_file", "200", &b);
	assert_int_equal(count(&b, "\"tool_name\":\"write_file\""), 9);
	query_close(s->q);
	assert_int_equal(sqlite3_open(s->index, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM block WHERE first=0", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	serve(s);
	get(s, "/v1/records?from=0&limit=1", "200", &b);
	assert_int_equal(count(&b, "\"leaf\":0,"), 1);
}

static void curl_works(void **state)
{
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };
	int fds[2];
	pid_t child;

	if (access("/usr/bin/curl", X_OK) != 0) {
		print_message("no /usr/bin/curl\n");
		skip();
	}
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		close(fds[1]);
		execl("/usr/bin/curl", "curl", "-sS", "--unix-socket", s->sock, "http://audit/v1/records?limit=3",
		      NULL);
		_exit(127);
	}
	close(fds[1]);
	run_client(s, child, fds[0], &b);
	assert_int_equal(count(&b, "\"leaf\":"), 3);
}

/* A claim of the session over so many records, as the notary would have written it. */
static void write_claim(struct server *s, const char *id, unsigned number, unsigned length)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/" CLAIMS_DIR, s->f->dir);
	(void)mkdir(path, 0750);
	(void)snprintf(path, sizeof(path), "%s/" CLAIMS_DIR "/%s-%u.json", s->f->dir, id, number);
	assert_int_equal(buf_printf(&text, "{\"bundle_signature\":\"c2ln\",\"claim\":{\"gateway\":{\"audit_chain\":"
				    "{\"length\":%u}},\"number\":%u,\"trace\":{\"cnf\":{\"jwk\":{\"kid\":\"cmcp-0123abcd\"}}}},"
				    "\"trust_record\":{\"a\":1}}\n", length, number), 0);
	assert_int_equal(file_replace(path, buf_span(&text).p, buf_len(&text), 0640), 0);
}

static void wipe_claims(struct server *s)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/" CLAIMS_DIR, s->f->dir);
	fixture_wipe(path);
	(void)rmdir(path);
}

static void gives_claims_and_bundles(void **state)
{
	static const uint8_t key[SHA256_SIZE] = { 7 };
	struct server *s = *state;
	_cleanup_buf_ struct buf b = { 0 };
	char target[256], id[CHAIN_ID_SIZE], path[256];

	get(s, "/v1/claims", "200", &b); /* before the first there is no folder */
	assert_int_equal(count(&b, "\"claims\":[]"), 1);
	assert_int_equal(chain_start(&s->f->chain, key), 0);
	memcpy(id, s->f->chain.session_id, sizeof(id));
	fixture_fill(s->f, 5, 0);
	write_claim(s, id, 2, 3);
	write_claim(s, id, 10, 5);
	write_claim(s, "ffffffff-0000-4000-8000-000000000000", 1, 1);
	write_claim(s, "not-a-claim", 1, 1);
	write_claim(s, "ffffffff-0000-4000-8000-000000000000-1", 1, 1);
	get(s, "/v1/claims", "200", &b);
	assert_int_equal(count(&b, "\"name\":"), 3);
	assert_int_equal(count(&b, "\"cut\":false"), 1);
	get(s, "/v1/claims?limit=2", "200", &b);
	assert_int_equal(count(&b, "\"name\":"), 2);
	assert_int_equal(count(&b, "\"cut\":true"), 1);
	(void)snprintf(target, sizeof(target), "/v1/claims?session=%s&after=%s-2", id, id);
	get(s, target, "200", &b); /* in order of the numbers, not of their text */
	assert_int_equal(count(&b, "\"name\":"), 1);
	assert_int_equal(count(&b, "\"number\":10"), 1);
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&part=claim", id);
	get(s, target, "200", &b); /* the last */
	assert_int_equal(count(&b, "{\"gateway\":{\"audit_chain\":{\"length\":5}},\"number\":10,"), 1);
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&part=evidence", id);
	get(s, target, "404", &b);
	(void)snprintf(path, sizeof(path), "%s/" CLAIMS_DIR "/%s.0123abcd.evidence.json", s->f->dir, id);
	assert_int_equal(file_replace(path, "{\"nonce\":1}", 11, 0640), 0);
	get(s, target, "200", &b);
	assert_int_equal(count(&b, "{\"nonce\":1}\n"), 1);
	get(s, "/v1/claims", "200", &b); /* and it is no claim */
	assert_int_equal(count(&b, "\"name\":"), 3);
	assert_int_equal(file_replace(path, "{", 1, 0640), 0);
	get(s, target, "500", &b);
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&part=bundle", id);
	get(s, target, "200", &b);
	assert_int_equal(count(&b, "\"entry_hash\":"), 5);
	assert_int_equal(count(&b, "{\"bundle_signature\":\"c2ln\",\"entries\":[{"), 1);
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&part=bundle&number=2", id);
	get(s, target, "200", &b); /* what it covers, and no more */
	assert_int_equal(count(&b, "\"entry_hash\":"), 3);
	assert_int_equal(count(&b, "\"session_start\""), 1);
	write_claim(s, id, 10, 6); /* more than the log has */
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&part=bundle", id);
	get(s, target, "404", &b);
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&number=3", id);
	get(s, target, "404", &b);
	get(s, "/v1/claim", "400", &b);
	get(s, "/v1/claim?session=../../../../../../../../etc/passwd__", "404", &b);
	get(s, "/v1/claim?session=../../../../../../../../etc/passwd__&number=1", "404", &b);
	get(s, "/v1/claims?after=x", "400", &b);
	(void)snprintf(target, sizeof(target), "/v1/claim?session=%s&part=key", id);
	get(s, target, "400", &b);
	wipe_claims(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_and_filters, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_claims_and_bundles, setup, teardown),
		cmocka_unit_test_setup_teardown(proofs_verify_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(a_proof_of_growth_tells_the_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_questions_get_json_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(only_who_may_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(the_index_follows_the_log_and_is_rebuilt, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_line_is_not_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(questions_are_recorded_or_not_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stream_follows_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(removed_records_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(an_index_that_lies_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(curl_works, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
