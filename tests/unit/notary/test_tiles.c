// SPDX-License-Identifier: Apache-2.0
#include "user/notary/tiles.h"

#include "tests/unit/notary/log_fixture.h"

#define RECORDS 600 /* two full tiles and a part */

struct out {
	char dir[64];
	int fd;
};

static struct out open_out(void)
{
	struct out o = { .dir = "/tmp/tollgate-tiles.XXXXXX" };

	assert_non_null(mkdtemp(o.dir));
	o.fd = open(o.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(o.fd >= 0);
	return o;
}

static void close_out(struct out *o)
{
	char command[128];

	close(o->fd);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", o->dir);
	assert_int_equal(system(command), 0);
}

static void read_out(const struct out *o, const char *name, struct buf *ret)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", o->dir, name);
	buf_clear(ret);
	assert_int_equal(file_read(path, 64u << 20, ret), 0);
}

static void load_note(struct log_fixture *f, struct buf *note, struct checkpoint *cp)
{
	size_t n;

	buf_clear(note);
	fixture_read(f, STORE_FILE_CHECKPOINT, note);
	assert_int_equal(checkpoint_parse(buf_span(note), cp, &n), 0);
}

static void paths(void **state)
{
	static const struct {
		int level;
		uint64_t n;
		unsigned width;
		const char *path;
	} cases[] = {
		{ 0, 0, 0, "tile/0/000" }, { 1, 67, 256, "tile/1/067" }, { 0, 1234067, 0, "tile/0/x001/x234/067" },
		{ -1, 999, 3, "tile/entries/999.p/3" }, { 7, 1000, 255, "tile/7/x001/000.p/255" },
		{ 0, UINT64_MAX / 256, 0, "tile/0/x072/x057/x594/x037/x927/935" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[TILE_PATH_SIZE];

		tile_path(cases[i].level, cases[i].n, cases[i].width, path);
		assert_string_equal(path, cases[i].path);
	}
}

/* A reader of tiles alone must come to the signed root. */
static void the_root_follows_from_the_tiles(void **state)
{
	static const char *const bundles[] = { "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88" };
	static const char *const hashes[] = { "tile/0/000", "tile/0/001", "tile/0/002.p/88" };
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 }, b = { 0 }, tile = { 0 };
	struct tree_hash stored[TREE_LEVELS + 1];
	struct tiles_report report;
	struct tree tree = { .size = 0 };
	struct out o = open_out();
	uint8_t leaf[TREE_HASH], root[TREE_HASH];
	struct checkpoint cp;
	struct hasher *h;

	fixture_fill(f, RECORDS, 20000);
	load_note(f, &note, &cp);
	assert_int_equal(tiles_export(f->dirfd, buf_span(&note), &cp, o.fd, &report), 0);
	assert_int_equal(hasher_new(&h), 0);
	for (int i = 0; i < 3; i++) {
		unsigned at = 0;

		read_out(&o, bundles[i], &b);
		read_out(&o, hashes[i], &tile);
		while (buf_len(&b)) {
			const uint8_t *p = (const uint8_t *)buf_span(&b).p;
			size_t n = (size_t)p[0] << 8 | p[1];

			assert_true(n + 2 <= buf_len(&b));
			tree_leaf_hash(h, (struct span){ (const char *)p + 2, n }, leaf);
			assert_memory_equal(leaf, buf_span(&tile).p + 32 * at++, 32);
			(void)tree_append(h, &tree, leaf, stored);
			buf_consume(&b, n + 2);
		}
		assert_int_equal(buf_len(&tile), 32 * at);
	}
	tree_root(h, &tree, root);
	assert_int_equal(tree.size, RECORDS);
	assert_memory_equal(root, cp.root, sizeof(root));
	read_out(&o, "tile/1/000.p/2", &tile);
	assert_int_equal(buf_len(&tile), 64);
	read_out(&o, "checkpoint", &b);
	assert_true(span_eq(buf_span(&b), buf_span(&note)));
	hasher_free(h);
	close_out(&o);
}

static void a_second_export_adds_and_changes_nothing(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 }, b = { 0 };
	struct tiles_report report;
	struct out o = open_out();
	struct checkpoint cp;

	fixture_fill(f, RECORDS, 20000);
	load_note(f, &note, &cp);
	assert_int_equal(tiles_export(f->dirfd, buf_span(&note), &cp, o.fd, &report), 0);
	assert_int_equal(report.written, 8); /* three and three, one above, the checkpoint */
	fixture_fill(f, 200, 20000);
	load_note(f, &note, &cp);
	assert_int_equal(tiles_export(f->dirfd, buf_span(&note), &cp, o.fd, &report), 0);
	assert_int_equal(report.kept, 4); /* the full ones */
	assert_int_equal(report.written, 6);
	read_out(&o, "checkpoint", &b);
	assert_true(span_eq(buf_span(&b), buf_span(&note)));
	close_out(&o);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct log_fixture *f = *state;
	_cleanup_buf_ struct buf note = { 0 }, segment = { 0 };
	struct tiles_report report;
	struct out o = open_out();
	struct checkpoint cp;
	int fd;

	fixture_fill(f, RECORDS, 1u << 30);
	load_note(f, &note, &cp);
	cp.size++; /* signed over more than there is */
	assert_int_equal(tiles_export(f->dirfd, buf_span(&note), &cp, o.fd, &report), -ENODATA);
	cp.size--;
	cp.root[0] ^= 1;
	assert_int_equal(tiles_export(f->dirfd, buf_span(&note), &cp, o.fd, &report), -EBADMSG);
	assert_int_equal(faccessat(o.fd, "checkpoint", F_OK, 0), -1);
	cp.root[0] ^= 1;
	fd = openat(o.fd, "tile/0/000", O_WRONLY);
	assert_true(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
	assert_int_equal(tiles_export(f->dirfd, buf_span(&note), &cp, o.fd, &report), -EBADMSG);
	close_out(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test_setup_teardown(the_root_follows_from_the_tiles, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_second_export_adds_and_changes_nothing, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
