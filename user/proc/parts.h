/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_PARTS_H
#define TOLLGATE_PROC_PARTS_H

#define PARTS_MAX 64

/* What a command is made of, as far as it shows from outside: real paths, each once. */
struct parts {
	char *path[PARTS_MAX];
	unsigned n;
	char why[256]; /* after a failure: what it was about */
};

/*
 * Finds the parts of a command as it would run here and now: its executable (argv[0] is looked up in PATH when it
 * has no slash; of a "#!" script the interpreter, also behind env(1), and the script), the loader that this asks for,
 * the script that an interpreter is given (user/proc/script.h), and the package that the script or else the
 * executable lies in: the outermost node_modules directory above it, or the nearest directory with a package.json or
 * pyproject.toml. 0, -ENOENT, -E2BIG or -errno. parts_done() in any case.
 */
int parts_of_command(char *const argv[], struct parts *ret);

/* Adds the real path of one more file or directory. */
int parts_add(struct parts *p, const char *path);
void parts_done(struct parts *p);

#endif
