/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_ENVIRON_H
#define TOLLGATE_PROC_ENVIRON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Writes the names of variables that change what code a process loads, set and not empty, ','-separated
 * and each once, into ret. "?" stands in the list when the environment could not be read to its end, or
 * the names do not fit. Never fails. */
void environ_loader(pid_t pid, char *ret, size_t size);

/* The same over a stream of NUL-terminated entries in pieces; for environ_loader() and the fuzzer. */
struct environ_scan {
	uint64_t found; /* bit per known variable */
	char name[32]; /* start of the entry being read */
	size_t len; /* of the entry so far */
};

void environ_scan_feed(struct environ_scan *s, const char *p, size_t n);
void environ_scan_names(const struct environ_scan *s, int complete, char *ret, size_t size);

#endif
