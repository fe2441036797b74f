// SPDX-License-Identifier: Apache-2.0
/*
 * Logging to standard error, one write per line so that roles sharing a descriptor do not mix; or, when standard
 * error is the journal's, to the journal itself, so that level, role and error number are fields to ask for. The
 * journal's protocol is a datagram of NAME=VALUE lines (systemd, JOURNAL_NATIVE_PROTOCOL); its socket is opened in
 * log_setup(), since a role's sandbox may forbid that later, and written to by write(), which every role may call.
 */
#include "user/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/base/cleanup.h"

#define ERRNO_MAX 4095 /* of the kernel; a number beyond is from somebody who lies */
#define LOG_LINE_MAX 2048
#define LOG_FIELDS_MAX 256 /* what stands before the text in a datagram */
#define LOG_JOURNAL "/run/systemd/journal/socket"

static const char *log_role = "tollgate";
static enum log_level log_max = LOG_LEVEL_INFO;
static int journal_fd = -1;
static void (*log_watcher)(enum log_level level, const char *text, void *arg);
static void *log_watcher_arg;

/* JOURNAL_STREAM is "device:inode" of the stream that the service manager opened: standard error may have been
 * given another file since. */
static bool stderr_is_journal(const char *stream)
{
	unsigned long long dev, ino;
	struct stat st;
	char rest;

	return stream && sscanf(stream, "%llu:%llu%c", &dev, &ino, &rest) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

static int journal_open(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : take_fd(fd);
}

void log_setup(const char *role, enum log_level max)
{
	if (role)
		log_role = role;
	log_max = max;
	if (journal_fd < 0 && stderr_is_journal(getenv("JOURNAL_STREAM")))
		journal_fd = journal_open(LOG_JOURNAL);
}

void log_watch(void (*fn)(enum log_level level, const char *text, void *arg), void *arg)
{
	log_watcher = fn;
	log_watcher_arg = arg;
}

/* The text is free of control characters, so each field is one line. */
static bool journal_send(enum log_level level, int error, const char *text, size_t len)
{
	static const char priority[] = { '3', '4', '6', '7' }; /* syslog(3) */
	char out[LOG_FIELDS_MAX + LOG_LINE_MAX];
	int n = snprintf(out, LOG_FIELDS_MAX, "PRIORITY=%c\nSYSLOG_IDENTIFIER=tollgated\nTOLLGATE_ROLE=%s\n",
			 priority[level], log_role);

	if (error && n > 0 && n < LOG_FIELDS_MAX)
		n += snprintf(out + n, (size_t)(LOG_FIELDS_MAX - n), "ERRNO=%d\n", error);
	if (n > 0 && n < LOG_FIELDS_MAX)
		n += snprintf(out + n, (size_t)(LOG_FIELDS_MAX - n), "MESSAGE=");
	if (n < 0 || n >= LOG_FIELDS_MAX || len >= LOG_LINE_MAX)
		return false;
	memcpy(out + n, text, len);
	out[n + (int)len] = '\n';
	return write(journal_fd, out, (size_t)n + len + 1) >= 0;
}

static void log_vprint(enum log_level level, int error, const char *fmt, va_list ap)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char line[LOG_LINE_MAX];
	int head, n, m;

	if (level > log_max)
		return;
	head = n = snprintf(line, sizeof(line), "%s %s: ", names[level], log_role);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n] = '\0';
	if (log_watcher && level <= LOG_LEVEL_WARN)
		log_watcher(level, line + head, log_watcher_arg);
	/* A journal that does not take it is no reason to lose the line. */
	if (journal_fd >= 0 && journal_send(level, error, line + head, (size_t)(n - head)))
		return;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}

void log_print(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprint(level, 0, fmt, ap);
	va_end(ap);
}

int log_err(int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprint(LOG_LEVEL_ERR, r < 0 && r >= -ERRNO_MAX ? -r : 0, fmt, ap);
	va_end(ap);
	return r;
}

const char *err_text(int r)
{
	const char *s = strerrordesc_np(r < 0 && r >= -ERRNO_MAX ? -r : r);

	return s ? s : "unknown error";
}
