// SPDX-License-Identifier: Apache-2.0
/*
 * Which provider answers, and the evidence as JSON. No provider stands in for another.
 */
#include <errno.h>
#include <string.h>

#include "attest/provider.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/json_out.h"

/* Strongest first. Azure's paravisor comes before the plain TPM that it also shows, or the silicon
 * behind it would be lost; "opaque" is used only where the configuration names it. */
static const struct {
	const char *name;
	const struct attest_provider *provider; /* NULL: not in this build */
} order[] = {
	{ "azure", NULL },
	{ "sev-snp", NULL },
	{ "tdx", NULL },
	{ "tpm", NULL },
	{ "opaque", NULL },
	{ "software-only", &attest_software_only },
};

unsigned attest_detect(struct attest_found *ret, unsigned max)
{
	for (unsigned i = 0; i < ARRAY_SIZE(order) && i < max; i++)
		ret[i] = (struct attest_found){
			.name = order[i].name,
			.compiled = order[i].provider != NULL,
			.present = order[i].provider && order[i].provider->present(),
		};
	return ARRAY_SIZE(order);
}

static const struct attest_provider *strongest(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (order[i].provider && order[i].provider->present())
			return order[i].provider;
	return &attest_software_only;
}

const char *attest_platform(void)
{
	return strongest()->name;
}

int attest_evidence(struct span nonce, const struct attest_binding *b, struct attest_evidence *ret)
{
	const struct attest_provider *p = strongest();
	struct attest_evidence e = { .platform = p->name, .class = p->class };
	struct attest_binding with = *b;
	int r;

	with.nonce = nonce;
	r = attest_binding(&with, &e.bound);
	if (r == 0)
		r = p->collect(&e.bound, &e.quote);
	if (r < 0) {
		buf_done(&e.quote);
		return r;
	}
	e.has_quote = buf_len(&e.quote) > 0;
	*ret = e;
	return 0;
}

void attest_evidence_done(struct attest_evidence *e)
{
	buf_done(&e->quote);
}

static void member_hex(struct json_out *j, const char *name, const void *p, size_t n)
{
	char hex[2 * 64 + 1];

	if (n > 64)
		n = 64;
	hex_encode(p, n, hex);
	json_out_member_str(j, name, hex);
}

static void member_base64(struct json_out *j, const char *name, struct span s)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (base64_append(&b, s.p, s.n) < 0)
		j->error = j->error ? j->error : -ENOMEM;
	json_out_member_span(j, name, buf_span(&b));
}

static const char *class_text(enum attest_class c)
{
	return c == ATTEST_HARDWARE ? "hardware" : c == ATTEST_VENDOR_ASSERTED ? "vendor-asserted" :
										  "software-only";
}

static void statement_json(struct json_out *j, const struct attest_binding *b, struct span nonce)
{
	json_out_object(j);
	json_out_member_span(j, "boot_id", b->boot_id);
	json_out_member_span(j, "catalog_hash", b->catalog_hash);
	member_base64(j, "cosign_key", b->cosign_key);
	json_out_member_span(j, "kernel_program_hash", b->kernel_program_hash);
	json_out_member_span(j, "mode", b->mode);
	member_hex(j, "nonce", nonce.p, nonce.n);
	json_out_member_span(j, "origin", b->origin);
	json_out_member_span(j, "policy_hash", b->policy_hash);
	json_out_member_span(j, "program_hash", b->program_hash);
	member_hex(j, "public_key", b->public_key.p, b->public_key.n);
	member_hex(j, "tree_root", b->tree_root.p, b->tree_root.n);
	json_out_member_int(j, "tree_size", (int64_t)b->tree_size);
	json_out_object_end(j);
}

int attest_evidence_json(const struct attest_evidence *e, const struct attest_binding *b,
			 struct span nonce, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "binding", "tollgate/attest-binding/v1");
	member_hex(&j, "binding_sha256", e->bound.sha256, sizeof(e->bound.sha256));
	member_hex(&j, "binding_sha512", e->bound.sha512, sizeof(e->bound.sha512));
	json_out_member_str(&j, "class", class_text(e->class));
	json_out_member_str(&j, "identity", "self-asserted");
	json_out_member_str(&j, "platform", e->platform);
	json_out_key(&j, "quote");
	if (e->has_quote) {
		_cleanup_buf_ struct buf q = { 0 };

		if (base64_append(&q, buf_span(&e->quote).p, buf_len(&e->quote)) < 0)
			j.error = -ENOMEM;
		json_out_string(&j, buf_span(&q));
	} else {
		json_out_null(&j);
	}
	json_out_key(&j, "statement");
	statement_json(&j, b, nonce);
	json_out_object_end(&j);
	return json_out_end(&j);
}
