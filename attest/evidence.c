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
	const struct attest_provider *provider;
	bool only_configured;
} order[] = {
	{ &attest_azure, false },
	{ &attest_sev_snp, false },
	{ &attest_tdx, false },
	{ &attest_tpm, false },
	{ &attest_opaque, true },
	{ &attest_software_only, false },
};

/* The configured provider, present or not; else the first that is there. */
static const struct attest_provider *choose(const struct attest_config *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		const struct attest_provider *p = order[i].provider;

		if (c->provider ? strcmp(c->provider, p->name) == 0 : !order[i].only_configured && p->present(c))
			return p;
	}
	return NULL;
}

unsigned attest_detect(const struct attest_config *c, struct attest_found *ret, unsigned max)
{
	const struct attest_provider *used = choose(c);

	for (unsigned i = 0; i < ARRAY_SIZE(order) && i < max; i++) {
		const struct attest_provider *p = order[i].provider;

		ret[i] = (struct attest_found){
			.name = p->name,
			.class = p->class,
			.present = p->present(c),
			.used = p == used,
		};
	}
	return ARRAY_SIZE(order);
}

const char *attest_platform(void)
{
	return attest_software_only.name;
}

const char *attest_class_text(enum attest_class c)
{
	return c == ATTEST_HARDWARE ? "hardware" : c == ATTEST_VENDOR_ASSERTED ? "vendor-asserted" :
										  "software-only";
}

int attest_evidence(const struct attest_config *c, struct span nonce, const struct attest_binding *b,
		    struct attest_evidence *ret)
{
	struct attest_binding with = *b;
	struct attest_digests bound;
	int r;

	with.nonce = nonce;
	r = attest_binding(&with, &bound);
	return r < 0 ? r : attest_evidence_of(c, &bound, ret);
}

int attest_evidence_of(const struct attest_config *c, const struct attest_digests *bound,
		       struct attest_evidence *ret)
{
	const struct attest_provider *p = choose(c);
	struct attest_evidence e = { .bound = *bound };
	int r;

	if (!p || !p->present(c))
		return -ENODEV;
	e.platform = p->name;
	e.class = p->class;
	r = p->collect(c, &e.bound, &e);
	if (r < 0) {
		attest_evidence_done(&e);
		return r;
	}
	*ret = e;
	return 0;
}

bool attest_present(const struct attest_config *c)
{
	const struct attest_provider *p = choose(c);

	return p && p->present(c);
}

int attest_cosign_key(const struct attest_config *c, struct buf *spki)
{
	const struct attest_provider *p = choose(c);

	if (!p)
		return -ENODEV;
	return p->cosign_key ? p->cosign_key(c, spki) : 0;
}

void attest_evidence_done(struct attest_evidence *e)
{
	for (unsigned i = 0; i < e->n_parts; i++)
		buf_done(&e->parts[i].bytes);
	e->n_parts = 0;
}

struct buf *attest_evidence_add(struct attest_evidence *e, const char *name)
{
	if (e->n_parts == ATTEST_PARTS_MAX)
		return NULL;
	e->parts[e->n_parts] = (struct attest_part){ .name = name };
	return &e->parts[e->n_parts++].bytes;
}

struct span attest_evidence_part(const struct attest_evidence *e, const char *name)
{
	for (unsigned i = 0; i < e->n_parts; i++)
		if (strcmp(e->parts[i].name, name) == 0)
			return buf_span(&e->parts[i].bytes);
	return (struct span){ 0 };
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

void attest_parts_json(struct json_out *j, const struct attest_evidence *e)
{
	json_out_object(j);
	for (unsigned i = 0; i < e->n_parts; i++)
		member_base64(j, e->parts[i].name, buf_span(&e->parts[i].bytes));
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
	json_out_member_str(&j, "class", attest_class_text(e->class));
	json_out_member_str(&j, "identity", "self-asserted");
	json_out_key(&j, "parts");
	attest_parts_json(&j, e);
	json_out_member_str(&j, "platform", e->platform);
	json_out_key(&j, "statement");
	statement_json(&j, b, nonce);
	json_out_object_end(&j);
	return json_out_end(&j);
}
