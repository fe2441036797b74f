/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of 32-bit code, which no takeover can handle: serve32 serve LOG appends what it reads to LOG. Without a
 * library, so that it needs no 32-bit compiler: as --32, ld -m elf_i386.
 */
	.text
	.globl _start
_start:
	mov 12(%esp), %ebx	/* argv[2] */
	mov $5, %eax		/* open */
	mov $02001, %ecx	/* O_WRONLY | O_APPEND */
	int $0x80
	mov %eax, %esi
again:
	mov $3, %eax		/* read */
	xor %ebx, %ebx
	mov $buf, %ecx
	mov $4096, %edx
	int $0x80
	test %eax, %eax
	jle out
	mov %eax, %edx
	mov $4, %eax		/* write */
	mov %esi, %ebx
	int $0x80
	jmp again
out:
	mov $1, %eax		/* exit */
	xor %ebx, %ebx
	int $0x80

	.bss
buf:	.skip 4096
