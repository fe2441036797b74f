/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_UNICODE_H
#define TOLLGATE_POLICY_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* Properties of characters that printed forms depend on, of Unicode 17. */

/* Whether it may be shown as it is: no control, format, private, unassigned or space but ' '. */
bool char_prints(uint32_t c);
/* Whether it joins the character before it (Grapheme_Extend). */
bool char_extends(uint32_t c);
/* Columns of a terminal: 0, 1 or 2. */
unsigned char_columns(uint32_t c);

struct char_range {
	uint32_t first, last;
};

/* unicode_table.c; sorted, without ASCII. */
extern const struct char_range chars_not_printable[], chars_grapheme_extend[], chars_ignorable[],
	chars_wide[];
extern const uint32_t chars_not_printable_n, chars_grapheme_extend_n, chars_ignorable_n, chars_wide_n;

#endif
