// SPDX-License-Identifier: Apache-2.0
/* Containers: which cgroup is one, what each engine's files say, and who may have written them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/conf/conf.h"
#include "user/enrol/container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/tollgate-container-XXXXXX";
static char *stores[] = { dir };
static struct conf conf = { .container_stores = stores, .ncontainer_stores = 1 };

static int set_up(void **state)
{
	(void)strcpy(dir, "/tmp/tollgate-container-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Writes a file of the store, with the folders that it lies in. */
static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	assert_true(snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path));
	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	}
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void cgroups_of_engines(void **state)
{
	static const struct {
		const char *cgroup;
		const char *own; /* what of it is the container's; NULL: it is in none */
	} cases[] = {
		{ "/libpod_parent/libpod-" ID, "/libpod_parent/libpod-" ID },
		{ "/machine.slice/libpod-" ID ".scope", "/machine.slice/libpod-" ID ".scope" },
		{ "/machine.slice/libpod-" ID ".scope/container/init.scope", "/machine.slice/libpod-" ID ".scope" },
		{ "/docker/" ID, "/docker/" ID },
		{ "/system.slice/docker-" ID ".scope", "/system.slice/docker-" ID ".scope" },
		{ "/kubepods.slice/x.slice/cri-containerd-" ID ".scope",
		  "/kubepods.slice/x.slice/cri-containerd-" ID ".scope" },
		{ "/kubepods/besteffort/pod1/" ID "/a", "/kubepods/besteffort/pod1/" ID },
		{ "/docker/" ID "/docker/" OTHER, "/docker/" ID }, /* what a container names itself counts for nothing */
		{ "/machine.slice/libpod-conmon-" ID ".scope", NULL },
		{ "/libpod-" ID "0", NULL },
		{ "/x" ID, NULL },
		{ "/" ID ".service", NULL },
		{ "/0123456789abcdef", NULL },
		{ "/", NULL },
		{ "", NULL },
		{ ID, NULL },
	};
	char id[CONTAINER_ID_DIGITS + 1];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = container_of_cgroup(cases[i].cgroup, id);

		if (n != (cases[i].own ? strlen(cases[i].own) : 0))
			fail_msg("%s: %zu", cases[i].cgroup, n);
		if (n)
			assert_string_equal(id, ID);
	}
}

static const char *label(const struct container *c, const char *key)
{
	return json_string_value(json_object_get(c->labels, key));
}

static void podman(void **state)
{
	_cleanup_(container_done) struct container c = { 0 };

	put("overlay-containers/containers.json",
	    "[{\"id\":\"" OTHER "\",\"metadata\":\"{\\\"image-name\\\":\\\"other\\\"}\"},"
	    "{\"id\":\"" ID "\",\"metadata\":\"{\\\"image-name\\\":\\\"docker.io/library/node:22\\\"}\"}]");
	put("overlay-containers/" ID "/userdata/config.json", "{\"annotations\":{\"team\":\"red\"}}");
	assert_int_equal(container_read(&conf, ID, &c), 1);
	assert_string_equal(c.id, ID);
	assert_string_equal(c.image, "docker.io/library/node:22");
	assert_string_equal(label(&c, "team"), "red");
}

static void cri_o(void **state)
{
	_cleanup_(container_done) struct container c = { 0 };

	put("overlay-containers/" ID "/userdata/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri-o.ImageName\":\"quay.io/a/b:1\",\"team\":\"of the annotation\","
	    "\"io.kubernetes.cri-o.Labels\":\"{\\\"team\\\":\\\"of the label\\\"}\"}}");
	assert_int_equal(container_read(&conf, ID, &c), 1);
	assert_string_equal(c.image, "quay.io/a/b:1");
	assert_string_equal(label(&c, "team"), "of the label");
}

static void docker(void **state)
{
	_cleanup_(container_done) struct container c = { 0 };

	put(ID "/config.v2.json", "{\"Config\":{\"Image\":\"node:22\",\"Labels\":{\"a\":\"b\",\"n\":1}}}");
	assert_int_equal(container_read(&conf, ID, &c), 1);
	assert_string_equal(c.image, "node:22");
	assert_string_equal(label(&c, "a"), "b");
	assert_null(label(&c, "n"));
}

static void containerd(void **state)
{
	_cleanup_(container_done) struct container c = { 0 };

	put(ID "/config.json", "{\"annotations\":{\"io.kubernetes.cri.image-name\":\"ghcr.io/x/y@sha256:00\"}}");
	assert_int_equal(container_read(&conf, ID, &c), 1);
	assert_string_equal(c.image, "ghcr.io/x/y@sha256:00");
}

static void not_there(void **state)
{
	struct container c = { 0 };
	struct conf none = { 0 };

	assert_int_equal(container_read(&conf, ID, &c), 0);
	assert_int_equal(container_read(&none, ID, &c), 0);
	put("overlay-containers/containers.json", "[{\"id\":\"" OTHER "\"},7,{},{\"id\":7}]");
	assert_int_equal(container_read(&conf, ID, &c), 0);
	stores[0] = (char *)"/nonexistent";
	assert_int_equal(container_read(&conf, ID, &c), 0);
	stores[0] = dir;
}

/* What is there and cannot be told from what somebody made up is an error, not "no agent". */
static void not_to_be_read(void **state)
{
	static const char *const texts[] = { "", "{", "{}{}", "{\"annotations\":{},\"annotations\":{}}" };
	struct container c = { 0 };
	char path[PATH_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		put(ID "/config.json", texts[i]);
		assert_int_equal(container_read(&conf, ID, &c), -EBADMSG);
	}
	put(ID "/config.json", "{}");
	(void)snprintf(path, sizeof(path), "%s/" ID "/config.json", dir);
	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(container_read(&conf, ID, &c), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(container_read(&conf, ID, &c), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(container_read(&conf, ID, &c) < 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(container_read(&conf, ID, &c), -EPERM);
	assert_null(c.labels);
}

static void selectors(void **state)
{
	static const struct {
		const char *want, *image;
		bool fits;
	} images[] = {
		{ "a/b", "a/b", true },		  { "a/b", "a/b:1", true },
		{ "a/b", "a/b@sha256:0", true },  { "a/b:1", "a/b:1", true },
		{ "a/b:1", "a/b:1@x", false },	  { "a/b:1", "a/b:10", false },
		{ "a/b", "a/bc", false },	  { "a/b", "x/a/b", false },
		{ "h:5000/b", "h:5000/b:1", true }, { "a/b", "", false },
	};
	char *labels[] = { (char *)"a=b", (char *)"k=x=y" };
	struct container c = { .labels = json_pack("{s:s,s:s,s:i}", "a", "b", "k", "x=y", "n", 1) };
	struct conf_agent a = { 0 }, by_label = { .labels = labels, .nlabels = 2 };

	for (unsigned i = 0; i < ARRAY_SIZE(images); i++) {
		a.image = (char *)(uintptr_t)images[i].want;
		(void)strcpy(c.image, images[i].image);
		if (container_fits(&a, &c) != images[i].fits)
			fail_msg("%s, %s", images[i].want, images[i].image);
		assert_false(container_fits(&a, NULL));
	}
	assert_true(container_selects(&a));
	assert_true(container_fits(&by_label, &c));
	labels[1] = (char *)"n=1";
	assert_false(container_fits(&by_label, &c));
	a.image = NULL;
	assert_false(container_selects(&a));
	assert_true(container_fits(&a, NULL)); /* an agent without such selectors does not ask */
	container_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cgroups_of_engines),
		cmocka_unit_test_setup_teardown(podman, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cri_o, set_up, tear_down),
		cmocka_unit_test_setup_teardown(docker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(containerd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_to_be_read, set_up, tear_down),
		cmocka_unit_test(selectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
