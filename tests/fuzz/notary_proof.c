// SPDX-License-Identifier: Apache-2.0
/* Receipts are read whole or not at all. */
#include <stdlib.h>

#include "user/notary/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pub[KEY_SIZE] = { 0x5a, 0x42 };
	struct verifier_key vk;
	struct checkpoint cp;
	const char *why = NULL;
	struct proof p;

	if (proof_parse((struct span){ (const char *)data, size }, &p) < 0)
		return 0;
	verifier_key_of("node", pub, &vk);
	if (proof_check(&p, &vk, &cp, &why) == 0 || !why)
		abort();
	proof_done(&p);
	return 0;
}
