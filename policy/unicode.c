// SPDX-License-Identifier: Apache-2.0
/* Looks characters up in the tables of unicode_table.c. */
#include "policy/unicode.h"

static bool in_ranges(const struct char_range *v, uint32_t n, uint32_t c)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c < v[mid].first)
			hi = mid;
		else if (c > v[mid].last)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

bool char_prints(uint32_t c)
{
	if (c < 0x80)
		return c >= 0x20 && c < 0x7f;
	return !(c >= 0xd800 && c <= 0xdfff) &&
	       !in_ranges(chars_not_printable, chars_not_printable_n, c);
}

bool char_extends(uint32_t c)
{
	return c >= 0x80 && in_ranges(chars_grapheme_extend, chars_grapheme_extend_n, c);
}

unsigned char_columns(uint32_t c)
{
	if (c < 0x80)
		return 1;
	if (char_extends(c) || in_ranges(chars_ignorable, chars_ignorable_n, c))
		return 0;
	return in_ranges(chars_wide, chars_wide_n, c) ? 2 : 1;
}
