// SPDX-License-Identifier: Apache-2.0
#include "user/notary/view.h"

#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"

static void fill(struct record *rec, struct span *ids, struct record_kv *kv)
{
	record_init(rec, RECORD_TOOL_CALL, RECORD_DENY);
	ids[0] = SPAN("p1");
	kv[0] = (struct record_kv){ "one", SPAN("x%"), 0 };
	kv[1] = (struct record_kv){ "two", { NULL, 0 }, 12 };
	rec->tool_name = SPAN("a\"b\xc3");
	rec->reason = SPAN("not allowed");
	rec->policy_ids = ids;
	rec->policy_ids_n = 1;
	rec->detail = kv;
	rec->detail_n = 2;
	rec->latency_us = 5;
	rec->judged_late = true;
}

/* The hash over a line as changed, so that the form alone is judged where a test changes it. */
static bool accepted(struct hasher *h, struct span line)
{
	struct record_view v;

	return record_view_parse(line, &v, NULL) == 0 && record_view_hash(&v, h) == 0;
}

static void every_cut_and_every_changed_byte_is_refused(void **state)
{
	static const char others[] = "\"\\%{}[],:0-9azAZ \n\x00\x7f\x80\xff";
	struct log_fixture *f = *state;
	struct record_kv kv[2];
	struct record_line line;
	struct span ids[1];
	struct record rec;
	struct hasher *h;
	char copy[4096];

	fill(&rec, ids, kv);
	assert_int_equal(hasher_new(&h), 0);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	assert_true(line.text.n < sizeof(copy));
	assert_true(accepted(h, line.text));
	for (size_t n = 0; n < line.text.n; n++) {
		char *exact = malloc(n ? n : 1); /* so that a read past the end is seen */

		assert_non_null(exact);
		memcpy(exact, line.text.p, n);
		assert_false(accepted(h, (struct span){ exact, n }));
		free(exact);
	}
	for (size_t i = 0; i < line.text.n; i++)
		for (size_t k = 0; k < sizeof(others); k++) {
			memcpy(copy, line.text.p, line.text.n);
			if (copy[i] == others[k])
				continue;
			copy[i] = others[k];
			assert_false(accepted(h, (struct span){ copy, line.text.n }));
		}
	memcpy(copy, line.text.p, line.text.n);
	copy[line.text.n] = ' ';
	assert_false(accepted(h, (struct span){ copy, line.text.n + 1 }));
	hasher_free(h);
}

static bool form(struct log_fixture *f, const char *find, const char *put)
{
	struct record_kv kv[2];
	struct record_line line;
	struct record_view v;
	struct span ids[1];
	struct record rec;
	char copy[8192], *at;
	size_t n;

	fill(&rec, ids, kv);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	n = line.text.n;
	memcpy(copy, line.text.p, n);
	copy[n] = '\0';
	at = strstr(copy, find);
	assert_non_null(at);
	memmove(at + strlen(put), at + strlen(find), strlen(at + strlen(find)) + 1);
	memcpy(at, put, strlen(put));
	return record_view_parse(span_of(copy), &v, NULL) == 0;
}

static void only_the_one_form_is_a_record(void **state)
{
	struct log_fixture *f = *state;

	assert_true(form(f, "\"latency_us\":5", "\"latency_us\":5"));
	assert_true(form(f, "\"latency_us\":5", "\"latency_us\":9007199254740991"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":9007199254740992"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":99999999999999999999999"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":5.0"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":05"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":-0"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":\"5\""));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\": 5"));
	assert_false(form(f, "\"latency_us\":5", "\"latency_us\":5,\"latency_us\":5"));
	assert_false(form(f, "\"latency_us\":5,", ""));
	assert_false(form(f, "\"latency_us\":5", "\"latency_uz\":5"));
	assert_false(form(f, "\"judged_late\":true", "\"judged_late\":false"));
	assert_false(form(f, "\"policy_decision\":\"deny\"", "\"policy_decision\":\"maybe\""));
	assert_false(form(f, "\"entry_type\":\"tool_call\"", "\"entry_type\":\"none\""));
	assert_false(form(f, "\"workflow_id\":null", "\"workflow_id\":null,\"zz\":1"));
	assert_false(form(f, "{\"one\":\"x%25\",\"two\":12}", "{\"two\":12,\"one\":\"x%25\"}"));
	assert_false(form(f, "{\"one\":\"x%25\",\"two\":12}", "{\"one\":\"x%25\",\"one\":12}"));
	assert_false(form(f, "{\"one\":\"x%25\",\"two\":12}", "{}"));
	assert_false(form(f, "{\"one\":\"x%25\",\"two\":12}", "{\"one\":{\"a\":1}}"));
	assert_false(form(f, "[\"p1\"]", "[]"));
	assert_false(form(f, "[\"p1\"]", "[[\"p1\"]]"));
	assert_false(form(f, "x%25", "x%41"));
	assert_false(form(f, "x%25", "x%2"));
	assert_false(form(f, "x%25", "x%c3"));
	assert_false(form(f, "not allowed", "not\\u0041"));
	assert_false(form(f, "not allowed", "not\\n"));
	assert_false(form(f, "not allowed", "not\xc3\xa9"));
	assert_false(form(f, "\"sequence_number\":0", "\"sequence_number\":-1"));
	assert_false(form(f, "\"prev_entry_hash\":\"genesis\"", "\"prev_entry_hash\":\"Genesis\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_cut_and_every_changed_byte_is_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(only_the_one_form_is_a_record, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
