/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_LOADER_H
#define TOLLGATE_LOADER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a loader's command line (len bytes of terminated strings, argv[0] first) may name its program without a '/'.
 * Such a name is sought in library paths, which options, environment and configuration give: what file it is cannot be
 * told from outside. Options are those of ld.so(8) and of musl's; of another one it is not known whether a value
 * follows, so both are assumed.
 */
bool loader_seeks(const char *args, size_t len);

#endif
