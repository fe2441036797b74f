// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence of an Azure guest, from JSON. Strict in each form: a member that is missing or of another type
 * is malformed; members that no form knows are ignored, because none of them is believed.
 */
#include "attest/azure_evidence.h"

#include <errno.h>
#include <string.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define VALUE_MAX 65536 /* bytes of one member */

DEFINE_CLEANUP(json_t *, json_decref)

int azure_base64(const json_t *v, struct buf *out)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v), got;
	_cleanup_buf_ struct buf plain = { 0 };
	char *room;
	int r = 0;

	if (!text || n > 2 * VALUE_MAX)
		return -EBADMSG;
	while (n > 0 && text[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n && r == 0; i++) {
		char c = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];

		r = buf_append(&plain, &c, 1);
	}
	for (size_t i = n; i % 4 && r == 0; i++)
		r = buf_append(&plain, "=", 1);
	if (r == 0)
		r = buf_reserve(out, VALUE_MAX, &room);
	if (r == 0)
		r = base64_decode(buf_span(&plain), room, VALUE_MAX, &got) < 0 ? -EBADMSG : 0;
	if (r == 0)
		buf_commit(out, got);
	return r;
}

static int from_hex(const json_t *v, struct buf *out)
{
	size_t n = json_string_length(v);
	char *room;
	int r;

	if (!json_is_string(v) || n % 2 || n / 2 > VALUE_MAX)
		return -EBADMSG;
	r = buf_reserve(out, n / 2 + 1, &room);
	if (r < 0)
		return r;
	if (hex_decode(json_string_value(v), n, (uint8_t *)room, n / 2) < 0)
		return -EBADMSG;
	buf_commit(out, n / 2);
	return 0;
}

static int from_numbers(const json_t *v, struct buf *out)
{
	int r = 0;

	if (!json_is_array(v) || json_array_size(v) > VALUE_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(v) && r == 0; i++) {
		const json_t *b = json_array_get(v, i);
		uint8_t byte = (uint8_t)json_integer_value(b);

		if (!json_is_integer(b) || json_integer_value(b) < 0 || json_integer_value(b) > 255)
			return -EBADMSG;
		r = buf_append(out, &byte, 1);
	}
	return r;
}

static int from_text(const json_t *v, struct buf *out)
{
	if (!json_is_string(v) || json_string_length(v) > VALUE_MAX)
		return -EBADMSG;
	return buf_append(out, json_string_value(v), json_string_length(v));
}

static int read_quote(const json_t *q, int (*bytes)(const json_t *v, struct buf *out), struct azure_evidence *e)
{
	const json_t *pcrs = json_object_get(q, "pcrs");
	int r = bytes(json_object_get(q, "message"), &e->quote);

	if (r == 0)
		r = bytes(json_object_get(q, "signature"), &e->signature);
	if (r == 0 && (!json_is_array(pcrs) || json_array_size(pcrs) > 24))
		r = -EBADMSG;
	for (size_t i = 0; r == 0 && i < json_array_size(pcrs); i++)
		r = bytes(json_array_get(pcrs, i), &e->pcrs);
	return r;
}

static int read_versioned(const json_t *o, struct azure_evidence *e)
{
	const json_t *td = json_object_get(o, "td_quote"), *vcek = json_object_get(o, "vcek");
	int r;

	if (json_integer_value(json_object_get(o, "version")) != 1 || !td == !vcek)
		return -EBADMSG;
	r = azure_base64(json_object_get(o, "hcl_report"), &e->hcl);
	if (r == 0)
		r = read_quote(json_object_get(o, "tpm_quote"), from_hex, e);
	if (r == 0)
		r = td ? azure_base64(td, &e->td_quote) : azure_base64(vcek, &e->vcek);
	return r;
}

static int read_numbers(const json_t *o, struct azure_evidence *e)
{
	int r = from_numbers(json_object_get(o, "report"), &e->hcl);

	if (r == 0)
		r = read_quote(json_object_get(o, "quote"), from_numbers, e);
	return r < 0 ? r : from_text(json_object_get(o, "vcek"), &e->vcek);
}

static int read_flat(const json_t *o, struct azure_evidence *e)
{
	const struct {
		const char *name;
		struct buf *to;
	} members[] = {
		{ "snp_report", &e->snp_report }, { "runtime_data", &e->runtime_data }, { "quote_msg", &e->quote },
		{ "quote_sig", &e->signature }, { "vcek_chain_pem", &e->vcek },
	};
	int r = json_integer_value(json_object_get(o, "v")) == 1 ? 0 : -EBADMSG;

	for (size_t i = 0; i < ARRAY_SIZE(members) && r == 0; i++)
		r = azure_base64(json_object_get(o, members[i].name), members[i].to);
	e->nonce_hashed = true;
	return r < 0 ? r : from_text(json_object_get(o, "ak_pub_pem"), &e->ak_pem);
}

int azure_evidence_parse(struct span json, struct azure_evidence *ret)
{
	_cleanup_(json_decref_p) json_t *root = NULL;
	const json_t *o;

	*ret = (struct azure_evidence){ 0 };
	if (json.n > AZURE_EVIDENCE_MAX)
		return -EBADMSG;
	root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root))
		return -EBADMSG;
	o = json_object_get(root, "evidence") ? json_object_get(root, "evidence") : root;
	if (json_object_get(o, "hcl_report"))
		return read_versioned(o, ret);
	if (json_object_get(o, "report"))
		return read_numbers(o, ret);
	return json_object_get(o, "snp_report") ? read_flat(o, ret) : -EBADMSG;
}

void azure_evidence_done(struct azure_evidence *e)
{
	struct buf *all[] = { &e->hcl, &e->snp_report, &e->runtime_data, &e->quote, &e->signature,
			      &e->pcrs, &e->vcek, &e->td_quote, &e->ak_pem };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		buf_done(all[i]);
}
