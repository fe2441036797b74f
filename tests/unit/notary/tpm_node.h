/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_TPM_NODE_H
#define TOLLGATE_TESTS_TPM_NODE_H

/* A notary on a software TPM: its keys, its log, and what a stranger says of the log. */

#include "attest/attest.h"
#include "attest/tpm_device.h"
#include "tests/unit/notary/log_fixture.h"
#include "tests/unit/attest/swtpm.h"
#include "user/notary/key_source.h"
#include "user/notary/key_tpm.h"
#include "user/notary/notary.h"
#include "user/notary/verify.h"

#define NODE_PCRS 0x81u

struct tpm_node {
	struct log_fixture *f;
	char state[64], sealed[96], boot[96];
	struct key_tpm *tpm;
	struct notary *n;
	enum key_tier tier;
	char alarm[640]; /* the last one */
};

static inline void node_alarm(void *arg, int ring, const char *text)
{
	struct tpm_node *t = arg;

	(void)ring;
	(void)snprintf(t->alarm, sizeof(t->alarm), "%s", text);
}

static inline int node_setup(void **state)
{
	struct tpm_node *t = calloc(1, sizeof(*t));
	void *f;

	assert_non_null(t);
	assert_int_equal(fixture_setup(&f), 0);
	t->f = f;
	(void)snprintf(t->state, sizeof(t->state), "/tmp/tollgate-keys-XXXXXX");
	assert_non_null(mkdtemp(t->state));
	(void)snprintf(t->sealed, sizeof(t->sealed), "%s/log.sealed", t->state);
	(void)snprintf(t->boot, sizeof(t->boot), "%s/log-boot.key", t->state);
	*state = t;
	return 0;
}

/* As after a start of the role. pcrs 0: without the TPM. */
static inline int node_start(struct tpm_node *t, uint32_t pcrs)
{
	struct key_source keys = { 0 };
	struct notary_config c = { .log_dirfd = t->f->dirfd, .keys = &keys, .origin = "node.test",
				   .producers_gone = true, .alarm = node_alarm, .arg = t };
	int r = pcrs ? key_tpm_open(swtpm_tcti, pcrs, &t->tpm) : 0;

	t->alarm[0] = '\0';
	if (r == 0)
		r = key_source_open(t->tpm, t->sealed, t->boot, &keys);
	t->tier = keys.tier;
	c.tpm = t->tpm;
	if (r == 0)
		r = notary_open(&c, &t->n);
	key_source_done(&keys);
	if (r < 0) {
		key_tpm_free(t->tpm);
		t->tpm = NULL;
	}
	return r;
}

static inline void node_stop(struct tpm_node *t)
{
	notary_close(t->n);
	key_tpm_free(t->tpm);
	t->n = NULL;
	t->tpm = NULL;
}

static inline int node_teardown(void **state)
{
	struct tpm_node *t = *state;
	void *f = t->f;

	node_stop(t);
	fixture_wipe(t->state);
	(void)rmdir(t->state);
	free(t);
	return fixture_teardown(&f);
}

static inline void node_note(struct tpm_node *t, const char *reason)
{
	struct record rec;

	record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason = span_of(reason);
	assert_int_equal(notary_record(t->n, &rec), 0);
}

/* A copy of the log as it is on disk, into another folder. */
static inline void node_copy(const struct tpm_node *t, const char *to, bool back)
{
	char command[512];

	(void)snprintf(command, sizeof(command), back ? "rm -f %s/* && cp %s/* %s/" : "mkdir -p %s && cp %s/* %s/",
		       back ? t->f->dir : to, back ? to : t->f->dir, back ? t->f->dir : to);
	assert_int_equal(system(command), 0);
}

struct node_view {
	struct log_verdict v;
	enum log_fault first;
	char text[256];
};

static inline void node_finding(void *arg, const struct log_finding *f)
{
	struct node_view *view = arg;

	if (view->first == LOG_FAULT_NONE) {
		view->first = f->fault;
		(void)snprintf(view->text, sizeof(view->text), "%s", f->text);
	}
}

/* What a stranger finds who has this key and expects this. */
static inline struct node_view node_verify(const struct tpm_node *t, const struct verifier_key *key,
					   const struct log_expect *expect)
{
	static const struct log_expect nothing;
	_cleanup_buf_ struct buf note = { 0 };
	struct node_view view = { .first = LOG_FAULT_NONE };

	fixture_read(t->f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(log_verify_against(t->f->dirfd, buf_span(&note), key, expect ? expect : &nothing, node_finding,
					    &view, &view.v), 0);
	return view;
}

static inline struct verifier_key node_key(const struct tpm_node *t)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct verifier_key k;

	fixture_read(t->f, STORE_FILE_VKEY, &b);
	assert_int_equal(verifier_key_parse(buf_span(&b), &k), 0);
	return k;
}

static inline struct cosign_key node_cosign(const struct tpm_node *t)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct cosign_key k;

	fixture_read(t->f, STORE_FILE_COSIGN, &b);
	assert_int_equal(cosign_key_parse(buf_span(&b), &k), 0);
	return k;
}

static inline void node_extend(unsigned pcr)
{
	const uint8_t digest[32] = { 1 };
	struct tpm_dev *d;

	assert_int_equal(tpm_dev_open(swtpm_tcti, &d), 0);
	assert_int_equal(tpm_pcr_extend(d, pcr, digest), 0);
	tpm_dev_close(d);
}

static inline uint64_t node_counter(void)
{
	struct key_tpm *k;
	uint64_t v = 0;

	assert_int_equal(key_tpm_open(swtpm_tcti, NODE_PCRS, &k), 0);
	assert_int_equal(key_tpm_counter(k, &v), 0);
	key_tpm_free(k);
	return v;
}

#endif
