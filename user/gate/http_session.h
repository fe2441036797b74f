/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_HTTP_SESSION_H
#define TOLLGATE_GATE_HTTP_SESSION_H

#include <stdint.h>

#include "user/gate/conv.h"

struct http_sessions;

#define HTTP_SESSION_ID_MAX 256 /* bytes of an Mcp-Session-Id that is told apart */

/*
 * Conversations over HTTP outlive connections: one is found again by agent, host process, server address and
 * Mcp-Session-Id ("" before there is one, and in the stateless era).
 */
int http_sessions_new(struct gate *g, struct http_sessions **ret);
/* Closes every conversation. */
void http_sessions_free(struct http_sessions *hs);

/* Finds or opens. The caller holds it until http_session_put(). 0 or gate_conv_open()'s error. */
int http_session_get(struct http_sessions *hs, const struct gate_peers *p, struct span id,
		     struct gate_conv **ret);
void http_session_put(struct http_sessions *hs, struct gate_conv *c);

/* The server gave the conversation an id. An id that is taken or too long changes nothing. */
void http_session_name(struct http_sessions *hs, struct gate_conv *c, struct span id);

/* Ends it as soon as nobody holds it. */
void http_session_end(struct http_sessions *hs, struct gate_conv *c);

/* Closes what nobody has used for idle_ns, and everything of an agent process that is gone (pid, 0: none). */
void http_sessions_sweep(struct http_sessions *hs, uint64_t now_ns, uint64_t idle_ns);

#endif
