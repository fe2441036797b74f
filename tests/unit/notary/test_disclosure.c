// SPDX-License-Identifier: Apache-2.0
/* A payload is opened by its own salt and by nothing else. */
#include "user/notary/disclosure.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"
#include "user/notary/tree.h"

#define REQUEST "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\"}"
#define RESPONSE "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"

/* The receipt of a record with two commitments, alone in its log. */
static void make_receipt(struct log_fixture *f, struct buf *ret)
{
	char request[SHA256_PREFIXED_SIZE], response[SHA256_PREFIXED_SIZE];
	struct checkpoint cp = { .origin = "node.test", .size = 1 };
	_cleanup_buf_ struct buf note = { 0 };
	struct record_line line;
	struct record rec;
	struct hasher *h;

	record_init(&rec, RECORD_SESSION_START, RECORD_ALLOW);
	salt_commit_next(&f->chain, SALT_REQUEST, SPAN(REQUEST), request);
	salt_commit_next(&f->chain, SALT_RESPONSE, SPAN(RESPONSE), response);
	rec.request_payload_hash = span_of(request);
	rec.response_payload_hash = span_of(response);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	assert_int_equal(hasher_new(&h), 0);
	tree_leaf_hash(h, line.text, cp.root);
	hasher_free(h);
	assert_int_equal(checkpoint_sign(&cp, f->key, &note), 0);
	assert_int_equal(proof_write(line.text, 0, NULL, 0, buf_span(&note), ret), 0);
}

static void make(struct log_fixture *f, const char *payload, struct disclosure *d)
{
	*d = (struct disclosure){ 0 };
	make_receipt(f, &d->receipt);
	d->fields[0].given = true;
	salt_derive(f->chain.salt_key, 0, SALT_REQUEST, d->fields[0].salt);
	if (payload) {
		d->fields[0].has_payload = true;
		assert_int_equal(buf_append_str(&d->fields[0].payload, payload), 0);
	}
}

static void opens_what_was_chosen(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct disclosure made, read;
	struct log_fixture *f = *state;
	struct checkpoint cp;
	const char *why;

	make(f, REQUEST, &made);
	assert_int_equal(disclosure_write(&made, &text), 0);
	assert_int_equal(disclosure_parse(buf_span(&text), &read), 0);
	assert_int_equal(proof_check(&read.proof, &f->vk, &cp, &why), 0);
	assert_int_equal(disclosure_check(&read, 0), 0);
	assert_false(read.fields[1].given);
	assert_int_equal(disclosure_check(&read, 1), -ENODATA);
	/* The salt of the one is not that of the other. */
	read.fields[1] = (struct disclosed){ .given = true, .has_payload = true };
	memcpy(read.fields[1].salt, read.fields[0].salt, SALT_SIZE);
	assert_int_equal(buf_append_str(&read.fields[1].payload, RESPONSE), 0);
	assert_int_equal(disclosure_check(&read, 1), -EBADMSG);
	salt_derive(f->chain.salt_key, 0, SALT_RESPONSE, read.fields[1].salt);
	assert_int_equal(disclosure_check(&read, 1), 0);
	disclosure_done(&read);
	disclosure_done(&made);
}

static void refuses_what_was_not_said(void **state)
{
	struct log_fixture *f = *state;
	struct disclosure d;

	assert_int_equal(disclosure_parse(SPAN("{}"), &d), -EBADMSG);
	disclosure_done(&d);
	make(f, REQUEST " ", &d);
	assert_int_equal(proof_parse(buf_span(&d.receipt), &d.proof), 0);
	assert_int_equal(disclosure_check(&d, 0), -EBADMSG);
	disclosure_done(&d);
	make(f, NULL, &d);
	assert_int_equal(disclosure_check(&d, 0), -ENODATA);
	disclosure_done(&d);
}

static void malformed(struct log_fixture *f, const char *from, const char *to)
{
	_cleanup_buf_ struct buf text = { 0 }, edited = { 0 };
	struct disclosure d;
	const char *at;

	make(f, REQUEST, &d);
	assert_int_equal(disclosure_write(&d, &text), 0);
	disclosure_done(&d);
	at = strstr(buf_cstr(&text), from);
	assert_non_null(at);
	assert_int_equal(buf_append(&edited, buf_cstr(&text), (size_t)(at - buf_cstr(&text))), 0);
	assert_int_equal(buf_append_str(&edited, to), 0);
	assert_int_equal(buf_append_str(&edited, at + strlen(from)), 0);
	assert_int_equal(disclosure_parse(buf_span(&edited), &d), -EBADMSG);
	disclosure_done(&d);
}

static void refuses_other_documents(void **state)
{
	malformed(*state, "\"request\"", "\"tool_name\"");
	malformed(*state, "\"salt\":\"", "\"salt\":\"0");
	malformed(*state, "\"payload\":\"", "\"payload\":\"=");
	malformed(*state, "\"payload\":", "\"salt\":");
	malformed(*state, "\"payload\":", "\"note\":1,\"payload\":");
	malformed(*state, "{\"disclosed\":", "{\"more\":1,\"disclosed\":");
	malformed(*state, "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_what_was_chosen, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(refuses_what_was_not_said, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(refuses_other_documents, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
