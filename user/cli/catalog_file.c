// SPDX-License-Identifier: Apache-2.0
/*
 * Rewriting a catalog. Between the two renames the sidecar and the catalog may disagree; a daemon
 * that reads them in that moment refuses the pair and keeps what it has.
 */
#include "user/cli/catalog_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/mcp/canon.h"

static const struct tape_limits limits = { .bytes = CATALOG_BYTES_MAX, .tokens = CATALOG_TOKENS_MAX };

static int read_pins(struct catalog_file *f, char err[CATALOG_ERROR_MAX])
{
	int r = file_read(f->pins_path, CATALOG_BYTES_MAX, &f->pins_text);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = tape_parse(&f->pins, buf_span(&f->pins_text), &limits);
	if (r < 0)
		snprintf(err, CATALOG_ERROR_MAX, "%s: %s", f->pins_path, strerror(-r));
	return r;
}

int catalog_file_open(const char *path, bool missing_ok, struct catalog_file *ret,
		      char err[CATALOG_ERROR_MAX])
{
	int r;

	*ret = (struct catalog_file){ .path = path };
	ret->pins_text.limit = ret->entries.limit = ret->new_pins.limit = CATALOG_BYTES_MAX;
	ret->pins_path = catalog_pins_path(path);
	if (!ret->pins_path)
		return -ENOMEM;
	r = catalog_load(path, NULL, &ret->old, err);
	if (r == 0)
		r = read_pins(ret, err);
	else if (r == -ENOENT && missing_ok)
		r = 0;
	if (r == 0)
		r = buf_append_str(&ret->entries, "[");
	if (r == 0)
		r = buf_append_str(&ret->new_pins, "[");
	if (r < 0)
		catalog_file_done(ret);
	return r;
}

void catalog_file_done(struct catalog_file *f)
{
	catalog_free(f->old);
	tape_done(&f->pins);
	buf_done(&f->pins_text);
	buf_done(&f->entries);
	buf_done(&f->new_pins);
	free(f->pins_path);
	*f = (struct catalog_file){ 0 };
}

static int comma(struct buf *b)
{
	return buf_len(b) > 1 ? buf_append_str(b, ",") : 0;
}

static int keep_pin(struct catalog_file *f, const struct catalog_tool *tool)
{
	struct span raw;
	int r;

	for (uint32_t i = tape_first(&f->pins, 0); i != TAPE_NONE; i = tape_next(&f->pins, 0, i)) {
		if (!span_eq(tape_text(&f->pins, tape_get(&f->pins, i, "server")), tool->server->name) ||
		    !span_eq(tape_text(&f->pins, tape_get(&f->pins, i, "tool_name")), tool->name))
			continue;
		raw = tape_raw(&f->pins, i);
		r = comma(&f->new_pins);
		return r < 0 ? r : buf_append(&f->new_pins, raw.p, raw.n);
	}
	return 0;
}

int catalog_file_keep(struct catalog_file *f, const struct catalog_tool *tool, struct span server)
{
	const struct tape *t = catalog_tape(f->old);
	struct span entry = tape_raw(t, tool->entry), old = tape_raw(t, tape_get(t, tool->entry, "server"));
	size_t before = (size_t)(old.p - entry.p);
	int r = comma(&f->entries);

	if (server.n == 0)
		server = old;
	if (r == 0)
		r = buf_append(&f->entries, entry.p, before);
	if (r == 0)
		r = buf_append(&f->entries, server.p, server.n);
	if (r == 0)
		r = buf_append(&f->entries, old.p + old.n, entry.n - before - old.n);
	if (r == 0)
		r = keep_pin(f, tool);
	f->kept += r == 0;
	return r;
}

int catalog_file_add(struct catalog_file *f, const struct tape *t, uint32_t definition, struct span server,
		     struct span server_name, const struct catalog_approval *a)
{
	int r = comma(&f->entries);

	if (r == 0)
		r = catalog_write_entry(t, definition, server, a, &f->entries);
	if (r == 0)
		r = comma(&f->new_pins);
	if (r == 0)
		r = catalog_write_pin(t, definition, server_name, &f->new_pins);
	f->added += r == 0;
	return r;
}

static int pretty(const struct buf *b, struct buf *out)
{
	struct tape t = { 0 };
	int r = tape_parse(&t, buf_span(b), &limits);

	if (r == 0)
		r = canon_pretty(&t, 0, 0, out);
	if (r == 0)
		r = buf_append_str(out, "\n");
	tape_done(&t);
	return r;
}

int catalog_file_write(struct catalog_file *f, char err[CATALOG_ERROR_MAX])
{
	_cleanup_buf_ struct buf text = { .limit = 4 * (size_t)CATALOG_BYTES_MAX };
	_cleanup_buf_ struct buf pins = { .limit = 4 * (size_t)CATALOG_BYTES_MAX };
	struct catalog *check;
	int r;

	r = buf_append_str(&f->entries, "]");
	if (r == 0)
		r = buf_append_str(&f->new_pins, "]");
	if (r == 0)
		r = pretty(&f->entries, &text);
	if (r == 0)
		r = pretty(&f->new_pins, &pins);
	if (r < 0) {
		snprintf(err, CATALOG_ERROR_MAX, "%s: %s", f->path, strerror(-r));
		return r;
	}
	r = catalog_parse(buf_span(&text), f->path, buf_span(&pins), f->pins_path, &check, err);
	if (r < 0)
		return r;
	catalog_free(check);
	r = file_replace(f->pins_path, pins.data + pins.start, buf_len(&pins), 0644);
	if (r == 0)
		r = file_replace(f->path, text.data + text.start, buf_len(&text), 0644);
	if (r < 0)
		snprintf(err, CATALOG_ERROR_MAX, "%s: %s", f->path, strerror(-r));
	return r;
}
