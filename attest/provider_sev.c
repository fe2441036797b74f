// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence from AMD SEV-SNP: a report over the binding, and the host's table of certificates. By configfs-tsm, or
 * by the driver's own device on kernels that have only that.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sev-guest.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attest/provider.h"
#include "attest/snp_report.h"
#include "attest/tsm.h"
#include "user/base/cleanup.h"

#define PROVIDER "sev_guest"
#define CERTS_MAX 0x4000u /* the driver takes no more */
#define CERTS_ALIGN 4096u
#define MESSAGE_VERSION 1
#define VMM_INVALID_LENGTH 1u /* GHCB: the table is longer than the buffer */
#define REPORT_AT 32 /* in a response: behind status, size and 24 reserved bytes */

static int open_device(const struct attest_config *c)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/dev/sev-guest", c->root ? c->root : "");
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool sev_present(const struct attest_config *c)
{
	_cleanup_close_ int fd = -1;

	if (tsm_present(c->root ? c->root : "", PROVIDER))
		return true;
	fd = open_device(c);
	return fd >= 0;
}

static int take_report(const struct snp_report_resp *resp, struct buf *report)
{
	uint32_t status, size;

	memcpy(&status, resp->data, sizeof(status)); /* little endian, as this processor is */
	memcpy(&size, resp->data + 4, sizeof(size));
	if (status != 0)
		return -EIO;
	if (size < SNP_REPORT_SIZE || size > sizeof(resp->data) - REPORT_AT)
		return -EBADMSG;
	return buf_append(report, resp->data + REPORT_AT, size);
}

/* An error of the firmware may cost the guest its message key: what failed is not asked again, except that
 * a table that is too long is left out, which is the host's error and not the firmware's. */
static int by_device(int fd, const uint8_t data[64], struct buf *report, struct buf *certs)
{
	_cleanup_free_ void *table = aligned_alloc(CERTS_ALIGN, CERTS_MAX);
	struct snp_report_resp resp = { 0 };
	struct snp_ext_report_req ext = { .certs_len = CERTS_MAX };
	struct snp_guest_request_ioctl g = { .msg_version = MESSAGE_VERSION };
	int r;

	if (!table)
		return -ENOMEM;
	memset(table, 0, CERTS_MAX);
	memcpy(ext.data.user_data, data, sizeof(ext.data.user_data));
	ext.certs_address = (uintptr_t)table;
	g.req_data = (uintptr_t)&ext;
	g.resp_data = (uintptr_t)&resp;
	r = ioctl(fd, SNP_GET_EXT_REPORT, &g) < 0 ? -errno : 0;
	if (r == -EIO && g.exitinfo2 >> 32 == VMM_INVALID_LENGTH) {
		g = (struct snp_guest_request_ioctl){ .msg_version = MESSAGE_VERSION, .req_data = (uintptr_t)&ext.data,
						      .resp_data = (uintptr_t)&resp };
		r = ioctl(fd, SNP_GET_REPORT, &g) < 0 ? -errno : 0;
	} else if (r == 0) {
		r = buf_append(certs, table, CERTS_MAX); /* it ends with a row of zeros */
	}
	if (r == 0)
		r = take_report(&resp, report);
	OPENSSL_cleanse(&resp, sizeof(resp));
	return r;
}

static int sev_collect(const struct attest_config *c, const struct attest_digests *bound, struct attest_evidence *e)
{
	struct buf *report = attest_evidence_add(e, "report"), *certs = attest_evidence_add(e, "certs");
	_cleanup_close_ int fd = -1;
	int r;

	if (!report || !certs)
		return -ENOSPC;
	r = tsm_report(c->root ? c->root : "", PROVIDER, bound->sha512, report, certs);
	if (r != -ENODEV)
		return r;
	fd = open_device(c);
	return fd < 0 ? fd : by_device(fd, bound->sha512, report, certs);
}

const struct attest_provider attest_sev_snp = {
	.name = "sev-snp",
	.class = ATTEST_HARDWARE,
	.present = sev_present,
	.collect = sev_collect,
};
