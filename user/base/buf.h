/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_BUF_H
#define TOLLGATE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/* A growable byte queue: bytes are appended at the end and consumed from the front.
 * Zero-initialised is empty and valid. Never holds more than limit bytes (0: BUF_LIMIT_DEFAULT). */
struct buf {
	char *data;
	size_t start, end, cap;
	size_t limit;
};

#define BUF_LIMIT_DEFAULT (64u << 20)

void buf_done(struct buf *b);

/* Makes room for n more bytes and returns where to write them in *ret_p; the caller commits what
 * it wrote with buf_commit(). -ENOMEM, or -EMSGSIZE beyond the limit. */
int buf_reserve(struct buf *b, size_t n, char **ret_p);
void buf_commit(struct buf *b, size_t n);

/* 0, -ENOMEM or -EMSGSIZE; on failure the buffer is as before. */
int buf_append(struct buf *b, const void *p, size_t n);
int buf_append_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap);

/* Drops n bytes (at most all) from the front; keeps the memory. */
void buf_consume(struct buf *b, size_t n);
void buf_clear(struct buf *b);

/* Gives memory back when the buffer is empty and larger than keep bytes. */
void buf_shrink(struct buf *b, size_t keep);

/* Appends a NUL that is not counted and returns the text, owned by the buffer; NULL without memory. */
const char *buf_cstr(struct buf *b);

/* Hands the bytes over as a malloc()ed, NUL-terminated string; the buffer is empty afterwards. */
char *buf_steal(struct buf *b, size_t *ret_n);

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->data ? b->data + b->start : NULL, b->end - b->start };
}

#define _cleanup_buf_ __attribute__((cleanup(buf_done)))

#endif
