// SPDX-License-Identifier: Apache-2.0
/*
 * Writes what the catalog's readers read. Runs on the command line only.
 */
#include "user/mcp/catalog_write.h"

#include <errno.h>

#include "user/base/digest.h"
#include "user/base/json_out.h"
#include "user/mcp/canon.h"

static void digest_out(struct json_out *j, const char *name, const uint8_t digest[SHA256_SIZE])
{
	char text[SHA256_PREFIXED_SIZE];

	sha256_prefixed(digest, text);
	json_out_member_str(j, name, text);
}

static struct span or_default(const struct tape *t, uint32_t v, const char *absent)
{
	return v != TAPE_NONE ? tape_raw(t, v) : span_of(absent);
}

static int definition_write(const struct tape *t, uint32_t d, struct buf *out)
{
	uint32_t description = tape_get(t, d, "description"), input = tape_get(t, d, "inputSchema");
	uint32_t output = tape_get(t, d, "outputSchema");
	struct json_out j;

	if ((description != TAPE_NONE && !tape_is(t, description, TAPE_STRING)) ||
	    (input != TAPE_NONE && !tape_is(t, input, TAPE_OBJECT)) ||
	    (output != TAPE_NONE && !tape_is(t, output, TAPE_OBJECT) && !tape_is(t, output, TAPE_NULL)))
		return -EINVAL;
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key(&j, "description");
	json_out_raw(&j, or_default(t, description, "\"\""));
	json_out_key(&j, "input_schema");
	json_out_raw(&j, or_default(t, input, "{}"));
	json_out_key(&j, "output_schema");
	json_out_raw(&j, or_default(t, output, "null"));
	json_out_object_end(&j);
	return json_out_end(&j);
}

int catalog_write_entry(const struct tape *t, uint32_t definition, struct span server,
			const struct catalog_approval *a, struct buf *out)
{
	_cleanup_buf_ struct buf approved = { 0 }, scratch = { 0 };
	uint32_t name = tape_get(t, definition, "name");
	uint8_t digest[SHA256_SIZE];
	struct tape own = { 0 };
	struct json_out j;
	int r;

	if (!tape_is(t, name, TAPE_STRING))
		return -EINVAL;
	r = definition_write(t, definition, &approved);
	if (r < 0)
		return r;
	r = tape_parse(&own, buf_span(&approved), NULL);
	if (r == 0)
		r = canon_digest(&own, 0, &scratch, digest);
	tape_done(&own);
	if (r < 0)
		return r;
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_span(&j, "tool_name", tape_text(t, name));
	json_out_key(&j, "server");
	json_out_raw(&j, server);
	json_out_key(&j, "approved_definition");
	json_out_raw(&j, buf_span(&approved));
	digest_out(&j, "definition_hash", digest);
	json_out_member_str(&j, "added_at", a->added_at);
	json_out_member_str(&j, "approved_by", a->approved_by);
	json_out_object_end(&j);
	return json_out_end(&j);
}

static int digests_write(const struct tape *t, uint32_t d, struct buf *out)
{
	_cleanup_buf_ struct buf scratch = { 0 };
	uint8_t digest[SHA256_SIZE];
	char text[SHA256_PREFIXED_SIZE];
	int r = buf_append(out, "{", 1);

	for (uint32_t i = tape_first(t, d); i != TAPE_NONE && r == 0; i = tape_next(t, d, i)) {
		struct span name = tape_raw(t, i);

		r = canon_digest(t, i + 1, &scratch, digest);
		sha256_prefixed(digest, text);
		if (r == 0)
			r = buf_printf(out, "%s%.*s:\"%s\"", i == d + 1 ? "" : ",", (int)name.n, name.p, text);
	}
	return r < 0 ? r : buf_append(out, "}", 1);
}

int catalog_write_pin(const struct tape *t, uint32_t definition, struct span server_name, struct buf *out)
{
	_cleanup_buf_ struct buf digests = { 0 }, scratch = { 0 };
	uint32_t name = tape_get(t, definition, "name");
	uint8_t digest[SHA256_SIZE];
	struct tape own = { 0 };
	struct json_out j;
	int r;

	if (!tape_is(t, name, TAPE_STRING))
		return -EINVAL;
	r = digests_write(t, definition, &digests);
	if (r == 0)
		r = tape_parse(&own, buf_span(&digests), NULL);
	if (r == 0)
		r = canon_digest(&own, 0, &scratch, digest);
	tape_done(&own);
	if (r < 0)
		return r;
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_span(&j, "server", server_name);
	json_out_member_span(&j, "tool_name", tape_text(t, name));
	json_out_key(&j, "member_digests");
	json_out_raw(&j, buf_span(&digests));
	digest_out(&j, "digest", digest);
	json_out_object_end(&j);
	return json_out_end(&j);
}
