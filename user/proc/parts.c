// SPDX-License-Identifier: Apache-2.0
/*
 * Of what a server consists, guessed from its command for an operator to look over. Runs on the command line only:
 * what a node enforces is the list that is written into the catalog, never this guess.
 */
#include "user/proc/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/proc/elf.h"
#include "user/proc/script.h"

#define ARGS_MAX 4096
#define SHEBANG_MAX 256 /* the kernel's BINPRM_BUF_SIZE: more of the line it does not read */
#define SHEBANG_CHAIN_MAX 4 /* an interpreter that is a script itself, as the kernel allows */

static int fail(struct parts *p, const char *what, int r)
{
	(void)snprintf(p->why, sizeof(p->why), "%.255s", what);
	return r;
}

int parts_add(struct parts *p, const char *path)
{
	char *real = realpath(path, NULL);

	if (!real)
		return fail(p, path, -errno);
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->path[i], real) == 0) {
			free(real);
			return 0;
		}
	if (p->n == PARTS_MAX) {
		free(real);
		return fail(p, path, -E2BIG);
	}
	p->path[p->n++] = real;
	return 0;
}

void parts_done(struct parts *p)
{
	while (p->n > 0)
		free(p->path[--p->n]);
}

/* As execvp() looks a name up. */
static int find_program(const char *name, char ret[PATH_MAX])
{
	const char *path = getenv("PATH"), *at = path ? path : "/usr/bin:/bin";

	if (strchr(name, '/'))
		return realpath(name, ret) ? 0 : -errno;
	while (*at) {
		size_t n = strcspn(at, ":");
		char try[PATH_MAX];

		if (n > 0 && (size_t)snprintf(try, sizeof(try), "%.*s/%s", (int)n, at, name) < sizeof(try) &&
		    access(try, X_OK) == 0 && realpath(try, ret))
			return 0;
		at += n + (at[n] == ':');
	}
	return -ENOENT;
}

/* The interpreter of a "#!" line. 1, 0: it has none, or -errno. */
static int shebang(const char *path, char ret[PATH_MAX])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char line[SHEBANG_MAX], *word, *next;
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (n < 0)
		return -errno;
	line[n] = '\0';
	if (strncmp(line, "#!", 2) != 0)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line + 2, " \t", &next);
	if (word && strcmp(word, "/usr/bin/env") == 0) {
		word = strtok_r(NULL, " \t", &next);
		if (word && strcmp(word, "-S") == 0)
			word = strtok_r(NULL, " \t", &next);
	}
	if (!word)
		return -ENOEXEC;
	n = find_program(word, ret);
	return n < 0 ? (int)n : 1;
}

/* Adds the image that will run, and the scripts that lead to it. ret_main: what the package is sought from. */
static int add_image(struct parts *p, const char *name, char ret_main[PATH_MAX], char ret_image[PATH_MAX])
{
	char next[PATH_MAX];
	int r = find_program(name, ret_main);

	if (r < 0)
		return fail(p, name, r);
	(void)strcpy(ret_image, ret_main);
	for (unsigned i = 0; r == 0 && i < SHEBANG_CHAIN_MAX; i++) {
		r = parts_add(p, ret_image);
		if (r < 0)
			return r;
		r = shebang(ret_image, next);
		if (r <= 0)
			return r < 0 ? fail(p, ret_image, r) : 0;
		(void)strcpy(ret_image, next);
		r = 0;
	}
	return fail(p, ret_image, -ELOOP);
}

static int add_loader(struct parts *p, const char *image)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	char loader[PATH_MAX];
	int r = fd < 0 ? -errno : elf_interpreter(fd, loader, sizeof(loader));

	if (r == -ENOENT)
		return 0;
	return r < 0 ? fail(p, image, r) : parts_add(p, loader);
}

static int add_script(struct parts *p, const char *image, char *const argv[], char main_path[PATH_MAX])
{
	char args[ARGS_MAX], path[PATH_MAX];
	const char *script;
	size_t n = 0;

	for (unsigned i = 0; argv[i]; i++) {
		size_t len = strlen(argv[i]) + 1;

		if (n + len > sizeof(args))
			return fail(p, argv[i], -E2BIG);
		memcpy(args + n, argv[i], len);
		n += len;
	}
	if (!script_of_args(image, args, n, &script))
		return 0;
	if (snprintf(path, sizeof(path), "%s", script) >= (int)sizeof(path))
		return fail(p, script, -ENAMETOOLONG);
	if (access(path, F_OK) < 0 && script_adds_suffix(image) &&
	    snprintf(path, sizeof(path), "%s.js", script) >= (int)sizeof(path))
		return fail(p, script, -ENAMETOOLONG);
	if (!realpath(path, main_path))
		return fail(p, script, -errno);
	return parts_add(p, main_path);
}

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) < sizeof(path) && access(path, F_OK) == 0;
}

static int add_package(struct parts *p, const char *main_path)
{
	static const char word[] = "/node_modules/";
	const char *outermost = strstr(main_path, word);
	char dir[PATH_MAX];

	if (outermost) {
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(outermost - main_path + sizeof(word) - 2), main_path);
		return parts_add(p, dir);
	}
	(void)snprintf(dir, sizeof(dir), "%s", main_path);
	for (char *slash; (slash = strrchr(dir, '/')) && slash != dir;) {
		*slash = '\0';
		if (has_file(dir, "package.json") || has_file(dir, "pyproject.toml"))
			return parts_add(p, dir);
	}
	return 0;
}

int parts_of_command(char *const argv[], struct parts *ret)
{
	char main_path[PATH_MAX], image[PATH_MAX];
	int r;

	*ret = (struct parts){ 0 };
	r = add_image(ret, argv[0], main_path, image);
	if (r == 0)
		r = add_loader(ret, image);
	if (r == 0 && strcmp(main_path, image) == 0)
		r = add_script(ret, image, argv, main_path);
	if (r == 0)
		r = add_package(ret, main_path);
	return r;
}
