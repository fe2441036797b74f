/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_STDIO_END_H
#define TOLLGATE_GATE_STDIO_END_H

#include <stdbool.h>
#include <stdint.h>

#include "user/gate/conv.h"
#include "user/stdio/relay.h"

struct gate;
struct gate_stdio;
struct loop;

/* A stdio conversation that was taken over while its server stands still. Borrowed. */
struct gate_stdio_spec {
	struct gate_peers peers;
	struct stdio_relay_fds fds; /* taken, whatever happens */
	/* Bytes that the server has of the line under way and what it read while held, perhaps behind lines that are no
	 * MCP and were let through; and their copy, as far as the kernel has it. */
	uint64_t taken;
	struct span head;
};

/*
 * Judges what the server may have read before the swap, tells through `decided` whether the server may go
 * on, and then gates the conversation until either side ends it. decided is called exactly once, perhaps
 * before this function returns; go false: kill the server, reason says why; the host has been answered.
 * 0, or -errno when nothing was begun (decided is not called; the descriptors are closed).
 */
typedef void (*gate_stdio_decided)(void *arg, bool go, const char *reason);
int gate_stdio_open(struct gate *g, struct loop *l, const struct gate_stdio_spec *spec,
		    gate_stdio_decided decided, void *arg);

#endif
