// SPDX-License-Identifier: Apache-2.0
/*
 * The table by which a keeper leaves everything to its successor. Runs in the keeper. Nothing in it is believed: a
 * number that meanwhile means something else would give a role's channel to a stranger.
 */
#include "user/role/estate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/role/sandbox.h"

#define MAGIC 0x746f6c6c68616e64ull
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define FD_MIN 3 /* below are the standard ones */
#define FDS_MAX (1u << 20) /* the kernel's own ordinary limit; a table names no higher one */
/* To be raised when a message comes to mean something else without another size. */
#define MEANING 1

struct object {
	int32_t fd;
	uint32_t type;
	uint64_t dev, ino;
};

struct head {
	uint64_t magic;
	uint8_t layout[SHA256_SIZE];
	uint32_t nchildren, nkept;
};

struct child {
	struct msg_spawn spec;
	int32_t pid;
	uint32_t pad;
	struct object channel;
};

struct held {
	char key[MSG_KEY_MAX];
	struct object object;
};

struct table {
	struct head head;
	struct child children[ESTATE_ROLES_MAX];
	struct held held[KEPT_MAX];
};

/* --- what must be the same ------------------------------------------------------------------------------ */

#define SIZE(m) sizeof(struct msg_##m)
#define SIZES(a, b, c, d) SIZE(a), SIZE(b), SIZE(c), SIZE(d)

static void layout(uint8_t ret[SHA256_SIZE])
{
	const uint32_t facts[] = {
		MEANING, ROLE_MAX_, MSG_CANARY_TRIED, sizeof(struct table), sizeof(struct tg_origin),
		sizeof(struct tg_holding),
		SIZES(key, exit, flag, role), SIZES(spawn, setup, instance, recording),
		SIZES(evidence, evidence_is, snapshot, snapshot_done), SIZES(epoch, listen, stdio, stdio_verdict),
		SIZES(look, looked, owner, owner_is), SIZES(counts, takeover, taken, ring),
		SIZES(notary_up, session, salt, pid), SIZES(canary, canary_tried, asked, asked_is), SIZE(escrow),
		SIZE(cage),
	};

	sha256(facts, sizeof(facts), ret);
}

void estate_layout(char ret[2 * SHA256_SIZE + 1])
{
	uint8_t d[SHA256_SIZE];

	layout(d);
	hex_encode(d, sizeof(d), ret);
}

/* --- writing ---------------------------------------------------------------------------------------------- */

static int object_of(int fd, struct object *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct object){ .fd = fd, .type = st.st_mode & S_IFMT, .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

int estate_write(const struct estate *h)
{
	_cleanup_free_ struct table *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->head = (struct head){ .magic = MAGIC, .nchildren = h->nchildren, .nkept = h->kept.n };
	layout(t->head.layout);
	for (unsigned i = 0; i < h->nchildren && r == 0; i++) {
		const struct estate_child *c = &h->children[i];

		t->children[i].spec = c->spec;
		t->children[i].pid = c->pid;
		if (c->pid)
			r = object_of(c->fd, &t->children[i].channel);
	}
	for (unsigned i = 0; i < h->kept.n && r == 0; i++) {
		memcpy(t->held[i].key, h->kept.v[i].key, sizeof(t->held[i].key));
		r = object_of(h->kept.v[i].fd, &t->held[i].object);
	}
	return r < 0 ? r : memfd_sealed("tollgate-estate", t, sizeof(*t));
}

/* --- reading ---------------------------------------------------------------------------------------------- */

/* The same number and the same object; none twice, since each is taken once. */
static bool is_object(const struct object *o, uint8_t *taken)
{
	struct object is;

	if (o->fd < FD_MIN || o->fd >= (int)FDS_MAX || taken[o->fd] || object_of(o->fd, &is) < 0 ||
	    is.type != o->type || is.dev != o->dev || is.ino != o->ino)
		return false;
	taken[o->fd] = 1;
	return true;
}

static bool is_child(pid_t pid)
{
	siginfo_t si;

	return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool spec_ok(const struct msg_spawn *s, unsigned i)
{
	return (i == 0) == (s->role == ROLE_SUPERVISOR) && s->role >= ROLE_SUPERVISOR && s->role < ROLE_MAX_ &&
	       msg_string_ok(s->log_dir, sizeof(s->log_dir)) && msg_string_ok(s->state_dir, sizeof(s->state_dir)) &&
	       msg_string_ok(s->run_dir, sizeof(s->run_dir)) && msg_string_ok(s->tcti, sizeof(s->tcti)) &&
	       msg_string_ok(s->node, sizeof(s->node));
}

static const char *check_all(const struct table *t, int own)
{
	_cleanup_free_ uint8_t *taken = calloc(FDS_MAX, 1);

	if (!taken || own < 0 || own >= (int)FDS_MAX)
		return "there is no memory for it";
	taken[own] = 1;
	for (unsigned i = 0; i < t->head.nchildren; i++) {
		const struct child *c = &t->children[i];

		if (!spec_ok(&c->spec, i))
			return "a role in it is none";
		if (c->pid && (c->pid < 0 || !is_child(c->pid)))
			return "a process in it is no child of this one";
		if (c->pid && (c->channel.type != S_IFSOCK || !is_object(&c->channel, taken)))
			return "a channel in it is another object";
	}
	for (unsigned i = 0; i < t->head.nkept; i++) {
		const struct held *h = &t->held[i];

		if (!msg_string_ok(h->key, sizeof(h->key)) || !is_object(&h->object, taken))
			return "a descriptor in it is another object";
	}
	return NULL;
}

static const char *read_table(int fd, struct table *t)
{
	uint8_t ours[SHA256_SIZE];
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return "it is not sealed";
	if (fstat(fd, &st) < 0 || st.st_size != sizeof(*t) || pread(fd, t, sizeof(*t), 0) != (ssize_t)sizeof(*t))
		return "it has another size";
	layout(ours);
	if (t->head.magic != MAGIC || memcmp(t->head.layout, ours, sizeof(ours)) != 0)
		return "it has another layout";
	if (t->head.nchildren < 1 || t->head.nchildren > ESTATE_ROLES_MAX || t->head.nkept > KEPT_MAX)
		return "it counts more than there can be";
	return check_all(t, fd);
}

static bool close_at_exec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int estate_read(int fd, struct estate *ret, const char **ret_why)
{
	_cleanup_free_ struct table *t = malloc(sizeof(*t));
	bool all = true;

	*ret_why = t ? read_table(fd, t) : "there is no memory for it";
	if (*ret_why)
		return -EPROTO;
	ret->nchildren = t->head.nchildren;
	for (unsigned i = 0; i < t->head.nchildren; i++) {
		const struct child *c = &t->children[i];

		ret->children[i] = (struct estate_child){ .spec = c->spec, .pid = c->pid,
							    .fd = c->pid ? c->channel.fd : -1 };
		all &= !c->pid || close_at_exec(c->channel.fd);
	}
	ret->kept.n = t->head.nkept;
	for (unsigned i = 0; i < t->head.nkept; i++) {
		memcpy(ret->kept.v[i].key, t->held[i].key, sizeof(ret->kept.v[i].key));
		ret->kept.v[i].fd = t->held[i].object.fd;
		all &= close_at_exec(t->held[i].object.fd);
	}
	*ret_why = all ? NULL : "its descriptors cannot be kept from others";
	return all ? 0 : -EPROTO;
}
