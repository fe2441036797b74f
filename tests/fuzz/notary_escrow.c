// SPDX-License-Identifier: Apache-2.0
/* Files of the payload escrow and keys: entries lie inside the text, and nothing opens that was not sealed. */
#include <stdlib.h>
#include <string.h>

#include "user/notary/escrow.h"
#include "user/notary/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[HPKE_KEY] = { 0x46, 0x12, 0xc5 };
	const struct span all = { (const char *)data, size };
	struct record_view v = { .sequence = 7, .session_id = SPAN("0f8fad5b-d9cb-469f-a165-70867728950e") };
	_cleanup_buf_ struct buf out = { 0 };
	struct escrow_entry e;
	struct span rest = all;
	uint8_t read[HPKE_KEY];

	for (unsigned n = 0; escrow_next(&rest, &e); n++) {
		if (e.head.p < all.p || e.sealed.p != e.head.p + ESCROW_HEAD || e.sealed.p + e.sealed.n > all.p + all.n)
			abort();
		v.sequence = e.sequence;
		v.session_id = span_of(e.session_id);
		if (n < 4 && escrow_open(&e, key, &v, &out) == 0)
			abort(); /* nobody knows the commitment of a record that is none */
	}
	if (size && memmem(data, size, "-----BEGIN ", 11)) { /* libcrypto is slow to say no */
		(void)hpke_public_parse(all, read);
		(void)hpke_private_parse(all, read);
	}
	return 0;
}
