/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_EPOLL_INFO_H
#define TOLLGATE_STDIO_EPOLL_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/* One registration, as /proc/PID/fdinfo of an epoll descriptor shows it (Linux 4.13 and later). */
struct epoll_info {
	int fd;
	uint32_t events;
	uint64_t data, ino, sdev;
};

/* False when the line is not understood. */
bool epoll_info_parse(struct span line, struct epoll_info *ret);

#endif
