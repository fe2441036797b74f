// SPDX-License-Identifier: Apache-2.0
/*
 * A block of the index while it grows. Runs in the query role, once for every record of the log: nothing
 * here allocates per record or knows of SQLite.
 */
#include "user/query/index_block.h"

#include <errno.h>
#include <string.h>

#include "user/base/clock.h"

void block_begin(struct index_block *b, const struct segment_at *at)
{
	b->first = at->leaf;
	b->segment = 0;
	(void)segment_name_parse(at->file, &b->segment);
	b->offset = at->offset;
	b->n = 0;
	b->low_us = UINT64_MAX;
	b->high_us = 0;
	b->values_n = b->sessions_n = b->links_n = 0;
	memset(b->value_slots, 0, sizeof(b->value_slots));
	memset(b->link_slots, 0, sizeof(b->link_slots));
	buf_clear(&b->text);
}

bool block_full(const struct index_block *b, const struct segment_at *at)
{
	return b->n == BLOCK_RECORDS || at->line == 1;
}

struct span block_text(const struct index_block *b, const struct block_value *v)
{
	return (struct span){ buf_span(&b->text).p + v->at, v->n };
}

static uint64_t mix(uint64_t h, uint64_t w)
{
	h = (h ^ w) * UINT64_C(0x9fb21c651e98df25);
	return h ^ h >> 32;
}

static uint32_t hash_text(enum index_kind kind, struct span s)
{
	uint64_t h = mix(0, (uint64_t)kind << 32 | s.n), w;

	for (; s.n >= sizeof(w); s.p += sizeof(w), s.n -= sizeof(w)) {
		memcpy(&w, s.p, sizeof(w));
		h = mix(h, w);
	}
	for (; s.n; s.p++, s.n--)
		h = mix(h, (unsigned char)*s.p);
	return (uint32_t)h;
}

static int new_value(struct index_block *b, enum index_kind kind, struct span s, uint32_t hash)
{
	struct block_value *v = &b->values[b->values_n];
	int r;

	*v = (struct block_value){ .kind = (uint8_t)kind, .hash = hash, .n = (uint32_t)s.n,
				   .at = (uint32_t)buf_len(&b->text), .session = BLOCK_NONE };
	r = buf_append(&b->text, s.p, s.n);
	return r < 0 ? r : (int)b->values_n++;
}

/* The number of the text's value; BLOCK_NONE for no text; -ENOMEM. Somebody who chooses names that fall
 * on one slot makes this a walk over a block's names, not over the log's. */
static int take_value(struct index_block *b, enum index_kind kind, struct span s)
{
	const uint32_t mask = sizeof(b->value_slots) / sizeof(b->value_slots[0]) - 1;
	uint32_t hash, at;
	struct block_value *v;
	int i;

	if (!s.n)
		return BLOCK_NONE;
	hash = hash_text(kind, s);
	for (at = hash & mask; b->value_slots[at]; at = (at + 1) & mask) {
		v = &b->values[b->value_slots[at] - 1];
		if (v->hash == hash && v->kind == kind && span_eq(block_text(b, v), s))
			break;
	}
	if (b->value_slots[at]) {
		i = b->value_slots[at] - 1;
	} else {
		i = new_value(b, kind, s, hash);
		if (i < 0)
			return i;
		b->value_slots[at] = (uint16_t)(i + 1);
	}
	v = &b->values[i];
	v->hits[b->n / 64] |= UINT64_C(1) << b->n % 64;
	v->records++;
	return i;
}

/* Microseconds since 1970 of a time as records have it. */
static uint64_t time_of(struct index_block *b, struct span s)
{
	uint64_t us = 0, ns;

	if (s.n != CLOCK_ISO_SIZE - 1)
		return 0;
	if (memcmp(b->second, s.p, 19) != 0) {
		char text[CLOCK_ISO_SIZE] = { 0 };

		memcpy(text, s.p, 19);
		memcpy(text + 19, "Z", 2);
		b->second_us = clock_parse_iso(text, &ns) == 0 ? ns / 1000 : 0;
		memcpy(b->second, s.p, 19);
	}
	for (int i = 20; i < 26; i++)
		us = us * 10 + (uint64_t)(s.p[i] - '0');
	return b->second_us ? b->second_us + us : 0;
}

static void put_line(struct index_block *b, size_t n, uint64_t us)
{
	uint8_t *p = b->lines + b->n * BLOCK_LINE_SIZE;

	p[0] = (uint8_t)n;
	p[1] = (uint8_t)(n >> 8);
	for (int i = 0; i < 8; i++)
		p[2 + i] = (uint8_t)(us >> (8 * i));
}

static int take_session(struct index_block *b, const int value[KIND_COUNT], uint64_t leaf, uint64_t us,
			const struct record_view *v, bool denied)
{
	struct block_value *of = &b->values[value[KIND_SESSION]];
	struct span mode = record_view_text(v, M_MODE), outer = record_view_text(v, M_OUTER_AGENT);
	struct block_session *s;

	if (of->session == BLOCK_NONE) {
		of->session = (uint16_t)b->sessions_n;
		b->sessions[b->sessions_n++] = (struct block_session){
			.value = (uint16_t)value[KIND_SESSION], .agent = BLOCK_NONE, .server = BLOCK_NONE,
		};
	}
	s = &b->sessions[of->session];
	if (s->records++ == 0) {
		s->first_leaf = leaf;
		s->first_us = us;
	}
	s->last_leaf = leaf;
	s->last_us = us;
	s->denied += denied;
	if (s->agent == BLOCK_NONE)
		s->agent = (uint16_t)value[KIND_AGENT];
	if (s->server == BLOCK_NONE)
		s->server = (uint16_t)value[KIND_SERVER];
	if (!s->mode[0] && mode.n && mode.n < sizeof(s->mode))
		memcpy(s->mode, mode.p, mode.n);
	s->ended = span_is(record_view_text(v, M_ENTRY_TYPE), "session_end");
	if (!outer.n || s->outer_n)
		return 0;
	s->outer_at = (uint32_t)buf_len(&b->text);
	s->outer_n = (uint32_t)outer.n;
	return buf_append(&b->text, outer.p, outer.n);
}

static void take_link(struct index_block *b, const int value[KIND_COUNT], uint64_t leaf, bool denied)
{
	const uint32_t mask = sizeof(b->link_slots) / sizeof(b->link_slots[0]) - 1;
	const uint16_t key[4] = { (uint16_t)value[KIND_SESSION], (uint16_t)value[KIND_AGENT],
				  (uint16_t)value[KIND_SERVER], (uint16_t)value[KIND_TOOL] };
	struct block_link *l;
	uint64_t packed;
	uint32_t at;

	memcpy(&packed, key, sizeof(packed));
	for (at = (uint32_t)mix(0, packed) & mask; b->link_slots[at]; at = (at + 1) & mask)
		if (memcmp(b->links[b->link_slots[at] - 1].value, key, sizeof(key)) == 0)
			break;
	if (!b->link_slots[at]) {
		l = &b->links[b->links_n++];
		*l = (struct block_link){ .records = 0 };
		memcpy(l->value, key, sizeof(key));
		b->link_slots[at] = (uint16_t)b->links_n;
	}
	l = &b->links[b->link_slots[at] - 1];
	if (l->records++ == 0)
		l->first_leaf = leaf;
	l->last_leaf = leaf;
	l->denied += denied;
}

int block_add(struct index_block *b, struct span line, uint64_t leaf, const struct record_view *v)
{
	static const enum record_member members[KIND_COUNT] = {
		[KIND_SESSION] = M_SESSION_ID, [KIND_AGENT] = M_AGENT, [KIND_SERVER] = M_SERVER_IDENTITY,
		[KIND_TOOL] = M_TOOL_NAME, [KIND_DECISION] = M_POLICY_DECISION, [KIND_TYPE] = M_ENTRY_TYPE,
	};
	int value[KIND_COUNT], r;
	uint64_t us = 0;
	bool denied;

	if (v) {
		for (int k = 0; k < KIND_COUNT; k++) {
			value[k] = take_value(b, (enum index_kind)k, record_view_text(v, members[k]));
			if (value[k] < 0)
				return value[k];
		}
		us = time_of(b, record_view_text(v, M_TIMESTAMP));
		b->low_us = us < b->low_us ? us : b->low_us;
		b->high_us = us > b->high_us ? us : b->high_us;
		denied = span_is(record_view_text(v, M_POLICY_DECISION), "deny");
		r = take_session(b, value, leaf, us, v, denied);
		if (r < 0)
			return r;
		if (value[KIND_TOOL] != BLOCK_NONE || value[KIND_SERVER] != BLOCK_NONE)
			take_link(b, value, leaf, denied);
	}
	put_line(b, line.n, us);
	b->n++;
	return 0;
}
