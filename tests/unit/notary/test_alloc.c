// SPDX-License-Identifier: Apache-2.0
/* Every allocation of the notary fails once: what a producer was told is recorded is in the log in the end, once, and
 * no producer is blamed for it. */
#include "tests/unit/alloc.h"
#include "tests/unit/notary/log_fixture.h"

#include "user/base/cleanup.h"
#include "user/notary/notary.h"
#include "user/notary/recorder.h"
#include "user/notary/ring.h"
#include "user/notary/segment.h"
#include "user/notary/verify.h"
#include "user/notary/view.h"

struct node {
	struct log_fixture *f;
	struct notary *n;
	struct recorder *w;
	int ring_fd;
	unsigned blamed, recorded;
	int error; /* of the last start */
};

static void on_alarm(void *arg, int ring, const char *text)
{
}

static void on_failed(void *arg, int ring)
{
	((struct node *)arg)->blamed++;
}

/* Whether it runs and serves the ring. */
static bool open_notary(struct node *b, bool producers_gone)
{
	char key[128];
	const struct notary_config c = {
		.log_dirfd = b->f->dirfd, .key_path = key, .origin = "node.test", .segment_max = 2000,
		.producers_gone = producers_gone, .alarm = on_alarm, .producer_failed = on_failed, .arg = b,
	};

	(void)snprintf(key, sizeof(key), "%s/log.key", b->f->dir);
	b->n = NULL;
	b->error = notary_open(&c, &b->n);
	if (b->error < 0)
		return false;
	if (notary_add_ring(b->n, b->ring_fd, -1, false, "proxy") >= 0)
		return true;
	notary_close(b->n);
	b->n = NULL;
	return false;
}

static void speak(struct node *b)
{
	struct record rec;
	struct chain c;
	uint64_t pos;

	record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	if (recorder_begin(b->w, &c, &rec, &pos) < 0)
		return;
	for (int i = 0; i < 4; i++) {
		record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
		rec.tool_name = SPAN("echo");
		b->recorded += recorder_put(b->w, &c, &rec, &pos) == 0;
	}
	chain_done(&c);
}

static void node_open(struct node *b)
{
	static const uint8_t key[SHA256_SIZE] = { 3 };
	void *f;

	*b = (struct node){ 0 };
	assert_int_equal(fixture_setup(&f), 0);
	b->f = f;
	assert_int_equal(ring_create(RING_SIZE_MIN, &b->ring_fd), 0);
	assert_int_equal(recorder_new(b->ring_fd, -1, RECORD_WRITTEN, key, &b->w), 0);
}

static void node_close(struct node *b)
{
	void *f = b->f;

	recorder_free(b->w);
	close(b->ring_fd);
	(void)fixture_teardown(&f);
}

static unsigned count(struct node *b, const char *text)
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

static void on_finding(void *arg, const struct log_finding *f)
{
	fail_msg("the log has a fault: %s", f->text);
}

/* Starts once more, with all the memory it wants, and looks at the log. */
static void judge(struct node *b, unsigned recorded)
{
	_cleanup_buf_ struct buf note = { 0 };
	struct log_verdict v;

	if (!open_notary(b, false))
		fail_msg("it does not start again after allocation %lu failed: %s", alloc_state.at, strerror(-b->error));
	while (notary_drain(b->n, 1000) > 0)
		;
	assert_int_equal(notary_checkpoint(b->n), 0);
	fixture_read(b->f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(log_verify(b->f->dirfd, buf_span(&note), notary_key(b->n), on_finding, NULL, &v), 0);
	assert_true(v.signature_ok && v.root_ok);
	assert_int_equal(count(b, "\"tool_name\":\"echo\""), recorded);
	assert_int_equal(b->blamed, 0);
	notary_close(b->n);
}

static void what_is_recorded_is_kept(void **state)
{
	unsigned long n, all = 0;

	for (n = 1; alloc_fail_at(n); n++) {
		struct node b;

		node_open(&b);
		alloc_work();
		if (open_notary(&b, true)) {
			speak(&b);
			(void)notary_drain(b.n, 1000);
			speak(&b);
			for (int i = 0; i < 3 && notary_drain(b.n, 1000) < 0; i++)
				;
			(void)notary_ring_restarted(b.n, 0);
			(void)notary_checkpoint(b.n);
			notary_close(b.n);
		}
		alloc_rest();
		all = b.recorded;
		judge(&b, b.recorded);
		node_close(&b);
	}
	assert_true(n > 20);
	assert_int_equal(all, 8); /* when none failed */
}

static void a_start_that_fails_loses_nothing(void **state)
{
	static const char torn[] = "{\"agent\":\"torn";
	unsigned long n;

	for (n = 1; alloc_fail_at(n); n++) {
		_cleanup_free_ uint64_t *all = NULL;
		char name[SEGMENT_NAME_SIZE];
		struct node b;
		size_t k;
		int fd;

		node_open(&b);
		assert_true(open_notary(&b, true));
		speak(&b);
		assert_true(notary_drain(b.n, 1000) > 0);
		notary_close(b.n);
		assert_int_equal(segment_list(b.f->dirfd, &all, &k), 0);
		segment_name(all[k - 1], name);
		fd = openat(b.f->dirfd, name, O_WRONLY | O_APPEND);
		assert_int_equal(write(fd, torn, sizeof(torn) - 1), sizeof(torn) - 1);
		close(fd);
		alloc_work();
		if (open_notary(&b, false))
			notary_close(b.n);
		alloc_rest();
		judge(&b, 4);
		assert_int_equal(count(&b, "\"torn_bytes\":14"), 1);
		node_close(&b);
	}
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_recorded_is_kept),
		cmocka_unit_test(a_start_that_fails_loses_nothing),
	};

	alloc_take_crypto();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
