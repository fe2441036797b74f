/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KERN_FLOW_H
#define TOLLGATE_KERN_FLOW_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/abi.h"

struct kern;

/* The record of an accepted socket, as our kernel program tells it: any role may ask, no libbpf
 * needed. -ENOENT: not steered to us, close it. -EPROTO: an answer of another size or with
 * impossible members (no program of ours answered): close it. */
int flow_origin(int fd, struct tg_origin *ret);

/* The destination as an address to dial: AF_INET for family 4 (mapped ones too), else AF_INET6. */
void flow_address(const struct tg_origin *o, struct sockaddr_storage *ret, socklen_t *ret_len);

/* Cookie of the network namespace of a socket. */
int flow_netns_cookie(int sock, uint64_t *ret);

/* --- supervisor only -------------------------------------------------------------------------- */

/* Where an agent's connections of one network namespace go: ports on 127.0.0.1 and ::1, 0 for none.
 * Without an entry they are refused with EPERM. */
int flow_listener_set(struct kern *k, uint64_t netns, uint32_t agent, uint16_t port4,
		      uint16_t port6);
int flow_listener_remove(struct kern *k, uint64_t netns, uint32_t agent);

/* How many records wait between SYN and accept; 0 when idle. */
int flow_inflight(struct kern *k, unsigned *ret);

#endif
