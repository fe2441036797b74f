// SPDX-License-Identifier: Apache-2.0
/*
 * The server object of an entry: what a takeover will measure, said in the published format.
 */
#include "user/cli/catalog_args.h"

#include <stdio.h>
#include <string.h>

#include "user/base/json_out.h"
#include "user/mcp/catalog_declare.h"

/* Plain http has no certificate, and the published format wants one named: base64 of 32 zero
 * bytes. */
#define NO_FINGERPRINT "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* What was declared of the server by hand or by measuring is not for a scan to say. */
static void declaration_out(struct json_out *j, const struct catalog *c, const struct catalog_server *s)
{
	if (s->measured != TAPE_NONE) {
		json_out_key(j, "measured");
		json_out_raw(j, tape_raw(catalog_tape(c), s->measured));
	}
	if (s->confine != TAPE_NONE) {
		json_out_key(j, "confine");
		json_out_raw(j, tape_raw(catalog_tape(c), s->confine));
	}
}

static void spawn_out(struct json_out *j, const struct proc_identity *id, const struct catalog *c,
		      const struct catalog_server *s)
{
	bool script = id->script[0] && id->script_measured;
	char digest[SHA256_PREFIXED_SIZE];
	const char *arg;

	json_out_key(j, "spawn");
	json_out_object(j);
	json_out_member_str(j, "command", id->exe);
	json_out_key(j, "args");
	json_out_array(j);
	for (unsigned i = 1; (arg = proc_identity_arg(id, i)); i++)
		json_out_string(j, span_of(arg));
	json_out_array_end(j);
	sha256_prefixed(script ? id->script_digest : id->exe_digest, digest);
	json_out_member_str(j, "binary_digest", script || id->exe_measured ? digest : NULL);
	json_out_member_str(j, "measure_target", script ? id->script : NULL);
	if (s)
		declaration_out(j, c, s);
	json_out_object_end(j);
}

int catalog_server_out(const struct catalog_args *a, const struct live *l, const char *name, const struct catalog *c,
		       struct buf *out)
{
	const struct catalog_server *s = c ? catalog_server_named(c, span_of(name)) : NULL;
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "display_name", name);
	json_out_member_str(&j, "transport", a->target.url ? "streamable-http" : "stdio");
	if (a->target.url) {
		json_out_member_str(&j, "url", a->target.url);
		json_out_member_str(&j, "tls_fingerprint", NO_FINGERPRINT);
	}
	if (l->has_identity)
		spawn_out(&j, &l->identity, c, s);
	json_out_object_end(&j);
	return json_out_end(&j);
}

void catalog_server_warn(const struct live *l)
{
	const struct proc_identity *id = &l->identity;

	if (!l->has_identity)
		return;
	if (id->loader[0])
		fprintf(stderr, "tollgate: catalog: the server runs with %s set; with it set it will be denied\n",
			id->loader);
	if (id->args_truncated)
		fprintf(stderr, "tollgate: catalog: the arguments are too long; the server will be denied\n");
	if (id->script[0] && !id->script_measured)
		fprintf(stderr, "tollgate: catalog: %s could not be measured\n", id->script);
	else if (!id->script[0] && !id->exe_measured)
		fprintf(stderr, "tollgate: catalog: %s could not be measured\n", id->exe);
}

/* A slash would make "server/tool" of policies ambiguous. */
const char *catalog_server_name(const struct catalog_args *a, const struct live *l, char ret[128])
{
	const char *path = l->identity.script[0] ? l->identity.script : l->identity.exe;
	const char *slash = strrchr(path, '/'), *from = "server";

	if (a->name)
		return a->name;
	if (l->name[0])
		from = l->name;
	else if (l->has_identity && path[0])
		from = slash ? slash + 1 : path;
	snprintf(ret, 128, "%.127s", from);
	for (char *p = ret; *p; p++)
		if (*p == '/')
			*p = '-';
	return ret;
}

bool catalog_server_same(const struct catalog *c, const struct catalog_server *s, const struct buf *json,
			 char ret_how[256])
{
	struct tape t = { 0 };
	bool read = tape_parse(&t, buf_span(json), NULL) == 0;

	if (read)
		catalog_server_diff(catalog_tape(c), s->token, &t, 0, ret_how);
	else
		(void)snprintf(ret_how, 256, "it cannot be compared");
	tape_done(&t);
	return read && !*ret_how;
}
