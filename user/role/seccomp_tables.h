/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SECCOMP_TABLES_H
#define TOLLGATE_SECCOMP_TABLES_H

#include <stdint.h>

#include "user/role/sandbox.h"

/* One argument compared: (argument & mask) must be one of the values. Arguments that the kernel takes
 * as int are compared in their low 32 bits, which is all that the kernel looks at. */
struct seccomp_arg {
	uint8_t index;
	uint64_t mask;
	const uint64_t *values;
	unsigned nvalues;
};

/* The system call passes when all arguments fit (index order; mask 0: unused). Several rules of one name
 * are alternatives. */
struct seccomp_rule {
	const char *name;
	struct seccomp_arg args[2];
};

struct seccomp_table {
	/* Allowed, whatever the arguments. Up to six lists, the rest NULL. */
	const char *const *allow[6];
	/* Allowed with these arguments only; each ends with a NULL name. Up to four. */
	const struct seccomp_rule *rules[4];
	/* Answered with EACCES, `absent` with ENOSYS, in place of death: what libraries try by themselves
	 * and do without. */
	const char *const *refuse;
	const struct seccomp_rule *refuse_rules;
	const char *const *absent;
};

/* The keeper's list is of what is forbidden, because its children inherit it: everything else passes.
 * NULL-terminated. */
extern const char *const seccomp_keeper_deny[];

/* NULL for the keeper. */
const struct seccomp_table *seccomp_table_of(enum role role);

#endif
