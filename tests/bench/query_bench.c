// SPDX-License-Identifier: Apache-2.0
/*
 * The log at scale, for `make bench-log`: appending in each durability, what a record costs a call, the
 * index, a query's first row, a proof, verification. Prints figures and, where there is a budget, their
 * ratio to it; judges nothing. usage: query_bench [RECORDS [DIR]]; DIR needs some 1.3 kB a record.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/hasher.h"
#include "user/notary/notary.h"
#include "user/notary/recorder.h"
#include "user/notary/salt.h"
#include "user/notary/verify.h"
#include "user/query/answers.h"
#include "user/query/index.h"

#define CHAINS 64 /* conversations at a time */
#define CHAIN_RECORDS 150 /* and how long each is */
#define WINDOW 256 /* calls in flight when they wait for the disk or the notary */
#define SAMPLES 2000
#define KEEP_EVERY 997 /* of the sessions, this one in so many is asked for later */

/* Figures of the project: per second, or seconds. */
#define BUDGET_APPEND 200000.0
#define BUDGET_SYNCED 20000.0
#define BUDGET_LATENCY 5e-6
#define BUDGET_PROOF 1e-3
#define BUDGET_FIRST_ROW 20e-3
#define BUDGET_INDEX 500000.0
#define BUDGET_VERIFY (10e6 / 30)

static void die(const char *what, int r)
{
	fprintf(stderr, "query_bench: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

static void rate(const char *what, double per_s, double budget)
{
	printf("%-44s %10.0f /s     %5.2f of the budget (%.0f)\n", what, per_s, per_s / budget, budget);
	(void)fflush(stdout);
}

static void took(const char *what, double s, double budget)
{
	printf("%-44s %10.2f us     %5.2f of the budget (%.0f us)\n", what, s * 1e6, s / budget, budget * 1e6);
	(void)fflush(stdout);
}

static double seconds_since(uint64_t ns)
{
	return (double)(clock_mono_ns() - ns) / 1e9;
}

static double cpu_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int double_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void fill(struct record *rec, const struct chain *c, unsigned i, char commit[SHA256_PREFIXED_SIZE])
{
	static const char *const tools[] = { "read_file", "write_file", "list_directory", "search", "query",
					     "create_issue", "get_page", "run_tests" };
	static const char *const servers[] = { "filesystem", "database", "tracker", "browser" };
	static const char *const agents[] = { "coder", "reviewer", "researcher", "deployer" };
	static const struct span ids[] = { { "allow-reads", 11 } };
	static const char args[] = "{\"path\":\"/srv/data/report.txt\",\"limit\":100}";
	bool deny = i % 37 == 0;

	record_init(rec, RECORD_TOOL_CALL, deny ? RECORD_DENY : RECORD_ALLOW);
	salt_commit_next(c, SALT_REQUEST, SPAN(args), commit);
	rec->call_id = SPAN("8f14e45f-ceea-467f-a0e6-1a3f2b9c0d11");
	rec->tool_name = span_of(tools[i % 8]);
	rec->server_identity = span_of(servers[i / 8 % 4]);
	rec->policy_rule_matched = ids[0];
	rec->request_payload_hash = span_of(commit);
	rec->agent = span_of(agents[(unsigned char)c->session_id[0] % 4]);
	rec->agent_pid = 4711;
	rec->method = SPAN("tools/call");
	rec->direction = SPAN("client-to-server");
	rec->transport = SPAN("stdio");
	rec->mode = SPAN("enforcing");
	rec->policy_ids = ids;
	rec->policy_ids_n = 1;
	rec->policy_epoch = rec->catalog_epoch = 1;
	rec->latency_us = 14;
	rec->message_bytes = 180;
}

struct producer {
	struct recorder *w;
	enum record_durability durability;
	struct chain chains[CHAINS];
	uint64_t pos[WINDOW];
	unsigned put, sessions;
	int keep; /* where session names are told */
};

/* One record, then waits until the one a window ago is as durable as asked. */
static void put(struct producer *p, struct chain *c, struct record *rec, bool begin)
{
	uint64_t *pos = &p->pos[p->put % WINDOW];
	int r;

	while (p->durability != RECORD_RING && p->put >= WINDOW &&
	       (r = recorder_settled(p->w, *pos)) != 0)
		if (r != -EAGAIN)
			_exit(1);
	while ((r = begin ? recorder_begin(p->w, c, rec, pos) : recorder_put(p->w, c, rec, pos)) == -ENOBUFS)
		usleep(50);
	if (r < 0)
		_exit(1);
	p->put++;
}

static void produce(struct producer *p, int fd, unsigned n)
{
	static const uint8_t key[SHA256_SIZE];
	char commit[SHA256_PREFIXED_SIZE];
	struct record rec;

	if (recorder_new(fd, -1, p->durability, key, &p->w) < 0)
		_exit(1);
	for (unsigned i = 0; p->put < n; i++) {
		struct chain *c = &p->chains[i % CHAINS];
		bool begin = c->sequence == 0;

		fill(&rec, c, i, commit);
		if (begin) {
			rec.type = RECORD_SESSION_START;
		} else if (c->sequence == CHAIN_RECORDS - 1) {
			rec.type = RECORD_SESSION_END;
		}
		put(p, c, &rec, begin);
		if (begin && p->sessions++ % KEEP_EVERY == 0 && write(p->keep, c->session_id, 36) != 36)
			_exit(1);
		if (c->sequence == CHAIN_RECORDS)
			c->sequence = 0;
	}
	_exit(0);
}

struct sessions {
	char (*all)[37];
	unsigned n;
};

static void read_sessions(int fd, struct sessions *ret)
{
	char id[37] = "";

	while (read(fd, id, 36) == 36) {
		ret->all = reallocarray(ret->all, ret->n + 1, sizeof(*ret->all));
		if (!ret->all)
			die("sessions", ENOMEM);
		memcpy(ret->all[ret->n++], id, sizeof(id));
	}
}

/* Appends n records in the durability; one CPU's time is the notary's, whose core it is. */
static void bench_append(int dirfd, unsigned n, enum record_durability d, const char *what, double budget,
			 struct sessions *ret)
{
	struct notary_config cfg = { .origin = "bench", .producers_gone = true, .log_dirfd = dirfd };
	static struct producer p;
	struct notary_status st = { 0 };
	struct notary *notary;
	int fd, r, pipes[2];
	uint64_t t0, first;
	double cpu = 0;
	pid_t child;

	p = (struct producer){ .durability = d };
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0 || fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20) < 0)
		die("pipe", errno);
	r = notary_open(&cfg, &notary);
	if (r == 0)
		r = ring_create(RING_SIZE_DEFAULT, &fd);
	if (r == 0)
		r = notary_add_ring(notary, fd, -1, d == RECORD_SYNCED, "bench");
	if (r < 0)
		die("open log", r);
	notary_status(notary, &st);
	first = st.size;
	t0 = clock_mono_ns();
	p.keep = pipes[1];
	child = fork();
	if (child == 0)
		produce(&p, fd, n);
	while (st.size < first + n) {
		double a = cpu_s();

		r = notary_drain(notary, 65536);
		if (r < 0)
			die("drain", r);
		if (r > 0)
			cpu += cpu_s() - a;
		else
			usleep(50);
		notary_status(notary, &st);
	}
	/* What waits for the disk is the disk's: its time is the clock's. */
	rate(what, (double)n / (d == RECORD_SYNCED ? seconds_since(t0) : cpu), budget);
	if (d != RECORD_SYNCED)
		printf("%-44s %10.0f /s\n", "  with the producer, by the clock", (double)n / seconds_since(t0));
	(void)waitpid(child, &r, 0);
	close(pipes[1]);
	read_sessions(pipes[0], ret);
	close(pipes[0]);
	notary_close(notary);
	close(fd);
}

/* What a call pays for its record in ring durability: building it and putting it where it survives. */
static void bench_latency(void)
{
	static const uint8_t key[SHA256_SIZE];
	static double samples[SAMPLES];
	char commit[SHA256_PREFIXED_SIZE];
	struct recorder *w;
	struct record rec;
	struct chain c;
	uint64_t pos;
	int fd;

	if (ring_create(RING_SIZE_DEFAULT, &fd) < 0 || recorder_new(fd, -1, RECORD_RING, key, &w) < 0)
		die("ring", errno);
	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	if (recorder_begin(w, &c, &rec, &pos) < 0)
		die("record", EIO);
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t t0 = clock_mono_ns();

		fill(&rec, &c, i, commit);
		if (recorder_put(w, &c, &rec, &pos) < 0)
			die("record", EIO);
		samples[i] = seconds_since(t0);
	}
	qsort(samples, SAMPLES, sizeof(*samples), double_order);
	took("a record's latency in ring, p50", samples[SAMPLES / 2], BUDGET_LATENCY);
	recorder_free(w);
	close(fd);
}

static void ask(struct answer_source *src, const char *path, const struct answer_param *params, unsigned n,
		const char *expect)
{
	struct answer a = { 0 };

	answer_make(src, path, params, n, &a);
	if (a.status != 200 || !buf_cstr(&a.body) || !strstr(buf_cstr(&a.body), expect)) {
		fprintf(stderr, "%s: status %u: %.300s\n", path, a.status, buf_cstr(&a.body));
		exit(1);
	}
	buf_done(&a.body);
}

static void bench_proof(struct answer_source *src, uint64_t size)
{
	static double samples[SAMPLES];
	uint64_t leaf = 1;

	for (unsigned i = 0; i < SAMPLES; i++) {
		struct answer_param p = { SPAN("record"), { NULL, 0 } };
		char text[24];
		uint64_t t0;

		leaf = leaf * UINT64_C(6364136223846793005) + 1442695040888963407u;
		(void)snprintf(text, sizeof(text), "%" PRIu64, (leaf >> 16) % size);
		p.value = span_of(text);
		t0 = clock_mono_ns();
		ask(src, "/v1/proof", &p, 1, "\"path\":[");
		samples[i] = seconds_since(t0);
	}
	qsort(samples, SAMPLES, sizeof(*samples), double_order);
	took("inclusion proof with its record, p50", samples[SAMPLES / 2], BUDGET_PROOF);
	took("inclusion proof with its record, p99", samples[SAMPLES * 99 / 100], BUDGET_PROOF);
}

static void bench_query(struct answer_source *src, const struct sessions *s)
{
	double *samples = calloc(s->n + 1, sizeof(*samples));

	if (!samples || !s->n)
		die("sessions", ENOENT);
	for (unsigned i = 0; i < s->n; i++) {
		const struct answer_param p[] = {
			{ SPAN("session"), { s->all[i], 36 } }, { SPAN("from"), SPAN("0") }, { SPAN("limit"), SPAN("1") },
		};
		uint64_t t0 = clock_mono_ns();

		ask(src, "/v1/records", p, 3, "\"record\":{");
		samples[i] = seconds_since(t0);
	}
	qsort(samples, s->n, sizeof(*samples), double_order);
	took("query by session, first row, p50", samples[s->n / 2], BUDGET_FIRST_ROW);
	took("query by session, first row, slowest", samples[s->n - 1], BUDGET_FIRST_ROW);
	free(samples);
}

/* From nothing, on file, as after a loss. */
static void bench_index(const char *path, int dirfd, struct answer_source *src)
{
	uint64_t t0 = clock_mono_ns();
	double cpu = cpu_s();
	int r = index_open(path, dirfd, &src->index);

	while (r == 0 && (r = index_update(src->index, ANSWER_UPDATE_MAX)) == 1)
		r = 0;
	if (r < 0)
		die("index", r);
	rate("index rebuild, of one CPU's time", (double)index_size(src->index) / (cpu_s() - cpu), BUDGET_INDEX);
	printf("%-44s %10.0f /s\n", "  by the clock", (double)index_size(src->index) / seconds_since(t0));
	index_close(src->index); /* asked with nothing in its memory yet */
	r = index_open(path, dirfd, &src->index);
	if (r < 0)
		die("index", r);
}

static void bench_verify(int dirfd)
{
	_cleanup_buf_ struct buf note = { 0 }, vkey = { 0 };
	int note_fd = segment_open(dirfd, STORE_FILE_CHECKPOINT), key_fd = segment_open(dirfd, STORE_FILE_VKEY);
	struct log_verdict v;
	struct verifier_key vk;
	uint64_t t0;
	double cpu;
	char chunk[4096];
	ssize_t n;
	int r;

	if ((n = read(note_fd, chunk, sizeof(chunk))) > 0)
		(void)buf_append(&note, chunk, (size_t)n);
	if ((n = read(key_fd, chunk, sizeof(chunk))) > 0)
		(void)buf_append(&vkey, chunk, (size_t)n);
	if (verifier_key_parse(buf_span(&vkey), &vk) < 0)
		die("key", EBADMSG);
	t0 = clock_mono_ns();
	cpu = cpu_s();
	r = log_verify(dirfd, buf_span(&note), &vk, NULL, NULL, &v);
	if (r < 0 || v.faults || !v.root_ok)
		die("verify", r ? r : EBADMSG);
	rate("verify of the whole log, of one CPU's time", (double)v.records / (cpu_s() - cpu), BUDGET_VERIFY);
	printf("%-44s %10.0f /s\n", "  by the clock", (double)v.records / seconds_since(t0));
	close(note_fd);
	close(key_fd);
}

static void remove_dir(const char *dir)
{
	char path[4096];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		(void)unlink(path);
	}
	if (d)
		closedir(d);
	(void)rmdir(dir);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200000;
	struct answer_source src = { .log_dirfd = -1 };
	struct sessions sessions = { .n = 0 };
	struct rusage usage;
	char dir[3800], index[4096];
	int dirfd;

	(void)snprintf(dir, sizeof(dir), "%s/log_bench.XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (n < 10000 || !mkdtemp(dir) || (dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die(dir, errno ? errno : EINVAL);
	(void)snprintf(index, sizeof(index), "%s/index.sqlite", dir);
	printf("%u records\n", n);
	bench_latency();
	bench_append(dirfd, n - n / 10 - n / 50, RECORD_RING, "append in ring, of one CPU's time", BUDGET_APPEND,
		     &sessions);
	bench_append(dirfd, n / 10, RECORD_WRITTEN, "append in written, of one CPU's time", BUDGET_APPEND, &sessions);
	bench_append(dirfd, n / 50, RECORD_SYNCED, "append in synced, by the clock", BUDGET_SYNCED, &sessions);
	src.log_dirfd = dirfd;
	if (record_writer_new(&src.writer) < 0 || hasher_new(&src.hasher) < 0)
		die("memory", ENOMEM);
	bench_index(index, dirfd, &src);
	bench_query(&src, &sessions);
	bench_proof(&src, n);
	index_close(src.index);
	bench_verify(dirfd);
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("%-44s %10ld kB\n", "most memory that all of this took", usage.ru_maxrss);
	record_writer_free(src.writer);
	hasher_free(src.hasher);
	free(sessions.all);
	remove_dir(dir);
	return 0;
}
