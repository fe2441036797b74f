// SPDX-License-Identifier: Apache-2.0
#include "user/notary/notary.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"
#include "user/notary/key_source.h"
#include "user/notary/recorder.h"
#include "user/notary/ring.h"
#include "user/notary/segment.h"
#include "user/notary/verify.h"
#include "user/notary/view.h"

struct bench {
	struct log_fixture *f;
	struct notary *n;
	int ring_fd[2], ring[2], failed[2];
	struct recorder *w[2];
	unsigned alarms;
};

static void on_alarm(void *arg, int ring, const char *text)
{
	struct bench *b = arg;

	b->alarms++;
}

static void on_failed(void *arg, int ring)
{
	struct bench *b = arg;

	b->failed[ring]++;
}

static int open_notary(struct bench *b, bool producers_gone)
{
	char key[128];
	const struct notary_config c = {
		.log_dirfd = b->f->dirfd,
		.key_path = key,
		.origin = "node.test",
		.segment_max = 20000,
		.producers_gone = producers_gone,
		.alarm = on_alarm,
		.producer_failed = on_failed,
		.arg = b,
	};

	(void)snprintf(key, sizeof(key), "%s/log.key", b->f->dir);
	return notary_open(&c, &b->n);
}

static void add_rings(struct bench *b)
{
	for (int i = 0; i < 2; i++) {
		b->ring[i] = notary_add_ring(b->n, b->ring_fd[i], -1, false, i ? "proxy-1" : "proxy-0");
		assert_int_equal(b->ring[i], i);
	}
}

static void attach(struct bench *b, int i)
{
	static const uint8_t key[SHA256_SIZE] = { 3 };

	recorder_free(b->w[i]);
	assert_int_equal(recorder_new(b->ring_fd[i], -1, RECORD_WRITTEN, key, &b->w[i]), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *f;

	assert_non_null(b);
	assert_int_equal(fixture_setup(&f), 0);
	b->f = f;
	for (int i = 0; i < 2; i++)
		assert_int_equal(ring_create(RING_SIZE_MIN * 4, &b->ring_fd[i]), 0);
	assert_int_equal(open_notary(b, true), 0);
	add_rings(b);
	attach(b, 0);
	attach(b, 1);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	void *f = b->f;

	notary_close(b->n);
	for (int i = 0; i < 2; i++) {
		recorder_free(b->w[i]);
		close(b->ring_fd[i]);
	}
	free(b);
	return fixture_teardown(&f);
}

static struct chain begin(struct bench *b, int i)
{
	struct record rec;
	struct chain c;
	uint64_t pos;

	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	assert_int_equal(recorder_begin(b->w[i], &c, &rec, &pos), 0);
	return c;
}

static uint64_t call(struct bench *b, int i, struct chain *c)
{
	struct record rec;
	uint64_t pos;

	record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	rec.tool_name = SPAN("echo");
	assert_int_equal(recorder_put(b->w[i], c, &rec, &pos), 0);
	return pos;
}

static struct notary_status status(struct bench *b)
{
	struct notary_status st;

	notary_status(b->n, &st);
	return st;
}

static void count_finding(void *arg, const struct log_finding *f)
{
	unsigned *kinds = arg;

	kinds[f->fault]++;
}

/* Signs, then judges the log with the notary's own key. */
static struct log_verdict verify(struct bench *b, unsigned kinds[16])
{
	_cleanup_buf_ struct buf note = { 0 };
	struct log_verdict v;

	memset(kinds, 0, 16 * sizeof(*kinds));
	assert_int_equal(notary_checkpoint(b->n), 0);
	fixture_read(b->f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(log_verify(b->f->dirfd, buf_span(&note), notary_key(b->n), count_finding, kinds, &v),
			 0);
	return v;
}

/* How many records of the log contain the text. */
static unsigned grep(struct bench *b, const char *text)
{
	struct segment_reader *r;
	struct span line;
	unsigned n = 0;

	assert_int_equal(segment_reader_open(b->f->dirfd, 0, &r), 0);
	while (segment_read(r, &line, NULL) == 0)
		n += memmem(line.p, line.n, text, strlen(text)) != NULL;
	segment_reader_close(r);
	return n;
}

static void records_reach_the_log_and_verify(void **state)
{
	struct bench *b = *state;
	struct chain c0 = begin(b, 0), c1 = begin(b, 1);
	unsigned kinds[16];
	struct log_verdict v;
	uint64_t pos = 0;

	for (int i = 0; i < 50; i++) {
		pos = call(b, 0, &c0);
		(void)call(b, 1, &c1);
	}
	assert_int_equal(recorder_settled(b->w[0], pos), -EAGAIN);
	assert_int_equal(notary_drain(b->n, 1000), 102);
	assert_int_equal(recorder_settled(b->w[0], pos), 0);
	assert_int_equal(notary_drain(b->n, 1000), 0);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 0);
	assert_int_equal(v.records, 103); /* and the notary's own first one */
	assert_int_equal(v.sessions, 3);
	assert_int_equal(b->alarms, 0);
	assert_int_equal(status(b).signed_size, 103);
}

static void a_restart_goes_on_and_takes_nothing_twice(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, 0);
	unsigned kinds[16];
	struct log_verdict v;
	off_t tail_at = 128; /* the ring's published positions, as laid out in ring.c */
	uint64_t tail[2];

	(void)call(b, 0, &c);
	assert_int_equal(pread(b->ring_fd[0], tail, 16, tail_at), 16);
	assert_int_equal(notary_drain(b->n, 1000), 2);
	/* As if it had died after writing and before saying so. */
	notary_close(b->n);
	assert_int_equal(pwrite(b->ring_fd[0], tail, 16, tail_at), 16);
	assert_int_equal(open_notary(b, false), 0);
	add_rings(b);
	(void)call(b, 0, &c);
	assert_int_equal(notary_drain(b->n, 1000), 3);
	assert_int_equal(status(b).replayed, 2);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 0);
	assert_int_equal(v.records, 2 + 2 + 2); /* two starts, one end of ours; three of theirs */
	assert_int_equal(v.open_sessions, 2);
	assert_int_equal(b->failed[0], 0);
}

static void a_killed_notary_leaves_a_log_that_goes_on(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, 0);
	unsigned kinds[16];
	struct log_verdict v;
	int status_of_child;
	pid_t child;

	(void)call(b, 0, &c);
	notary_close(b->n);
	b->n = NULL;
	child = fork();
	if (child == 0) {
		if (open_notary(b, false) < 0 || notary_add_ring(b->n, b->ring_fd[0], -1, false, "") < 0 ||
		    notary_drain(b->n, 1000) < 0)
			_exit(1);
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status_of_child, 0), child);
	assert_true(WIFSIGNALED(status_of_child));
	assert_int_equal(open_notary(b, false), 0);
	add_rings(b);
	(void)call(b, 0, &c);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 0);
	assert_int_equal(v.open_sessions, 2); /* the killed one's own session was closed */
	assert_int_equal(grep(b, "closed_by_notary"), 1);
	notary_close(b->n);
	assert_int_equal(open_notary(b, true), 0); /* power was lost: no producer lives */
	add_rings(b);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 0);
	assert_int_equal(v.open_sessions, 1);
	assert_int_equal(grep(b, "closed_by_notary"), 2);
}

static void push_raw(struct bench *b, int i, struct span s)
{
	struct ring *r;
	uint64_t pos;

	assert_int_equal(ring_attach(b->ring_fd[i], RING_PRODUCER, -1, &r), 0);
	assert_int_equal(ring_push(r, s, &pos), 0);
	ring_free(r);
}

static void a_faulty_producer_is_named_and_stopped(void **state)
{
	struct bench *b = *state;
	struct chain c0 = begin(b, 0), c1 = begin(b, 1);
	struct log_verdict v;
	struct record rec;
	unsigned kinds[16];
	uint64_t pos;

	(void)call(b, 0, &c0);
	assert_int_equal(notary_drain(b->n, 1000), 3);
	push_raw(b, 0, SPAN("{\"not\":\"a record\"}"));
	push_raw(b, 0, SPAN("nor this"));
	assert_int_equal(notary_drain(b->n, 1000), 2);
	assert_int_equal(b->failed[0], 1); /* told once */
	assert_int_equal(status(b).rejected, 2);
	assert_int_equal(grep(b, "producer_failed"), 1);
	attach(b, 0);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	assert_int_equal(recorder_put(b->w[0], &c0, &rec, &pos), -EBADMSG); /* nothing of it goes on */
	(void)call(b, 1, &c1); /* the other is unharmed */
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(notary_ring_restarted(b->n, 0), 0);
	assert_int_equal(grep(b, "closed_by_notary"), 1);
	attach(b, 0);
	c0 = begin(b, 0);
	(void)call(b, 0, &c0);
	assert_int_equal(notary_drain(b->n, 1000), 2);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 0);
	assert_int_equal(v.fault_records, 1);
}

static void a_changed_record_is_refused(void **state)
{
	struct bench *b = *state;
	struct log_fixture *f = b->f;
	struct record_line line = fixture_line(f, "x", RECORD_ALLOW);
	char copy[4096];
	unsigned kinds[16];

	memcpy(copy, line.text.p, line.text.n);
	*strstr(copy, "coder") = 'k';
	push_raw(b, 0, (struct span){ copy, line.text.n });
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(b->failed[0], 1);
	assert_int_equal(grep(b, "koder"), 0);
	assert_int_equal(verify(b, kinds).faults, 0);
}

/* What only the notary says, a producer does not: it could cover for records that somebody took away,
 * or for a key. */
static void what_the_notary_alone_says_is_refused(void **state)
{
	static const char *const codes[] = { "retention", "key_handover", "key_gap" };
	const struct record_kv detail[] = { { "removed_from", { NULL, 0 }, 0 }, { "removed_to", { NULL, 0 }, 9 } };
	struct bench *b = *state;
	struct log_fixture *f = b->f;

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct record_line line;
		struct record rec;

		record_init(&rec, RECORD_NODE, RECORD_NA);
		rec.reason_code = span_of(codes[i]);
		rec.detail = detail;
		rec.detail_n = 2;
		assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
		push_raw(b, 0, line.text);
		assert_int_equal(notary_drain(b->n, 1000), 1);
		assert_int_equal(b->failed[0], i + 1);
		assert_int_equal(grep(b, "removed_to"), 0);
		assert_int_equal(notary_ring_restarted(b->n, 0), 0);
	}
}

static void a_broken_chain_is_kept_and_told(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, 0);
	struct log_verdict v;
	unsigned kinds[16];

	(void)call(b, 0, &c);
	assert_int_equal(notary_drain(b->n, 1000), 2);
	c.sequence += 3;
	(void)call(b, 0, &c);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(b->alarms, 1);
	assert_int_equal(grep(b, "\"reason_code\":\"chain_break\""), 1);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 1);
	assert_int_equal(kinds[LOG_FAULT_SEQUENCE], 1);
}

static void a_session_belongs_to_its_producer(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, 0);
	unsigned kinds[16];

	assert_int_equal(notary_drain(b->n, 1000), 1);
	(void)call(b, 1, &c); /* the other proxy writes into it */
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(b->failed[1], 1);
	assert_int_equal(b->failed[0], 0);
	assert_int_equal(verify(b, kinds).faults, 0);
}

static void wild_frames_end_the_producer(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, 1);
	uint64_t head = 1u << 30;

	assert_int_equal(pwrite(b->ring_fd[0], &head, 8, 64), 8);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(b->failed[0], 1);
	assert_int_equal(notary_drain(b->n, 1000), 0);
	(void)call(b, 1, &c);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(notary_ring_restarted(b->n, 0), 0);
	attach(b, 0);
	c = begin(b, 0);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(b->failed[0], 1);
}

/* Records wait in the ring while the disk is full; producers are told at once; nothing is lost. */
static void a_full_disk_denies_and_loses_nothing(void **state)
{
	struct bench *b = *state;
	struct chain c = begin(b, 0);
	struct rlimit old, small;
	struct log_verdict v;
	struct record rec;
	unsigned kinds[16];
	uint64_t pos;
	struct stat st;
	struct notary_status before;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_int_equal(fstatat(b->f->dirfd, "0000000000000000.jsonl", &st, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ (rlim_t)st.st_size + 100, old.rlim_max };
	before = status(b);
	for (int i = 0; i < 5; i++)
		(void)call(b, 0, &c);
	push_raw(b, 1, SPAN("garbage meanwhile"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(notary_drain(b->n, 1000), -EFBIG);
	assert_int_equal(status(b).size, before.size);
	assert_int_equal(recorder_failed(b->w[0]), -EFBIG);
	record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	assert_int_equal(recorder_put(b->w[0], &c, &rec, &pos), -EFBIG);
	assert_int_equal(notary_drain(b->n, 1000), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(notary_drain(b->n, 1000), 6);
	assert_int_equal(recorder_failed(b->w[0]), 0);
	assert_int_equal(recorder_failed(b->w[1]), -EBADMSG);
	assert_int_equal(b->failed[1], 1);
	(void)call(b, 0, &c);
	assert_int_equal(notary_drain(b->n, 1000), 1);
	v = verify(b, kinds);
	assert_int_equal(v.faults, 0);
	assert_int_equal(grep(b, "\"tool_name\":\"echo\""), 6);
	assert_int_equal(grep(b, "storage_failed"), 1);
	assert_int_equal(grep(b, "producer_failed"), 1);
}

static void a_torn_tail_is_recorded(void **state)
{
	struct bench *b = *state;
	unsigned kinds[16];
	int fd;

	notary_close(b->n);
	fd = openat(b->f->dirfd, "0000000000000000.jsonl", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"agent\":\"x", 11), 11);
	close(fd);
	assert_int_equal(open_notary(b, true), 0);
	add_rings(b);
	assert_int_equal(b->alarms, 1);
	assert_int_equal(status(b).torn_bytes, 11);
	assert_int_equal(grep(b, "torn_tail"), 1);
	assert_int_equal(verify(b, kinds).faults, 0);
	assert_int_equal(verify(b, kinds).torn_files, 1);
}

static void a_checkpoint_that_we_did_not_sign_stops_the_start(void **state)
{
	struct bench *b = *state;
	_cleanup_buf_ struct buf note = { 0 };
	struct span s;
	char *copy;

	notary_close(b->n);
	b->n = NULL;
	fixture_read(b->f, STORE_FILE_CHECKPOINT, &note);
	s = buf_span(&note);
	copy = malloc(s.n);
	memcpy(copy, s.p, s.n);
	copy[s.n - 10] = copy[s.n - 10] == 'A' ? 'B' : 'A';
	fixture_write(b->f, STORE_FILE_CHECKPOINT, (struct span){ copy, s.n });
	assert_int_equal(open_notary(b, true), -EKEYREJECTED);
	fixture_write(b->f, STORE_FILE_CHECKPOINT, s);
	assert_int_equal(open_notary(b, true), 0);
	free(copy);
}

static void rest_asks_for_what_is_due(void **state)
{
	struct bench *b = *state;
	struct chain c;

	assert_int_equal(notary_rest(b->n), UINT64_MAX); /* all is signed; asleep */
	c = begin(b, 0);
	assert_int_equal(notary_rest(b->n), 0); /* there is work */
	assert_int_equal(notary_drain(b->n, 1000), 1);
	assert_true(notary_rest(b->n) <= 10000000); /* a nap */
	(void)call(b, 0, &c);
	assert_in_range(notary_rest(b->n), 1, 10000000); /* in which more may come */
	for (int i = 0; i < 1000 && notary_rest(b->n); i++)
		(void)call(b, 0, &c);
	assert_int_equal(notary_rest(b->n), 0); /* the ring fills up */
}

/* Whoever waits for room tries again with what it has. */
static void a_try_that_failed_keeps_the_key(void **state)
{
	struct bench *b = *state;
	struct key_source keys = { 0 };
	struct notary_config c = { .log_dirfd = -1, .keys = &keys, .origin = "node.test" };
	uint8_t pub[KEY_SIZE];

	notary_close(b->n);
	b->n = NULL;
	assert_int_equal(log_key_open(NULL, &keys.key), 0);
	assert_int_equal(log_key_open(NULL, &keys.before), 0);
	log_key_public(keys.key, pub);
	for (int i = 0; i < 2; i++) {
		assert_true(notary_open(&c, &b->n) < 0);
		assert_non_null(keys.key);
		assert_non_null(keys.before);
	}
	c.log_dirfd = b->f->dirfd;
	assert_int_equal(notary_open(&c, &b->n), 0);
	assert_null(keys.key);
	assert_memory_equal(notary_key(b->n)->pub, pub, KEY_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_reach_the_log_and_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_goes_on_and_takes_nothing_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_notary_leaves_a_log_that_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_faulty_producer_is_named_and_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_record_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_notary_alone_says_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_chain_is_kept_and_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_belongs_to_its_producer, setup, teardown),
		cmocka_unit_test_setup_teardown(wild_frames_end_the_producer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_denies_and_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_try_that_failed_keeps_the_key, setup, teardown),
		cmocka_unit_test_setup_teardown(a_torn_tail_is_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_checkpoint_that_we_did_not_sign_stops_the_start, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rest_asks_for_what_is_due, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
