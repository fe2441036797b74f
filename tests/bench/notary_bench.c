// SPDX-License-Identifier: Apache-2.0
/*
 * Records per second from the ring to the log, and the cost of building one. Prints figures, judges
 * nothing. usage: notary_bench [RECORDS]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/notary/notary.h"
#include "user/notary/recorder.h"
#include "user/notary/salt.h"

#define LATENCY_SAMPLES 100000

static void fill(struct record *rec, const struct chain *c, char commit[SHA256_PREFIXED_SIZE])
{
	static const struct span ids[] = { { "allow-reads", 11 } };
	static const char args[] = "{\"path\":\"/srv/data/report.txt\",\"limit\":100}";

	record_init(rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	salt_commit_next(c, SALT_REQUEST, SPAN(args), commit);
	rec->call_id = SPAN("8f14e45f-ceea-467f-a0e6-1a3f2b9c0d11");
	rec->tool_name = SPAN("read_file");
	rec->server_identity = SPAN("filesystem");
	rec->policy_rule_matched = ids[0];
	rec->request_payload_hash = span_of(commit);
	rec->agent = SPAN("coder");
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

static void produce(int fd, unsigned n)
{
	static const uint8_t key[SHA256_SIZE];
	char commit[SHA256_PREFIXED_SIZE];
	struct recorder *w;
	struct record rec;
	struct chain c;
	uint64_t pos;
	int r;

	if (recorder_new(fd, -1, RECORD_RING, key, &w) < 0)
		_exit(1);
	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	if (recorder_begin(w, &c, &rec, &pos) < 0)
		_exit(1);
	for (unsigned i = 0; i < n;) {
		fill(&rec, &c, commit);
		r = recorder_put(w, &c, &rec, &pos);
		if (r == 0)
			i++;
		else if (r == -ENOBUFS)
			usleep(100);
		else
			_exit(1);
	}
	_exit(0);
}

static void bench_build(void)
{
	static const uint8_t key[SHA256_SIZE];
	char commit[SHA256_PREFIXED_SIZE];
	struct record_writer *w;
	struct record_line line;
	struct record rec;
	struct chain c;
	uint64_t t0, t1;

	if (record_writer_new(&w) < 0 || chain_start(&c, key) < 0)
		exit(1);
	t0 = clock_mono_ns();
	for (int i = 0; i < LATENCY_SAMPLES; i++)
		fill(&rec, &c, commit);
	t1 = clock_mono_ns();
	printf("commit to a payload           %5llu ns\n",
	       (unsigned long long)((t1 - t0) / LATENCY_SAMPLES));
	t0 = clock_mono_ns();
	for (int i = 0; i < LATENCY_SAMPLES; i++) {
		if (record_write(w, &rec, &c, clock_real_ns(), &line) < 0)
			exit(1);
		chain_advance(&c, &line);
	}
	t1 = clock_mono_ns();
	printf("build a record of %4zu bytes  %5llu ns\n", line.text.n,
	       (unsigned long long)((t1 - t0) / LATENCY_SAMPLES));
	record_writer_free(w);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void drain_all(struct notary *n, pid_t child, unsigned want)
{
	struct notary_status st = { 0 };
	uint64_t t0 = clock_mono_ns(), cpu = 0, dt;
	int status;

	while (st.size < want) {
		uint64_t a = cpu_ns();
		int r = notary_drain(n, 65536);

		if (r < 0) {
			fprintf(stderr, "drain: %d\n", r);
			exit(1);
		}
		if (r == 0)
			usleep(100);
		else
			cpu += cpu_ns() - a;
		notary_status(n, &st);
	}
	dt = clock_mono_ns() - t0;
	(void)waitpid(child, &status, 0);
	printf("append                        %7.0f records/s of one CPU's time, %7.0f records/s of wall time\n",
	       (double)want * 1e9 / (double)cpu, (double)want * 1e9 / (double)dt);
	printf("checkpoints                   %llu\n", (unsigned long long)st.checkpoints);
}

static void remove_dir(const char *dir)
{
	char path[512];
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
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 500000;
	char dir[] = "/tmp/notary_bench.XXXXXX";
	struct notary_config cfg = { .origin = "bench", .producers_gone = true, .claims_producer = "tollgate/bench" };
	struct notary *notary;
	int fd, dirfd;
	uint64_t t0;
	pid_t child;

	bench_build();
	if (!mkdtemp(dir) || (dirfd = open(dir, O_RDONLY | O_DIRECTORY)) < 0 ||
	    ring_create(RING_SIZE_DEFAULT, &fd) < 0)
		return 1;
	cfg.log_dirfd = dirfd;
	if (notary_open(&cfg, &notary) < 0 || notary_add_ring(notary, fd, -1, false, "bench") < 0)
		return 1;
	child = fork();
	if (child == 0)
		produce(fd, n);
	drain_all(notary, child, n + 2);
	notary_close(notary);
	t0 = clock_mono_ns();
	if (notary_open(&cfg, &notary) < 0)
		return 1;
	printf("recover                       %7.0f records/s\n", (double)n * 1e9 / (double)(clock_mono_ns() - t0));
	notary_close(notary);
	remove_dir(dir);
	return 0;
}
