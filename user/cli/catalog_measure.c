// SPDX-License-Identifier: Apache-2.0
/*
 * `catalog measure`: what a stdio server is made of, in digests that a node compares when the server starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/json_out.h"
#include "user/cli/catalog_args.h"
#include "user/cli/catalog_file.h"
#include "user/cli/catalog_report.h"
#include "user/cli/cli.h"
#include "user/mcp/catalog_declare.h"
#include "user/proc/package.h"
#include "user/proc/parts.h"

static const char *why_text(int r)
{
	switch (r) {
	case -EINVAL:
		return "it is neither a file nor a directory";
	case -EFBIG:
		return "more than 512 MiB in all";
	case -E2BIG:
		return "too many files, or too deep";
	case -EXDEV:
		return "another file system is mounted inside";
	case -EBUSY:
		return "it changed while it was measured";
	default:
		return strerror(-r);
	}
}

static int complain_at(const char *path, const struct package *p, int r)
{
	char what[2048];

	(void)snprintf(what, sizeof(what), "%s%s%s", path, *p->at ? "/" : "", p->at);
	return catalog_complain(what, why_text(r));
}

/* Measures one path. 0 or CLI_FAILED, said. */
static int measure_path(const char *path, struct package *p)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	int r = fd < 0 ? -errno : package_measure(fd, false, p);

	if (fd < 0)
		*p = (struct package){ 0 };
	return r < 0 ? complain_at(path, p, r) : 0;
}

static int find_parts(char *const argv[], const struct catalog_args *a, struct parts *p)
{
	int r = parts_of_command(argv, p);

	for (unsigned i = 0; r == 0 && i < a->path_n; i++)
		r = parts_add(p, a->path[i]);
	return r < 0 ? catalog_complain(p->why, why_text(r)) : 0;
}

/* The array spawn.measured. Control characters in a path would be refused by the catalog's reader. */
static int measured_out(const struct parts *p, struct buf *out, struct package *total)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_array(&j);
	for (unsigned i = 0; i < p->n; i++) {
		char digest[SHA256_PREFIXED_SIZE];
		struct package one;
		int r = measure_path(p->path[i], &one);

		if (r != 0)
			return r;
		total->entries += one.entries;
		total->bytes += one.bytes;
		sha256_prefixed(one.digest, digest);
		json_out_object(&j);
		json_out_member_str(&j, "path", p->path[i]);
		json_out_member_str(&j, "digest", digest);
		json_out_object_end(&j);
	}
	json_out_array_end(&j);
	return json_out_end(&j) < 0 ? catalog_complain("measure", "out of memory") : 0;
}

static int print(const struct catalog_args *a, struct span measured, const struct package *total)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct tape t = { 0 };
	struct json_out j;
	int r = 0;

	if (a->json) {
		json_out_init(&j, &out);
		json_out_object(&j);
		json_out_key(&j, "measured");
		json_out_raw(&j, measured);
		json_out_member_int(&j, "entries", total->entries);
		json_out_member_int(&j, "bytes", (int64_t)total->bytes);
		json_out_object_end(&j);
		r = json_out_end(&j);
		(void)buf_append_str(&out, "\n");
	} else {
		r = tape_parse(&t, measured, NULL);
		for (uint32_t i = tape_first(&t, 0); r == 0 && i != TAPE_NONE; i = tape_next(&t, 0, i)) {
			struct span d = tape_text(&t, tape_get(&t, i, "digest"));
			struct span p = tape_text(&t, tape_get(&t, i, "path"));

			r = buf_printf(&out, "%.*s  %.*s\n", (int)d.n, d.p, (int)p.n, p.p);
		}
		tape_done(&t);
	}
	if (r < 0 || fwrite(out.data + out.start, buf_len(&out), 1, stdout) != 1)
		return catalog_complain("measure", "cannot print");
	return CLI_OK;
}

/* The members of an object but one, each as written. */
static int members_out(const struct tape *t, uint32_t object, const char *without, struct buf *out)
{
	int r = 0;

	for (uint32_t i = tape_first(t, object); r == 0 && i != TAPE_NONE; i = tape_next(t, object, i)) {
		struct span name = tape_raw(t, i), value = tape_raw(t, i + 1);

		if (!tape_text_is(t, i, without))
			r = buf_printf(out, "%.*s:%.*s,", (int)name.n, name.p, (int)value.n, value.p);
	}
	return r;
}

/* The server object with another spawn.measured. */
static int server_out(const struct catalog *c, const struct catalog_server *s, struct span measured, struct buf *out)
{
	const struct tape *t = catalog_tape(c);
	int r = buf_append_str(out, "{");

	if (r == 0)
		r = members_out(t, s->token, "spawn", out);
	if (r == 0)
		r = buf_append_str(out, "\"spawn\":{");
	if (r == 0)
		r = members_out(t, tape_get(t, s->token, "spawn"), "measured", out);
	return r < 0 ? r : buf_printf(out, "\"measured\":%.*s}}", (int)measured.n, measured.p);
}

static int write_entries(struct catalog_file *f, const struct catalog_args *a, const struct catalog_server *s,
			 struct span measured)
{
	_cleanup_buf_ struct buf server = { 0 };
	char err[CATALOG_ERROR_MAX];
	int r = server_out(f->old, s, measured, &server);

	for (unsigned i = 0; r == 0 && i < catalog_tool_count(f->old); i++) {
		const struct catalog_tool *tool = catalog_tool(f->old, i);

		r = catalog_file_keep(f, tool, tool->server == s ? buf_span(&server) : SPAN(""));
	}
	if (r < 0)
		return catalog_complain(a->file, strerror(-r));
	return catalog_file_write(f, err) < 0 ? catalog_complain("measure", err) : 0;
}

/* Holds what is there against what the catalog has. */
static int check(const struct catalog_args *a, const struct catalog *c, const struct catalog_server *s)
{
	struct catalog_report rep;
	int r = 0;

	if (s->measured == TAPE_NONE)
		return catalog_complain(a->entry, "the catalog has no measurement of this server");
	catalog_report_begin(&rep, a->json);
	for (uint32_t i = tape_first(catalog_tape(c), s->measured); i != TAPE_NONE;
	     i = tape_next(catalog_tape(c), s->measured, i)) {
		char path[CATALOG_DECLARED_PATH_MAX + 1];
		uint8_t want[SHA256_SIZE];
		struct package p;
		struct span at;

		catalog_measured(c, i, &at, want);
		(void)snprintf(path, sizeof(path), "%.*s", (int)at.n, at.p);
		if (measure_path(path, &p) != 0)
			catalog_report_add(&rep, "unmeasured", s->name, (struct span){ NULL, 0 }, path);
		else if (memcmp(p.digest, want, sizeof(want)) != 0)
			catalog_report_add(&rep, "changed", s->name, (struct span){ NULL, 0 }, path);
	}
	r = rep.n ? CLI_FAILED : CLI_OK;
	if (catalog_report_end(&rep, NULL) < 0)
		r = CLI_FAILED;
	buf_done(&rep.out);
	return r;
}

/* The command line of a catalog's server, for as long as the catalog lives. */
static char **argv_of(const struct catalog *c, const struct catalog_server *s, struct buf *text)
{
	char **argv = calloc(s->args_n + 2, sizeof(*argv));
	const struct tape *t = catalog_tape(c);
	size_t n = s->command.n + 1, k = 0;
	char *at;

	for (uint32_t i = tape_first(t, s->args); i != TAPE_NONE; i = tape_next(t, s->args, i))
		n += tape_text(t, i).n + 1;
	if (!argv || buf_reserve(text, n, &at) < 0) {
		free(argv);
		return NULL;
	}
	argv[k++] = at;
	at += sprintf(at, "%.*s", (int)s->command.n, s->command.p) + 1;
	for (uint32_t i = tape_first(t, s->args); i != TAPE_NONE; i = tape_next(t, s->args, i)) {
		struct span arg = tape_text(t, i);

		argv[k++] = at;
		at += sprintf(at, "%.*s", (int)arg.n, arg.p) + 1;
	}
	return argv;
}

static int measure_entry(const struct catalog_args *a, struct catalog_file *f)
{
	const struct catalog_server *s = catalog_server_named(f->old, span_of(a->entry));
	_cleanup_buf_ struct buf text = { 0 }, measured = { 0 };
	_cleanup_free_ char **argv = NULL;
	struct package total = { 0 };
	struct parts p = { 0 };
	int r;

	if (!s)
		return catalog_complain(a->entry, "the catalog has no such server");
	if (s->transport != CATALOG_STDIO)
		return catalog_complain(a->entry, "it is not a stdio server: nothing of it runs here");
	if (a->check)
		return check(a, f->old, s);
	argv = argv_of(f->old, s, &text);
	if (!argv)
		return catalog_complain("measure", "out of memory");
	r = find_parts(argv, a, &p);
	if (r == 0)
		r = measured_out(&p, &measured, &total);
	if (r == 0)
		r = write_entries(f, a, s, buf_span(&measured));
	if (r == 0)
		r = print(a, buf_span(&measured), &total);
	parts_done(&p);
	return r;
}

static int measure_command(const struct catalog_args *a)
{
	_cleanup_buf_ struct buf measured = { 0 };
	struct package total = { 0 };
	struct parts p = { 0 };
	int r = find_parts(a->target.argv, a, &p);

	if (r == 0)
		r = measured_out(&p, &measured, &total);
	if (r == 0)
		r = print(a, buf_span(&measured), &total);
	parts_done(&p);
	return r;
}

int catalog_measure(const struct catalog_args *a)
{
	char err[CATALOG_ERROR_MAX];
	struct catalog_file f;
	int r;

	if (!a->entry == !a->target.argv || a->target.url || a->other || a->all || a->tool_n || a->accept_server ||
	    (a->check && (!a->entry || a->path_n)))
		return CLI_USAGE;
	if (!a->entry)
		return measure_command(a);
	if (catalog_file_open(a->file, false, &f, err) < 0)
		return catalog_complain("measure", err);
	r = measure_entry(a, &f);
	catalog_file_done(&f);
	return r;
}
