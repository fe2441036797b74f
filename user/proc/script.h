/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROC_SCRIPT_H
#define TOLLGATE_PROC_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* Is the program's path (of its image) that of an interpreter known here? */
bool script_interpreter(const char *exe);

/*
 * The script argument of an interpreter's command line: args holds len bytes of NUL-terminated strings.
 * 1 and *ret (into args); 0 when no script file is run: other program, code on the command line (-c, -e,
 * -m), standard input, or an option not known here, after which one cannot tell its value from the script.
 * A wrong guess would measure one file while another runs, so nothing is guessed.
 */
int script_of_args(const char *exe, const char *args, size_t len, const char **ret);

/* May the interpreter run NAME.js when asked for NAME? */
bool script_adds_suffix(const char *exe);

#endif
