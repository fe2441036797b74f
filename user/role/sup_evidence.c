// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence between who asks (query) and who makes it (notary). The supervisor puts in what is in force: the
 * notary knows only what was when it started.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/gate/snapshot.h"
#include "user/role/sup.h"

static int refuse(struct ipc *to, uint32_t serial, int error)
{
	const struct msg_evidence_is is = { .serial = serial, .error = error };

	return ipc_send(to, MSG_QUERY_EVIDENCE_IS, 0, &is, sizeof(is), NULL, 0);
}

static int asked(struct ipc *c, struct ipc_msg *m, void *arg)
{
	const struct msg_evidence *from = m->body;
	struct supervisor *s = arg;
	struct msg_evidence ask;

	if (m->type != MSG_QUERY_EVIDENCE || m->len != sizeof(*from) || from->nonce_n > sizeof(from->nonce))
		return -EBADMSG;
	if (!s->notary || !s->notary_there || !s->current.snap)
		return refuse(c, from->serial, -EAGAIN);
	ask = *from;
	(void)snprintf(ask.policy_hash, sizeof(ask.policy_hash), "%s", s->current.snap->policy_hash);
	(void)snprintf(ask.catalog_hash, sizeof(ask.catalog_hash), "%s", s->current.snap->catalog_hash);
	return ipc_send(s->notary, MSG_NOTARY_EVIDENCE, 0, &ask, sizeof(ask), NULL, 0);
}

static void closed(struct ipc *c, void *arg)
{
	struct supervisor *s = arg;

	if (s->query_evidence == c)
		s->query_evidence = NULL;
	ipc_free(c);
}

static const struct ipc_ops evidence_ops = { .message = asked, .closed = closed };

int sup_evidence_channel(struct supervisor *s, int *ret_fd)
{
	int pair[2], r = ipc_pair(pair);

	if (r < 0)
		return r;
	ipc_free(s->query_evidence);
	s->query_evidence = NULL;
	r = ipc_new(s->loop, pair[0], &evidence_ops, s, &s->query_evidence);
	if (r < 0) {
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	*ret_fd = pair[1];
	return 0;
}

int sup_evidence_answer(struct supervisor *s, struct ipc_msg *m)
{
	const struct msg_evidence_is *is = m->body;

	if (m->len != sizeof(*is) || m->nfds != (is->error == 0))
		return -EBADMSG;
	if (!s->query_evidence)
		return 0; /* who asked is gone */
	return ipc_send(s->query_evidence, MSG_QUERY_EVIDENCE_IS, 0, is, sizeof(*is), m->fds, m->nfds);
}
