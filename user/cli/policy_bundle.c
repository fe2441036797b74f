// SPDX-License-Identifier: Apache-2.0
/* Policy bundles of the cMCP runtime: reading and hashing them. What is in them is used elsewhere. */
#include "user/cli/policy_bundle.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/json_text.h"
#include "policy/text.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"

#define DEPTH_MAX 16 /* folders within each other; links to folders are not followed */
#define FILES_MAX 4096 /* as many as the daemon takes */
#define BYTES_MAX (64u << 20) /* of all policies: more is no bundle that a person signs */
#define MANIFEST_MAX (1u << 20)
#define SIGNED_DOMAIN "cmcp-policy-bundle-v1|"

__attribute__((format(printf, 3, 4)))
static int fail(char *error, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(error, POLICY_BUNDLE_ERROR_MAX, fmt, ap);
	va_end(ap);
	return r;
}

/* Python's universal newlines: a hash must not change with the line ends of a checkout. */
static void unify_line_ends(struct buf *b)
{
	char *to = b->data + b->start;

	for (const char *p = to, *end = b->data + b->end; p < end; p++) {
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			continue;
		*to++ = *p == '\r' ? '\n' : *p;
	}
	b->end = (size_t)(to - b->data);
}

static int read_text(const char *path, size_t max, struct buf *out, char *error)
{
	int r = file_read(path, max, out);

	if (r < 0)
		return fail(error, r, "%s: %s", path, err_text(r));
	if (utf8_check(buf_span(out)) != buf_len(out))
		return fail(error, -EINVAL, "%s: the text is not valid UTF-8", path);
	if (buf_len(out))
		unify_line_ends(out);
	return 0;
}

/* --- policies ------------------------------------------------------------------------------------ */

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int add_text(struct policy_bundle *b, const char *path, const char *name, size_t *left, char *error)
{
	struct mcp_policy_text *t = &b->texts[b->n_texts];
	struct buf *content = &b->contents[b->n_texts];
	int r;

	if (b->n_texts == FILES_MAX)
		return fail(error, -E2BIG, "%s: more than %d policies", path, FILES_MAX);
	t->name = strdup(name);
	if (!t->name)
		return fail(error, -ENOMEM, "%s: %s", path, err_text(-ENOMEM));
	b->n_texts++;
	r = read_text(path, *left < CEDAR_TEXT_MAX ? *left : CEDAR_TEXT_MAX, content, error);
	if (r < 0)
		return r;
	*left -= buf_len(content);
	t->text = buf_span(content);
	return 0;
}

static bool is_policy(const char *name)
{
	size_t n = strlen(name);

	return n >= 6 && strcmp(name + n - 6, ".cedar") == 0;
}

/* prefix is what stands before the names of this folder's files: "" or "a/b/". */
static int walk(struct policy_bundle *b, const char *dir, const char *prefix, unsigned depth, size_t *left,
		char *error)
{
	_cleanup_(close_dir) DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return fail(error, -errno, "%s: %s", dir, err_text(-errno));
	while (r == 0 && (errno = 0, e = readdir(d))) {
		_cleanup_free_ char *path = NULL, *name = NULL;
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0 || asprintf(&name, "%s%s", prefix, e->d_name) < 0)
			return fail(error, -ENOMEM, "%s: %s", dir, err_text(-ENOMEM));
		if (is_policy(e->d_name)) {
			r = add_text(b, path, name, left, error);
		} else if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			_cleanup_free_ char *below = NULL;

			if (depth == DEPTH_MAX)
				return fail(error, -ELOOP, "%s: folders deeper than %d", path, DEPTH_MAX);
			if (asprintf(&below, "%s/", name) < 0)
				return fail(error, -ENOMEM, "%s: %s", dir, err_text(-ENOMEM));
			r = walk(b, path, below, depth + 1, left, error);
		}
	}
	if (r == 0 && errno)
		return fail(error, -errno, "%s: %s", dir, err_text(-errno));
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct mcp_policy_text *)a)->name, ((const struct mcp_policy_text *)b)->name);
}

static int load_texts(const char *dir, struct policy_bundle *b, char *error)
{
	size_t left = BYTES_MAX;
	int r;

	b->texts = calloc(FILES_MAX, sizeof(*b->texts));
	b->contents = calloc(FILES_MAX, sizeof(*b->contents));
	if (!b->texts || !b->contents)
		return fail(error, -ENOMEM, "%s: %s", dir, err_text(-ENOMEM));
	r = walk(b, dir, "", 0, &left, error);
	if (r == 0 && b->n_texts == 0)
		return fail(error, -ENOENT, "%s: holds no policy: no file *.cedar", dir);
	if (r == 0)
		qsort(b->texts, b->n_texts, sizeof(*b->texts), by_name);
	return r;
}

/* --- manifest and hash --------------------------------------------------------------------------- */

static int load_manifest(struct policy_bundle *b, char *error)
{
	static const char *const required[] = { "version", "authored_at", "author_identity", "commit_sha" };
	char why[JSON_TEXT_ERROR_SIZE] = "";
	_cleanup_buf_ struct buf text = { 0 };
	int r = read_text(b->manifest_path, MANIFEST_MAX, &text, error);

	if (r < 0)
		return r;
	r = json_text_read(buf_span(&text), &b->manifest, why);
	if (r < 0)
		return fail(error, r, "%s: %s", b->manifest_path, *why ? why : err_text(r));
	if (!json_is_object(b->manifest))
		return fail(error, -EINVAL, "%s: is no JSON object", b->manifest_path);
	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		if (!json_is_string(json_object_get(b->manifest, required[i])))
			return fail(error, -EINVAL, "%s: lacks the string \"%s\"", b->manifest_path, required[i]);
	return 0;
}

static json_t *hex_digest(struct span text)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t digest[SHA256_SIZE];

	sha256(text.p, text.n, digest);
	hex_encode(digest, sizeof(digest), hex);
	return json_string(hex);
}

static int hash(struct policy_bundle *b, char *error)
{
	_cleanup_json_ json_t *whole = json_object(), *manifest = json_copy(b->manifest), *files = json_object();
	uint8_t digest[SHA256_SIZE];
	int r;

	if (!whole || !manifest || !files)
		return fail(error, -ENOMEM, "%s: %s", b->manifest_path, err_text(-ENOMEM));
	(void)json_object_del(manifest, "signature");
	for (size_t i = 0; i < b->n_texts; i++) {
		const char *name = b->texts[i].name;

		if (utf8_check(span_of(name)) != strlen(name))
			return fail(error, -EINVAL, "%s: the name of a policy is not valid UTF-8", name);
		if (json_object_set_new(files, name, hex_digest(b->texts[i].text)) < 0)
			return fail(error, -ENOMEM, "%s: %s", name, err_text(-ENOMEM));
	}
	if (json_object_set(whole, "manifest", manifest) < 0 || json_object_set(whole, "policy_files", files) < 0 ||
	    json_object_set_new(whole, "schema_hash", hex_digest(buf_span(&b->schema))) < 0)
		return fail(error, -ENOMEM, "%s: %s", b->manifest_path, err_text(-ENOMEM));
	r = json_canonical_sha256(whole, JSON_FORM_ASCII, NULL, digest);
	if (r == -EDOM)
		return fail(error, r, "%s: holds a number that is no integer of at most 2^53-1", b->manifest_path);
	if (r < 0)
		return fail(error, r, "%s: %s", b->manifest_path, err_text(r));
	sha256_prefixed(digest, b->hash);
	return 0;
}

int policy_bundle_load(const char *dir, struct policy_bundle *ret, char error[POLICY_BUNDLE_ERROR_MAX])
{
	_cleanup_free_ char *schema = NULL;
	int r;

	*ret = (struct policy_bundle){ 0 };
	if (asprintf(&schema, "%s/schema.cedarschema", dir) < 0)
		schema = NULL;
	if (!schema || asprintf(&ret->manifest_path, "%s/manifest.json", dir) < 0) {
		ret->manifest_path = NULL;
		return fail(error, -ENOMEM, "%s: %s", dir, err_text(-ENOMEM));
	}
	r = load_manifest(ret, error);
	if (r == 0)
		r = load_texts(dir, ret, error);
	if (r == 0)
		r = read_text(schema, CEDAR_TEXT_MAX, &ret->schema, error);
	return r < 0 ? r : hash(ret, error);
}

void policy_bundle_done(struct policy_bundle *b)
{
	for (size_t i = 0; i < b->n_texts; i++) {
		free((char *)(uintptr_t)b->texts[i].name);
		buf_done(&b->contents[i]);
	}
	free(b->texts);
	free(b->contents);
	buf_done(&b->schema);
	json_decref(b->manifest);
	free(b->manifest_path);
}

int policy_bundle_signed_text(const struct policy_bundle *b, struct buf *out)
{
	return buf_printf(out, SIGNED_DOMAIN "%s", b->hash);
}
