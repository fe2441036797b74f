// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy format: lays files out anew. A file is replaced as a whole and only when its new text
 * means the same; a symbolic link stays one.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/cedar_text.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"

struct format {
	bool check, json;
	unsigned width;
	struct json_out *out; /* of json */
	bool failed, changes;
};

static bool is_stdin(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* Puts the text into the file that path leads to, with the file's mode. */
static int replace(const char *path, struct span text)
{
	_cleanup_free_ char *file = realpath(path, NULL);
	struct stat st;

	if (!file || stat(file, &st) < 0)
		return -errno;
	return file_replace(file, text.p, text.n, st.st_mode & 07777);
}

static int load(const char *path, struct buf *text, struct cedar_errors *errors)
{
	int r = is_stdin(path) ? file_read_fd(0, CEDAR_FORMAT_TEXT_MAX, text)
			       : file_read(path, CEDAR_FORMAT_TEXT_MAX, text);

	if (r < 0)
		policy_plain_error(errors, "cannot be read", err_text(r));
	return r;
}

static int format_text(const struct format *f, struct span text, struct buf *made,
		       struct cedar_errors *errors)
{
	int r = cedar_format(text, f->width, made, errors);

	if (r < 0 && errors->n == 0)
		policy_plain_error(errors, "cannot be formatted",
				   r == -EBADMSG    ? "the result would mean something else"
				   : r == -EMSGSIZE ? "the result would be too large"
						    : err_text(r));
	return r;
}

static void report_json(struct format *f, const char *path, struct span made, bool changed,
			const struct cedar_errors *errors)
{
	json_out_object(f->out);
	json_out_member_str(f->out, "file", path);
	json_out_member_bool(f->out, "changed", changed);
	policy_report_json(f->out, errors);
	if (is_stdin(path) && !f->check && errors->n == 0)
		json_out_member_span(f->out, "text", made);
	json_out_object_end(f->out);
}

static void report(struct format *f, const char *path, struct span text, bool changed,
		   const struct cedar_errors *errors)
{
	policy_report_text(path, text, errors);
	if (changed && (f->check || !is_stdin(path)))
		printf("%s: %s\n", path, f->check ? "would change" : "formatted");
}

static void format_file(struct format *f, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 }, made = { 0 };
	struct cedar_errors errors = { 0 };
	bool changed = false;
	int r = load(path, &text, &errors);

	if (r == 0)
		r = format_text(f, buf_span(&text), &made, &errors);
	if (r == 0) {
		changed = !span_eq(buf_span(&text), buf_span(&made));
		if (!f->check && is_stdin(path) && !f->json)
			fwrite(buf_span(&made).p, 1, buf_len(&made), stdout);
		else if (!f->check && changed && !is_stdin(path))
			r = replace(path, buf_span(&made));
		if (r < 0)
			policy_plain_error(&errors, "cannot be written", err_text(r));
	}
	f->failed |= r < 0;
	f->changes |= changed;
	if (f->json)
		report_json(f, path, buf_span(&made), changed && r == 0, &errors);
	else
		report(f, path, buf_span(&text), changed && r == 0, &errors);
}

static int format_files(struct format *f, int n, char **paths)
{
	for (int i = 0; i < n; i++)
		format_file(f, paths[i]);
	return f->failed || (f->check && f->changes) ? CLI_FAILED : CLI_OK;
}

static int format_as_json(struct format *f, int n, char **paths)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;
	int status;

	json_out_init(&j, &b);
	f->out = &j;
	json_out_object(&j);
	json_out_key(&j, "files");
	json_out_array(&j);
	status = format_files(f, n, paths);
	json_out_array_end(&j);
	json_out_member_bool(&j, "ok", status == CLI_OK);
	json_out_object_end(&j);
	return policy_print_json(&b, json_out_end(&j)) == CLI_OK ? status : CLI_FAILED;
}

static bool parse_width(const char *s, unsigned *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = s && *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : 0;
	if (v == 0 || errno || *end || v > CEDAR_FORMAT_WIDTH_MAX)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* Takes the options out of the words; the number of paths that are left, or -1. */
static int take_options(struct format *f, int n, char **words)
{
	int paths = 0;

	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0) {
			f->json = true;
		} else if (strcmp(words[i], "--check") == 0) {
			f->check = true;
		} else if (strcmp(words[i], "--width") == 0) {
			if (++i == n || !parse_width(words[i], &f->width)) {
				fprintf(stderr,
					"tollgate: policy format: --width takes a number from 1 to %u\n",
					CEDAR_FORMAT_WIDTH_MAX);
				return -1;
			}
		} else if (words[i][0] == '-' && words[i][1]) {
			fprintf(stderr, "tollgate: policy format: no such option: %s\n", words[i]);
			return -1;
		} else {
			words[paths++] = words[i];
		}
	}
	return paths;
}

int policy_format(struct cli *cli, int n, char **words)
{
	struct format f = { .json = cli->json, .width = CEDAR_FORMAT_WIDTH_DEFAULT };
	int paths = take_options(&f, n, words);

	if (paths <= 0)
		return policy_usage();
	return f.json ? format_as_json(&f, paths, words) : format_files(&f, paths, words);
}
