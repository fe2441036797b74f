// SPDX-License-Identifier: Apache-2.0
/*
 * The options of tollgate verify that pin hardware.
 */
#include "user/cli/verify_hardware.h"

#include <stdio.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"

static int read_into(const char *path, struct buf *b)
{
	int r;

	buf_clear(b);
	r = file_read(path, ATTEST_FILE_MAX, b);
	if (r == 0)
		return CLI_OK;
	fprintf(stderr, "tollgate: read %s: %s\n", path, err_text(r));
	return CLI_USAGE;
}

static int read_one_more(const char *path, const char *what, struct buf *bufs, struct span *spans, unsigned max,
			 unsigned *n)
{
	int r;

	if (*n == max) {
		fprintf(stderr, "tollgate: verify: more than %u times --%s\n", max, what);
		return CLI_USAGE;
	}
	r = read_into(path, &bufs[*n]);
	spans[*n] = buf_span(&bufs[*n]);
	(*n)++;
	return r;
}

int verify_hardware_take(struct verify_hardware *h, int option, const char *path)
{
	switch (option) {
	case VERIFY_AK_CERT:
		return read_into(path, &h->ak_certs);
	case VERIFY_ROOTS:
		return attest_read_roots(path, &h->roots);
	case VERIFY_ENROLMENT:
		return read_into(path, &h->enrolment);
	case VERIFY_PROOF:
		return read_into(path, &h->proof);
	case VERIFY_CRL:
		return read_one_more(path, "crl", h->crls, h->crl_spans, X509_CRLS_MAX, &h->n_crls);
	case VERIFY_COLLATERAL:
		return read_one_more(path, "collateral", h->collateral, h->collateral_spans, VERIFY_COLLATERAL_MAX,
				     &h->n_collateral);
	default:
		return CLI_USAGE;
	}
}

const struct claim_hardware *verify_hardware_known(struct verify_hardware *h)
{
	h->known = (struct claim_hardware){
		.ak_certs = buf_span(&h->ak_certs), .enrolment = buf_span(&h->enrolment), .roots = &h->roots,
		.proof = buf_span(&h->proof),
		.silicon = { .crls = h->crl_spans, .n_crls = h->n_crls, .collateral = h->collateral_spans,
			     .n_collateral = h->n_collateral },
	};
	return &h->known;
}

void verify_hardware_done(struct verify_hardware *h)
{
	buf_done(&h->ak_certs);
	buf_done(&h->enrolment);
	buf_done(&h->proof);
	x509_certs_done(&h->roots);
	for (unsigned i = 0; i < h->n_crls; i++)
		buf_done(&h->crls[i]);
	for (unsigned i = 0; i < h->n_collateral; i++)
		buf_done(&h->collateral[i]);
}
