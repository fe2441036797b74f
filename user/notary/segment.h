/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SEGMENT_H
#define TOLLGATE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * Reading the log directory: files named by the 16-digit decimal index of their first leaf and
 * ".jsonl", one record a line. Memory does not grow with the log. Used by the store's recovery, the
 * verifier and the query role; total on hostile files.
 */
#define SEGMENT_NAME_SIZE 24 /* 16 digits, ".jsonl", NUL */
#define SEGMENT_LEAF_MAX UINT64_C(9999999999999999)

void segment_name(uint64_t first_leaf, char ret[SEGMENT_NAME_SIZE]);
/* The first leaf of a segment's name, or -EINVAL for another name. */
int segment_name_parse(const char *name, uint64_t *ret_first_leaf);

/* Opens a regular file of the log directory for reading, following no link. The descriptor or -errno. */
int segment_open(int dirfd, const char *name);

/* First leaves of all segments in the directory, ascending; malloc()ed. 0 or -errno. */
int segment_list(int dirfd, uint64_t **ret, size_t *ret_n);

struct segment_reader;

/* Where the reader stands: file, line (from 1), byte offset of the line in it, leaf. */
struct segment_at {
	char file[SEGMENT_NAME_SIZE];
	uint64_t line;
	uint64_t offset;
	uint64_t leaf;
};

/* Reads from the segment that holds leaf onwards (skipping lines before it). dirfd is borrowed. */
int segment_reader_open(int dirfd, uint64_t leaf, struct segment_reader **ret);
void segment_reader_close(struct segment_reader *s);

/* The next line without its newline, valid until the next call; *ret_at (may be NULL) says where.
 * 0; -ENODATA at the end of the last whole line of the last segment; -EILSEQ when the last line has no
 * newline (torn: *ret_line holds what there is, offset says where it begins); -E2BIG for a line over
 * RECORD_MAX; -ENXIO when the next segment does not begin where this one ends (ret_at names it);
 * or errno of reading. After -ENODATA and -EILSEQ the reader may be asked again when the log has grown;
 * any other error is given again. */
int segment_read(struct segment_reader *s, struct span *ret_line, struct segment_at *ret_at);

#endif
