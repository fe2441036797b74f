// SPDX-License-Identifier: Apache-2.0
/* Loading, pinning, adoption, refusal of foreign pins, release. */
#include "tests/unit/kern/bed.h"

#include <bpf/bpf.h>

static void loads_adopts_releases(void **state)
{
	uint8_t a[SHA256_SIZE], b2[SHA256_SIZE];
	const char *what = "";
	struct tg_state st;
	struct bed b;
	char path[PATH_MAX];
	struct stat s;

	bed_open(&b);
	assert_false(kern_adopted(b.k));
	assert_int_equal(stat(b.pins, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0700);
	assert_int_equal(kern_digest(b.k, a), 0);
	assert_int_equal(kern_verify(b.k, &what), 0);
	assert_int_equal(kern_state_flags(b.k, TG_STATE_UDP_DNS, 0), 0);

	/* A second process finds what the first left, and the first's state. */
	kern_close(b.k);
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins }, &b.k), 0);
	assert_true(kern_adopted(b.k));
	assert_int_equal(kern_digest(b.k, b2), 0);
	assert_memory_equal(a, b2, sizeof(a));
	assert_int_equal(kern_state_read(b.k, &st), 0);
	assert_int_equal(st.flags, TG_STATE_UDP_DNS);
	assert_int_equal(st.daemon_cgroup, b.daemon_id);
	assert_int_equal(kern_daemon_attach(b.k, b.daemon), 0);
	assert_int_equal(kern_verify(b.k, &what), 0);

	/* A link that someone removed is seen, by check and by adoption. */
	snprintf(path, sizeof(path), "%s/v%d/links/exec_guard", b.pins, TG_ABI_VERSION);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kern_verify(b.k, &what), -ENOLINK);
	assert_string_equal(what, "exec_guard");
	assert_false(kern_renewed(b.k));
	kern_close(b.k);
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins }, &b.k), 0);
	assert_true(kern_adopted(b.k) && kern_renewed(b.k));
	assert_int_equal(kern_verify(b.k, &what), 0);
	assert_int_equal(kern_state_read(b.k, &st), 0);
	assert_int_equal(st.flags, TG_STATE_UDP_DNS);
	bed_close(&b);
}

static void refuses_what_is_not_its_own(void **state)
{
	char path[PATH_MAX];
	struct kern *k;
	struct bed b;
	int fd;

	bed_open(&b);
	/* A map of another shape under a known name. */
	snprintf(path, sizeof(path), "%s/v%d/maps/streams", b.pins, TG_ABI_VERSION);
	assert_int_equal(unlink(path), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "streams", 8, 8, 16, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins }, &k), -ESTALE);

	/* A version that this program does not know. */
	snprintf(path, sizeof(path), "%s/v999", b.pins);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins }, &k), -ESTALE);

	/* Only release gets rid of them. */
	kern_close(b.k);
	b.k = NULL;
	assert_int_equal(kern_release_pins(b.pins), 0);
	bed_close(&b);
}

static void starts_over_after_a_crash_in_the_middle(void **state)
{
	char path[PATH_MAX];
	struct bed b;

	bed_open(&b);
	assert_int_equal(kern_release(b.k), 0);
	assert_int_equal(mount("bpf", b.pins, "bpf", 0, "mode=0700"), 0);
	snprintf(path, sizeof(path), "%s/v%d_new", b.pins, TG_ABI_VERSION);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(kern_open(&(struct kern_config){ .pin_dir = b.pins }, &b.k), 0);
	assert_false(kern_adopted(b.k));
	assert_int_equal(access(path, F_OK), -1);
	/* It did not mount, so it does not unmount. */
	assert_int_equal(kern_release(b.k), 0);
	b.k = NULL;
	assert_int_equal(umount(b.pins), 0);
	bed_close(&b);
}

static void names_every_counter(void **state)
{
	for (unsigned i = 0; i < TG_STAT_MAX_; i++)
		assert_non_null(kern_stat_name(i));
	assert_null(kern_stat_name(TG_STAT_MAX_));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_every_counter),
		cmocka_unit_test(loads_adopts_releases),
		cmocka_unit_test(refuses_what_is_not_its_own),
		cmocka_unit_test(starts_over_after_a_crash_in_the_middle),
	};

	bed_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
