/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_IDENTITY_H
#define TOLLGATE_PROC_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/digest.h"

#define PROC_PATH_MAX 1024 /* longer paths are "not measured" */
#define PROC_ARGS_MAX 4096
#define PROC_LOADER_MAX 256

/*
 * Who a process is, read from /proc through a pidfd-checked moment. Flat and pointer-free: it travels
 * between roles as it is; a receiver calls proc_identity_valid() before use.
 */
struct proc_identity {
	int32_t pid;
	uint32_t uid, gid;
	uint32_t pad;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat: with pid, unique since boot */
	uint64_t netns; /* inode of /proc/PID/ns/net */
	char exe[PROC_PATH_MAX]; /* of /proc/PID/exe */
	uint8_t exe_digest[SHA256_SIZE];
	char script[PROC_PATH_MAX]; /* interpreter's script, resolved; "" when there is none */
	uint8_t script_digest[SHA256_SIZE];
	char cgroup[PROC_PATH_MAX]; /* path below the cgroup2 mount */
	char args[PROC_ARGS_MAX]; /* argv, each NUL-terminated */
	uint32_t args_len; /* bytes used in args */
	uint8_t exe_measured; /* exe_digest is of the running image */
	uint8_t script_measured;
	uint8_t args_truncated;
	uint8_t pad2;
	char loader[PROC_LOADER_MAX]; /* names of set variables that change what code is loaded, ','-separated */
};

/* Reads everything about a live process. The process should be stopped or held by the caller, or the
 * answer may be of two moments; the start time is read first and last and must agree (-ESRCH).
 * Digests are cached by device, inode, size, mtime and ctime. 0 or -errno; what could not be measured
 * is left empty with its flag 0, which is not an error. */
int proc_identity_read(pid_t pid, struct proc_identity *ret);

/* Structural check of an identity that another role sent: terminated strings, lengths in range. */
bool proc_identity_valid(const struct proc_identity *id);

/* The i-th argument (0: argv[0]), or NULL. */
const char *proc_identity_arg(const struct proc_identity *id, unsigned i);

#endif
