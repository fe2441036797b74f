/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_DOCTOR_H
#define TOLLGATE_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

/* How a row of the table stands, best first. */
enum doctor_state {
	DOCTOR_GOOD = 0,
	DOCTOR_OPEN, /* tollgated runs; something is not protected, or not as well as it could be */
	DOCTOR_UNSEEN, /* this user may not look */
	DOCTOR_MISSING, /* tollgated cannot run like this */
	DOCTOR_STATES,
};

const char *doctor_state_text(enum doctor_state s); /* "good", "open", "not seen", "MISSING" */

struct doctor_row {
	const char *section; /* static */
	char what[32];
	enum doctor_state state;
	char found[128]; /* what was seen, in words */
	const char *part; /* what of Tollgate uses it, static */
	const char *advice; /* what to do about a row that is not good, static; NULL: nothing can or need be done */
};

#define DOCTOR_ROWS_MAX 128

/* A table being filled. root stands before every path of a file that is read; "" but in tests. */
struct doctor {
	const char *root;
	const char *section;
	struct doctor_row rows[DOCTOR_ROWS_MAX];
	unsigned n;
};

/* Adds a row; found is a format. advice and part are kept as they are. A full table takes no more. */
void doctor_add(struct doctor *d, enum doctor_state state, const char *what, const char *part,
		const char *advice, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* First line of a file below root, without its newline. 0 or -errno. */
int doctor_line(const struct doctor *d, const char *path, char *ret, size_t size);

/* Whether a file is there below root. */
bool doctor_has(const struct doctor *d, const char *path);

/* The parts of the table. Each looks, and adds its rows. */
void doctor_kernel(struct doctor *d); /* doctor_kernel.c: files that tell of the kernel */
void doctor_calls(struct doctor *d); /* doctor_kernel.c: system calls, tried */
void doctor_programs(struct doctor *d); /* doctor_kernel.c: kernel programs, loaded */
void doctor_fence(struct doctor *d); /* doctor_fence.c: ways out of a scope */
void doctor_machine(struct doctor *d); /* doctor_machine.c: users, limits, clock, disk, evidence */

#endif
