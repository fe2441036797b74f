/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_HANDOVER_LIST_H
#define TOLLGATE_HANDOVER_LIST_H

#include "user/base/buf.h"
#include "user/notary/key_handover.h"

/*
 * Records of changes of the log key, kept where the log's segments are not: beside a log whose beginning was
 * removed, and by a witness. Lines in the order of the log:
 *
 *	<leaf> <record>
 */
#define HANDOVER_LIST_MAX (4u << 20) /* bytes: some five thousand changes; a log that has more keeps its segments */

/* What one line says. */
struct handover_kept {
	uint64_t leaf;
	struct span record;
	enum handover is; /* HANDOVER_SIGNED or HANDOVER_GAP */
	uint8_t old_key[KEY_SIZE], new_key[KEY_SIZE];
};

/* Where a reader stands; begin with the text and what names its log. */
struct handover_list {
	struct span rest;
	const char *origin;
	uint64_t from; /* leaves before it are refused */
};

/* 0 or -errno. */
int handover_list_add(struct buf *list, uint64_t leaf, struct span record);

/* The next line, judged: its record is canonical, says what its entry_hash says and is a change of the log's
 * key, signed by the old key or said to be a gap. 0; -ENODATA at the end; -EBADMSG. Total on any text. */
int handover_list_next(struct handover_list *l, struct handover_kept *ret);

#endif
