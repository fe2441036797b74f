/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_NAMES_H
#define TOLLGATE_GATE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct gate;
struct gate_names;
struct loop;
struct name_stub;
struct net_dest;
struct resolver;

/*
 * The name server that every agent of a proxy really asks, whichever it meant. A question is judged by
 * Action::"resolve" on Host::"NAME" and recorded before anything of it leaves; what is denied does not exist
 * (NXDOMAIN), what is no question for a host's addresses is refused. Answers are the resolver's.
 */
#define NAMES_RATE 100 /* questions a second of one agent, on average: a client asks two for each name */
#define NAMES_BURST 400 /* that it may be ahead */
#define NAMES_PENDING_MAX 64 /* of one agent, under way at once */
#define NAMES_STREAMS_MAX 16 /* connections of one agent that ask */

int gate_names_new(struct gate *g, struct loop *l, struct resolver *r, struct gate_names **ret);
void gate_names_free(struct gate_names *n);

/* Answers an agent's datagrams that come to fd, which is taken on success. 0 or -errno. */
int gate_names_listen(struct gate_names *n, int fd, uint32_t agent, struct name_stub **ret);
void gate_names_unlisten(struct name_stub *s);

/* Answers on a connection to a name server (RFC 7766); fd is taken, also on failure. */
void gate_names_accept(struct gate_names *n, int fd, uint32_t agent);

/*
 * Whether an agent may mean this name by this address: false when it was given the address for other names only.
 * Nothing is known of an address that it got in another way, or long ago.
 */
bool gate_names_agree(const struct gate_names *n, uint32_t agent, const struct net_dest *d, const char *name);
/* Whether it was given the address for this very name. */
bool gate_names_given(const struct gate_names *n, uint32_t agent, const struct net_dest *d, const char *name);

#endif
