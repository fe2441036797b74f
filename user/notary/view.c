// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a record line: one pass against the member table, no allocation, nothing guessed. Runs in the
 * notary on bytes of less trusted roles, in the verifier and in the query role on files.
 */
#include "user/notary/view.h"

#include <errno.h>
#include <string.h>

#include "user/base/hasher.h"
#include "user/notary/chain.h"
#include "user/notary/members.h"
#include "user/notary/record.h"

struct cursor {
	const char *p, *end;
};

static inline uint64_t load(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Names and words are short, and there are some forty in a line: the call of memcmp() would cost the most. */
static inline bool same(const char *a, const char *b, size_t n)
{
	uint64_t differ = 0;

	if (n < 8) {
		for (size_t i = 0; i < n; i++)
			differ |= (uint64_t)(a[i] ^ b[i]);
		return differ == 0;
	}
	for (size_t i = 0; i < n - 8; i += 8)
		differ |= load(a + i) ^ load(b + i);
	return (differ | (load(a + n - 8) ^ load(b + n - 8))) == 0;
}

static inline bool take(struct cursor *c, const char *s, size_t n)
{
	if ((size_t)(c->end - c->p) < n || !same(c->p, s, n))
		return false;
	c->p += n;
	return true;
}

typedef uint8_t block __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

static inline block load_block(const char *p)
{
	block v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Whether a block has the pattern's characters, where 'x' is any lower-case hex digit and '0' any digit. */
static inline bool block_is(block v, block pattern)
{
	block digit = (block)(v - '0' <= 9), hex = digit | (block)(v - 'a' <= 5);
	block any_hex = (block)(pattern == 'x'), any_digit = (block)(pattern == '0');
	halves ok = (halves)((any_hex & hex) | (any_digit & digit) | (~any_hex & ~any_digit & (block)(v == pattern)));

	return (ok[0] & ok[1]) == UINT64_MAX;
}

/* Matches a pattern of at least a block: the last one overlaps the one before it. */
static bool take_pattern(struct cursor *c, const char *pattern, size_t n)
{
	size_t last = n - sizeof(block);

	if ((size_t)(c->end - c->p) < n || !block_is(load_block(c->p + last), load_block(pattern + last)))
		return false;
	for (size_t i = 0; i < last; i += sizeof(block))
		if (!block_is(load_block(c->p + i), load_block(pattern + i)))
			return false;
	c->p += n;
	return true;
}

static bool take_sha256(struct cursor *c)
{
	static const char pattern[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

	_Static_assert(sizeof(pattern) == SHA256_HEX_SIZE, "a digest in hex");
	return take_pattern(c, pattern, sizeof(pattern) - 1);
}

static int hex_upper(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* After '%': two digits of a byte that must be escaped, or the digest that ends a shortened string. */
static bool take_percent(struct cursor *c)
{
	int hi, lo, v;

	if (take(c, "sha256:", 7))
		return take_sha256(c) && c->p < c->end && *c->p == '"';
	if (c->end - c->p < 2)
		return false;
	hi = hex_upper(c->p[0]);
	lo = hex_upper(c->p[1]);
	if (hi < 0 || lo < 0)
		return false;
	v = hi << 4 | lo;
	if (v >= 0x20 && v < 0x7f && v != '%')
		return false;
	c->p += 2;
	return true;
}

static bool take_text(struct cursor *c)
{
	if (!take(c, "\"", 1))
		return false;
	for (;;) {
		char ch;

		c->p += record_plain_run(c->p, (size_t)(c->end - c->p));
		if (c->p == c->end)
			return false;
		ch = *c->p++;
		if (ch == '"')
			return true;
		if (ch == '\\' && c->p < c->end && (*c->p == '"' || *c->p == '\\'))
			c->p++;
		else if (ch != '%' || !take_percent(c))
			return false;
	}
}

static bool take_int(struct cursor *c, int64_t *ret)
{
	bool negative = take(c, "-", 1);
	const char *start = c->p;
	int64_t v = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		v = v * 10 + (*c->p - '0');
		if (v > RECORD_INT_MAX)
			return false;
		c->p++;
	}
	if (c->p == start || (*start == '0' && c->p - start > 1) || (negative && v == 0))
		return false;
	*ret = negative ? -v : v;
	return true;
}

static bool take_word(struct cursor *c, const char *(*text)(unsigned), unsigned from, unsigned to)
{
	const char *start = c->p + 1, *quote;

	if (!take(c, "\"", 1))
		return false;
	quote = memchr(start, '"', (size_t)(c->end - start));
	for (unsigned i = from; quote && i < to; i++)
		if (span_is((struct span){ start, (size_t)(quote - start) }, text(i))) {
			c->p = quote + 1;
			return true;
		}
	return false;
}

static const char *type_text(unsigned i)
{
	return record_type_text((enum record_type)i);
}

static const char *decision_text(unsigned i)
{
	return record_decision_text((enum record_decision)i);
}

static const char *durability_text(unsigned i)
{
	return record_durability_text((enum record_durability)i);
}

static bool take_uuid(struct cursor *c)
{
	static const char pattern[] = "\"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\"";

	return take_pattern(c, pattern, sizeof(pattern) - 1);
}

static bool take_time(struct cursor *c)
{
	static const char pattern[] = "\"0000-00-00T00:00:00.000000+00:00\"";

	return take_pattern(c, pattern, sizeof(pattern) - 1);
}

static bool take_ids(struct cursor *c)
{
	if (!take(c, "[", 1))
		return false;
	for (unsigned i = 0; i < RECORD_IDS_MAX; i++) {
		if (!take_text(c))
			return false;
		if (take(c, "]", 1))
			return true;
		if (!take(c, ",", 1))
			return false;
	}
	return false;
}

static int text_order(struct span a, struct span b)
{
	int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* A member name of detail: ours, and plain, so that its order needs no thought. */
static bool take_name(struct cursor *c, struct span *ret)
{
	const char *from;

	if (!take(c, "\"", 1))
		return false;
	from = c->p;
	while (c->p < c->end && record_name_char(*c->p))
		c->p++;
	*ret = (struct span){ from, (size_t)(c->p - from) };
	return ret->n > 0 && take(c, "\"", 1);
}

static bool take_detail(struct cursor *c)
{
	struct span last = { 0 };
	int64_t v;

	if (take(c, "null", 4))
		return true;
	if (!take(c, "{", 1))
		return false;
	for (unsigned i = 0; i < RECORD_DETAIL_MAX; i++) {
		struct span key;

		if (!take_name(c, &key) || (i && text_order(last, key) >= 0))
			return false;
		last = key;
		if (!take(c, ":", 1) || (c->p < c->end && *c->p == '"' ? !take_text(c) : !take_int(c, &v)))
			return false;
		if (take(c, "}", 1))
			return true;
		if (!take(c, ",", 1))
			return false;
	}
	return false;
}

static bool take_prev(struct cursor *c, struct record_view *v)
{
	const char *from = c->p + 1;

	if (!take(c, "\"" CHAIN_GENESIS "\"", sizeof(CHAIN_GENESIS) + 1) &&
	    !(take(c, "\"", 1) && take_sha256(c) && take(c, "\"", 1)))
		return false;
	v->prev = (struct span){ from, (size_t)(c->p - from) - 1 };
	return true;
}

static bool take_hash(struct cursor *c, const struct member *m, struct record_view *v)
{
	const char *from = c->p + 1;

	if (!take(c, "\"", 1) || !take_sha256(c) || !take(c, "\"", 1))
		return false;
	v->entry_hash = (struct span){ from, 64 };
	v->hash_cut = (struct span){ from - 1 - m->key_n, m->key_n + 66u + 1u };
	return c->p < c->end && *c->p == ',';
}

static bool take_value(struct cursor *c, const struct member *m, struct record_view *v)
{
	const char *from = c->p;
	int64_t n;

	switch ((enum member_kind)m->kind) {
	case MEMBER_TEXT:
		return (m->always && take(c, "null", 4)) || take_text(c);
	case MEMBER_INT:
		return (m->always && take(c, "null", 4)) || take_int(c, &n);
	case MEMBER_TRUE:
		return take(c, "true", 4);
	case MEMBER_NULL:
		return take(c, "null", 4);
	case MEMBER_TYPE:
		return take_word(c, type_text, RECORD_SESSION_START, RECORD_TYPE_COUNT);
	case MEMBER_DECISION:
		return take_word(c, decision_text, 0, RECORD_DECISION_COUNT);
	case MEMBER_DURABILITY:
		return take_word(c, durability_text, 0, RECORD_SYNCED + 1);
	case MEMBER_SESSION:
		if (!take_uuid(c))
			return false;
		v->session_id = (struct span){ from + 1, CHAIN_ID_SIZE - 1 };
		return true;
	case MEMBER_SEQUENCE:
		if (!take_int(c, &n) || n < 0)
			return false;
		v->sequence = (uint64_t)n;
		return true;
	case MEMBER_PREV:
		return take_prev(c, v);
	case MEMBER_HASH:
		return take_hash(c, m, v);
	case MEMBER_ENTRY_ID:
		return take_uuid(c);
	case MEMBER_TIME:
		return take_time(c);
	case MEMBER_IDS:
		return take_ids(c);
	case MEMBER_DETAIL:
		return take_detail(c);
	}
	return false;
}

/* Most members are absent, and told so by the first letters of their names. */
static bool take_key(struct cursor *c, const struct member *m)
{
	return (size_t)(c->end - c->p) >= MEMBER_KEY_MIN && memcmp(c->p + 1, m->key + 1, 4) == 0 &&
	       take(c, m->key, m->key_n);
}

/* All members of the object in table order; those that may be absent are skipped over. */
static bool take_members(struct cursor *c, struct record_view *v)
{
	bool more = take(c, "{", 1);

	for (unsigned i = 0; i < M_COUNT; i++) {
		const struct member *m = &record_members[i];
		const char *from;

		if (!more || !take_key(c, m)) {
			if (m->always)
				return false;
			continue;
		}
		from = c->p;
		if (!take_value(c, m, v))
			return false;
		v->m[i] = (struct span){ from, (size_t)(c->p - from) };
		more = take(c, ",", 1);
	}
	return !more && take(c, "}", 1) && c->p == c->end;
}

int record_view_parse(struct span line, struct record_view *ret, size_t *ret_at)
{
	struct record_view v = { .line = line };
	struct cursor c = { line.p, line.p ? line.p + line.n : NULL };

	if (!line.p || line.n == 0 || line.n > RECORD_MAX || !take_members(&c, &v)) {
		if (ret_at)
			*ret_at = line.p ? (size_t)(c.p - line.p) : 0;
		return -EBADMSG;
	}
	*ret = v;
	return 0;
}

struct span record_view_text(const struct record_view *v, enum record_member m)
{
	struct span s = v->m[m];

	if (!s.p || s.n < 2 || s.p[0] != '"')
		return SPAN("");
	return (struct span){ s.p + 1, s.n - 2 };
}

int64_t record_view_int(const struct record_view *v, enum record_member m)
{
	struct cursor c = { v->m[m].p, v->m[m].p ? v->m[m].p + v->m[m].n : NULL };
	int64_t n;

	return c.p && take_int(&c, &n) ? n : RECORD_NO_INT;
}

struct span record_member_name(enum record_member m)
{
	return (struct span){ record_members[m].key + 1, record_members[m].key_n - 3u };
}

int record_view_hash(const struct record_view *v, struct hasher *h)
{
	const char *after = v->hash_cut.p + v->hash_cut.n;
	const struct span pieces[] = {
		{ v->line.p, (size_t)(v->hash_cut.p - v->line.p) },
		{ after, (size_t)(v->line.p + v->line.n - after) },
	};
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	hasher_sha256(h, pieces, 2, digest);
	hex_encode(digest, sizeof(digest), hex);
	return memcmp(hex, v->entry_hash.p, v->entry_hash.n) == 0 ? 0 : -EBADMSG;
}

void record_unescape(struct span text, char *ret, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < text.n && at + 1 < size; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 1 < text.n) {
			c = text.p[++i];
		} else if (c == '%' && i + 2 < text.n && hex_upper(text.p[i + 1]) >= 0 &&
			   hex_upper(text.p[i + 2]) >= 0) {
			c = (char)(hex_upper(text.p[i + 1]) << 4 | hex_upper(text.p[i + 2]));
			i += 2;
		}
		ret[at++] = c;
	}
	if (size)
		ret[at] = '\0';
}
