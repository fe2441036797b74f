/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_TSM_H
#define TOLLGATE_ATTEST_TSM_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"

/*
 * The kernel's common interface to confidential guests' firmware, configfs-tsm (Documentation/ABI/testing/
 * configfs-tsm, since 6.7). Needs root. Each call uses an entry of its own and removes it.
 */
#define TSM_DATA_SIZE 64
#define TSM_BLOB_MAX (256u << 10) /* quotes stay below 16 KiB, tables of certificates below 64 KiB */

/* True when the provider of that name ("sev_guest", "tdx_guest") answers here. root: "" or a folder that stands
 * for /. */
bool tsm_present(const char *root, const char *provider);

/* Appends the report or quote over data, and what comes beside it (may be empty). 0; -ENODEV: not this
 * provider; -EAGAIN: others kept changing the entry; or what the firmware gave. May take seconds. */
int tsm_report(const char *root, const char *provider, const uint8_t data[TSM_DATA_SIZE], struct buf *report,
	       struct buf *aux);

#endif
