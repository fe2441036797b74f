// SPDX-License-Identifier: Apache-2.0
#include "user/notary/receipt.h"

#include "attest/cbor_write.h"
#include "tests/unit/notary/log_fixture.h"
#include "user/base/hasher.h"
#include "user/notary/segment.h"

#define RECORDS 21

struct scene {
	struct log_fixture *f;
	struct hasher *h;
	struct receipt_head head;
	int tree;
};

static void begin(struct scene *s, void **state)
{
	_cleanup_buf_ struct buf note = { 0 }, text = { 0 };
	struct checkpoint cp;
	size_t n;

	s->f = *state;
	fixture_fill(s->f, RECORDS, 0);
	fixture_read(s->f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(checkpoint_parse(buf_span(&note), &cp, &n), 0);
	assert_int_equal(receipt_head_sign(&cp, &s->f->vk, s->f->key, &text), 0);
	assert_int_equal(receipt_head_parse(buf_span(&text), &s->head), 0);
	assert_int_equal(s->head.size, RECORDS);
	for (n = 0; n < buf_len(&text); n++)
		assert_int_equal(receipt_head_parse((struct span){ buf_span(&text).p, n }, &s->head), -EBADMSG);
	assert_int_equal(hasher_new(&s->h), 0);
	s->tree = openat(s->f->dirfd, STORE_FILE_TREE, O_RDONLY | O_CLOEXEC);
	assert_true(s->tree >= 0);
}

static void end(struct scene *s)
{
	hasher_free(s->h);
	close(s->tree);
}

static void write_for(struct scene *s, uint64_t leaf, struct buf *ret)
{
	struct tree_hash path[TREE_PROOF_MAX];
	unsigned n;

	buf_clear(ret);
	assert_int_equal(tree_prove_leaf(s->h, leaf, RECORDS, store_tree_read, &s->tree, path, &n), 0);
	assert_int_equal(receipt_write(&s->head, &s->f->vk, leaf, path, n, ret), 0);
	assert_true(buf_len(ret) <= RECEIPT_MAX);
}

static void every_record_has_one(void **state)
{
	struct segment_reader *reader;
	struct scene s;
	_cleanup_buf_ struct buf receipt = { 0 };
	const char *why;
	struct span line;

	begin(&s, state);
	assert_int_equal(segment_reader_open(s.f->dirfd, 0, &reader), 0);
	for (uint64_t leaf = 0; leaf < RECORDS; leaf++) {
		uint64_t at, size;

		assert_int_equal(segment_read(reader, &line, NULL), 0);
		write_for(&s, leaf, &receipt);
		assert_int_equal(receipt_check(buf_span(&receipt), line, &s.f->vk, &at, &size, &why), 0);
		assert_int_equal(at, leaf);
		assert_int_equal(size, RECORDS);
		write_for(&s, (leaf + 1) % RECORDS, &receipt);
		assert_int_equal(receipt_check(buf_span(&receipt), line, &s.f->vk, &at, &size, &why), -EBADMSG);
	}
	segment_reader_close(reader);
	end(&s);
}

static void no_bit_of_it_can_change(void **state)
{
	struct segment_reader *reader;
	struct scene s;
	_cleanup_buf_ struct buf receipt = { 0 };
	const char *why;
	uint64_t at, size;
	struct span line, all;
	char *copy;

	begin(&s, state);
	assert_int_equal(segment_reader_open(s.f->dirfd, 0, &reader), 0);
	assert_int_equal(segment_read(reader, &line, NULL), 0);
	write_for(&s, 0, &receipt);
	all = buf_span(&receipt);
	copy = malloc(all.n + 1);
	for (size_t i = 0; i < all.n * 8; i++) {
		memcpy(copy, all.p, all.n);
		copy[i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(receipt_check((struct span){ copy, all.n }, line, &s.f->vk, &at, &size, &why), -EBADMSG);
	}
	memcpy(copy, all.p, all.n);
	copy[all.n] = 0;
	assert_int_equal(receipt_check((struct span){ copy, all.n + 1 }, line, &s.f->vk, &at, &size, &why), -EBADMSG);
	for (size_t n = 0; n < all.n; n++)
		assert_int_equal(receipt_check((struct span){ all.p, n }, line, &s.f->vk, &at, &size, &why), -EBADMSG);
	s.f->vk.pub[0] ^= 1;
	assert_int_equal(receipt_check(all, line, &s.f->vk, &at, &size, &why), -EBADMSG);
	free(copy);
	segment_reader_close(reader);
	end(&s);
}

/* What another implementation of RFC 9942 must find: the bytes of the outside, by hand. */
static void its_form_is_that_of_the_rfc(void **state)
{
	static const uint8_t head[] = { 0xd2, 0x84, 0x58, 0x18, 0xa4, 0x01, 0x27, 0x04, 0x44 };
	static const uint8_t rest[] = { 0x19, 0x01, 0x8b, 0x01, 0x69, 't', 'r', 'e', 'e', '-', 's', 'i', 'z', 'e',
					RECORDS, 0xa1, 0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81, 0x58 };
	struct scene s;
	_cleanup_buf_ struct buf receipt = { 0 };
	const uint8_t *p;

	begin(&s, state);
	write_for(&s, 3, &receipt);
	p = (const uint8_t *)buf_span(&receipt).p;
	assert_memory_equal(p, head, sizeof(head));
	assert_memory_equal(p + sizeof(head), s.f->vk.id, 4);
	assert_memory_equal(p + sizeof(head) + 4, rest, sizeof(rest));
	p += sizeof(head) + 4 + sizeof(rest) + 1; /* the length of the proof */
	assert_memory_equal(p, ((const uint8_t[]){ 0x83, RECORDS, 3, 0x85, 0x58, 0x20 }), 6);
	p = (const uint8_t *)buf_span(&receipt).p + buf_len(&receipt) - 67;
	assert_memory_equal(p, ((const uint8_t[]){ 0xf6, 0x58, 0x40 }), 3);
	end(&s);
}

static void heads_of_items_are_the_shortest(void **state)
{
	static const struct {
		uint64_t value;
		const char *bytes;
		size_t n;
	} cases[] = {
		{ 0, "\x00", 1 }, { 23, "\x17", 1 }, { 24, "\x18\x18", 2 }, { 255, "\x18\xff", 2 },
		{ 256, "\x19\x01\x00", 3 }, { 65535, "\x19\xff\xff", 3 }, { 65536, "\x1a\x00\x01\x00\x00", 5 },
		{ UINT32_MAX, "\x1a\xff\xff\xff\xff", 5 },
		{ UINT64_C(1) << 32, "\x1b\x00\x00\x00\x01\x00\x00\x00\x00", 9 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct buf b = { 0 };
		struct span s;
		struct cbor_item item;

		assert_int_equal(cbor_put(&b, CBOR_UINT, cases[i].value), 0);
		assert_int_equal(buf_len(&b), cases[i].n);
		assert_memory_equal(buf_span(&b).p, cases[i].bytes, cases[i].n);
		s = buf_span(&b);
		assert_int_equal(cbor_read(&s, &item), 0);
		assert_int_equal(item.value, cases[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_record_has_one, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(no_bit_of_it_can_change, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(its_form_is_that_of_the_rfc, fixture_setup, fixture_teardown),
		cmocka_unit_test(heads_of_items_are_the_shortest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
