// SPDX-License-Identifier: Apache-2.0
/* doctor's rows of the fence: the ways out of a scope, by what this kernel would close them. */
#include <string.h>
#include <unistd.h>

#include "user/cli/doctor.h"
#include "user/kern/fence.h"

static void row(struct doctor *d, const struct kern_fence_row *r)
{
	const char *advice = r->required ? "boot with bpf among the security modules (lsm=), or accept it with "
					   "enforcement: enforce-partial" : NULL;

	if (r->state == KERN_ROW_NOT_NEEDED)
		doctor_add(d, DOCTOR_GOOD, r->id, r->what, NULL, "this kernel has no such way out");
	else if (r->state == KERN_ROW_CLOSED && r->limit)
		doctor_add(d, DOCTOR_GOOD, r->id, r->what, NULL, "closed for %s, by %s", r->limit, r->hook);
	else if (r->state == KERN_ROW_CLOSED)
		doctor_add(d, DOCTOR_GOOD, r->id, r->what, NULL, "closed by %s", r->hook);
	else if (geteuid() == 0)
		doctor_add(d, DOCTOR_OPEN, r->id, r->what, advice, "would be closed by %s", r->hook);
	else
		doctor_add(d, DOCTOR_UNSEEN, r->id, r->what, NULL, "%s is for root to try", r->hook);
}

void doctor_fence(struct doctor *d)
{
	struct kern_fence_row rows[KERN_FENCE_ROWS_MAX];
	unsigned n = kern_fence_rows(NULL, rows);

	for (unsigned i = 0; i < n; i++)
		row(d, &rows[i]);
}
