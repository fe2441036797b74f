/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_DEVICE_FS_H
#define TOLLGATE_TESTS_DEVICE_FS_H

/*
 * Device nodes of machines that we do not have, as a FUSE file system: what opens them is the code that opens
 * the real ones, at paths below another root.
 *
 *	dev/sev-guest, dev/tdx_guest             their ioctls (linux/sev-guest.h, linux/tdx-guest.h)
 *	dev/tpmrm0                               a software TPM's socket, as a character device answers
 *	sys/kernel/config/tsm/report/NAME/       configfs-tsm: inblob, outblob, auxblob, provider, generation
 *
 * One request at a time; a nested request of another process is answered by what disturb says.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DEVICE_BLOB_MAX 16384

struct device_fs {
	const char *provider; /* of configfs-tsm: "sev_guest", "tdx_guest"; NULL: none is registered */
	bool sev_guest, tdx_guest;
	const char *tpm; /* socket; NULL: no TPM */
	/* The report or quote for 64 bytes of report data. 0 or -errno, which reading the blob then gives. */
	int (*report)(void *arg, const uint8_t data[64], uint8_t ret[DEVICE_BLOB_MAX], size_t *ret_n);
	void *arg;
	const uint8_t *aux; /* table of certificates */
	size_t aux_n;
	unsigned disturb; /* so many times another writer comes between request and answer */
};

/* Mounts at an empty folder and serves until the process is ended. Not before fork() has made a process of its
 * own for it. Returns only on failure. */
int device_fs_serve(const struct device_fs *d, const char *mount);

/* A child that serves; the folder is mounted when it returns. Ended by device_fs_stop(). */
pid_t device_fs_start(const struct device_fs *d, const char *mount);
void device_fs_stop(pid_t pid, const char *mount);

#endif
