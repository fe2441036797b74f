// SPDX-License-Identifier: Apache-2.0
#include "attest/eventlog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "tests/unit/attest/vectors.h"
#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

/* --- a log of our own --------------------------------------------------------------------------- */
static void le(struct buf *b, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t c = (uint8_t)(v >> (8 * i));

		assert_int_equal(buf_append(b, &c, 1), 0);
	}
}

static void header(struct buf *b)
{
	static const uint8_t zero[20];

	le(b, 0, 4);
	le(b, EV_NO_ACTION, 4);
	buf_append(b, zero, 20);
	le(b, 16 + 8 + 4 + 2 * 4 + 1 + 3, 4);
	buf_append(b, "Spec ID Event03", 16);
	le(b, 0, 4);
	le(b, 0x02000200, 4);
	le(b, 2, 4);
	le(b, TPM_HASH_SHA1, 2);
	le(b, 20, 2);
	le(b, TPM_HASH_SHA256, 2);
	le(b, 32, 2);
	le(b, 3, 1);
	buf_append(b, "abc", 3);
}

static void event(struct buf *b, uint32_t index, uint32_t type, struct span hashed, struct span data)
{
	uint8_t d1[20], d2[32];

	assert_int_equal(tpm_hash(TPM_HASH_SHA1, &hashed, 1, d1), 0);
	assert_int_equal(tpm_hash(TPM_HASH_SHA256, &hashed, 1, d2), 0);
	le(b, index, 4);
	le(b, type, 4);
	le(b, 2, 4);
	le(b, TPM_HASH_SHA1, 2);
	buf_append(b, d1, sizeof(d1));
	le(b, TPM_HASH_SHA256, 2);
	buf_append(b, d2, sizeof(d2));
	le(b, data.n, 4);
	buf_append(b, data.p, data.n);
}

#define SEPARATOR SPAN("\0\0\0\0")
#define LOCALITY3 SPAN("StartupLocality\0\3")

enum change { NOTHING, DROPPED, INSERTED, REORDERED, DIGEST, DATA };

static void sample(struct buf *b, enum change c)
{
	header(b);
	event(b, 0, EV_NO_ACTION, SPAN("never extended"), LOCALITY3);
	event(b, 0, 8, SPAN("crtm"), SPAN("crtm"));
	if (c != REORDERED)
		event(b, 4, 0x80000003, SPAN("loader image"), SPAN("path of the loader"));
	if (c != DROPPED)
		event(b, 4, 0x80000003, c == DIGEST ? SPAN("other image") : SPAN("kernel image"), SPAN("path"));
	if (c == REORDERED)
		event(b, 4, 0x80000003, SPAN("loader image"), SPAN("path of the loader"));
	if (c == INSERTED)
		event(b, 4, 0x80000003, SPAN("implant"), SPAN("path"));
	event(b, 7, 4, SEPARATOR, c == DATA ? SPAN("\xff\xff\xff\xff") : SEPARATOR);
}

static void extend(uint8_t reg[32], struct span hashed)
{
	uint8_t d[32];

	sha256(hashed.p, hashed.n, d);
	assert_int_equal(tpm_hash_extend(TPM_HASH_SHA256, reg, d), 0);
}

static void a_replay_gives_the_registers(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	uint8_t pcr0[32] = { [31] = 3 }, pcr4[32] = { 0 }, pcr7[32] = { 0 };
	struct eventlog_replay rep;

	sample(&b, NOTHING);
	extend(pcr0, SPAN("crtm"));
	extend(pcr4, SPAN("loader image"));
	extend(pcr4, SPAN("kernel image"));
	extend(pcr7, SEPARATOR);
	assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA256, &rep), 0);
	assert_int_equal(rep.events, 5);
	assert_int_equal(rep.mask, 0x91);
	assert_int_equal(rep.false_data, 0);
	assert_int_equal(rep.covered, 1);
	assert_memory_equal(rep.reg[0], pcr0, 32);
	assert_memory_equal(rep.reg[4], pcr4, 32);
	assert_memory_equal(rep.reg[7], pcr7, 32);
	assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA384, &rep), -ENOENT);
}

/* Each change shows in a register, or for altered data in the data's own digest. */
static void a_changed_log_is_another(void **state)
{
	_cleanup_buf_ struct buf good = { 0 };
	struct eventlog_replay want, rep;

	sample(&good, NOTHING);
	assert_int_equal(eventlog_replay(buf_span(&good), TPM_HASH_SHA256, &want), 0);
	for (enum change c = DROPPED; c <= DATA; c++) {
		_cleanup_buf_ struct buf b = { 0 };

		sample(&b, c);
		assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA256, &rep), 0);
		if (c == DATA) {
			assert_memory_equal(rep.reg, want.reg, sizeof(rep.reg));
			assert_int_equal(rep.false_data, 1);
		} else {
			assert_memory_not_equal(rep.reg[4], want.reg[4], 32);
		}
	}
}

static void no_prefix_but_whole_events_replays(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct eventlog_replay rep;
	unsigned good = 0;

	sample(&b, NOTHING);
	for (size_t n = 0; n < buf_len(&b); n++)
		if (eventlog_replay((struct span){ buf_span(&b).p, n }, TPM_HASH_SHA256, &rep) == 0)
			good++;
	/* After the header and each event but the last; and with up to four zeros more, which begin an event of
	 * register 0 and could as well be padding. */
	assert_int_equal(good, 5 + 2 * 4);
}

static void padding_ends_a_log_and_nothing_hides_behind_it(void **state)
{
	static const char fill[2] = { 0, (char)0xff };

	for (unsigned i = 0; i < 2; i++) {
		_cleanup_buf_ struct buf b = { 0 };
		struct eventlog_replay rep;

		sample(&b, NOTHING);
		for (unsigned k = 0; k < 100; k++)
			buf_append(&b, &fill[i], 1);
		assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA256, &rep), 0);
		assert_int_equal(rep.events, 5);
		event(&b, 4, 0x80000003, SPAN("hidden"), SPAN(""));
		assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA256, &rep), -EBADMSG);
	}
}

static void malformed_events_are_refused(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		_cleanup_buf_ struct buf b = { 0 };
		struct eventlog_replay rep;

		header(&b);
		le(&b, i == 0 ? 24 : 4, 4); /* no such register */
		le(&b, 4, 4);
		le(&b, i == 1 ? 3 : 2, 4); /* more digests than algorithms */
		le(&b, i == 2 ? 0x12 : TPM_HASH_SHA1, 2); /* not in the table */
		buf_append(&b, "12345678901234567890", 20);
		le(&b, i == 3 ? TPM_HASH_SHA1 : TPM_HASH_SHA256, 2); /* twice */
		buf_append(&b, "12345678901234567890123456789012", 32);
		le(&b, i == 4 ? 0xffffffff : 4, 4); /* a length that lies */
		buf_append(&b, "data", 4);
		assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA256, &rep), i == 5 ? 0 : -EBADMSG);
	}
	for (unsigned i = 0; i < 3; i++) {
		_cleanup_buf_ struct buf b = { 0 };
		struct eventlog_replay rep;

		header(&b);
		if (i == 0) /* a locality that cannot start a TPM */
			event(&b, 0, EV_NO_ACTION, SPAN(""), SPAN("StartupLocality\0\2"));
		if (i == 1) /* told after PCR 0 was extended */
			event(&b, 0, 8, SPAN("crtm"), SPAN("crtm"));
		if (i <= 1)
			event(&b, 0, EV_NO_ACTION, SPAN(""), LOCALITY3);
		if (i == 2) { /* extended, but not in our bank */
			le(&b, 4, 4);
			le(&b, 4, 4);
			le(&b, 1, 4);
			le(&b, TPM_HASH_SHA1, 2);
			buf_append(&b, "12345678901234567890", 20);
			le(&b, 0, 4);
		}
		assert_int_equal(eventlog_replay(buf_span(&b), TPM_HASH_SHA256, &rep), -EBADMSG);
	}
}

/* --- recorded logs ------------------------------------------------------------------------------ */
static void expect_bank(const char *name, struct span bytes, const char *bank, json_t *pcrs, bool legacy,
			json_int_t events)
{
	uint16_t alg = tpm_hash_by_name(span_of(bank));
	struct eventlog_replay rep;
	const char *number;
	json_t *value;
	uint32_t mask = 0;

	assert_int_equal(eventlog_replay(bytes, alg, &rep), 0);
	assert_int_equal(rep.events + (legacy ? 0 : 1), events); /* the file counts the header */
	assert_int_equal(rep.false_data, 0);
	json_object_foreach(pcrs, number, value) {
		char hex[2 * TPM_HASH_SIZE_MAX + 1];

		mask |= 1u << atoi(number);
		hex_encode(rep.reg[atoi(number)], tpm_hash_size(alg), hex);
		if (strcmp(hex, json_string_value(value)) != 0)
			fail_msg("%s: %s PCR %s is %s", name, bank, number, hex);
	}
	assert_int_equal(rep.mask, mask);
}

static void recorded_logs_replay_as_expected(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	json_t *all, *entry, *pcrs;
	unsigned files = 0, banks = 0;
	const char *name, *bank;

	if (!vectors_here())
		skip();
	vector_read("tpm/eventlogs/EXPECTED.json", &text);
	all = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(all);
	json_object_foreach(all, name, entry) {
		_cleanup_buf_ struct buf log = { 0 };
		char path[128];

		(void)snprintf(path, sizeof(path), "tpm/eventlogs/%s", name);
		vector_read(path, &log);
		json_object_foreach(json_object_get(entry, "pcrs"), bank, pcrs) {
			expect_bank(name, buf_span(&log), bank, pcrs, json_is_string(json_object_get(entry, "algs")),
				    json_integer_value(json_object_get(entry, "events")));
			banks++;
		}
		files++;
	}
	json_decref(all);
	assert_int_equal(files, 13);
	assert_int_equal(banks, 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_replay_gives_the_registers),
		cmocka_unit_test(a_changed_log_is_another),
		cmocka_unit_test(no_prefix_but_whole_events_replays),
		cmocka_unit_test(padding_ends_a_log_and_nothing_hides_behind_it),
		cmocka_unit_test(malformed_events_are_refused),
		cmocka_unit_test(recorded_logs_replay_as_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
