// SPDX-License-Identifier: Apache-2.0
/*
 * Reads an evidence file. What it says about itself (class, identity, digests) is not read: the verifier
 * finds that out.
 */
#include "attest/bundle.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "attest/provider.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define FORMAT "tollgate/attest-binding/v1"

DEFINE_CLEANUP(json_t *, json_decref)

/* The parts that are known, with the names that outlive the file. */
static const char *const part_names[] = {
	"quote", "signature", "pcrs", "ak_public", "ek_certificate", "cosign_public", "cosign_certify",
	"cosign_certify_signature", "nv_measured", "nv_measured_signature", "nv_measured_public", "nv_counter",
	"nv_counter_signature", "nv_counter_public", "event_log", "ima", "hcl_report", "token",
	"report", "certs", "td_report",
};

static int read_part(struct attest_evidence *e, const char *name, const json_t *v)
{
	const char *text = json_string_value(v);
	size_t max = json_string_length(v) / 4 * 3 + 3, n, i = 0;
	struct buf *part;
	char *room;
	int r;

	while (i < ARRAY_SIZE(part_names) && strcmp(part_names[i], name) != 0)
		i++;
	if (i == ARRAY_SIZE(part_names) || !text)
		return -EBADMSG;
	part = attest_evidence_add(e, part_names[i]);
	if (!part)
		return -EBADMSG;
	r = buf_reserve(part, max, &room);
	if (r < 0)
		return r == -EMSGSIZE ? -EBADMSG : r;
	if (base64_decode(span_of(text), room, max, &n) < 0)
		return -EBADMSG;
	buf_commit(part, n);
	return 0;
}

int attest_parts_read(const json_t *parts, struct attest_evidence *e)
{
	void *at = json_object_iter((json_t *)(uintptr_t)parts); /* reads only */
	int r = json_is_object(parts) ? 0 : -EBADMSG;

	for (; r == 0 && at; at = json_object_iter_next((json_t *)(uintptr_t)parts, at))
		r = read_part(e, json_object_iter_key(at), json_object_iter_value(at));
	return r;
}

enum form { TEXT, HEX, BASE64 };

static const struct {
	const char *name;
	enum form form;
	size_t at;
} fields[] = {
#define FIELD(m, f) { #m, f, offsetof(struct attest_binding, m) }
	FIELD(nonce, HEX), FIELD(public_key, HEX), FIELD(cosign_key, BASE64), FIELD(policy_hash, TEXT),
	FIELD(catalog_hash, TEXT), FIELD(mode, TEXT), FIELD(program_hash, TEXT), FIELD(kernel_program_hash, TEXT),
	FIELD(boot_id, TEXT), FIELD(origin, TEXT), FIELD(tree_root, HEX),
#undef FIELD
};

/* Decodes one field to the end of the text; its place is remembered, because the text may still move. */
static int read_field(const json_t *v, enum form form, struct buf *text, size_t *ret_at, size_t *ret_n)
{
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);
	char *room;
	int r;

	if (!s || len > 2 * ATTEST_TEXT_MAX)
		return -EBADMSG;
	r = buf_reserve(text, len + 1, &room);
	if (r < 0)
		return r;
	*ret_at = buf_len(text);
	*ret_n = form == HEX ? len / 2 : len;
	if (form == TEXT)
		memcpy(room, s, len);
	else if (form == HEX ? hex_decode(s, len, (uint8_t *)room, len / 2) :
			       base64_decode(span_of(s), room, len, ret_n))
		return -EBADMSG;
	buf_commit(text, *ret_n);
	return 0;
}

static int read_statement(const json_t *o, struct attest_bundle *b)
{
	size_t at[ARRAY_SIZE(fields)], n[ARRAY_SIZE(fields)];
	const json_t *size = json_object_get(o, "tree_size");
	int r = 0;

	if (json_object_size(o) != ARRAY_SIZE(fields) + 1 || !json_is_integer(size) || json_integer_value(size) < 0)
		return -EBADMSG;
	b->binding.tree_size = (uint64_t)json_integer_value(size);
	for (size_t i = 0; i < ARRAY_SIZE(fields) && r == 0; i++)
		r = read_field(json_object_get(o, fields[i].name), fields[i].form, &b->text, &at[i], &n[i]);
	for (size_t i = 0; i < ARRAY_SIZE(fields) && r == 0; i++)
		*(struct span *)((char *)&b->binding + fields[i].at) =
			(struct span){ buf_span(&b->text).p + at[i], n[i] };
	return r;
}

static int read_bundle(json_t *root, struct attest_bundle *b)
{
	const char *format = json_string_value(json_object_get(root, "binding"));
	const char *platform = json_string_value(json_object_get(root, "platform"));
	int r;

	if (!format || strcmp(format, FORMAT) != 0 || !platform || strlen(platform) >= sizeof(b->platform))
		return -EBADMSG;
	(void)snprintf(b->platform, sizeof(b->platform), "%s", platform);
	b->evidence.platform = b->platform;
	r = attest_parts_read(json_object_get(root, "parts"), &b->evidence);
	if (r == 0)
		r = read_statement(json_object_get(root, "statement"), b);
	if (r == 0)
		r = attest_binding(&b->binding, &b->evidence.bound);
	return r == -EMSGSIZE ? -EBADMSG : r;
}

int attest_bundle_read(struct span json, struct attest_bundle *ret)
{
	_cleanup_(json_decref_p) json_t *root = NULL;
	int r;

	*ret = (struct attest_bundle){ 0 };
	if (json.n > ATTEST_BUNDLE_MAX)
		return -EBADMSG;
	root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);
	r = json_is_object(root) ? read_bundle(root, ret) : -EBADMSG;
	if (r < 0)
		attest_bundle_done(ret);
	return r;
}

void attest_bundle_done(struct attest_bundle *b)
{
	attest_evidence_done(&b->evidence);
	buf_done(&b->text);
	*b = (struct attest_bundle){ 0 };
}
