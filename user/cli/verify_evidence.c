// SPDX-License-Identifier: Apache-2.0
/*
 * What evidence says of a log: its key, the key in the TPM, the counter, and records that it had.
 */
#include "user/cli/verify_evidence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attest/tpm_attest.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/cli.h"

static int bad(const char *path, const char *what)
{
	fprintf(stderr, "tollgate: read %s: %s\n", path, what);
	return CLI_USAGE;
}

/* The counter's eight bytes in the certified contents. */
static bool counter_of(struct span certified, uint64_t *ret)
{
	struct tpm_attest a;
	uint64_t v = 0;

	if (certified.n == 0 || tpm_attest_parse(certified, &a) < 0 || a.nv_contents.n != 8)
		return false;
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)a.nv_contents.p[i];
	*ret = v;
	return true;
}

static int take(const char *path, struct verify_evidence *e)
{
	const struct attest_binding *b = &e->bundle.binding;
	char name[CHECKPOINT_NAME_MAX + 1];

	if (b->origin.n == 0 || b->origin.n >= sizeof(name) || b->public_key.n != KEY_SIZE)
		return bad(path, "the statement names no log and its key");
	memcpy(name, b->origin.p, b->origin.n);
	name[b->origin.n] = '\0';
	if (strlen(name) != b->origin.n || !checkpoint_name_valid(name))
		return bad(path, "the statement's origin is no name of a log");
	verifier_key_of(name, (const uint8_t *)b->public_key.p, &e->key);
	if (b->cosign_key.n) {
		if (cosign_key_of(name, b->cosign_key, &e->cosign) < 0)
			return bad(path, "the co-signing key is no P-256 key");
		e->expect.cosign = &e->cosign;
	}
	if (b->tree_root.n == TREE_HASH) {
		e->expect.have_head = true;
		e->expect.size = b->tree_size;
		memcpy(e->expect.root, b->tree_root.p, TREE_HASH);
	}
	e->expect.have_counter = counter_of(attest_evidence_part(&e->bundle.evidence, "nv_counter"),
					    &e->expect.counter);
	return CLI_OK;
}

int verify_evidence_read(const char *path, struct verify_evidence *ret)
{
	_cleanup_buf_ struct buf json = { .limit = ATTEST_BUNDLE_MAX + 1 };
	int r = file_read(path, ATTEST_BUNDLE_MAX, &json);

	*ret = (struct verify_evidence){ 0 };
	if (r < 0)
		return bad(path, err_text(r));
	r = attest_bundle_read(buf_span(&json), &ret->bundle);
	if (r < 0)
		return bad(path, r == -EBADMSG ? "no evidence file" : err_text(r));
	r = take(path, ret);
	if (r != CLI_OK)
		verify_evidence_done(ret);
	return r;
}

void verify_evidence_done(struct verify_evidence *e)
{
	attest_bundle_done(&e->bundle);
}
