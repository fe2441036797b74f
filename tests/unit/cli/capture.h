// SPDX-License-Identifier: Apache-2.0
/* Runs a command of tollgate inside a test, with what it prints caught. */
#ifndef TESTS_UNIT_CLI_CAPTURE_H
#define TESTS_UNIT_CLI_CAPTURE_H

#include "user/cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/file.h"

enum { CAPTURE_WORDS_MAX = 32, CAPTURE_BYTES_MAX = 1 << 20 };

struct captured_stream {
	int stream;
	int saved;
	int file;
};

static struct captured_stream capture_begin(int stream)
{
	struct captured_stream s = { .stream = stream, .saved = dup(stream), .file = memfd_create("out", MFD_CLOEXEC) };

	assert_true(s.saved >= 0 && s.file >= 0 && dup2(s.file, stream) >= 0);
	return s;
}

static void capture_end(struct captured_stream *s, struct buf *printed)
{
	assert_true(dup2(s->saved, s->stream) >= 0);
	if (printed) {
		buf_clear(printed);
		assert_int_equal(file_read_at_start(s->file, CAPTURE_BYTES_MAX, printed), 0);
	}
	close(s->saved);
	close(s->file);
}

/*
 * Runs command with its name and the words, which end with NULL. What it prints replaces the content of
 * out and err; either may be NULL. Returns its exit status.
 */
static int capture(int (*command)(struct cli *, int, char **), struct cli *c, const char *name, const char *const *words,
		   struct buf *out, struct buf *err)
{
	char *argv[CAPTURE_WORDS_MAX + 1] = { (char *)name };
	struct captured_stream one, two;
	int argc = 1, status;

	for (; *words; words++) {
		assert_true(argc < CAPTURE_WORDS_MAX);
		argv[argc++] = (char *)*words;
	}
	fflush(stdout);
	one = capture_begin(STDOUT_FILENO);
	two = capture_begin(STDERR_FILENO);
	status = command(c, argc, argv);
	fflush(stdout);
	capture_end(&one, out);
	capture_end(&two, err);
	return status;
}

#endif
