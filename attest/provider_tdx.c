// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence from Intel TDX: a quote over the binding by configfs-tsm, and the log of what was measured at boot. A
 * kernel that has only the device gives a TD report, which no one but the same machine can check: the evidence
 * says which of the two it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attest/provider.h"
#include "attest/tsm.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

#define PROVIDER "tdx_guest"
#define CCEL "/sys/firmware/acpi/tables/data/CCEL"
#define LOG_MAX (4u << 20)

/* linux/tdx-guest.h, which the headers of Debian 12 lack. */
struct tdx_report_req {
	uint8_t reportdata[64];
	uint8_t tdreport[1024];
};
#define TDX_CMD_GET_REPORT0 _IOWR('T', 1, struct tdx_report_req)

static int open_at(const struct attest_config *c, const char *path, int flags)
{
	char full[PATH_MAX];
	int fd;

	(void)snprintf(full, sizeof(full), "%s%s", c->root ? c->root : "", path);
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool tdx_present(const struct attest_config *c)
{
	_cleanup_close_ int fd = -1;

	if (tsm_present(c->root ? c->root : "", PROVIDER))
		return true;
	fd = open_at(c, "/dev/tdx_guest", O_RDWR);
	return fd >= 0;
}

static int by_device(const struct attest_config *c, const uint8_t data[64], struct attest_evidence *e)
{
	_cleanup_close_ int fd = open_at(c, "/dev/tdx_guest", O_RDWR);
	struct buf *report = attest_evidence_add(e, "td_report");
	struct tdx_report_req req = { 0 };

	if (fd < 0 || !report)
		return fd < 0 ? fd : -ENOSPC;
	memcpy(req.reportdata, data, sizeof(req.reportdata));
	if (ioctl(fd, TDX_CMD_GET_REPORT0, &req) < 0)
		return -errno;
	return buf_append(report, req.tdreport, sizeof(req.tdreport));
}

static int add_event_log(const struct attest_config *c, struct attest_evidence *e)
{
	_cleanup_close_ int fd = open_at(c, CCEL, O_RDONLY);
	_cleanup_buf_ struct buf b = { 0 };
	struct buf *part;

	/* Not every firmware keeps one; the quote's registers stand without it. */
	if (fd < 0 || file_read_fd(fd, LOG_MAX, &b) < 0 || buf_len(&b) == 0)
		return 0;
	part = attest_evidence_add(e, "event_log");
	return part ? buf_append(part, buf_span(&b).p, buf_len(&b)) : -ENOSPC;
}

static int tdx_collect(const struct attest_config *c, const struct attest_digests *bound, struct attest_evidence *e)
{
	_cleanup_buf_ struct buf quote = { 0 }, aux = { 0 };
	int r = tsm_report(c->root ? c->root : "", PROVIDER, bound->sha512, &quote, &aux);
	struct buf *part;

	if (r == -ENODEV)
		return by_device(c, bound->sha512, e);
	part = r == 0 ? attest_evidence_add(e, "quote") : NULL;
	if (r == 0)
		r = part ? buf_append(part, buf_span(&quote).p, buf_len(&quote)) : -ENOSPC;
	return r < 0 ? r : add_event_log(c, e);
}

const struct attest_provider attest_tdx = {
	.name = "tdx",
	.class = ATTEST_HARDWARE,
	.present = tdx_present,
	.collect = tdx_collect,
};
