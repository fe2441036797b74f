/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_PROVIDER_H
#define TOLLGATE_ATTEST_PROVIDER_H

#include "attest/attest.h"

/* One source of evidence. A provider that is not compiled in has no row of functions, only its name in
 * the order of detection: that order is part of the contract, absence is not hidden. */
struct attest_provider {
	const char *name;
	enum attest_class class;
	/* True when its device or interface is there; a hint, never evidence. */
	bool (*present)(void);
	/* Fills quote with signed bytes that cover the digests. */
	int (*collect)(const struct attest_digests *bound, struct buf *ret_quote);
};

extern const struct attest_provider attest_software_only;

#endif
