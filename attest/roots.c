// SPDX-License-Identifier: Apache-2.0
/*
 * The pinned roots as certificates. They are constants of this library, never read from evidence.
 */
#include "attest/roots.h"

#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"

static int add(struct x509_certs *ret, const char *const *hex, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		uint8_t der[4096]; /* the largest is 1.7 KiB */
		size_t size = strlen(hex[i]) / 2;

		if (size > sizeof(der) || hex_decode(hex[i], 2 * size, der, size) < 0)
			return -EINVAL;
		r = x509_certs_add(ret, (struct span){ (const char *)der, size });
	}
	return r;
}

int attest_roots_amd(struct x509_certs *ret)
{
	static const char *const hex[] = { attest_milan_ark, attest_genoa_ark, attest_turin_ark };

	return add(ret, hex, ARRAY_SIZE(hex));
}

int attest_roots_amd_intermediates(struct x509_certs *ret)
{
	static const char *const hex[] = {
		attest_milan_ask,  attest_milan_asvk, attest_genoa_ask,
		attest_genoa_asvk, attest_turin_ask,  attest_turin_asvk,
	};

	return add(ret, hex, ARRAY_SIZE(hex));
}

int attest_roots_intel(struct x509_certs *ret)
{
	static const char *const hex[] = { attest_intel_sgx_root };

	return add(ret, hex, ARRAY_SIZE(hex));
}
