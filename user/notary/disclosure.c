// SPDX-License-Identifier: Apache-2.0
/*
 * Documents that open payloads of a record. Runs in tollgate(1), on both sides of a disclosure.
 */
#include "user/notary/disclosure.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/json_out.h"
#include "user/notary/view.h"

static const struct {
	const char *name;
	enum salt_member salted;
	enum record_member member;
} fields[DISCLOSURE_FIELDS] = {
	{ "request", SALT_REQUEST, M_REQUEST_PAYLOAD_HASH },
	{ "response", SALT_RESPONSE, M_RESPONSE_PAYLOAD_HASH },
	{ "request_id", SALT_REQUEST_ID, M_REQUEST_ID_HASH },
};

const char *disclosure_name(unsigned field)
{
	return field < DISCLOSURE_FIELDS ? fields[field].name : NULL;
}

enum salt_member disclosure_member(unsigned field)
{
	return fields[field].salted;
}

int disclosure_field(struct span name)
{
	for (int i = 0; i < DISCLOSURE_FIELDS; i++)
		if (span_is(name, fields[i].name))
			return i;
	return -EINVAL;
}

void disclosure_done(struct disclosure *d)
{
	for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
		buf_done(&d->fields[i].payload);
	proof_done(&d->proof);
	buf_done(&d->receipt);
	*d = (struct disclosure){ 0 };
}

static int parse_payload(const json_t *text, struct disclosed *f)
{
	size_t n = json_string_length(text);
	char *p;
	int r;

	if (!json_is_string(text) || n / 4 * 3 > DISCLOSURE_PAYLOAD_MAX)
		return -EBADMSG;
	r = buf_reserve(&f->payload, n / 4 * 3 + 1, &p);
	if (r < 0)
		return r;
	if (base64_decode((struct span){ json_string_value(text), n }, p, n / 4 * 3, &n) < 0)
		return -EBADMSG;
	buf_commit(&f->payload, n);
	f->has_payload = true;
	return 0;
}

static int parse_field(const json_t *v, struct disclosed *f)
{
	const json_t *salt = json_object_get(v, "salt"), *payload = json_object_get(v, "payload");

	if (json_object_size(v) != 1u + !!payload || !json_is_string(salt) ||
	    hex_decode(json_string_value(salt), json_string_length(salt), f->salt, sizeof(f->salt)) < 0)
		return -EBADMSG;
	f->given = true;
	return payload ? parse_payload(payload, f) : 0;
}

static int parse(const json_t *v, struct disclosure *d)
{
	const json_t *disclosed = json_object_get(v, "disclosed"), *receipt = json_object_get(v, "receipt");
	const char *name;
	json_t *one;
	int r;

	if (json_object_size(v) != 2 || !json_object_size(disclosed) || !json_is_string(receipt))
		return -EBADMSG;
	json_object_foreach ((json_t *)(uintptr_t)disclosed, name, one) {
		int field = disclosure_field(span_of(name));

		r = field < 0 ? -EBADMSG : parse_field(one, &d->fields[field]);
		if (r < 0)
			return r;
	}
	r = buf_append(&d->receipt, json_string_value(receipt), json_string_length(receipt));
	return r < 0 ? r : proof_parse(buf_span(&d->receipt), &d->proof);
}

int disclosure_parse(struct span text, struct disclosure *ret)
{
	json_error_t e;
	json_t *v;
	int r;

	*ret = (struct disclosure){ 0 };
	if (text.n > DISCLOSURE_MAX)
		return -EBADMSG;
	v = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &e);
	if (!v)
		return json_error_code(&e) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	r = parse(v, ret);
	json_decref(v);
	return r;
}

int disclosure_write(struct disclosure *d, struct buf *out)
{
	static const unsigned order[] = { 0, 2, 1 }; /* names in code-point order */
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key(&j, "disclosed");
	json_out_object(&j);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		struct disclosed *f = &d->fields[order[i]];
		_cleanup_buf_ struct buf text = { 0 };
		char hex[2 * SALT_SIZE + 1];

		if (!f->given)
			continue;
		json_out_key(&j, fields[order[i]].name);
		json_out_object(&j);
		if (f->has_payload) {
			if (base64_append(&text, buf_span(&f->payload).p, buf_len(&f->payload)) < 0)
				return -ENOMEM;
			json_out_member_span(&j, "payload", buf_span(&text));
		}
		hex_encode(f->salt, sizeof(f->salt), hex);
		json_out_member_str(&j, "salt", hex);
		json_out_object_end(&j);
	}
	json_out_object_end(&j);
	json_out_member_span(&j, "receipt", buf_span(&d->receipt));
	json_out_object_end(&j);
	return json_out_end(&j);
}

int disclosure_check(const struct disclosure *d, unsigned field)
{
	const struct disclosed *f = &d->fields[field];
	char want[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct record_view v;

	if (!f->given || !f->has_payload)
		return -ENODATA;
	if (record_view_parse(d->proof.record, &v, NULL) < 0)
		return -EBADMSG;
	sha256(buf_len(&f->payload) ? buf_span(&f->payload).p : "", buf_len(&f->payload), digest);
	salt_commit(f->salt, digest, want);
	return span_is(record_view_text(&v, fields[field].member), want) ? 0 : -EBADMSG;
}
