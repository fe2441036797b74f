/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TILES_H
#define TOLLGATE_TILES_H

#include "user/base/span.h"
#include "user/notary/checkpoint.h"

/*
 * The log in the layout of C2SP tlog-tiles, static files that any client of that format can fetch and
 * check: checkpoint, tile/L/N and tile/entries/N, with .p/W for what is not full. Everything is computed
 * from the records; nothing that lies in the log's directory is taken on trust.
 */

#define TILE_HEIGHT 8
#define TILE_WIDTH 256u
#define TILE_PATH_SIZE 64

/* "tile/L/N[.p/W]", N in groups of three digits, all but the last with an x in front. level < 0: entries.
 * width 0 or TILE_WIDTH: full. */
void tile_path(int level, uint64_t n, unsigned width, char ret[TILE_PATH_SIZE]);

struct tiles_report {
	uint64_t written, kept; /* files; kept: there already, with the same content */
};

/* Writes what the checkpoint covers into the directory, the checkpoint itself last. Full tiles that are
 * there already must be the same. 0; -EBADMSG when the records do not lead to the checkpoint's root (it is
 * then not written) or a tile is there with other content; -ENODATA when the log is shorter, or its first
 * records have been removed; or -errno. */
int tiles_export(int log_dirfd, struct span note, const struct checkpoint *cp, int out_dirfd,
		 struct tiles_report *ret);

#endif
