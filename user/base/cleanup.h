/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLEANUP_H
#define TOLLGATE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Scope-bound release: a variable marked with one of these is released when it leaves scope.
 * Success hands the value over with take_ptr() or take_fd(). */
#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines name_p(T **) for use with _cleanup_(name_p); name() must accept NULL. */
#define DEFINE_CLEANUP(T, name) \
	static inline void name##_p(T *p) \
	{ \
		if (*p) \
			name(*p); \
	}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#define take_ptr(p) \
	({ \
		__typeof__(p) take_v_ = (p); \
		(p) = NULL; \
		take_v_; \
	})

static inline int take_fd_at(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#define take_fd(fd) take_fd_at(&(fd))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
