// SPDX-License-Identifier: Apache-2.0
/* The one thing that is asked of ELF files. Runs in the supervisor. */
#include "user/proc/elf.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#define PHDRS_BYTES_MAX 65536 /* what the kernel takes (load_elf_phdrs) */

/* libelf says no more than that something is wrong. */
static int read_interpreter(Elf *e, int fd, char *ret, size_t size)
{
	size_t n;

	if (elf_kind(e) != ELF_K_ELF)
		return -ENOENT;
	if (elf_getphdrnum(e, &n) < 0 || n > PHDRS_BYTES_MAX / sizeof(Elf32_Phdr))
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(e, (int)i, &ph))
			return -EBADMSG;
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz < 2 || ph.p_filesz > size)
			return -EBADMSG;
		if (pread(fd, ret, ph.p_filesz, (off_t)ph.p_offset) != (ssize_t)ph.p_filesz ||
		    ret[ph.p_filesz - 1] != '\0')
			return -EBADMSG;
		return 0;
	}
	return -ENOENT;
}

int elf_interpreter(int fd, char *ret, size_t size)
{
	Elf *e;
	int r;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EOPNOTSUPP;
	e = elf_begin(fd, ELF_C_READ, NULL);
	if (!e)
		return -EBADMSG;
	r = read_interpreter(e, fd, ret, size);
	elf_end(e);
	return r;
}
