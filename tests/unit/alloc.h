/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_ALLOC_H
#define TOLLGATE_TEST_ALLOC_H

/*
 * Failed allocations, one after the other. A program named test_alloc is linked so that every allocation of the code
 * under test comes by here (Makefile); those of libcrypto are asked for by its own hook. Usage:
 *
 *	for (unsigned n = 1; alloc_fail_at(n); n++) { ... alloc_work(); ...; alloc_rest(); ... }
 *
 * Between alloc_work() and alloc_rest() the n-th allocation fails, and no other. The loop ends after the first n that
 * was not reached: all have failed once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

static struct {
	unsigned long at, seen;
	bool working, began;
} alloc_state;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static bool alloc_fails(void)
{
	if (!alloc_state.working || ++alloc_state.seen != alloc_state.at)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return alloc_fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return alloc_fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_realloc(p, n * size);
}

char *__wrap_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = alloc_fails() ? NULL : __real_malloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}

static inline void *alloc_crypto(size_t n, const char *file, int line)
{
	return alloc_fails() ? NULL : __real_malloc(n);
}

static inline void *alloc_crypto_again(void *p, size_t n, const char *file, int line)
{
	return alloc_fails() ? NULL : __real_realloc(p, n);
}

static inline void alloc_crypto_free(void *p, const char *file, int line)
{
	free(p);
}

/* Before anything else of libcrypto. */
static inline void alloc_take_crypto(void)
{
	(void)CRYPTO_set_mem_functions(alloc_crypto, alloc_crypto_again, alloc_crypto_free);
}

static bool alloc_fail_at(unsigned long n)
{
	bool reached = !alloc_state.began || alloc_state.seen >= alloc_state.at;

	alloc_state.at = n;
	alloc_state.seen = 0;
	alloc_state.began = reached;
	return reached;
}

static void alloc_work(void)
{
	alloc_state.working = true;
}

static void alloc_rest(void)
{
	alloc_state.working = false;
}

#endif
