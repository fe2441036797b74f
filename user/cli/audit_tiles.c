// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit tiles: the log as static files that others' tools can read. Reads the log's directory,
 * so it works on a copy as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/audit_cmd.h"
#include "user/notary/segment.h"
#include "user/notary/store.h"
#include "user/notary/tiles.h"

static const char *explain(int r)
{
	return r == -EBADMSG ? "the records do not lead to the signed head, or tiles of another log are here; "
			       "see tollgate verify log" :
	       r == -ENODATA ? "the log does not hold all records from the first to the signed head" : err_text(r);
}

int audit_tiles(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = { { "log", required_argument, NULL, 'l' }, { 0 } };
	_cleanup_close_ int log_fd = -1, out_fd = -1, note_fd = -1;
	_cleanup_buf_ struct buf note = { 0 };
	struct tiles_report report;
	const char *log = NULL, *out;
	struct checkpoint cp;
	size_t n;
	int ch, r;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (ch != 'l')
			return audit_usage();
		log = optarg;
	}
	if (!log || optind + 1 != argc)
		return audit_usage();
	out = argv[optind];
	log_fd = open(log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log_fd < 0)
		return audit_fail("open", log, err_text(-errno));
	note_fd = segment_open(log_fd, STORE_FILE_CHECKPOINT);
	r = note_fd < 0 ? note_fd : file_read_fd(note_fd, CHECKPOINT_MAX, &note);
	if (r == 0)
		r = checkpoint_parse(buf_span(&note), &cp, &n);
	if (r < 0)
		return audit_fail("read the checkpoint of", log, err_text(r));
	if (mkdir(out, 0755) < 0 && errno != EEXIST)
		return audit_fail("create", out, err_text(-errno));
	out_fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out_fd < 0)
		return audit_fail("open", out, err_text(-errno));
	r = tiles_export(log_fd, buf_span(&note), &cp, out_fd, &report);
	if (r < 0)
		return audit_fail("write tiles of", log, explain(r));
	if (c->json)
		printf("{\"kept\":%" PRIu64 ",\"size\":%" PRIu64 ",\"written\":%" PRIu64 "}\n", report.kept, cp.size,
		       report.written);
	else
		printf("%s: %" PRIu64 " records of %s, %" PRIu64 " files written, %" PRIu64 " kept\n", out, cp.size,
		       cp.origin, report.written, report.kept);
	return CLI_OK;
}
