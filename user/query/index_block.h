/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_INDEX_BLOCK_H
#define TOLLGATE_QUERY_INDEX_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/notary/segment.h"
#include "user/notary/view.h"

/*
 * What the index knows of one run of records of one segment: where each line is and when it was written,
 * and for every text that stands in a member which of the records have it. A row for each text and block
 * instead of one for each record is what makes millions of records a second's work per half million.
 */
#define BLOCK_RECORDS 1024u
#define BLOCK_WORDS (BLOCK_RECORDS / 64)
#define BLOCK_LINE_SIZE 10 /* u16 length without newline, u64 microseconds; little endian */

enum index_kind {
	KIND_SESSION, KIND_AGENT, KIND_SERVER, KIND_TOOL, KIND_DECISION, KIND_TYPE, KIND_COUNT
};

#define BLOCK_VALUES (KIND_COUNT * BLOCK_RECORDS)
#define BLOCK_NONE UINT16_MAX

struct block_value {
	uint64_t id; /* in the database; 0: not known yet */
	uint32_t hash;
	uint32_t at, n; /* in text */
	uint32_t records, counted; /* counted: told to the database */
	uint16_t session; /* number in sessions, for KIND_SESSION */
	uint8_t kind;
	uint64_t hits[BLOCK_WORDS];
};

/* What is new of a session since it was last written. */
struct block_session {
	uint16_t value, agent, server; /* BLOCK_NONE: not said */
	bool ended;
	uint64_t first_leaf, last_leaf, first_us, last_us;
	uint32_t records, denied;
	char mode[16];
	uint32_t outer_at, outer_n; /* in text */
};

/* An edge of the graph: who called what where in which conversation, since last written. */
struct block_link {
	uint16_t value[4]; /* session, agent, server, tool */
	uint64_t first_leaf, last_leaf;
	uint32_t records, denied;
};

struct index_block {
	uint64_t first, segment, offset; /* leaf, first leaf of the file, byte */
	uint32_t n; /* records */
	uint64_t low_us, high_us; /* low > high: no record with a time */
	uint8_t lines[BLOCK_RECORDS * BLOCK_LINE_SIZE];
	unsigned values_n, sessions_n, links_n;
	struct block_value values[BLOCK_VALUES];
	struct block_session sessions[BLOCK_RECORDS];
	struct block_link links[BLOCK_RECORDS];
	struct buf text;
	char second[20]; /* the text of a time to the second, and its value: most records share it */
	uint64_t second_us;
	uint16_t value_slots[16384], link_slots[4096]; /* number + 1; twice as many as can be, or more */
};

/* Makes the block empty, to begin with the line at at. */
void block_begin(struct index_block *b, const struct segment_at *at);
/* True when the line at at belongs to another block. */
bool block_full(const struct index_block *b, const struct segment_at *at);
/* Takes a line in; v is NULL for one that is no record: it keeps its place and has no words, and the
 * verifier is who judges it. 0 or -ENOMEM. */
int block_add(struct index_block *b, struct span line, uint64_t leaf, const struct record_view *v);
struct span block_text(const struct index_block *b, const struct block_value *v);

#endif
