// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The home of all shared maps. This file's name sorts before the others' on purpose: the static
 * linker of libbpf 1.1 gives a map that is referred to before it is defined a wrong place.
 */
#define TG_DEFINE_MAPS
#include "bpf/maps.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
