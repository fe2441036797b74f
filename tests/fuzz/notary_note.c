// SPDX-License-Identifier: Apache-2.0
/* Checkpoints and verifier keys: nothing verifies that was not signed, what parses prints again. */
#include <stdlib.h>
#include <string.h>

#include "user/notary/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pub[KEY_SIZE] = { 0x5a, 0x42 };
	struct span s = { (const char *)data, size };
	_cleanup_buf_ struct buf text = { 0 };
	struct verifier_key vk, again;
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
	return 0;
}
