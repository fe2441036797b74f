/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_ELF_H
#define TOLLGATE_PROC_ELF_H

#include <stddef.h>

/* The loader that a program asks for (PT_INTERP of elf(5)), from a descriptor that can be read. 0 and a terminated
 * string; -ENOENT: it asks for none (it is static, or no ELF file); -EBADMSG: what the kernel would not run; or
 * -errno. */
int elf_interpreter(int fd, char *ret, size_t size);

#endif
