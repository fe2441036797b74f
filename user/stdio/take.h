/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_TAKE_H
#define TOLLGATE_STDIO_TAKE_H

#include "user/stdio/holder.h"
#include "user/stdio/takeover.h"
#include "user/stdio/walk.h"

/* One takeover under way, shared by takeover.c (its order) and objects.c (the descriptors). */

struct take {
	const struct stdio_job *job;
	struct stdio_taken *out;
	struct tracee_timer timer;
	struct holder *holders; /* STDIO_HOLDERS_MAX */
	unsigned n;
	struct proc_object old[2];
	unsigned nold; /* 1 when one socket serves both */
	uint64_t sdev[2];
	struct stdio_ends ends;
	bool everywhere; /* holders are sought on the whole machine */
	bool touched; /* something was replaced */
};

/* Notes why the takeover fails. Always -1, so that a caller can return it. */
int take_fail(struct take *t, enum stdio_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the reason that an errno of the lower files stands for. */
int take_fail_errno(struct take *t, int r, const char *what, pid_t pid);

/* NULL when that process is no (known) holder. */
struct holder *take_holder(struct take *t, pid_t pid);

/* Stops a process and counts it among the holders. split: a thread of it has descriptors of its own. 1 when it was
 * stopped, 0 when it ended meanwhile, or -1 after take_fail(). */
int take_add_holder(struct take *t, pid_t pid, bool split);

/* The functions below return 0, or -1 after take_fail(). */

/* Of a server that is to be confined: stops what it has started; and puts it and them into the cage. */
int take_stop_below(struct take *t);
int take_confine(struct take *t);

/* Copies the original ends into out, and learns what fdinfo calls their devices. */
int take_originals(struct take *t);

/* Makes the new objects in the server: out gets the far ends, ends the near ones. */
int take_make_objects(struct take *t);

/* Another description of the same new pipe, with the flags that an original description had. 0 or -errno. */
int take_make_variant(struct take *t, const struct proc_fd *f);

/* Counts what lies in the originals and makes them ready for a relay. */
void take_count_unread(struct take *t);

#endif
