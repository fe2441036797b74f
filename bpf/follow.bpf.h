/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_FOLLOW_BPF_H
#define TOLLGATE_FOLLOW_BPF_H

#include "bpf/stream.bpf.h"

/* How a call names the bytes it writes. */
enum {
	FORM_BUFFER, /* a: address, n: length */
	FORM_VECTOR, /* a: of the iovec, n: entries */
	FORM_MESSAGE, /* a: of the msghdr */
	FORM_OPAQUE, /* bytes that cannot be read from here */
	FORM_COMPAT, /* a 32-bit call; the same */
	FORM_PEEK = 0x100, /* with one of the above: a look that takes nothing off */
	FORM_TRACED = 0x200, /* the same: who reads cannot be stopped, its tracer could continue it */
};

/* bpf/follow.bpf.c; global, so each is verified once. */
int follow_enter(u64 fd, u32 form, u64 a, u64 n);
int follow_exit(s64 ret);
/* Bytes went to what file (an address) is, by a way that cannot be searched. */
int follow_opaque(u64 file);
/* Current read ret bytes of a stream. Not 0: it must stop with them in hand. */
int follow_read(u64 key, u32 form, u64 a, u64 n, s64 ret);

#endif
