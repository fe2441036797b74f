// SPDX-License-Identifier: Apache-2.0
/* Values of a request as text, for whoever asks why a policy did not hold. */
#include "policy/explain_value.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "policy/escape.h"

static int put(struct buf *out, const struct cedar_request *rq, struct cval v, size_t end);

static int put_quoted(struct buf *out, struct span s)
{
	int r = buf_append(out, "\"", 1);

	if (r == 0)
		r = escape_string(out, s);
	return r < 0 ? r : buf_append(out, "\"", 1);
}

static int put_entity(struct buf *out, const struct cedar_request *rq, struct cval v)
{
	struct cedar_uid uid = request_uid(rq, v);
	int r = buf_append(out, uid.type.p, uid.type.n);

	if (r == 0)
		r = buf_append(out, "::", 2);
	return r < 0 ? r : put_quoted(out, uid.id);
}

static int put_set(struct buf *out, const struct cedar_request *rq, const struct cset *s, size_t end)
{
	int r = buf_append(out, "[", 1);

	for (uint32_t i = 0; r == 0 && i < s->n && buf_len(out) <= end; i++) {
		if (i > 0)
			r = buf_append(out, ", ", 2);
		if (r == 0)
			r = put(out, rq, s->v[i], end);
	}
	return r < 0 ? r : buf_append(out, "]", 1);
}

static int put_record(struct buf *out, const struct cedar_request *rq, const struct crecord *rec, size_t end)
{
	int r = buf_append(out, "{", 1);

	for (uint32_t i = 0; r == 0 && i < rec->n && buf_len(out) <= end; i++) {
		if (i > 0)
			r = buf_append(out, ", ", 2);
		if (r == 0)
			r = put_quoted(out, (struct span){ rec->m[i].name, rec->m[i].n });
		if (r == 0)
			r = buf_append(out, ": ", 2);
		if (r == 0)
			r = put(out, rq, rec->m[i].v, end);
	}
	return r < 0 ? r : buf_append(out, "}", 1);
}

static int put_ip(struct buf *out, const struct cip *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->addr, text, sizeof(text)))
		return 0;
	return buf_printf(out, "ip(\"%s/%u\")", text, ip->prefix);
}

static int put_decimal(struct buf *out, int64_t v)
{
	uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	return buf_printf(out, "decimal(\"%s%" PRIu64 ".%04u\")", v < 0 ? "-" : "", size / 10000,
			  (unsigned)(size % 10000));
}

/* Values nest no deeper than CEDAR_VALUE_DEPTH_MAX. */
static int put(struct buf *out, const struct cedar_request *rq, struct cval v, size_t end)
{
	switch ((enum cval_tag)v.tag) {
	case V_BOOL:
		return buf_append_str(out, v.i ? "true" : "false");
	case V_LONG:
		return buf_printf(out, "%" PRId64, v.i);
	case V_STRING:
		return put_quoted(out, cval_span(v));
	case V_ENTITY:
		return put_entity(out, rq, v);
	case V_SET:
		return put_set(out, rq, v.set, end);
	case V_RECORD:
		return put_record(out, rq, v.record, end);
	case V_DECIMAL:
		return put_decimal(out, v.i);
	case V_IP:
		return put_ip(out, v.ip);
	case V_DATETIME:
		return buf_printf(out, "datetime(\"1970-01-01\").offset(duration(\"%" PRId64 "ms\"))", v.i);
	case V_DURATION:
		return buf_printf(out, "duration(\"%" PRId64 "ms\")", v.i);
	case V_NONE:
	case V_UNKNOWN:
		break;
	}
	return buf_append_str(out, "not known yet");
}

int explain_value(struct buf *out, const struct cedar_request *rq, struct cval v, size_t max)
{
	size_t from = buf_len(out), end = from + max;
	int r = put(out, rq, v, end);

	if (r < 0 || buf_len(out) <= end)
		return r;
	while (end > from && ((unsigned char)out->data[out->start + end] & 0xc0) == 0x80)
		end--;
	out->end = out->start + end;
	return buf_append(out, "...", 3);
}
