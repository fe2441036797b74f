/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_H
#define TOLLGATE_KERN_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "user/base/digest.h"

struct kern;

struct kern_config {
	/* Private directory for pins; a bpffs is mounted on it (0700) when it is not one. Pins lie
	 * in <pin_dir>/v<TG_ABI_VERSION>. The caller made the directory and names no symlink. */
	const char *pin_dir;
	uint64_t stale_ns; /* no heartbeat for so long: the guard kills; 0: KERN_STALE_NS */
	uint32_t ring_bytes; /* per event ring, a power of two of pages; 0: KERN_RING_BYTES */
	uint32_t max_streams; /* stdio streams followed at once; 0: KERN_MAX_STREAMS */
	uint32_t max_flows; /* steered connections between SYN and accept; 0: KERN_MAX_FLOWS */
};

#define KERN_STALE_NS (5ull * 1000 * 1000 * 1000)
#define KERN_RING_BYTES (256u << 10)
#define KERN_MAX_STREAMS 8192
#define KERN_MAX_FLOWS 65536

/* Whether this kernel and this process may load what is needed; 0, or -errno with the reason in
 * ret_why (static text). Loads a trivial program. */
int kern_supported(const char **ret_why);

/*
 * Loads, attaches and pins the exec guard, label inheritance and everything else but the per-scope
 * and stdio links; or adopts the pins of an earlier process of the same programs; or puts this
 * binary's programs in the place of others, or of incomplete ones, over the same maps, with no moment
 * in which neither are in force. -ESTALE when pins exist whose maps are of another shape: they stay in
 * force, and the caller decides to kern_release_pins() (opens the gate while it lasts) or to stop.
 * Other errors: -errno. The guard is closed to nothing until kern_heartbeat() was called: a stale
 * heartbeat kills, so selectors should be set after the first heartbeat.
 */
int kern_open(const struct kern_config *cfg, struct kern **ret);

/* Gives up this process's descriptors; pins, links and maps stay in force. NULL is fine. */
void kern_close(struct kern *k);

/* Detaches and unpins everything, then unmounts pin_dir if kern_open() mounted it. Consumes k. */
int kern_release(struct kern *k);

/* The same without an open handle, for pins that kern_open() refuses. */
int kern_release_pins(const char *pin_dir);

bool kern_adopted(const struct kern *k);
/* Whether what was adopted ran other programs, or had lost some, which have been replaced since. */
bool kern_renewed(const struct kern *k);

/* SHA-256 over the sorted tags of all programs: what the records call the kernel programs'
 * digest. */
int kern_digest(struct kern *k, uint8_t ret[SHA256_SIZE]);

/* Checks that every pinned link is still there, attached, and runs the program it should. 0, or
 * -ENOLINK with the link's name in ret_what, and its cgroup for one of a scope (borrowed until the next
 * call). A scope whose links are all gone is no longer known here: see kern_scope_attached(). */
int kern_verify(struct kern *k, const char **ret_what);

/* To be called every second by the supervisor's loop. */
int kern_heartbeat(struct kern *k);

/* TG_STATE_ flags: sets those in set, then clears those in clear. */
int kern_state_flags(struct kern *k, uint32_t set, uint32_t clear);
int kern_state_read(struct kern *k, struct tg_state *ret);

/* Counters, summed over the CPUs, indexed by enum tg_stat. */
int kern_stats(struct kern *k, uint64_t ret[TG_STAT_MAX_]);
const char *kern_stat_name(unsigned stat);

#endif
