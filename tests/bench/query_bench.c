// SPDX-License-Identifier: Apache-2.0
/*
 * The log at scale, for `make bench-log`: appending in each durability, what a record costs a call, the
 * index, a query's first row, a proof, verification, memory. Prints figures beside their budgets, by
 * processor and by clock; its status says nothing of them. usage: query_bench [RECORDS [DIR]]; DIR needs some 1.3 kB
 * a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/log_fixture.h"
#include "user/base/hasher.h"
#include "user/notary/notary.h"
#include "user/notary/recorder.h"
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
#define BUDGET_MEMORY_KB 40960L /* whatever the log's size: SQLite's cache of 16 MB, one block, one line */

static void die(const char *what, int r)
{
	fprintf(stderr, "query_bench: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

static const char *verdict(bool met)
{
	return met ? "met" : "missed";
}

/* What a processor does in a second of its own time, and what was done in a second of the clock, in which it also
 * served others and waited. */
static void rate(const char *what, unsigned n, double cpu, double clock, double budget)
{
	printf("%-28s %9.0f /s %-6s %12.0f /s %-6s %9.0f /s\n", what, n / cpu, verdict(n / cpu >= budget), n / clock,
	       verdict(n / clock >= budget), budget);
	(void)fflush(stdout);
}

/* Times of single things are the clock's. */
static void took(const char *what, double s, double budget)
{
	printf("%-28s %9s    %-6s %12.2f us %-6s %9.0f us\n", what, "", "", s * 1e6, verdict(s <= budget), budget * 1e6);
	(void)fflush(stdout);
}

static int double_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
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

/* Appends n records in the durability; the processor's time is the notary's. what NULL: is not told. */
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
	if (what) /* by the clock, with the producer, which has the other processor where there is one */
		rate(what, n, cpu, seconds_since(t0), budget);
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
	took("latency in ring, p50", samples[SAMPLES / 2], BUDGET_LATENCY);
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
	took("inclusion proof, p50", samples[SAMPLES / 2], BUDGET_PROOF);
	took("inclusion proof, p99", samples[SAMPLES * 99 / 100], BUDGET_PROOF);
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
	took("query, first row, p50", samples[s->n / 2], BUDGET_FIRST_ROW);
	took("query, first row, slowest", samples[s->n - 1], BUDGET_FIRST_ROW);
	free(samples);
}

/* From nothing, on file, as after a loss. */
static void bench_index(const char *path, int dirfd, struct answer_source *src, const char *what)
{
	uint64_t t0 = clock_mono_ns();
	double cpu = cpu_s();
	int r = index_open(path, dirfd, &src->index);

	while (r == 0 && (r = index_update(src->index, ANSWER_UPDATE_MAX)) == 1)
		r = 0;
	if (r < 0)
		die("index", r);
	if (what)
		rate(what, (unsigned)index_size(src->index), cpu_s() - cpu, seconds_since(t0), BUDGET_INDEX);
	index_close(src->index);
	src->index = NULL;
}

static void bench_verify(int dirfd, const char *what)
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
	if (what)
		rate(what, (unsigned)v.records, cpu_s() - cpu, seconds_since(t0), BUDGET_VERIFY);
	close(note_fd);
	close(key_fd);
}

/* Builds the index and verifies, in a process of its own. The most memory that it had, in kB. */
static long read_whole_log(const char *index, int dirfd, struct answer_source *src, bool tell)
{
	struct rusage usage;
	int status;
	pid_t child = fork();

	if (child == 0) {
		bench_index(index, dirfd, src, tell ? "index rebuild" : NULL);
		bench_verify(dirfd, tell ? "verify" : NULL);
		exit(0);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0)
		die("read the log", ECHILD);
	return usage.ru_maxrss;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200000, written = n / 10, synced = n / 50;
	struct answer_source src = { .log_dirfd = -1 };
	struct sessions sessions = { .n = 0 };
	char dir[3800], index[4096];
	long early, late;
	int dirfd;

	(void)snprintf(dir, sizeof(dir), "%s/log_bench.XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (n < 10000 || !mkdtemp(dir) || (dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die(dir, errno ? errno : EINVAL);
	(void)snprintf(index, sizeof(index), "%s/index.sqlite", dir);
	printf("%u records\n%-28s %-19s %-22s %s\n", n, "", "   by processor", "        by the clock", "   budget");
	src.log_dirfd = dirfd;
	if (record_writer_new(&src.writer) < 0 || hasher_new(&src.hasher) < 0)
		die("memory", ENOMEM);
	bench_latency();
	bench_append(dirfd, n / 4, RECORD_RING, NULL, BUDGET_APPEND, &sessions);
	early = read_whole_log(index, dirfd, &src, false);
	(void)unlink(index);
	bench_append(dirfd, n - n / 4 - written - synced, RECORD_RING, "append in ring", BUDGET_APPEND, &sessions);
	bench_append(dirfd, written, RECORD_WRITTEN, "append in written", BUDGET_APPEND, &sessions);
	bench_append(dirfd, synced, RECORD_SYNCED, "append in synced", BUDGET_SYNCED, &sessions);
	late = read_whole_log(index, dirfd, &src, true);
	if (index_open(index, dirfd, &src.index) < 0) /* with nothing of it in memory */
		die("index", EIO);
	bench_query(&src, &sessions);
	bench_proof(&src, n);
	index_close(src.index);
	printf("%-28s %9ld kB %-6s %12s    %-6s %9ld kB   (%ld kB for a quarter of it)\n", "memory, index and verify", late,
	       verdict(late <= BUDGET_MEMORY_KB), "", "", BUDGET_MEMORY_KB, early);
	record_writer_free(src.writer);
	hasher_free(src.hasher);
	free(sessions.all);
	remove_dir(dir);
	return 0;
}
