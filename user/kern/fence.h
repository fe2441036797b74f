/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_FENCE_H
#define TOLLGATE_KERN_FENCE_H

#include <stdbool.h>

struct kern;

enum kern_row_state {
	KERN_ROW_OPEN = 0,
	KERN_ROW_CLOSED,
	KERN_ROW_NOT_NEEDED, /* this kernel has no such way out */
};

/* One way out of a scope; the same ids as in tests/probe/rows. All texts are static. */
struct kern_fence_row {
	const char *id;
	const char *what; /* what an agent tries */
	const char *hook; /* what closes it; open: what would */
	const char *limit; /* for whom or until where it is closed only; NULL: for all */
	enum kern_row_state state;
	bool required; /* `enforcement: enforce` does not start while it is open */
};

#define KERN_FENCE_ROWS_MAX 96

/* Fills ret with every row, in a fixed order, and says how many. k: what its programs close. NULL: what they would
 * close on this kernel, found by loading a program (needs the right to; without it rows are open). */
unsigned kern_fence_rows(const struct kern *k, struct kern_fence_row ret[static KERN_FENCE_ROWS_MAX]);

const char *kern_row_state_text(enum kern_row_state state); /* "closed", "open", "not-needed" */

/* Whether programs of the kernel's security hooks load, attach and are called: 0, or -errno with the reason in
 * ret_why (static). Attaches one for a moment, which concerns nobody. */
int kern_fence_lsm_supported(const char **ret_why);

#endif
