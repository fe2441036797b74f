// SPDX-License-Identifier: Apache-2.0
/*
 * Byte queue with a hard limit. Runs in every role; knows nothing of what it holds.
 */
#include "user/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->start = b->end = b->cap = 0;
}

static size_t limit_of(const struct buf *b)
{
	return b->limit ? b->limit : BUF_LIMIT_DEFAULT;
}

int buf_reserve(struct buf *b, size_t n, char **ret_p)
{
	size_t len = buf_len(b), cap;
	char *p;

	if (n > limit_of(b) || len > limit_of(b) - n)
		return -EMSGSIZE;
	if (b->cap - b->end < n && b->start) {
		memmove(b->data, b->data + b->start, len);
		b->start = 0;
		b->end = len;
	}
	if (b->cap - b->end < n) {
		cap = b->cap ? b->cap : 256;
		while (cap - len < n)
			cap *= 2;
		p = realloc(b->data, cap);
		if (!p)
			return -ENOMEM;
		b->data = p;
		b->cap = cap;
	}
	*ret_p = b->data + b->end;
	return 0;
}

void buf_commit(struct buf *b, size_t n)
{
	if (n > b->cap - b->end)
		n = b->cap - b->end;
	b->end += n;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	char *dst;
	int r;

	if (n == 0)
		return 0;
	r = buf_reserve(b, n, &dst);
	if (r < 0)
		return r;
	memcpy(dst, p, n);
	buf_commit(b, n);
	return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *dst;
	int n, r;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return -EINVAL;
	r = buf_reserve(b, (size_t)n + 1, &dst);
	if (r < 0)
		return r;
	(void)vsnprintf(dst, (size_t)n + 1, fmt, ap);
	buf_commit(b, (size_t)n);
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= buf_len(b))
		buf_clear(b);
	else
		b->start += n;
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
}

void buf_shrink(struct buf *b, size_t keep)
{
	if (buf_len(b) == 0 && b->cap > keep)
		buf_done(b);
}

const char *buf_cstr(struct buf *b)
{
	char *dst;

	if (buf_reserve(b, 1, &dst) < 0)
		return NULL;
	*dst = '\0';
	return b->data + b->start;
}

char *buf_steal(struct buf *b, size_t *ret_n)
{
	size_t n = buf_len(b);
	char *s;

	if (!buf_cstr(b))
		return NULL;
	memmove(b->data, b->data + b->start, n + 1);
	s = b->data;
	b->data = NULL;
	b->start = b->end = b->cap = 0;
	if (ret_n)
		*ret_n = n;
	return s;
}
