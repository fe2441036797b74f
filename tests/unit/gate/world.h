/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_GATE_WORLD_H
#define TOLLGATE_TEST_GATE_WORLD_H

/* A gate with policy, catalog and a ring whose records the test reads back. For the tests of this room. */

#include "user/gate/conv.h"
#include "user/gate/gate.h"
#include "user/gate/judge.h"
#include "user/notary/ring.h"

struct world {
	struct gate *gate;
	int ring_fd;
	struct ring *reader;
	char record[RECORD_MAX + 1]; /* the last one that world_record() took */
};

/* policy NULL: everything is permitted. */
void world_open(struct world *w, const char *policy);
void world_close(struct world *w);

/* A conversation of agent "ada" with the catalog's server "files" (listed) or one it does not know. */
struct gate_conv *world_conv(struct world *w, bool listed);

/* Judges one message. */
struct gate_verdict world_judge(struct gate_conv *c, enum mcp_dir dir, const char *text);

/* Takes the next record, or NULL when there is none. */
const char *world_record(struct world *w);
/* Takes records up to the last one and gives that. */
const char *world_last_record(struct world *w);

/* Installs another policy text as the next epoch. */
void world_policy(struct world *w, const char *policy);

#endif
