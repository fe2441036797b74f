// SPDX-License-Identifier: Apache-2.0
/*
 * The command's side of the control socket, and what the commands that use it share.
 */
#include "user/cli/control_client.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/conf/conf.h"

#define ANSWER_MAX (64u << 20)

int cli_find_sockets(struct cli *c)
{
	static char control[PATH_MAX], audit[PATH_MAX];
	struct conf_error e = { 0 };
	struct conf conf = { 0 };
	int r = conf_load(c->config, &conf, &e);

	if (r == -ENOENT && strcmp(c->config, CONF_PATH) == 0)
		r = conf_default(&conf, &e);
	if (r < 0) {
		fprintf(stderr, "tollgate: read configuration: %s\n", e.text);
		return CLI_FAILED;
	}
	(void)snprintf(control, sizeof(control), "%s/control.sock", conf.run_dir);
	(void)snprintf(audit, sizeof(audit), "%s/audit.sock", conf.run_dir);
	c->control = control;
	c->audit = audit;
	conf_free(&conf);
	return CLI_OK;
}

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(fd);
}

/* A daemon that hangs up in the middle of a question is an error to tell, not a signal to die of. */
static int send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno != EINTR)
			return -errno;
		p += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
	return 0;
}

static void explain_dial(const char *path, int r)
{
	fprintf(stderr, "tollgate: connect %s: %s%s\n", path, err_text(r),
		r == -ENOENT || r == -ECONNREFUSED ? ": tollgated is not running here" :
		r == -EACCES || r == -EPERM ? ": run as root" : "");
}

static int refused(const json_t *answer)
{
	const json_t *e = json_object_get(answer, "error");

	if (!e)
		return CLI_OK;
	fprintf(stderr, "tollgate: %s %s: %s\n", cli_text(e, "action", "ask"),
		cli_text(e, "object", "tollgated"), cli_text(e, "reason", "no reason given"));
	return CLI_FAILED;
}

int control_ask(struct cli *c, const char *request, json_t **ret)
{
	_cleanup_close_ int fd = dial(c->control);
	_cleanup_buf_ struct buf answer = { .limit = ANSWER_MAX };
	json_error_t e;
	json_t *j;
	int r;

	if (fd < 0) {
		explain_dial(c->control, fd);
		return CLI_FAILED;
	}
	r = send_all(fd, request, strlen(request));
	if (r >= 0)
		r = send_all(fd, "\n", 1);
	if (r >= 0)
		r = file_read_fd(fd, ANSWER_MAX / 2, &answer);
	if (r < 0) {
		fprintf(stderr, "tollgate: ask %s: %s\n", c->control, err_text(r));
		return CLI_FAILED;
	}
	j = json_loadb(buf_span(&answer).p, buf_len(&answer), JSON_REJECT_DUPLICATES, &e);
	if (!j) {
		fprintf(stderr, "tollgate: read the answer of %s: %s\n", c->control,
			buf_len(&answer) ? e.text : "the daemon closed the connection");
		return CLI_FAILED;
	}
	r = refused(j);
	if (r != CLI_OK) {
		json_decref(j);
		return r;
	}
	*ret = j;
	return CLI_OK;
}

void cli_print_json(const json_t *j)
{
	(void)json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	(void)putchar('\n');
}

const char *cli_text(const json_t *object, const char *member, const char *fallback)
{
	const char *s = json_string_value(json_object_get(object, member));

	return s ? s : fallback;
}

bool cli_wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

int cli_become(const char *user)
{
	char *end;
	unsigned long uid = strtoul(user, &end, 10);
	const struct passwd *pw = *user && !*end ? getpwuid((uid_t)uid) : getpwnam(user);

	if (!pw)
		return -ENOENT;
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 ||
	    setuid(pw->pw_uid) < 0)
		return -errno;
	return 0;
}
