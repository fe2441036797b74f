// SPDX-License-Identifier: Apache-2.0
/* What container engines write: the path of a cgroup, or one of their files. The first byte chooses. */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/file.h"
#include "user/conf/conf.h"
#include "user/enrol/container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/tollgate-fuzz-XXXXXX";
static const char *const files[] = { "/overlay-containers/containers.json", "/" ID "/config.json",
				     "/" ID "/config.v2.json" };

static void path_of(char *ret, const char *name)
{
	(void)snprintf(ret, PATH_MAX, "%s%s", dir, name);
}

static void done(void)
{
	char path[PATH_MAX];

	path_of(path, "/overlay-containers");
	(void)rmdir(path);
	path_of(path, "/" ID);
	(void)rmdir(path);
	(void)rmdir(dir);
}

static void begin(void)
{
	char path[PATH_MAX];

	if (!mkdtemp(dir))
		abort();
	path_of(path, "/overlay-containers");
	if (mkdir(path, 0700) < 0)
		abort();
	path_of(path, "/" ID);
	if (mkdir(path, 0700) < 0)
		abort();
	(void)atexit(done);
}

static void read_file(const char *name, const uint8_t *p, size_t n)
{
	char *stores[] = { dir }, *labels[] = { (char *)"a=b" };
	struct conf conf = { .container_stores = stores, .ncontainer_stores = 1 };
	struct conf_agent agent = { .image = (char *)"a/b", .labels = labels, .nlabels = 1 };
	struct container c = { 0 };
	char path[PATH_MAX];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, p, n) < 0)
		abort();
	close(fd);
	if (container_read(&conf, ID, &c) == 1) {
		(void)container_fits(&agent, &c);
		container_done(&c);
	} else if (c.labels) {
		abort();
	}
	(void)unlink(path);
}

static void read_cgroup(const uint8_t *p, size_t n)
{
	char id[CONTAINER_ID_DIGITS + 1], *text = malloc(n + 1);
	size_t own;

	if (!text)
		return;
	memcpy(text, p, n);
	text[n] = '\0';
	own = container_of_cgroup(text, id);
	if (own > strlen(text) || (own && (strlen(id) != CONTAINER_ID_DIGITS || !strstr(text, id))))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;
	size_t which;

	if (!begun)
		begin();
	begun = true;
	if (size == 0)
		return 0;
	which = data[0] % 4u;
	if (which == 3)
		read_cgroup(data + 1, size - 1);
	else
		read_file(files[which], data + 1, size - 1);
	return 0;
}
