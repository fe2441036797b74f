// SPDX-License-Identifier: Apache-2.0
/* A software TPM's socket as a device node: device_tpm MOUNT SOCKET, then MOUNT/dev/tpmrm0. Runs until it is ended. */
#include <stdio.h>

#include "tests/device/device_fs.h"

int main(int argc, char **argv)
{
	const struct device_fs d = { .tpm = argc == 3 ? argv[2] : NULL };

	if (argc != 3) {
		fputs("usage: device_tpm MOUNT SOCKET\n", stderr);
		return 2;
	}
	return device_fs_serve(&d, argv[1]);
}
