// SPDX-License-Identifier: Apache-2.0
/*
 * What the machine around the kernel offers: users to run as, limits, clock, disk, hardware that can vouch for it.
 */
#include "user/cli/doctor.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "attest/attest.h"
#include "user/base/cleanup.h"
#include "user/base/log.h"

#define STATE_DIR "/var/lib" /* where the log lies unless configured; /var/lib/tollgate need not be there yet */
#define DISK_WANTED (1ull << 30) /* some millions of records */
#define FILES_WANTED 65536 /* the supervisor's: listeners, pidfds, channels */
#define PROVIDERS_MAX 16

static void look_at_users(struct doctor *d)
{
	static const char *const names[] = { "_tollgate-proxy", "_tollgate-notary", "_tollgate-query" };
	char lacking[96] = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!getpwnam(names[i]))
			(void)snprintf(lacking + strlen(lacking), sizeof(lacking) - strlen(lacking), " %s", names[i]);
	doctor_add(d, *lacking ? DOCTOR_MISSING : DOCTOR_GOOD, "users", "proxy, notary, query run as them",
		   "install the package, or run systemd-sysusers, or name others as users: in tollgate.conf", "%s%s",
		   *lacking ? "there is no" : "three, as the defaults name them", lacking);
	doctor_add(d, getgrnam("tollgate-audit") ? DOCTOR_GOOD : DOCTOR_OPEN, "audit group", "who may read the log",
		   "only root reads it: make the group, or name another as audit_group: in tollgate.conf", "%s",
		   getgrnam("tollgate-audit") ? "tollgate-audit" : "there is no tollgate-audit");
}

static void look_at_files(struct doctor *d)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	doctor_add(d, l.rlim_max >= FILES_WANTED ? DOCTOR_GOOD : DOCTOR_OPEN, "open files",
		   "connections and conversations",
		   "fewer of them at once: give root a hard limit of 65536 (LimitNOFILE= of the unit does)",
		   "hard limit %llu", (unsigned long long)l.rlim_max);
}

static void look_at_pipes(struct doctor *d)
{
	char text[32];

	if (doctor_line(d, "/proc/sys/fs/pipe-max-size", text, sizeof(text)) < 0)
		return;
	doctor_add(d, strtoul(text, NULL, 10) >= 65536 ? DOCTOR_GOOD : DOCTOR_OPEN, "pipes", "stdio of servers",
		   "raise fs.pipe-max-size to 1048576: conversations over small pipes are slower", "up to %s bytes",
		   text);
}

static void look_at_disk(struct doctor *d)
{
	struct statvfs v;
	unsigned long long room;

	if (statvfs(STATE_DIR, &v) < 0)
		return;
	room = (unsigned long long)v.f_bavail * v.f_frsize;
	doctor_add(d, room >= DISK_WANTED ? DOCTOR_GOOD : DOCTOR_OPEN, "disk", "the log",
		   "a full disk denies every call: make room, or name another state_dir: in tollgate.conf",
		   "%llu MiB free below " STATE_DIR, room >> 20);
}

static void look_at_clock(struct doctor *d)
{
	char source[32] = "?";
	struct timex t = { 0 };
	int r = adjtimex(&t);

	(void)doctor_line(d, "/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
			  sizeof(source));
	doctor_add(d, strcmp(source, "hpet") == 0 || strcmp(source, "acpi_pm") == 0 ? DOCTOR_OPEN : DOCTOR_GOOD,
		   "clock source", "the time of each record",
		   "reading the time is slow with it: see whether tsc or kvm-clock can be used", "%s", source);
	if (r < 0)
		doctor_add(d, DOCTOR_UNSEEN, "clock", "the time of each record", NULL, "%s", err_text(errno));
	else
		doctor_add(d, t.status & STA_UNSYNC ? DOCTOR_OPEN : DOCTOR_GOOD, "clock", "the time of each record",
			   "records carry this clock's time: let chrony or systemd-timesyncd set it", "%s",
			   t.status & STA_UNSYNC ? "not synchronised, as far as the kernel knows" : "synchronised");
}

static void look_at_evidence(struct doctor *d)
{
	struct attest_found found[PROVIDERS_MAX];
	unsigned n = attest_detect(&(struct attest_config){ 0 }, found, PROVIDERS_MAX);
	char seen[64] = "";
	bool hardware = false;

	for (unsigned i = 0; i < n && i < PROVIDERS_MAX; i++) {
		if (!found[i].present || found[i].class != ATTEST_HARDWARE)
			continue;
		hardware = true;
		(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), " %s", found[i].name);
	}
	/* A TPM that only root may open looks like none. */
	if (!hardware && geteuid() != 0 && (doctor_has(d, "/dev/tpmrm0") || doctor_has(d, "/dev/sev-guest") ||
					    doctor_has(d, "/dev/tdx_guest")))
		doctor_add(d, DOCTOR_UNSEEN, "evidence", "tollgate attest", NULL,
			   "a device is there; only root may open it");
	else
		doctor_add(d, hardware ? DOCTOR_GOOD : DOCTOR_OPEN, "evidence", "tollgate attest",
			   "claims say software-only: a TPM 2.0, AMD SEV-SNP or Intel TDX would stand behind them",
			   "%s%s", hardware ? "hardware:" : "no TPM, no confidential guest", seen);
}

void doctor_machine(struct doctor *d)
{
	look_at_users(d);
	look_at_files(d);
	look_at_pipes(d);
	look_at_disk(d);
	look_at_clock(d);
	look_at_evidence(d);
}
