// SPDX-License-Identifier: Apache-2.0
/*
 * Which file an interpreter was told to run. A table of the options of each; pure text, no system call.
 *
 * Options: `values` lists short options and words that take a value as the next argument (or right after
 * the letter where `attached`), `flags` those that take none, `code` those after which there is no script
 * file. A word not listed ends the search without an answer, except "--word=value", which is one argument
 * in any case.
 */
#include "user/proc/script.h"

#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/span.h"

struct interpreter {
	const char *name; /* of the program, before a version: "python" for python3.11 */
	const char *flags; /* letters */
	const char *values;
	const char *code;
	const char *flag_words; /* ' '-separated, with leading and trailing blank */
	const char *value_words;
	const char *code_words;
	const char *run_word; /* the subcommand that runs a script; without it there is none */
	bool attached; /* a value may follow its letter directly */
	bool paths_only; /* a bare name may mean something other than a file */
};

#define SHELL_WORDS \
	" --norc --noprofile --posix --restricted --login --verbose --debugger --noediting --pretty-print "

static const struct interpreter table[] = {
	{ .name = "node",
	  .flags = "ic",
	  .values = "rC",
	  .code = "ep",
	  .flag_words = " --check --interactive --abort-on-uncaught-exception"
			" --enable-source-maps --enable-fips --force-fips --expose-gc --expose_gc"
			" --experimental-vm-modules --experimental-modules --experimental-fetch"
			" --experimental-strip-types --experimental-transform-types --experimental-sqlite"
			" --experimental-wasm-modules --experimental-json-modules"
			" --experimental-import-meta-resolve --experimental-require-module"
			" --experimental-websocket --experimental-global-webcrypto"
			" --experimental-permission --permission --allow-worker --allow-child-process"
			" --frozen-intrinsics --force-context-aware --inspect --inspect-brk --insecure-http-parser"
			" --jitless --node-snapshot --pending-deprecation --preserve-symlinks"
			" --preserve-symlinks-main --throw-deprecation --trace-deprecation --trace-warnings"
			" --trace-uncaught --trace-exit --trace-sync-io --track-heap-objects --use-bundled-ca"
			" --use-openssl-ca --use-system-ca --verify-base-objects --zero-fill-buffers"
			" --no-warnings --no-deprecation --no-addons --no-experimental-fetch"
			" --no-experimental-require-module --no-experimental-strip-types"
			" --no-experimental-websocket --no-force-async-hooks-checks --no-global-search-paths"
			" --no-network-family-autoselection --no-experimental-global-navigator"
			" --no-verify-base-objects --no-opt ",
	  .value_words = " --require --import --loader --experimental-loader --conditions --input-type"
			 " --title --icu-data-dir --openssl-config --diagnostic-dir"
			 " --redirect-warnings --dns-result-order --unhandled-rejections ",
	  .code_words = " --eval --print --test --run --prof-process --v8-options --version --help --build-sea"
			" --watch --watch-path " },
	{ .name = "python",
	  .flags = "bBdEiIOPqRsSuvVxh?",
	  .values = "WX",
	  .code = "cm",
	  .flag_words = " ",
	  .value_words = " --check-hash-based-pycs ",
	  .code_words = " --version --help ",
	  .attached = true },
	{ .name = "sh", .flags = "abCefhiklmnprtuvxBEHPT", .values = "oO", .code = "cs",
	  .flag_words = SHELL_WORDS, .value_words = " --rcfile --init-file ", .code_words = " " },
	{ .name = "bash", .flags = "abefhiklmnprtuvxBCEHPTD", .values = "oO", .code = "cs",
	  .flag_words = SHELL_WORDS, .value_words = " --rcfile --init-file ", .code_words = " " },
	{ .name = "dash", .flags = "aCefhilmnpuvxEIVb", .values = "o", .code = "cs",
	  .flag_words = " ", .value_words = " ", .code_words = " " },
	{ .name = "ruby",
	  .flags = "aldnpsvwUh",
	  .values = "rI",
	  .code = "eSxcC",
	  .flag_words = " --verbose --jit --yjit --disable-gems ",
	  .value_words = " --encoding --external-encoding --internal-encoding ",
	  .code_words = " --version --help --copyright ",
	  .attached = true },
	{ .name = "perl",
	  .flags = "aclnpstTuUvVwWXf",
	  .values = "I",
	  .code = "eESx",
	  .flag_words = " ",
	  .value_words = " ",
	  .code_words = " ",
	  .attached = true },
	{ .name = "php",
	  .flags = "nqCeH",
	  .values = "cdz",
	  .code = "raBREFStsilmvhw",
	  .flag_words = " --no-php-ini --no-header ",
	  .value_words = " --define --php-ini --zend-extension ",
	  .code_words = " --run --version --info --server --interactive --file --process-file ",
	  .attached = true },
	{ .name = "bun",
	  .flags = "ib",
	  .values = "r",
	  .code = "ep",
	  .flag_words = " --smol --hot --bun --silent --prefer-offline --prefer-latest --no-install"
			" --expose-gc --no-deprecation --throw-deprecation --inspect --inspect-brk ",
	  .value_words = " --preload --require --import --conditions --define --loader --tsconfig-override"
			 " --config --cwd --env-file ",
	  .code_words = " --eval --print --version --help --watch run x test install add remove update create"
			" link unlink pm build init upgrade repl exec publish outdated patch ",
	  .paths_only = true }, /* a bare name may be a script of package.json */
	{ .name = "deno",
	  .flags = "AqRWNESI",
	  .values = "cL",
	  .code = "",
	  .flag_words = " --allow-all --allow-read --allow-write --allow-net --allow-env --allow-run"
			" --allow-sys --allow-ffi --allow-import --no-prompt --quiet --no-check --unstable"
			" --no-remote --no-npm --no-lock --cached-only --frozen --no-config ",
	  .value_words = " --config --import-map --log-level --seed --location --cert ",
	  .code_words = " --version --help ",
	  .run_word = "run" },
};

/* Other names of a row above. */
static const struct {
	const char *name, *same_as;
} aliases[] = {
	{ "nodejs", "node" }, { "pypy", "python" }, { "rbash", "bash" }, { "bash-static", "bash" },
	{ "ash", "dash" },
};

static struct span base_name(const char *exe)
{
	struct span s = span_of(exe);
	const char *slash = memrchr(exe, '/', s.n);
	const struct span gone = SPAN(" (deleted)");

	if (slash) {
		s.n -= (size_t)(slash + 1 - exe);
		s.p = slash + 1;
	}
	if (s.n > gone.n && memcmp(s.p + s.n - gone.n, gone.p, gone.n) == 0)
		s.n -= gone.n;
	while (s.n > 0 && (strchr("0123456789.", s.p[s.n - 1])))
		s.n--;
	return s;
}

static const struct interpreter *find(const char *exe)
{
	struct span name = base_name(exe);

	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (span_is(name, aliases[i].name))
			name = span_of(aliases[i].same_as);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (span_is(name, table[i].name))
			return &table[i];
	return NULL;
}

bool script_interpreter(const char *exe)
{
	return find(exe) != NULL;
}

bool script_adds_suffix(const char *exe)
{
	const struct interpreter *in = find(exe);

	return in && strcmp(in->name, "node") == 0;
}

static bool listed(const char *words, const char *w)
{
	size_t n = strlen(w);

	for (const char *at = words; at && n > 0 && (at = strstr(at, w)); at++)
		if (at > words && at[-1] == ' ' && at[n] == ' ')
			return true;
	return false;
}

enum option_kind {
	OPTION_UNKNOWN,
	OPTION_FLAG, /* complete */
	OPTION_VALUE, /* the next argument belongs to it */
	OPTION_CODE, /* no script */
};

static enum option_kind kind_of_word(const struct interpreter *in, const char *a)
{
	char word[64];
	size_t n = strcspn(a, "=");

	if (n >= sizeof(word))
		return OPTION_UNKNOWN;
	memcpy(word, a, n);
	word[n] = '\0';
	if (listed(in->code_words, word))
		return OPTION_CODE;
	if (a[n] == '=' || listed(in->flag_words, word))
		return OPTION_FLAG;
	return listed(in->value_words, word) ? OPTION_VALUE : OPTION_UNKNOWN;
}

/* "-abc": letters until one that takes a value, which is the rest or the next argument. */
static enum option_kind kind_of_letters(const struct interpreter *in, const char *a)
{
	for (a++; *a; a++) {
		if (strchr(in->code, *a))
			return OPTION_CODE;
		if (strchr(in->values, *a)) {
			if (!a[1])
				return OPTION_VALUE;
			return in->attached ? OPTION_FLAG : OPTION_UNKNOWN;
		}
		if (!strchr(in->flags, *a))
			return OPTION_UNKNOWN;
	}
	return OPTION_FLAG;
}

struct arg_list {
	const char *at, *end;
};

static const char *next_arg(struct arg_list *l)
{
	const char *a = l->at, *nul;

	if (a >= l->end)
		return NULL;
	nul = memchr(a, '\0', (size_t)(l->end - a));
	if (!nul)
		return NULL; /* cut short: not the whole argument */
	l->at = nul + 1;
	return a;
}

static bool is_path(const char *a)
{
	return *a == '/' || strncmp(a, "./", 2) == 0 || strncmp(a, "../", 3) == 0;
}

int script_of_args(const char *exe, const char *args, size_t len, const char **ret)
{
	const struct interpreter *in = find(exe);
	struct arg_list l = { args, args + len };
	bool run = false, options = true;
	const char *a;

	if (!in || !next_arg(&l))
		return 0;
	while ((a = next_arg(&l))) {
		enum option_kind kind;

		if (!*a || strcmp(a, "-") == 0)
			return 0;
		if (options && strcmp(a, "--") == 0) {
			options = false;
			continue;
		}
		if (options && (*a == '-' || *a == '+')) {
			if (*a == '+')
				return 0;
			kind = a[1] == '-' ? kind_of_word(in, a) : kind_of_letters(in, a);
			if (kind == OPTION_CODE || kind == OPTION_UNKNOWN)
				return 0;
			if (kind == OPTION_VALUE && !next_arg(&l))
				return 0;
			continue;
		}
		if (in->run_word && !run) {
			if (strcmp(a, in->run_word) != 0)
				return 0;
			run = true;
			continue;
		}
		if (listed(in->code_words, a) || (in->paths_only && !is_path(a)))
			return 0;
		*ret = a;
		return 1;
	}
	return 0;
}
