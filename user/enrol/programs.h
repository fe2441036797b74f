/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROGRAMS_H
#define TOLLGATE_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf;
struct kern_selector;
struct match;
struct proc_identity;
struct programs;

/*
 * The agents' programs by what they are, for a process that runs one without executing its file: through the loader
 * that the program asks for ("ld.so PROGRAM"), or as a copy that has no name (a memfd, an O_TMPFILE, a deleted file).
 * The configuration is borrowed for as long as the object lives.
 */
int programs_new(const struct conf *c, struct programs **ret);
void programs_free(struct programs *p);

/* Looks at every program and its loader; only what changed is read. What cannot be read now counts as what it was. */
void programs_refresh(struct programs *p);

/* By what the kernel stops such a process. At most PROGRAMS_SELECTORS of each agent are written; how many were. */
#define PROGRAMS_SELECTORS 3
size_t programs_selectors(const struct programs *p, struct kern_selector *ret);

/* Whether programs_match() has anything to find out about a process: it executed a loader, or a nameless file of a
 * program's size, or its file cannot be looked at. Reads nothing. */
bool programs_suspect(const struct programs *p, pid_t pid);

/*
 * What a stopped process runs, that did not execute a program's own file. Every argument of a loader counts, whatever
 * it means to it. 1: an agent's program, and which agent it is; 0: none of them; -errno: that cannot be told,
 * ret->reason says why. LIMIT: what the arguments name, and they themselves, may be exchanged between this look and
 * the loader's.
 */
int programs_match(const struct programs *p, const struct proc_identity *id, struct match *ret);

#endif
