// SPDX-License-Identifier: Apache-2.0
/* The tape against jansson: what the tape takes, jansson takes and sees alike. The other way,
 * jansson may take more only where it rounds or limits differently. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "user/mcp/canon.h"
#include "user/mcp/tape.h"

#define REFUSE(x) do { if (x) abort(); } while (0)

static void compare(const struct tape *t, uint32_t i, const json_t *j)
{
	uint32_t k = tape_first(t, i);

	switch ((enum tape_type)t->tok[i].type) {
	case TAPE_OBJECT:
		REFUSE(!json_is_object(j) || json_object_size(j) != t->tok[i].count);
		for (; k != TAPE_NONE; k = tape_next(t, i, k)) {
			struct span name = tape_text(t, k);
			char *z = strndup(name.p, name.n);
			const json_t *v = json_object_get(j, z);

			free(z);
			REFUSE(!v);
			compare(t, k + 1, v);
		}
		break;
	case TAPE_ARRAY:
		REFUSE(!json_is_array(j) || json_array_size(j) != t->tok[i].count);
		for (size_t n = 0; k != TAPE_NONE; k = tape_next(t, i, k), n++)
			compare(t, k, json_array_get(j, n));
		break;
	case TAPE_STRING:
		REFUSE(!json_is_string(j) || json_string_length(j) != tape_text(t, i).n ||
		       memcmp(json_string_value(j), tape_text(t, i).p, tape_text(t, i).n) != 0);
		break;
	case TAPE_NUMBER:
		REFUSE(!json_is_number(j));
		break;
	default:
		REFUSE(!json_is_boolean(j) && !json_is_null(j));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tape t, again;
	struct buf out = { 0 };
	json_error_t e;
	json_t *j = json_loadb((const char *)data, size,
			       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	int r = tape_parse(&t, (struct span){ (const char *)data, size }, NULL);

	if (r == 0 && j) {
		compare(&t, 0, j);
		/* form C is a fixed point of itself, unless it says Infinity */
		if (canon_write(&t, 0, &out) == 0 && !memmem(out.data, buf_len(&out), "Infinity", 8)) {
			struct buf twice = { 0 };

			REFUSE(tape_parse(&again, buf_span(&out), NULL) || canon_write(&again, 0, &twice));
			REFUSE(!span_eq(buf_span(&out), buf_span(&twice)));
			buf_done(&twice);
		}
	} else if (r == 0) {
		/* jansson has no room for large numbers and NUL in names */
		REFUSE(json_error_code(&e) != json_error_numeric_overflow &&
		       json_error_code(&e) != json_error_null_byte_in_key);
	} else if (j) {
		/* jansson passes over a NUL that follows a number */
		bool nul = t.offset < size && data[t.offset] == 0;

		REFUSE(!nul && t.error != TAPE_E_DEPTH && t.error != TAPE_E_TOKENS);
	}
	buf_done(&out);
	json_decref(j);
	return 0;
}
