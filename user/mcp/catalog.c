// SPDX-License-Identifier: Apache-2.0
/*
 * The catalog in memory. The file is the operator's, so a mistake in it is named by file, line and
 * reason; read in the proxy (from memory), in the supervisor and on the command line. It is kept as
 * text and tape: everything else points into them.
 */
#include "user/mcp/catalog_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/mcp/canon.h"

#define SCRATCH_MAX (512u << 20) /* form C of a catalog of CATALOG_BYTES_MAX, all escaped */

DEFINE_CLEANUP(struct catalog *, catalog_free)

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->tool_n; i++)
		free(c->tool[i].member);
	free(c->tool);
	free(c->server);
	tape_done(&c->tape);
	tape_done(&c->pins);
	free(c->text);
	free(c->pins_text);
	buf_done(&c->scratch);
	hasher_free(c->hasher);
	free(c);
}

int catalog_canon(struct catalog *c, const struct tape *t, uint32_t token, uint8_t ret[SHA256_SIZE])
{
	struct span s;
	int r;

	buf_clear(&c->scratch);
	r = canon_write(t, token, &c->scratch);
	if (r < 0)
		return r;
	s = buf_span(&c->scratch);
	hasher_sha256(c->hasher, &s, 1, ret);
	return 0;
}

/* One server may be named by many entries, and then each must describe it alike; two names must not
 * stand for one server, or it could not be told which one a process is. */
static bool same_identity(const struct catalog *c, const struct catalog_server *a,
			 const struct catalog_server *b)
{
	const struct tape *t = &c->tape;
	uint32_t x = a->args, y = b->args;

	if (a->transport != CATALOG_STDIO || b->transport != CATALOG_STDIO)
		return a->transport != CATALOG_STDIO && b->transport != CATALOG_STDIO &&
		       span_eq(a->host, b->host) && a->port == b->port && span_eq(a->path, b->path);
	if (!span_eq(a->command, b->command) || !span_eq(a->measure_target, b->measure_target) ||
	    a->args_n != b->args_n || a->has_digest != b->has_digest ||
	    memcmp(a->binary_digest, b->binary_digest, SHA256_SIZE) != 0)
		return false;
	x = tape_first(t, x);
	y = tape_first(t, y);
	for (; x != TAPE_NONE && y != TAPE_NONE; x = tape_next(t, a->args, x), y = tape_next(t, b->args, y))
		if (!span_eq(tape_text(t, x), tape_text(t, y)))
			return false;
	return true;
}

static int server_fill(const struct catalog_reader *rd, uint32_t token, struct catalog_server *s)
{
	const struct tape *t = rd->t;
	uint32_t spawn = tape_get(t, token, "spawn"), url = tape_get(t, token, "url"), v;
	struct span transport = tape_text(t, tape_get(t, token, "transport"));
	const char *fault;

	*s = (struct catalog_server){ .token = token, .args = TAPE_NONE, .measured = TAPE_NONE, .confine = TAPE_NONE };
	s->name = tape_text(t, tape_get(t, token, "display_name"));
	s->transport = span_is(transport, "stdio")    ? CATALOG_STDIO :
		       span_is(transport, "http-sse") ? CATALOG_HTTP_SSE :
							CATALOG_STREAMABLE_HTTP;
	if (s->transport != CATALOG_STDIO) {
		fault = catalog_url_parse(tape_text(t, url), s);
		if (fault)
			return catalog_fail(rd, url, "server: %s", fault);
	}
	if (spawn == TAPE_NONE)
		return 0;
	s->has_spawn = true;
	s->command = tape_text(t, tape_get(t, spawn, "command"));
	s->measure_target = tape_text(t, tape_get(t, spawn, "measure_target"));
	s->args = tape_get(t, spawn, "args");
	s->args_n = s->args != TAPE_NONE ? t->tok[s->args].count : 0;
	v = tape_get(t, spawn, "binary_digest");
	s->has_digest = tape_is(t, v, TAPE_STRING);
	if (s->has_digest)
		catalog_digest_of(tape_text(t, v), s->binary_digest);
	return catalog_declaration_fill(rd->c, t, spawn, s);
}

static int server_add(const struct catalog_reader *rd, uint32_t token, unsigned *ret_index)
{
	struct catalog *c = rd->c;
	struct catalog_server s;
	uint8_t x[SHA256_SIZE], y[SHA256_SIZE];
	int r = server_fill(rd, token, &s);

	for (unsigned i = 0; i < c->server_n && r == 0; i++) {
		const struct catalog_server *o = &c->server[i];

		if (!span_eq(o->name, s.name)) {
			if (same_identity(c, o, &s))
				return catalog_fail(rd, token, "server \"%.*s\" is the same as \"%.*s\" of line %u",
						    (int)s.name.n, s.name.p, (int)o->name.n, o->name.p,
						    tape_line(rd->t->bytes, rd->t->tok[o->token].off));
			continue;
		}
		r = catalog_canon(c, rd->t, o->token, x);
		if (r == 0)
			r = catalog_canon(c, rd->t, token, y);
		if (r == 0 && memcmp(x, y, sizeof(x)) != 0)
			return catalog_fail(rd, token, "server \"%.*s\" is described otherwise on line %u",
					    (int)s.name.n, s.name.p,
					    tape_line(rd->t->bytes, rd->t->tok[o->token].off));
		*ret_index = i;
		return r;
	}
	if (r < 0)
		return r;
	if (c->server_n == CATALOG_SERVERS_MAX)
		return catalog_fail(rd, token, "more than %d servers", CATALOG_SERVERS_MAX);
	s.index = c->server_n;
	*ret_index = c->server_n;
	c->server[c->server_n++] = s;
	return 0;
}

static int tool_add(const struct catalog_reader *rd, uint32_t entry)
{
	static const uint8_t nothing[] = "null";
	struct catalog *c = rd->c;
	const struct tape *t = rd->t;
	struct catalog_tool_full *f = &c->tool[c->tool_n];
	uint32_t definition = tape_get(t, entry, "approved_definition");
	uint8_t digest[SHA256_SIZE], stated[SHA256_SIZE];
	char text[SHA256_PREFIXED_SIZE];
	unsigned server = 0;
	int r;

	r = catalog_check_entry(rd, entry);
	if (r == 0)
		r = server_add(rd, tape_get(t, entry, "server"), &server);
	if (r < 0)
		return r;
	*f = (struct catalog_tool_full){ 0 };
	f->tool = (struct catalog_tool){
		.server = &c->server[server],
		.name = tape_text(t, tape_get(t, entry, "tool_name")),
		.entry = entry,
		.description = tape_get(t, definition, "description"),
		.input_schema = tape_get(t, definition, "input_schema"),
		.output_schema = tape_get(t, definition, "output_schema"),
		.sensitivity = tape_text(t, tape_get(t, entry, "sensitivity_level")),
		.compliance = tape_text(t, tape_get(t, entry, "compliance_domain")),
	};
	sha256(nothing, sizeof(nothing) - 1, f->output);
	r = catalog_canon(c, t, definition, digest);
	if (r == 0)
		r = catalog_canon(c, t, f->tool.description, f->description);
	if (r == 0)
		r = catalog_canon(c, t, f->tool.input_schema, f->input);
	if (r == 0 && f->tool.output_schema != TAPE_NONE)
		r = catalog_canon(c, t, f->tool.output_schema, f->output);
	if (r < 0)
		return catalog_fail(rd, definition, "approved_definition: %s",
				    r == -ENOMEM ? "out of memory" : "a number in it is too long");
	catalog_digest_of(tape_text(t, tape_get(t, entry, "definition_hash")), stated);
	if (memcmp(stated, digest, sizeof(digest)) != 0) {
		sha256_prefixed(digest, text);
		return catalog_fail(rd, tape_get(t, entry, "definition_hash"),
				    "definition_hash is not that of approved_definition, which is %s", text);
	}
	c->tool_n++;
	return 0;
}

static int by_name_then_server(const void *a, const void *b)
{
	const struct catalog_tool *x = a, *y = b;
	int r = catalog_text_cmp(x->name, y->name);

	return r ? r : (x->server->index > y->server->index) - (x->server->index < y->server->index);
}

/* As upstream sorts: by tool_name, entries of one name in the order of the file. */
static int by_name_then_place(const void *a, const void *b)
{
	const struct catalog_tool *x = *(const struct catalog_tool *const *)a;
	const struct catalog_tool *y = *(const struct catalog_tool *const *)b;
	int r = catalog_text_cmp(x->name, y->name);

	return r ? r : (x->entry > y->entry) - (x->entry < y->entry);
}

static int hash_entries(struct catalog *c)
{
	_cleanup_free_ const struct catalog_tool **order = calloc(c->tool_n + 1, sizeof(*order));
	struct span all;
	int r;

	if (!order)
		return -ENOMEM;
	for (unsigned i = 0; i < c->tool_n; i++)
		order[i] = &c->tool[i].tool;
	qsort(order, c->tool_n, sizeof(*order), by_name_then_place);
	buf_clear(&c->scratch);
	r = buf_append(&c->scratch, "[", 1);
	for (unsigned i = 0; i < c->tool_n && r == 0; i++) {
		if (i)
			r = buf_append(&c->scratch, ",", 1);
		if (r == 0)
			r = canon_write(&c->tape, order[i]->entry, &c->scratch);
	}
	if (r == 0)
		r = buf_append(&c->scratch, "]", 1);
	if (r < 0)
		return r;
	all = buf_span(&c->scratch);
	hasher_sha256(c->hasher, &all, 1, c->hash);
	return 0;
}

/* "server/tool", the action's name in policies, character by character. */
static int action_at(const struct catalog_tool *t, size_t i)
{
	const struct span *s = &t->server->name;

	if (i < s->n)
		return (unsigned char)s->p[i];
	if (i == s->n)
		return '/';
	i -= s->n + 1;
	return i < t->name.n ? (unsigned char)t->name.p[i] : -1;
}

static int by_action(const void *a, const void *b)
{
	const struct catalog_tool *x = *(const struct catalog_tool *const *)a;
	const struct catalog_tool *y = *(const struct catalog_tool *const *)b;

	for (size_t i = 0;; i++) {
		int c = action_at(x, i), d = action_at(y, i);

		if (c != d || c < 0)
			return (c > d) - (c < d);
	}
}

/* Slashes in names: tool "b" of server "c/a" and tool "a/b" of server "c" must not be one
 * action. */
static int check_actions(const struct catalog_reader *rd)
{
	struct catalog *c = rd->c;
	_cleanup_free_ const struct catalog_tool **order = calloc(c->tool_n + 1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (unsigned i = 0; i < c->tool_n; i++)
		order[i] = &c->tool[i].tool;
	qsort(order, c->tool_n, sizeof(*order), by_action);
	for (unsigned i = 1; i < c->tool_n; i++)
		if (by_action(&order[i - 1], &order[i]) == 0)
			return catalog_fail(rd, order[i]->entry,
					    "\"%.*s/%.*s\" names another tool too: a slash in a name is ambiguous",
					    (int)order[i]->server->name.n, order[i]->server->name.p,
					    (int)order[i]->name.n, order[i]->name.p);
	return 0;
}

static int entries_read(const struct catalog_reader *rd)
{
	struct catalog *c = rd->c;
	int r = 0;

	if (!tape_is(rd->t, 0, TAPE_ARRAY))
		return catalog_fail(rd, 0, "a catalog is an array of entries");
	c->tool = calloc(rd->t->tok[0].count + 1, sizeof(*c->tool));
	c->server = calloc(CATALOG_SERVERS_MAX < rd->t->tok[0].count + 1 ? CATALOG_SERVERS_MAX :
									   rd->t->tok[0].count + 1,
			   sizeof(*c->server));
	if (!c->tool || !c->server)
		return -ENOMEM;
	for (uint32_t i = tape_first(rd->t, 0); i != TAPE_NONE && r == 0; i = tape_next(rd->t, 0, i))
		r = tool_add(rd, i);
	if (r < 0)
		return r;
	r = hash_entries(c);
	if (r < 0)
		return r;
	if (c->tool_n > 1)
		qsort(c->tool, c->tool_n, sizeof(*c->tool), by_name_then_server);
	for (unsigned i = 1; i < c->tool_n; i++) {
		const struct catalog_tool *a = &c->tool[i - 1].tool, *b = &c->tool[i].tool;

		if (a->server == b->server && span_eq(a->name, b->name))
			return catalog_fail(rd, a->entry > b->entry ? a->entry : b->entry,
					    "tool \"%.*s\" of server \"%.*s\" is listed twice", (int)a->name.n,
					    a->name.p, (int)a->server->name.n, a->server->name.p);
	}
	return check_actions(rd);
}

/* Copies the text, NUL-free or not, and parses the copy. */
static int text_take(const struct catalog_reader *rd, struct span text, char **ret_text, struct tape *t)
{
	static const struct tape_limits limits = { .bytes = CATALOG_BYTES_MAX,
						   .tokens = CATALOG_TOKENS_MAX };
	int r;

	*ret_text = malloc(text.n + 1);
	if (!*ret_text)
		return -ENOMEM;
	if (text.n)
		memcpy(*ret_text, text.p, text.n);
	r = tape_parse(t, (struct span){ *ret_text, text.n }, &limits);
	if (r == -EBADMSG || r == -EMSGSIZE)
		return catalog_fail(rd, TAPE_NONE, "%s", tape_error_text(t->error));
	return r;
}

int catalog_parse(struct span text, const char *name, struct span pins, const char *pins_name,
		  struct catalog **ret, char err[CATALOG_ERROR_MAX])
{
	_cleanup_(catalog_free_p) struct catalog *c = calloc(1, sizeof(*c));
	struct catalog_reader rd = { .c = c, .name = name, .err = err };
	int r;

	err[0] = '\0';
	if (!c || hasher_new(&c->hasher) < 0) {
		snprintf(err, CATALOG_ERROR_MAX, "%s: out of memory", name);
		return -ENOMEM;
	}
	c->scratch.limit = SCRATCH_MAX;
	rd.t = &c->tape;
	r = text_take(&rd, text, &c->text, &c->tape);
	if (r == 0)
		r = entries_read(&rd);
	if (r == 0 && pins.p) {
		rd.t = &c->pins;
		rd.name = pins_name;
		r = text_take(&rd, pins, &c->pins_text, &c->pins);
		if (r == 0)
			r = catalog_pins_read(&rd);
	}
	if (r < 0) {
		if (!err[0])
			snprintf(err, CATALOG_ERROR_MAX, "%s: %s", rd.name, strerror(-r));
		return r;
	}
	/* the buffer was sized by the whole file; on the wire a definition is checked at a time */
	buf_done(&c->scratch);
	*ret = take_ptr(c);
	return 0;
}

static int file_take(const char *path, struct buf *b, char err[CATALOG_ERROR_MAX])
{
	int r = file_read(path, CATALOG_BYTES_MAX, b);

	if (r < 0)
		snprintf(err, CATALOG_ERROR_MAX, "%s: %s", path, strerror(-r));
	return r;
}

int catalog_load(const char *path, const char *pins_path, struct catalog **ret,
		 char err[CATALOG_ERROR_MAX])
{
	_cleanup_buf_ struct buf text = { .limit = CATALOG_BYTES_MAX + 1 };
	_cleanup_buf_ struct buf pins = { .limit = CATALOG_BYTES_MAX + 1 };
	_cleanup_free_ char *derived = NULL;
	struct span p = { NULL, 0 };
	int r;

	err[0] = '\0';
	r = file_take(path, &text, err);
	if (r < 0)
		return r;
	if (!pins_path) {
		derived = catalog_pins_path(path);
		if (!derived)
			return -ENOMEM;
		r = file_read(derived, CATALOG_BYTES_MAX, &pins);
		if (r < 0 && r != -ENOENT) {
			snprintf(err, CATALOG_ERROR_MAX, "%s: %s", derived, strerror(-r));
			return r;
		}
		pins_path = derived;
	} else {
		r = file_take(pins_path, &pins, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		p = pins.data ? buf_span(&pins) : SPAN("");
	return catalog_parse(buf_span(&text), path, p, pins_path, ret, err);
}

char *catalog_pins_path(const char *path)
{
	size_t n = strlen(path);
	char *s = NULL;

	if (n > 5 && strcmp(path + n - 5, ".json") == 0)
		n -= 5;
	return asprintf(&s, "%.*s.pins.json", (int)n, path) < 0 ? NULL : s;
}
