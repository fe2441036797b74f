/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_SNI_H
#define TOLLGATE_NET_SNI_H

#include "user/base/span.h"

#define SNI_SIZE 256 /* a DNS name has at most 253 characters */
#define SNI_HELLO_MAX 16384 /* one TLS record's worth; real hellos have 300 to 1,700 bytes */

/*
 * Reads the server_name of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3) that may be spread over
 * records. 1: found, lower-cased into ret; 0: a whole hello without server_name; -EAGAIN: more
 * bytes are needed; -EBADMSG: no well-formed ClientHello, or a name that is no plain host name.
 */
int sni_parse(struct span in, char ret[SNI_SIZE]);

#endif
