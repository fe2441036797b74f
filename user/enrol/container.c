// SPDX-License-Identifier: Apache-2.0
/*
 * Containers, as their engines write them down. Runs in the supervisor, at the first exec of a container, whose process
 * is stopped meanwhile: no engine is asked, since it may be waiting for that very exec; its files are read.
 * LIMIT: podman keeps labels where only it can read them; an annotation of the container does instead. A rootless
 * engine's containers are no agents by image or label: their user can write what is read here.
 */
#include "user/enrol/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/conf/conf.h"

#define CONTAINER_FILE_MAX (16u << 20) /* podman lists all containers in one file, a kilobyte each */

void container_done(struct container *c)
{
	json_decref(c->labels);
	c->labels = NULL;
}

/* --- the cgroup ----------------------------------------------------------------------------------- */

static bool is_id(const char *s)
{
	return strspn(s, "0123456789abcdef") >= CONTAINER_ID_DIGITS;
}

/* "ID", "docker-ID.scope", "libpod-ID", and so on; not "libpod-conmon-ID.scope", which is the engine's. */
static bool names_container(const char *part, size_t n, const char **ret_id)
{
	static const char *const prefixes[] = { "", "libpod-", "crio-", "docker-", "cri-containerd-" };

	if (n > 6 && strncmp(part + n - 6, ".scope", 6) == 0)
		n -= 6;
	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t k = strlen(prefixes[i]);

		if (n != k + CONTAINER_ID_DIGITS || strncmp(part, prefixes[i], k) != 0 || !is_id(part + k))
			continue;
		*ret_id = part + k;
		return true;
	}
	return false;
}

size_t container_of_cgroup(const char *cgroup, char ret_id[static CONTAINER_ID_DIGITS + 1])
{
	const char *at = cgroup, *id;

	while (*at == '/') {
		const char *part = at + 1;
		size_t n = strcspn(part, "/");

		at = part + n;
		if (!names_container(part, n, &id))
			continue;
		memcpy(ret_id, id, CONTAINER_ID_DIGITS);
		ret_id[CONTAINER_ID_DIGITS] = '\0';
		return (size_t)(at - cgroup);
	}
	return 0;
}

/* --- files of the engines -------------------------------------------------------------------------- */

/* 0: it belongs to root or to us, and nobody else can write it. */
static int check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) ? -EPERM : 0;
}

/* 1: read; 0: there is none; -errno. */
static int read_json(int store, const char *path, json_t **ret)
{
	_cleanup_close_ int fd = openat(store, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_buf_ struct buf text = { 0 };
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	r = check_owner(fd);
	if (r == 0)
		r = file_read_fd(fd, CONTAINER_FILE_MAX, &text);
	if (r < 0)
		return r;
	*ret = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
	return *ret ? 1 : -EBADMSG;
}

static void set_image(struct container *c, const json_t *name)
{
	const char *s = json_string_value(name);

	if (s && strlen(s) < sizeof(c->image))
		(void)strcpy(c->image, s);
}

/* What a label says stands; annotations come behind. */
static int add_labels(struct container *c, json_t *from)
{
	return json_is_object(from) && json_object_update_missing(c->labels, from) < 0 ? -ENOMEM : 0;
}

/* The configuration of the OCI runtime, with what Kubernetes' engines say in annotations. */
static int take_runtime(struct container *c, const json_t *file)
{
	json_t *notes = json_object_get(file, "annotations");
	const char *text = json_string_value(json_object_get(notes, "io.kubernetes.cri-o.Labels"));
	json_t *labels = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	int r = add_labels(c, labels);

	json_decref(labels);
	set_image(c, json_object_get(notes, "io.kubernetes.cri-o.ImageName"));
	set_image(c, json_object_get(notes, "io.kubernetes.cri.image-name"));
	return r < 0 ? r : add_labels(c, notes);
}

static int take_docker(struct container *c, const json_t *file)
{
	const json_t *config = json_object_get(file, "Config");

	set_image(c, json_object_get(config, "Image"));
	return add_labels(c, json_object_get(config, "Labels"));
}

/* The list of containers/storage; the image's name is JSON inside of JSON. 1: it is there. */
static int take_storage(struct container *c, const json_t *file)
{
	const json_t *each;
	size_t i;

	json_array_foreach(file, i, each) {
		const char *id = json_string_value(json_object_get(each, "id"));
		const char *text = json_string_value(json_object_get(each, "metadata"));
		json_t *metadata;

		if (!id || strcmp(id, c->id) != 0)
			continue;
		metadata = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
		set_image(c, json_object_get(metadata, "image-name"));
		json_decref(metadata);
		return 1;
	}
	return 0;
}

static const struct layout {
	const char *before, *behind; /* the container's id in the path; NULL: it is not in it */
	int (*take)(struct container *c, const json_t *file);
} layouts[] = {
	{ "overlay-containers/containers.json", NULL, take_storage }, /* podman, CRI-O */
	{ "vfs-containers/containers.json", NULL, take_storage },
	{ "overlay-containers/", "/userdata/config.json", take_runtime },
	{ "vfs-containers/", "/userdata/config.json", take_runtime },
	{ "", "/config.v2.json", take_docker },
	{ "", "/config.json", take_runtime }, /* containerd */
};

/* 1: the file tells of the container; 0: it does not; -errno. */
static int look(int store, const struct layout *l, struct container *c)
{
	char path[PATH_MAX];
	json_t *file = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "%s%s%s", l->before, l->behind ? c->id : "", l->behind ? l->behind : "");
	r = read_json(store, path, &file);
	if (r <= 0)
		return r;
	r = l->take(c, file);
	json_decref(file);
	return r < 0 ? r : r > 0 || l->take != take_storage;
}

static int look_in(const char *dir, struct container *c)
{
	_cleanup_close_ int store = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r, found = 0;

	if (store < 0)
		return errno == ENOENT ? 0 : -errno;
	r = check_owner(store);
	for (unsigned i = 0; r >= 0 && i < ARRAY_SIZE(layouts); i++) {
		r = look(store, &layouts[i], c);
		found |= r > 0;
	}
	return r < 0 ? r : found;
}

int container_read(const struct conf *c, const char *id, struct container *ret)
{
	_cleanup_(container_done) struct container it = { .labels = json_object() };
	int r = 0, found = 0;

	if (!it.labels)
		return -ENOMEM;
	(void)snprintf(it.id, sizeof(it.id), "%s", id);
	for (unsigned i = 0; r >= 0 && i < c->ncontainer_stores; i++) {
		r = look_in(c->container_stores[i], &it);
		found |= r > 0;
	}
	if (r < 0 || !found)
		return r < 0 ? r : 0;
	*ret = it;
	it.labels = NULL;
	return 1;
}

/* --- selectors -------------------------------------------------------------------------------------- */

bool container_selects(const struct conf_agent *a)
{
	return a->image || a->nlabels > 0;
}

/* A selector without a tag and a digest holds for every one. */
static bool image_fits(const char *want, const char *image)
{
	const char *slash = strrchr(want, '/');
	size_t n = strlen(want);

	if (strncmp(want, image, n) != 0)
		return false;
	if (image[n] == '\0')
		return true;
	return (image[n] == ':' || image[n] == '@') && !strpbrk(slash ? slash : want, ":@");
}

static bool label_fits(const char *want, const struct container *c)
{
	const char *equal = strchr(want, '=');
	char key[CONTAINER_IMAGE_MAX];
	const char *value;

	if (!equal || (size_t)(equal - want) >= sizeof(key))
		return false;
	(void)snprintf(key, sizeof(key), "%.*s", (int)(equal - want), want);
	value = json_string_value(json_object_get(c->labels, key));
	return value && strcmp(value, equal + 1) == 0;
}

bool container_fits(const struct conf_agent *a, const struct container *c)
{
	if (!container_selects(a))
		return true;
	if (!c || (a->image && !image_fits(a->image, c->image)))
		return false;
	for (unsigned i = 0; i < a->nlabels; i++)
		if (!label_fits(a->labels[i], c))
			return false;
	return true;
}
