/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_MAPS_BPF_H
#define TOLLGATE_MAPS_BPF_H

/*
 * Every shared map, once. base.bpf.c defines them (TG_DEFINE_MAPS); the other programs refer to
 * them and the static linker joins both. Sizes of the maps marked "sized at load" are set by
 * user/kern.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define BPF_F_NO_PREALLOC (1u << 0)
#define BPF_F_MMAPABLE (1u << 10)

#ifdef TG_DEFINE_MAPS
#define TG_MAP
#else
#define TG_MAP extern
#endif

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* user space stores single members */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_state);
} state SEC(".maps");

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TG_STAT_MAX_);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

/* Small and never shared with what an agent can make frequent: exec and refused connections. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* sized at load */
} events SEC(".maps");

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* sized at load */
} stdio_events SEC(".maps");

/* Numbers of the last event of each ring, lost ones included. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sequences SEC(".maps");

/* --- scope ------------------------------------------------------------------------------------ */

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tg_label);
} labels SEC(".maps");

/* Children whose label could not be stored at fork, by thread id. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct tg_label);
} late_labels SEC(".maps");

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct tg_label);
} scope_cgroups SEC(".maps");

/* --- steering --------------------------------------------------------------------------------- */

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tg_origin);
} origins SEC(".maps");

/* From the client's connect to the accepted child only. Not LRU: an evicted record is a lost
 * connection. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536); /* sized at load */
	__type(key, struct tg_flow_key);
	__type(value, struct tg_origin);
} flows SEC(".maps");

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tg_listener_key);
	__type(value, struct tg_listener);
} listeners SEC(".maps");

/* The same ports by namespace and number: an agent must not connect to them. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tg_port_key);
	__type(value, __u32);
} listener_ports SEC(".maps");

/* --- exec guard ------------------------------------------------------------------------------- */

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* two epochs of 4096 */
	__type(key, struct tg_selector_key);
	__type(value, struct tg_selector);
} selectors SEC(".maps");

/* Cgroups of containers that user space has looked at: an exec there goes on, or is one of a scope. What is forgotten
 * is looked at again. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} containers SEC(".maps");

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct tg_stopped);
} stopped SEC(".maps");

/* --- stdio ------------------------------------------------------------------------------------ */

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* sized at load */
	__type(key, __u64);
	__type(value, struct tg_stream);
} streams SEC(".maps");

TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192); /* sized at load */
	__type(key, __u64);
	__type(value, struct tg_head);
} heads SEC(".maps");

/* What readers got of the line under way, and of a held stream. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192); /* sized at load */
	__type(key, __u64);
	__type(value, struct tg_head);
} takens SEC(".maps");

/* Key of the object that a server reads from to key of the stream. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* sized at load */
	__type(key, __u64);
	__type(value, __u64);
} readers SEC(".maps");

/* Of the iterators that user space makes next; read by them until their end. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tg_sought);
} sought SEC(".maps");

/* Objects of our own relays. */
TG_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64); /* address of the inode, for the sweep */
} ours SEC(".maps");

#endif
