/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_FEATURE_H
#define TOLLGATE_KERN_FEATURE_H

#include <stdbool.h>

enum kern_feature_is {
	KERN_FEATURE_REFUSED = 0, /* the kernel does not take it; error says how */
	KERN_FEATURE_LOADS,
	KERN_FEATURE_UNSEEN, /* this process may not ask */
};

/* One kind of program or map that kernel programs of Tollgate are made of. Texts are static. */
struct kern_feature {
	const char *id; /* as bpf(2)'s users write it: "cgroup/connect4", "map/ringbuf" */
	const char *part; /* what uses it */
	bool required; /* tollgated does not start without it */
	const char *without; /* what is open where it is refused, and what to do; NULL: nothing is */
	enum kern_feature_is is;
	int error; /* -errno of the refusal, 0 when the kernel gives none */
};

/*
 * Loads the smallest program of each kind, makes the smallest map of each kind, and lets go of them at once: what a
 * kernel can do is found out by doing it, since neither a version nor a configuration tells of a refusal by policy.
 * Attaches nothing. Fills at most max rows and returns how many there are.
 */
unsigned kern_features(struct kern_feature *ret, unsigned max);

#endif
