// SPDX-License-Identifier: Apache-2.0
/*
 * Reads DNS questions of agents and answers of name servers, and writes replies. Runs in the proxy; total on any
 * bytes. Names are followed backwards only, so no message leads in a circle.
 */
#include "user/net/dns.h"

#include <errno.h>
#include <string.h>

enum {
	HEADER = 12,
	FLAG_REPLY = 0x8000,
	FLAG_CUT = 0x0200,
	FLAG_DESIRED = 0x0100,
	FLAG_AVAILABLE = 0x0080,
	OPCODE = 0x7800,
	RCODE = 0x000f,
	CLASS_IN = 1,
	POINTER = 0xc0,
	WIRE_NAME_MAX = 255, /* RFC 1035 2.3.4 */
	RECORDS_MAX = 128, /* of an answer that are looked at */
	ALIASES_MAX = 8,
};

/* A message, and where it is read; once something did not fit, everything after fails too. */
struct reader {
	const uint8_t *p;
	size_t n, at;
	bool bad;
};

/* A name as lengths and lower-case labels, with its end. */
struct wire_name {
	uint8_t b[WIRE_NAME_MAX];
	size_t n;
};

struct rr {
	struct wire_name owner;
	unsigned type, class;
	uint32_t ttl;
	size_t at, n; /* of its data */
};

static unsigned u8(struct reader *r)
{
	if (r->bad || r->at >= r->n) {
		r->bad = true;
		return 0;
	}
	return r->p[r->at++];
}

static unsigned u16(struct reader *r)
{
	unsigned high = u8(r);

	return high << 8 | u8(r);
}

static uint32_t u32(struct reader *r)
{
	uint32_t high = u16(r);

	return high << 16 | u16(r);
}

static void skip(struct reader *r, size_t n)
{
	if (r->bad || n > r->n - r->at)
		r->bad = true;
	else
		r->at += n;
}

static uint8_t lower(uint8_t ch)
{
	return ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch;
}

/* Every pointer must lead to before where its name began, so reading ends. */
static void name_at(struct reader *r, struct wire_name *ret)
{
	size_t at = r->at, begin = r->at, end = 0;

	ret->n = 0;
	while (!r->bad && at < r->n) {
		uint8_t len = r->p[at++];

		if (len >= POINTER) {
			size_t to = at < r->n ? (size_t)(len & 0x3f) << 8 | r->p[at] : r->n;

			if (!end)
				end = at + 1;
			if (to >= begin)
				break;
			at = begin = to;
			continue;
		}
		if (len > NAME_LABEL_MAX || len > r->n - at || ret->n + 1u + len > WIRE_NAME_MAX)
			break;
		ret->b[ret->n++] = len;
		if (len == 0) {
			r->at = end ? end : at;
			return;
		}
		for (; len; len--)
			ret->b[ret->n++] = lower(r->p[at++]);
	}
	r->bad = true;
}

static bool name_eq(const struct wire_name *a, const struct wire_name *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

static int name_of_text(const char *text, struct wire_name *ret)
{
	size_t n = strlen(text), label = 0;

	if (n == 0 || n >= NAME_SIZE)
		return -EINVAL;
	ret->b[0] = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			ret->b[label] = (uint8_t)(i - label);
			label = i + 1;
		} else {
			ret->b[i + 1] = lower((uint8_t)text[i]);
		}
	}
	ret->b[label] = (uint8_t)(n - label);
	ret->b[n + 1] = 0;
	ret->n = n + 2;
	return 0;
}

/* --- questions ------------------------------------------------------------------------------------ */

static void text_of_name(const struct wire_name *w, struct dns_question *q)
{
	char text[WIRE_NAME_MAX];
	bool dotted = false; /* a dot inside a label would read as two labels */
	size_t n = 0;

	for (size_t at = 0; w->b[at]; at += 1u + w->b[at]) {
		dotted |= memchr(w->b + at + 1, '.', w->b[at]) != NULL;
		if (n)
			text[n++] = '.';
		memcpy(text + n, w->b + at + 1, w->b[at]);
		n += w->b[at];
	}
	if (dotted || name_read((struct span){ text, n }, q->name) < 0)
		q->name[0] = '\0';
	if (n >= NAME_SIZE)
		n = NAME_SIZE - 1;
	for (size_t i = 0; i < n; i++)
		q->shown[i] = text[i] > ' ' && text[i] < 0x7f ? text[i] : '?';
	q->shown[n] = '\0';
}

/* What follows the question: nothing, or one OPT record, which says how large an answer may be. */
static void additional(struct reader *r, unsigned count, struct dns_question *q)
{
	q->room = DNS_UDP_MIN;
	if (count == 0)
		return;
	if (count > 1 || u8(r) != 0 || u16(r) != DNS_OPT) {
		r->bad = true;
		return;
	}
	q->edns = true;
	q->room = u16(r);
	if (q->room < DNS_UDP_MIN)
		q->room = DNS_UDP_MIN;
	if (q->room > DNS_UDP_MAX)
		q->room = DNS_UDP_MAX;
	(void)u32(r);
	skip(r, u16(r));
}

int dns_question_read(struct span msg, struct dns_question *ret)
{
	struct reader r = { (const uint8_t *)msg.p, msg.n, 0, msg.n > DNS_MESSAGE_MAX };
	struct wire_name name;
	unsigned flags, counts[4];

	*ret = (struct dns_question){ .id = (uint16_t)u16(&r), .room = DNS_UDP_MIN };
	flags = u16(&r);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = u16(&r);
	if (r.bad || (flags & FLAG_REPLY))
		return -EBADMSG;
	ret->recursion = flags & FLAG_DESIRED;
	if ((flags & OPCODE) || counts[0] != 1 || counts[1] || counts[2])
		return -EPROTO;
	name_at(&r, &name);
	ret->type = (uint16_t)u16(&r);
	ret->class = (uint16_t)u16(&r);
	if (r.bad)
		return -EPROTO;
	ret->wire = (struct span){ msg.p + HEADER, r.at - HEADER };
	additional(&r, counts[3], ret);
	if (r.bad || r.at != r.n) {
		ret->wire = SPAN("");
		return -EPROTO;
	}
	text_of_name(&name, ret);
	return 0;
}

/* --- answers -------------------------------------------------------------------------------------- */

static bool record_at(struct reader *r, struct rr *ret)
{
	name_at(r, &ret->owner);
	ret->type = u16(r);
	ret->class = u16(r);
	ret->ttl = u32(r);
	ret->n = u16(r);
	ret->at = r->at;
	skip(r, ret->n);
	if (ret->ttl > INT32_MAX)
		ret->ttl = 0; /* RFC 2181 8 */
	return !r->bad;
}

static void holds_for(struct dns_answer *a, uint32_t ttl)
{
	if (ttl < a->ttl)
		a->ttl = ttl;
}

/*
 * A service binding: its priority, ".", and of its parameters those for protocols (1), without a default one (2),
 * and port (3). What lays down more than these (0) cannot be kept, nor what leads to another name.
 */
static void add_service(const struct reader *msg, const struct rr *rr, struct dns_answer *a)
{
	struct reader r = { msg->p, rr->at + rr->n, rr->at, false };
	unsigned priority = u16(&r), last = 0;
	uint8_t *out = a->service[a->services].data;
	size_t n = 3;

	if (u8(&r) != 0 || priority == 0 || r.bad)
		return;
	out[0] = (uint8_t)(priority >> 8);
	out[1] = (uint8_t)priority;
	out[2] = 0;
	while (r.at < r.n) {
		unsigned key = u16(&r), len = u16(&r);
		size_t at = r.at;

		skip(&r, len);
		if (r.bad || key == 0 || (last && key <= last))
			return;
		last = key;
		if (key > 3)
			continue;
		if (n + 4 + len > DNS_SERVICE_MAX)
			return;
		out[n++] = 0;
		out[n++] = (uint8_t)key;
		out[n++] = (uint8_t)(len >> 8);
		out[n++] = (uint8_t)len;
		memcpy(out + n, r.p + at, len);
		n += len;
	}
	a->service[a->services++].len = (uint8_t)n;
}

static int add_data(const struct reader *msg, const struct rr *rr, unsigned type, struct dns_answer *a)
{
	size_t size = type == DNS_A ? 4 : 16;

	holds_for(a, rr->ttl);
	if (type == DNS_HTTPS) {
		if (a->services < DNS_SERVICES_MAX)
			add_service(msg, rr, a);
		return 0;
	}
	if (rr->n != size)
		return -EBADMSG;
	if (a->n < DNS_ADDRESSES_MAX)
		memcpy(a->address[a->n++], msg->p + rr->at, size);
	return 0;
}

/* One pass over the answers for a name: its data, or the name that it is an alias of (1). */
static int pass(const struct reader *begin, unsigned count, struct wire_name *name, unsigned type,
		struct dns_answer *a)
{
	struct reader r = *begin;
	struct wire_name alias = { .n = 0 };
	struct rr rr;

	for (unsigned i = 0; i < count; i++) {
		if (!record_at(&r, &rr))
			return -EBADMSG;
		if (rr.class != CLASS_IN || !name_eq(&rr.owner, name))
			continue;
		if (rr.type == type && add_data(&r, &rr, type, a) < 0)
			return -EBADMSG;
		if (rr.type == DNS_CNAME && !alias.n) {
			struct reader target = { r.p, rr.at + rr.n, rr.at, false };

			name_at(&target, &alias);
			if (target.bad || target.at != target.n)
				return -EBADMSG;
			holds_for(a, rr.ttl);
		}
	}
	if (a->n || a->services || !alias.n)
		return 0;
	*name = alias;
	return 1;
}

/* How long it holds that there is nothing: RFC 2308 5. */
static void negative(struct reader r, unsigned answers, unsigned authorities, struct dns_answer *a)
{
	struct rr rr;
	uint32_t ttl = 0;

	for (unsigned i = 0; i < answers; i++)
		if (!record_at(&r, &rr))
			return;
	for (unsigned i = 0; i < authorities && record_at(&r, &rr); i++)
		if (rr.type == DNS_SOA && rr.n >= 20) {
			struct reader least = { r.p, rr.at + rr.n, rr.at + rr.n - 4, false };

			ttl = u32(&least);
			if (rr.ttl < ttl)
				ttl = rr.ttl;
			break;
		}
	holds_for(a, ttl);
}

int dns_answer_read(struct span msg, const char *name, unsigned type, struct dns_answer *ret)
{
	struct reader r = { (const uint8_t *)msg.p, msg.n, 0, false };
	struct dns_answer a = { .ttl = INT32_MAX };
	struct wire_name asked, found;
	unsigned flags, counts[4];
	int more = 1;

	if (name_of_text(name, &asked) < 0)
		return -EBADMSG;
	(void)u16(&r);
	flags = u16(&r);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = u16(&r);
	if (r.bad || !(flags & FLAG_REPLY) || (flags & OPCODE) || counts[0] != 1 ||
	    counts[1] + counts[2] > RECORDS_MAX)
		return -EBADMSG;
	name_at(&r, &found);
	if (u16(&r) != type || u16(&r) != CLASS_IN || r.bad || !name_eq(&found, &asked))
		return -EBADMSG;
	a.rcode = flags & RCODE;
	for (unsigned i = 0; more == 1 && i < ALIASES_MAX; i++)
		more = pass(&r, counts[1], &found, type, &a);
	if (more)
		return -EBADMSG;
	if (a.rcode != DNS_OK && a.rcode != DNS_NO_SUCH_NAME) {
		a.n = a.services = 0;
		a.ttl = 0;
	} else if (a.rcode == DNS_NO_SUCH_NAME || (!a.n && !a.services)) {
		a.n = a.services = 0;
		negative(r, counts[1], counts[2], &a);
	}
	*ret = a;
	return 0;
}

/* --- replies -------------------------------------------------------------------------------------- */

struct writer {
	uint8_t *p;
	size_t n, room;
	bool full;
};

static void put(struct writer *w, const void *p, size_t n)
{
	if (w->full || n > w->room - w->n) {
		w->full = true;
		return;
	}
	if (n)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

static void put16(struct writer *w, unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(w, b, sizeof(b));
}

static void put_record(struct writer *w, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	put16(w, POINTER << 8 | HEADER); /* the question's name */
	put16(w, type);
	put16(w, CLASS_IN);
	put16(w, ttl >> 16);
	put16(w, ttl & 0xffff);
	put16(w, (unsigned)n);
	put(w, data, n);
}

static void put_answers(struct writer *w, const struct dns_question *q, const struct dns_answer *a)
{
	for (unsigned i = 0; i < a->n; i++)
		put_record(w, q->type, a->ttl, a->address[i], q->type == DNS_A ? 4 : 16);
	for (unsigned i = 0; i < a->services; i++)
		put_record(w, q->type, a->ttl, a->service[i].data, a->service[i].len);
}

size_t dns_reply_write(const struct dns_question *q, enum dns_rcode rcode, const struct dns_answer *a, size_t room,
		       uint8_t ret[DNS_MESSAGE_MAX])
{
	static const uint8_t opt[] = { 0, 0, DNS_OPT, DNS_UDP_MAX >> 8, DNS_UDP_MAX & 0xff, 0, 0, 0, 0, 0, 0 };
	struct writer w = { ret, 0, room < DNS_MESSAGE_MAX ? room : DNS_MESSAGE_MAX, false };
	unsigned flags = FLAG_REPLY | FLAG_AVAILABLE | (q->recursion ? FLAG_DESIRED : 0) | (unsigned)rcode;
	unsigned answers = a ? a->n + a->services : 0;
	size_t before;

	put16(&w, q->id);
	put16(&w, flags);
	put16(&w, q->wire.n ? 1 : 0);
	put16(&w, answers);
	put16(&w, 0);
	put16(&w, q->edns ? 1 : 0);
	put(&w, q->wire.p, q->wire.n);
	before = w.n;
	w.room -= q->edns ? sizeof(opt) : 0;
	if (a)
		put_answers(&w, q, a);
	if (w.full) {
		w.n = before;
		w.full = false;
		ret[2] |= FLAG_CUT >> 8;
		ret[6] = ret[7] = 0;
	}
	w.room += q->edns ? sizeof(opt) : 0;
	if (q->edns)
		put(&w, opt, sizeof(opt));
	return w.n;
}
