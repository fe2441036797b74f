// SPDX-License-Identifier: Apache-2.0
/*
 * A decision as one canonical line. Runs in every role that records. The members are in one table
 * (members.c) and the text is written through a plain cursor into memory reserved once, because this is
 * on the way of every call; user/base/json_out serves everything that is not.
 */
#include "user/notary/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/hasher.h"
#include "user/notary/chain.h"
#include "user/notary/members.h"

#define HASH_KEY (sizeof("\"entry_hash\":") - 1)
#define HASH_VALUE (2 + SHA256_HEX_SIZE - 1)
#define HASH_MEMBER (HASH_KEY + HASH_VALUE + 1) /* with the comma behind it: what the hash does not cover */

struct record_writer {
	struct hasher *hasher;
	char *p, *end; /* cursor in text; p stops at end, which record_write() finds as too long */
	bool invalid;
	uint64_t iso_s; /* the second that iso was made for */
	char iso[CLOCK_ISO_SIZE];
	char text[RECORD_MAX + 1 + MEMBER_KEY_SIZE]; /* a key is copied in its whole size, see put_key() */
};

DEFINE_CLEANUP(struct record_writer *, record_writer_free)

void record_init(struct record *r, enum record_type type, enum record_decision decision)
{
	*r = (struct record){
		.type = type,
		.decision = decision,
		.latency_us = RECORD_NO_INT,
		.agent_pid = RECORD_NO_INT,
		.agent_uid = RECORD_NO_INT,
		.server_pid = RECORD_NO_INT,
		.message_bytes = RECORD_NO_INT,
		.error_code = RECORD_NO_INT,
		.http_status = RECORD_NO_INT,
		.policy_errors = RECORD_NO_INT,
		.policy_epoch = RECORD_NO_INT,
		.catalog_epoch = RECORD_NO_INT,
		.duration_us = RECORD_NO_INT,
	};
}

int record_writer_new(struct record_writer **ret)
{
	_cleanup_(record_writer_free_p) struct record_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	r = hasher_new(&w->hasher);
	if (r < 0)
		return r;
	*ret = take_ptr(w);
	return 0;
}

void record_writer_free(struct record_writer *w)
{
	if (!w)
		return;
	hasher_free(w->hasher);
	free(w);
}

/* False, and the record too long, when n bytes have no room. */
static inline bool room(struct record_writer *w, size_t n)
{
	if (n <= (size_t)(w->end - w->p))
		return true;
	w->p = w->end;
	return false;
}

static inline void put(struct record_writer *w, const char *p, size_t n)
{
	if (!room(w, n))
		return;
	memcpy(w->p, p, n);
	w->p += n;
}

static inline void put_char(struct record_writer *w, char c)
{
	if (room(w, 1))
		*w->p++ = c;
}

/* Copied in a fixed size: some forty short copies of varying size would cost more than all else in here. */
static void put_key(struct record_writer *w, const struct member *m)
{
	if (!room(w, m->key_n + 1u))
		return;
	*w->p = ',';
	memcpy(w->p + 1, m->key, MEMBER_KEY_SIZE);
	w->p += m->key_n + 1;
}

static void put_int(struct record_writer *w, int64_t v)
{
	char d[24];
	size_t at = sizeof(d);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	if (v > RECORD_INT_MAX || v < -RECORD_INT_MAX) {
		w->invalid = true;
		return;
	}
	do {
		d[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		d[--at] = '-';
	put(w, d + at, sizeof(d) - at);
}

/* Percent-escape of what the two canonical forms write differently, and of the percent sign itself so
 * that two different names never give one text. */
static void put_escaped(struct record_writer *w, struct span s)
{
	static const char digits[] = "0123456789ABCDEF";

	while (s.n && room(w, s.n)) {
		size_t n = record_plain_copy(w->p, s.p, s.n);
		unsigned char c;

		w->p += n;
		if (n == s.n)
			return;
		c = (unsigned char)s.p[n];
		if (c == '"' || c == '\\')
			put(w, (char[]){ '\\', (char)c }, 2);
		else
			put(w, (char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
		s = (struct span){ s.p + n + 1, s.n - n - 1 };
	}
}

static void put_text(struct record_writer *w, struct span s)
{
	put_char(w, '"');
	if (s.n > RECORD_STRING_MAX) {
		uint8_t digest[SHA256_SIZE];
		char hex[SHA256_PREFIXED_SIZE];

		hasher_sha256(w->hasher, &s, 1, digest);
		sha256_prefixed(digest, hex);
		put_escaped(w, (struct span){ s.p, RECORD_STRING_KEEP });
		put_char(w, '%');
		put(w, hex, strlen(hex));
	} else {
		put_escaped(w, s);
	}
	put_char(w, '"');
}

static void put_word(struct record_writer *w, const char *s)
{
	put_char(w, '"');
	put(w, s, strlen(s));
	put_char(w, '"');
}

static void put_ids(struct record_writer *w, const struct record *rec)
{
	unsigned n = rec->policy_ids_n > RECORD_IDS_MAX ? RECORD_IDS_MAX - 1 : rec->policy_ids_n;

	put_char(w, '[');
	for (unsigned i = 0; i < n; i++) {
		if (i)
			put_char(w, ',');
		put_text(w, rec->policy_ids[i]);
	}
	if (n < rec->policy_ids_n) {
		put(w, ",\"+", 3);
		put_int(w, rec->policy_ids_n - n);
		put_char(w, '"');
	}
	put_char(w, ']');
}

static void put_detail(struct record_writer *w, const struct record *rec)
{
	uint8_t order[RECORD_DETAIL_MAX];
	unsigned n = rec->detail_n;

	if (n == 0) {
		put(w, "null", 4);
		return;
	}
	if (n > RECORD_DETAIL_MAX) {
		w->invalid = true;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned j = i;

		for (; j > 0 && strcmp(rec->detail[order[j - 1]].key, rec->detail[i].key) > 0; j--)
			order[j] = order[j - 1];
		order[j] = (uint8_t)i;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct record_kv *kv = &rec->detail[order[i]];

		if (i && strcmp(rec->detail[order[i - 1]].key, kv->key) == 0)
			w->invalid = true;
		for (const char *k = kv->key; *k; k++)
			w->invalid |= !record_name_char(*k);
		put_char(w, i ? ',' : '{');
		put_word(w, kv->key);
		put_char(w, ':');
		if (kv->s.p)
			put_text(w, kv->s);
		else
			put_int(w, kv->i);
	}
	put_char(w, '}');
}

/* The session's UUID, cut to 60 of its random bits, and the sequence, as an RFC 9562 version 8 UUID:
 * unique where the session is, and no randomness is drawn per record. */
static void put_entry_id(struct record_writer *w, const struct chain *c)
{
	static const char digits[] = "0123456789abcdef";
	char id[38] = "\"xxxxxxxx-xxxx-8xxx-8sss-ssssssssssss\"";
	uint64_t n = c->sequence;

	memcpy(id + 1, c->session_id, 14);
	memcpy(id + 16, c->session_id + 15, 4);
	for (int i = 36; i > 20; i--) {
		if (id[i] != 's')
			continue;
		id[i] = digits[n & 15];
		n >>= 4;
	}
	put(w, id, sizeof(id));
}

static void put_time(struct record_writer *w, uint64_t ns)
{
	uint64_t s = ns / 1000000000u;
	uint32_t us = (uint32_t)(ns % 1000000000u / 1000);

	if (s != w->iso_s || !w->iso[0]) {
		clock_iso(ns, w->iso);
		w->iso_s = s;
	}
	for (int i = 25; i > 19; i--) { /* the six digits of the microseconds */
		w->iso[i] = (char)('0' + us % 10);
		us /= 10;
	}
	put_word(w, w->iso);
}

/* False when the member is absent and left out. */
static inline bool member_wanted(const struct member *m, const struct record *rec)
{
	const char *at = (const char *)rec + m->offset;

	if (m->always)
		return true;
	switch ((enum member_kind)m->kind) {
	case MEMBER_TEXT:
		return ((const struct span *)at)->p != NULL;
	case MEMBER_INT:
		return *(const int64_t *)at != RECORD_NO_INT;
	case MEMBER_TRUE:
		return *(const bool *)at;
	case MEMBER_IDS:
		return rec->policy_ids_n > 0;
	default:
		return true;
	}
}

static void put_member_text(struct record_writer *w, const struct member *m, const struct record *rec)
{
	struct span s = *(const struct span *)((const char *)rec + m->offset);

	if (s.p)
		put_text(w, s);
	else if (m->fallback)
		put_word(w, m->fallback);
	else
		put(w, "null", 4);
}

static void put_member_int(struct record_writer *w, const struct member *m, const struct record *rec)
{
	int64_t v = *(const int64_t *)((const char *)rec + m->offset);

	if (v != RECORD_NO_INT)
		put_int(w, v);
	else
		put(w, "null", 4);
}

static void put_value(struct record_writer *w, const struct member *m, const struct record *rec,
		      const struct chain *c, uint64_t ns)
{
	switch ((enum member_kind)m->kind) {
	case MEMBER_TEXT:
		put_member_text(w, m, rec);
		break;
	case MEMBER_INT:
		put_member_int(w, m, rec);
		break;
	case MEMBER_TRUE:
		put(w, "true", 4);
		break;
	case MEMBER_TYPE:
		put_word(w, record_type_text(rec->type));
		break;
	case MEMBER_DECISION:
		put_word(w, record_decision_text(rec->decision));
		break;
	case MEMBER_DURABILITY:
		put_word(w, record_durability_text(rec->durability));
		break;
	case MEMBER_SESSION:
		put_word(w, c->session_id);
		break;
	case MEMBER_SEQUENCE:
		put_int(w, c->sequence > (uint64_t)RECORD_INT_MAX ? INT64_MAX : (int64_t)c->sequence);
		break;
	case MEMBER_PREV:
		put_word(w, c->prev);
		break;
	case MEMBER_ENTRY_ID:
		put_entry_id(w, c);
		break;
	case MEMBER_TIME:
		put_time(w, ns);
		break;
	case MEMBER_IDS:
		put_ids(w, rec);
		break;
	case MEMBER_DETAIL:
		put_detail(w, rec);
		break;
	default:
		put(w, "null", 4);
	}
}

/* Leaves a gap for the value of entry_hash, which is of everything else. Where the member begins. */
static char *skip_hash(struct record_writer *w)
{
	char *at = w->p - HASH_KEY;

	if (room(w, HASH_VALUE))
		w->p += HASH_VALUE;
	return at;
}

static void fill_hash(struct record_writer *w, char *at, char hex[SHA256_HEX_SIZE])
{
	const struct span around[] = { { w->text, (size_t)(at - w->text) },
				       { at + HASH_MEMBER, (size_t)(w->p - at) - HASH_MEMBER } };
	uint8_t digest[SHA256_SIZE];

	hasher_sha256(w->hasher, around, 2, digest);
	hex_encode(digest, sizeof(digest), hex);
	at += HASH_KEY;
	*at++ = '"';
	memcpy(at, hex, SHA256_HEX_SIZE - 1);
	at[SHA256_HEX_SIZE - 1] = '"';
}

int record_write(struct record_writer *w, const struct record *rec, const struct chain *c,
		 uint64_t real_ns, struct record_line *ret)
{
	char *hash_at = NULL;

	if (rec->type <= RECORD_TYPE_NONE || rec->type >= RECORD_TYPE_COUNT)
		return -EINVAL;
	if (real_ns < c->last_ns)
		real_ns = c->last_ns;
	w->p = w->text;
	w->end = w->text + RECORD_MAX;
	w->invalid = false;
	for (unsigned i = 0; i < M_COUNT; i++) {
		const struct member *m = &record_members[i];

		if (!member_wanted(m, rec))
			continue;
		put_key(w, m);
		if (m->kind == MEMBER_HASH)
			hash_at = skip_hash(w);
		else
			put_value(w, m, rec, c, real_ns);
	}
	put_char(w, '}');
	w->text[0] = '{'; /* in place of the first member's comma */
	if (w->invalid)
		return -EINVAL;
	if (w->p == w->end)
		return -EMSGSIZE;
	fill_hash(w, hash_at, ret->entry_hash);
	ret->text = (struct span){ w->text, (size_t)(w->p - w->text) };
	ret->real_ns = real_ns;
	return 0;
}

int record_text(struct record_writer *w, struct span s, struct span *ret)
{
	w->p = w->text;
	w->end = w->text + RECORD_MAX;
	put_text(w, s);
	if (w->p == w->end)
		return -EMSGSIZE;
	*ret = (struct span){ w->text + 1, (size_t)(w->p - w->text) - 2 };
	return 0;
}

unsigned record_facts_detail(const struct record_facts *f, struct record_kv kv[RECORD_DETAIL_MAX])
{
	const struct record_kv all[] = {
		{ "attestation_platform", f->attestation_platform, 0 },
		{ "binding_digest", f->binding_digest, 0 },
		{ "boot_id", f->boot_id, 0 },
		{ "catalog_hash", f->catalog_hash, 0 },
		{ "config_hash", f->config_hash, 0 },
		{ "identity", SPAN("self-asserted"), 0 },
		{ "kernel_program_hash", f->kernel_program_hash, 0 },
		{ "mode", f->mode, 0 },
		{ "node", f->node, 0 },
		{ "payload_commitment", SPAN("sha256-salted-v1"), 0 },
		{ "policy_hash", f->policy_hash, 0 },
		{ "program_hash", f->program_hash, 0 },
		{ "salt_epoch", f->salt_epoch, 0 },
		{ "version", f->version, 0 },
	};
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].s.p)
			kv[n++] = all[i];
	return n;
}
