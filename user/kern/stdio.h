/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_STDIO_H
#define TOLLGATE_KERN_STDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi.h"

struct kern;

/*
 * A stream is named by its key: the inode number of the object its writer holds ("pipe:[N]",
 * "socket:[N]" of the writer's end). A named pipe on a file system has a key with the top bit set:
 * kern_stdio_key().
 */

/* The system call hooks cost every task of the machine a few ns, so they are attached only while an
 * agent's scope exists. Both are idempotent. */
int kern_stdio_attach(struct kern *k);
int kern_stdio_detach(struct kern *k);
bool kern_stdio_attached(const struct kern *k);

/* Key of the object behind a descriptor of the caller. */
int kern_stdio_key(int fd, uint64_t *ret);

/* -ENOENT when the stream is not followed. */
int kern_stdio_read(struct kern *k, uint64_t key, struct tg_stream *ret);

/* Key of the stream whose reader holds this object (inode number of a pipe or socket). -ENOENT. */
int kern_stdio_of_reader(struct kern *k, uint64_t ino, uint64_t *ret_key);

/* The first bytes written to the stream since it is followed; *ret_n is min(written, TG_HEAD_BYTES)
 * unless the stream has TG_STREAM_HEAD_GAP: then the copy is good for *ret_n bytes, and more were
 * written that are not in it. */
int kern_stdio_head(struct kern *k, uint64_t key, uint8_t ret[TG_HEAD_BYTES], size_t *ret_n);

/* What readers have in hand: of the line that was under way when the stream was suspected, and all that they read
 * since. *ret_taken bytes, of which *ret_n are copied (fewer when they did not fit or could not be read). Lines that
 * ended before the suspicion may stand before it. -EAGAIN: a read is being noted at this moment. */
int kern_stdio_taken(struct kern *k, uint64_t key, uint8_t ret[TG_HEAD_BYTES], size_t *ret_n,
		     uint64_t *ret_taken);

/* Walks all followed streams. fn returns 0 to go on. The start-up of an adopting supervisor looks
 * for TG_STREAM_TRIGGERED ones; so does whoever saw a gap in the events' sequence. */
typedef int (*kern_stdio_fn)(uint64_t key, const struct tg_stream *s, void *arg);
int kern_stdio_each(struct kern *k, kern_stdio_fn fn, void *arg);

/* The pipe or socket behind a descriptor of the caller, and its other end, are our relay's: never
 * followed. To be called before a server or its child can execute with them. The marks go when the
 * objects go. */
int kern_stdio_ours(struct kern *k, int fd);

/* Whether the search found what may be JSON-RPC, in what was written or in what was read. */
bool kern_stdio_found(const struct tg_stream *s);

/* After a look: not MCP so far. Follows on, holds no longer and continues the stopped readers. taken: how many bytes
 * they had in hand at the look. -ENOENT; -EAGAIN when they have more now: look again. */
int kern_stdio_release(struct kern *k, uint64_t key, uint64_t taken);

/* After a takeover, or when it is certainly not MCP: drops the stream, its head and its output's
 * reference. Stopped readers are not continued: kern_stopped_continue() does that when the swap is
 * complete. */
int kern_stdio_forget(struct kern *k, uint64_t key);

/* What the iterators look for that are made, or read, from here on. */
int kern_stdio_seek(struct kern *k, const struct tg_sought *what);

/* Makes n descriptors, the caller's, each good for one pass over the holders of what is sought, in the scopes or
 * on the whole machine: read to its end it gives struct tg_holding. 0 or -errno. */
int kern_stdio_walks(struct kern *k, bool everywhere, int *ret_fds, unsigned n);

/* Follows what a running, labelled process reads and writes as if it had just executed. 0 or -errno. */
int kern_stdio_follow(struct kern *k, pid_t pid);

/* Holds a stream's readers by hand (start-up scan): reads do not return to them. */
int kern_stdio_hold(struct kern *k, uint64_t key);

/* Drops streams whose objects are gone; to be called every few seconds. Count, or -errno. */
int kern_stdio_sweep(struct kern *k);

#endif
