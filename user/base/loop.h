/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_LOOP_H
#define TOLLGATE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

/* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR, EPOLLRDHUP as delivered by epoll. */
typedef void (*loop_io_fn)(struct loop_io *io, uint32_t events, void *arg);
typedef void (*loop_timer_fn)(struct loop_timer *t, void *arg);

/* One epoll loop per role. 0 or -errno. */
int loop_new(struct loop **ret);
void loop_free(struct loop *l);

/* Runs until loop_stop(). Returns the code given to loop_stop(), or -errno of epoll itself. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);

/* Waits at most timeout_ms (-1: for ever) and dispatches what is ready; for tests. Count or -errno. */
int loop_once(struct loop *l, int timeout_ms);

/* Watches fd (borrowed; close it after loop_io_remove()). Level-triggered. */
int loop_io_add(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *arg,
		struct loop_io **ret);
int loop_io_set(struct loop_io *io, uint32_t events);
int loop_io_fd(const struct loop_io *io);
/* Stops watching; safe in any callback, also for a source that is ready in the same round. NULL is fine. */
void loop_io_remove(struct loop_io *io);

/* A timer that is not armed yet. Arm with a delay; period_ns 0 fires once. Rearming replaces. */
int loop_timer_add(struct loop *l, loop_timer_fn fn, void *arg, struct loop_timer **ret);
int loop_timer_arm(struct loop_timer *t, uint64_t delay_ns, uint64_t period_ns);
void loop_timer_remove(struct loop_timer *t);

/* Calls fn when one of the signals (0-terminated list) arrives; they are blocked for the process.
 * At most one such set per loop. */
typedef void (*loop_signal_fn)(int signo, void *arg);
int loop_signals(struct loop *l, const int *signos, loop_signal_fn fn, void *arg);

/* Calls fn once after each round of dispatched events; for batching. */
void loop_after(struct loop *l, void (*fn)(void *arg), void *arg);

#endif
