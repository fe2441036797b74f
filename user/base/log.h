/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_LOG_H
#define TOLLGATE_LOG_H

/* One line per event on standard error: "<level> <role>: module: action object: reason". Where standard error is
 * the journal's, the same as an entry with the fields PRIORITY, SYSLOG_IDENTIFIER (tollgated), TOLLGATE_ROLE, ERRNO
 * (when the error had a number) and MESSAGE.
 * Only the layer that decides logs; libraries return errors. Never pass a secret or a payload. */
enum log_level {
	LOG_LEVEL_ERR = 0,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* role must outlive the process's logging; NULL leaves the present one. To be called before a sandbox: it opens the
 * journal's socket. */
void log_setup(const char *role, enum log_level max);

/* fn is also given the text of every warning and error that is logged. It must not log. */
void log_watch(void (*fn)(enum log_level level, const char *text, void *arg), void *arg);

/* Prints when level is within the maximum. Control characters in the text are replaced. */
void log_print(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Logs at ERR, with r as the error number when it is negative, and gives back r, so a caller can write:
 * return log_err(r, "..."). */
int log_err(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_warn(...) log_print(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_print(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Text of a negative errno (or positive), for the reason part of a message; of any number. */
const char *err_text(int r);

#endif
