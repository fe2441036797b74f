// SPDX-License-Identifier: Apache-2.0
/*
 * Records per second from the ring to the log, and the cost of building one. Prints figures, judges
 * nothing. usage: notary_bench [RECORDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/log_fixture.h"
#include "user/notary/notary.h"
#include "user/notary/recorder.h"

#define LATENCY_SAMPLES 100000

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
		fill(&rec, &c, i, commit);
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
	for (unsigned i = 0; i < LATENCY_SAMPLES; i++)
		fill(&rec, &c, i, commit);
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

static void drain_all(struct notary *n, pid_t child, unsigned want)
{
	struct notary_status st = { 0 };
	uint64_t t0 = clock_mono_ns();
	double cpu = 0, clock;
	int status;

	while (st.size < want) {
		double a = cpu_s();
		int r = notary_drain(n, 65536);

		if (r < 0) {
			fprintf(stderr, "drain: %d\n", r);
			exit(1);
		}
		if (r == 0)
			usleep(100);
		else
			cpu += cpu_s() - a;
		notary_status(n, &st);
	}
	clock = seconds_since(t0);
	(void)waitpid(child, &status, 0);
	printf("append                        %7.0f records/s of one CPU's time, %7.0f records/s of wall time\n",
	       (double)want / cpu, (double)want / clock);
	printf("checkpoints                   %llu\n", (unsigned long long)st.checkpoints);
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
	printf("recover                       %7.0f records/s\n", (double)n / seconds_since(t0));
	notary_close(notary);
	remove_dir(dir);
	return 0;
}
