/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_DOC_H
#define TOLLGATE_POLICY_DOC_H

#include "policy/mem.h"
#include "user/base/buf.h"

/*
 * Documents that lay themselves out (after Wadler, "A prettier printer"): texts, and lines that are
 * line ends or spaces. A group whose texts fit on the rest of the line is written flat, with spaces
 * for lines; else its own lines are line ends, and the groups within it are asked in their turn.
 *
 * Behind a line end stands the indentation of what comes next, not that of the line itself, so a line
 * at the end of a nested document belongs to what follows.
 *
 * Documents live in an arena and are never freed one by one. NULL is the empty document, to every
 * function; without memory functions return NULL too, and the arena tells (doc_ok()).
 */
struct doc;

struct docs {
	struct arena mem;
	bool failed; /* no memory: what was built since is of no use */
};

static inline bool doc_ok(const struct docs *ds)
{
	return !ds->failed;
}

/* Borrowed UTF-8. Counted whole, also where it holds line ends. */
const struct doc *doc_text(struct docs *ds, struct span s);
const struct doc *doc_line(struct docs *ds); /* flat: a space */
const struct doc *doc_line_or_nothing(struct docs *ds);
const struct doc *doc_hard_line(struct docs *ds); /* keeps the groups around it from being flat */
const struct doc *doc_cat(struct docs *ds, const struct doc *a, const struct doc *b);
const struct doc *doc_nest(struct docs *ds, unsigned by, const struct doc *d);
const struct doc *doc_group(struct docs *ds, const struct doc *d);

/* The arguments in order; NULL among them is fine. */
#define doc_cats(ds, ...) \
	doc_cats_((ds), (const struct doc *const[]){ __VA_ARGS__ }, \
		  sizeof((const struct doc *const[]){ __VA_ARGS__ }) / sizeof(const struct doc *))
const struct doc *doc_cats_(struct docs *ds, const struct doc *const *v, size_t n);

/* 0, -ENOMEM, -EMSGSIZE. Time is linear in the document times width. */
int doc_render(const struct doc *d, unsigned width, struct buf *out);

#endif
