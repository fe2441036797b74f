// SPDX-License-Identifier: Apache-2.0
/*
 * `tollgate doctor`: what this kernel and this machine offer, what uses it, what is open, what to do about it. Needs no
 * daemon and no configuration, changes nothing, and says what it could not look at.
 */
#include "user/cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/cli/control_client.h"

static const struct {
	const char *title;
	void (*look)(struct doctor *d);
} sections[] = {
	{ "kernel", doctor_kernel },
	{ "system calls", doctor_calls },
	{ "kernel programs", doctor_programs },
	{ "ways out of a scope", doctor_fence },
	{ "machine", doctor_machine },
};

const char *doctor_state_text(enum doctor_state s)
{
	static const char *const texts[DOCTOR_STATES] = { "good", "open", "not seen", "MISSING" };

	return (unsigned)s < DOCTOR_STATES ? texts[s] : "?";
}

void doctor_add(struct doctor *d, enum doctor_state state, const char *what, const char *part,
		const char *advice, const char *fmt, ...)
{
	struct doctor_row *r = &d->rows[d->n];
	va_list ap;

	if (d->n == DOCTOR_ROWS_MAX)
		return;
	*r = (struct doctor_row){ .section = d->section, .state = state, .part = part, .advice = advice };
	(void)snprintf(r->what, sizeof(r->what), "%s", what);
	va_start(ap, fmt);
	(void)vsnprintf(r->found, sizeof(r->found), fmt, ap);
	va_end(ap);
	d->n++;
}

static int open_below(const struct doctor *d, const char *path)
{
	char full[4096];
	int fd;

	if (snprintf(full, sizeof(full), "%s%s", d->root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int doctor_line(const struct doctor *d, const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = open_below(d, path);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

bool doctor_has(const struct doctor *d, const char *path)
{
	char full[4096];

	return snprintf(full, sizeof(full), "%s%s", d->root, path) < (int)sizeof(full) && access(full, F_OK) == 0;
}

/* --- what is printed ---------------------------------------------------------------------------------- */

static void count(const struct doctor *d, unsigned ret[DOCTOR_STATES])
{
	memset(ret, 0, DOCTOR_STATES * sizeof(*ret));
	for (unsigned i = 0; i < d->n; i++)
		ret[d->rows[i].state]++;
}

/* What nobody has seen needs no repair: the last line says to look as root. */
static bool is_told(const struct doctor_row *r)
{
	return r->advice && (r->state == DOCTOR_OPEN || r->state == DOCTOR_MISSING);
}

/* Rows one after the other may want the same: it is said behind the last of them. */
static bool says_the_next(const struct doctor *d, unsigned i)
{
	return i + 1 < d->n && is_told(&d->rows[i + 1]) && strcmp(d->rows[i].advice, d->rows[i + 1].advice) == 0;
}

static void print_table(const struct doctor *d, const struct utsname *u)
{
	const char *section = "";
	unsigned n[DOCTOR_STATES];

	printf("%s %s %s, seen by %s\n", u->sysname, u->release, u->machine,
	       geteuid() == 0 ? "root" : "an ordinary user");
	for (unsigned i = 0; i < d->n; i++) {
		const struct doctor_row *r = &d->rows[i];

		if (strcmp(r->section, section) != 0)
			printf("\n%s\n", r->section);
		section = r->section;
		printf("  %-8s  %-22s %-46s %s\n", doctor_state_text(r->state), r->what, r->found,
		       r->part ? r->part : "");
		if (is_told(r) && !says_the_next(d, i))
			printf("            -> %s\n", r->advice);
	}
	count(d, n);
	printf("\n%u good, %u open, %u missing, %u not seen\n", n[DOCTOR_GOOD], n[DOCTOR_OPEN],
	       n[DOCTOR_MISSING], n[DOCTOR_UNSEEN]);
	if (n[DOCTOR_MISSING])
		puts("tollgated does not run here until what is MISSING is there.");
	else if (n[DOCTOR_UNSEEN])
		puts("Nothing that was seen keeps tollgated from running here; run it as root to see the rest.");
	else
		puts(n[DOCTOR_OPEN] ? "tollgated runs here; read the open rows before you rely on it." :
				      "tollgated runs here, and nothing is open.");
}

static void print_json(const struct doctor *d, const struct utsname *u)
{
	json_t *rows = json_array(), *j;
	unsigned n[DOCTOR_STATES];

	for (unsigned i = 0; i < d->n; i++) {
		const struct doctor_row *r = &d->rows[i];
		(void)json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "section", r->section,
							    "what", r->what, "state", doctor_state_text(r->state),
							    "found", r->found, "part", r->part, "advice",
							    is_told(r) ? r->advice : NULL));
	}
	count(d, n);
	j = json_pack("{s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:o}", "kernel", u->release, "machine", u->machine,
		      "root", geteuid() == 0, "good", (int)n[DOCTOR_GOOD], "open", (int)n[DOCTOR_OPEN],
		      "missing", (int)n[DOCTOR_MISSING], "not_seen", (int)n[DOCTOR_UNSEEN], "rows", rows);
	cli_print_json(j);
	json_decref(j);
}

/* Open rows are no failure: whether a node may run with them is the configuration's to say. */
static int status_of(const struct doctor *d)
{
	unsigned n[DOCTOR_STATES];

	count(d, n);
	return n[DOCTOR_MISSING] ? CLI_FAILED : n[DOCTOR_UNSEEN] ? CLI_UNSEEN : CLI_OK;
}

int cli_doctor(struct cli *c, int argc, char **argv)
{
	static const char text[] =
		"usage: tollgate doctor [--json]\n"
		"Says what this kernel and machine offer, what uses it, what is open and what to do about it.\n"
		"Needs neither the daemon nor a configuration. Exit status 0: tollgated runs here; 1: something\n"
		"that it needs is missing; 3: nothing is, but not everything could be looked at: run it as root.\n";
	static struct doctor doctor;
	struct doctor *d = &doctor;
	struct utsname u = { 0 };

	if (cli_wants_help(argc, argv)) {
		fputs(text, stdout);
		return CLI_OK;
	}
	if (argc != 1) {
		fputs(text, stderr);
		return CLI_USAGE;
	}
	*d = (struct doctor){ .root = "" };
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		d->section = sections[i].title;
		sections[i].look(d);
	}
	(void)uname(&u);
	if (c->json)
		print_json(d, &u);
	else
		print_table(d, &u);
	return status_of(d);
}
