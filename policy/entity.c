// SPDX-License-Identifier: Apache-2.0
/* Entity stores: what a caller told, kept as told. Checks that need the whole are made by the
 * snapshot. */
#include "policy/entity.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/text.h"

int cedar_entities_new(struct cedar_entities **ret)
{
	struct cedar_entities *es = calloc(1, sizeof(*es));

	if (!es)
		return -ENOMEM;
	es->build.mem = &es->mem;
	es->build.copy = true;
	*ret = es;
	return 0;
}

void cedar_entities_free(struct cedar_entities *es)
{
	if (!es)
		return;
	build_done(&es->build);
	free(es->e.v);
	free(es->parents.v);
	arena_done(&es->mem);
	free(es);
}

size_t cedar_entities_count(const struct cedar_entities *es)
{
	return es->e.n;
}

static int keep_uid(struct cedar_entities *es, struct span type, struct span id,
		    struct cedar_uid *ret)
{
	struct cedar_uid uid;

	if (!is_normal_name(type) || id.n > UINT32_MAX)
		return -EINVAL;
	uid.type = arena_copy(&es->mem, type);
	uid.id = arena_copy(&es->mem, id);
	if (!uid.type.p || !uid.id.p)
		return -ENOMEM;
	*ret = uid;
	return 0;
}

int cedar_entities_begin(struct cedar_entities *es, struct span type, struct span id)
{
	struct sentity e = { .parent = es->parents.n };
	int r = keep_uid(es, type, id, &e.uid);

	return r < 0 ? r : vec_push(&es->e, e);
}

int cedar_entities_parent(struct cedar_entities *es, struct span type, struct span id)
{
	struct cedar_uid uid;
	int r;

	if (es->e.n == 0)
		return -EINVAL;
	r = keep_uid(es, type, id, &uid);
	if (r == 0)
		r = vec_push(&es->parents, uid);
	if (r == 0)
		es->e.v[es->e.n - 1].n_parents++;
	return r;
}

struct cedar_build *cedar_entities_build(struct cedar_entities *es)
{
	build_start(&es->build);
	return &es->build;
}

static int take_record(struct cedar_entities *es, const struct crecord **ret)
{
	struct cval v;
	int r = build_take(&es->build, &v);

	if (r == 0 && (v.tag != V_RECORD || es->e.n == 0))
		r = -EINVAL;
	if (r == 0)
		*ret = v.record;
	return r;
}

int cedar_entities_attrs(struct cedar_entities *es)
{
	const struct crecord *rec;
	int r = take_record(es, &rec);

	if (r == 0)
		es->e.v[es->e.n - 1].attrs = rec;
	return r;
}

int cedar_entities_tags(struct cedar_entities *es)
{
	const struct crecord *rec;
	int r = take_record(es, &rec);

	if (r == 0)
		es->e.v[es->e.n - 1].tags = rec;
	return r;
}
