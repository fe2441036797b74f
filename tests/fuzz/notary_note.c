// SPDX-License-Identifier: Apache-2.0
/* Checkpoints, verifier keys and co-signing keys: nothing verifies that was not signed, what parses prints again. */
#include <stdlib.h>
#include <string.h>

#include "user/notary/cosign.h"

#define COSIGN_KEY \
	"node+227fd72e+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDZA+EJmfjJIaDOAEsiBMCWBMWIw5y" \
	"JEvSjdZH6EaDw3qwZ7cNvxV9CFxiCbGrDKnV/CsxnhC/eMxd4jEXHxW0A="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pub[KEY_SIZE] = { 0x5a, 0x42 };
	struct span s = { (const char *)data, size };
	_cleanup_buf_ struct buf text = { 0 };
	struct verifier_key vk, again;
	struct cosign_key k, k_again;
	struct checkpoint cp;
	size_t n;

	verifier_key_of("node", pub, &vk);
	if (checkpoint_parse(s, &cp, &n) == 0 && (n > size || !checkpoint_name_valid(cp.origin)))
		abort();
	if (checkpoint_verify(s, &vk, &cp) == 0)
		abort(); /* nobody has this key */
	if (verifier_key_parse(s, &vk) == 0 &&
	    (verifier_key_text(&vk, &text) < 0 || verifier_key_parse(buf_span(&text), &again) < 0 ||
	     memcmp(&vk, &again, sizeof(vk)) != 0))
		abort();
	buf_clear(&text);
	if (cosign_key_parse(s, &k) == 0 &&
	    (cosign_key_text(&k, &text) < 0 || cosign_key_parse(buf_span(&text), &k_again) < 0 ||
	     memcmp(&k, &k_again, sizeof(k)) != 0))
		abort();
	if (cosign_key_parse(SPAN(COSIGN_KEY), &k) < 0 || cosign_check(s, &k) == 0)
		abort(); /* nor the private half of this one */
	return 0;
}
