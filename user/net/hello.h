/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_HELLO_H
#define TOLLGATE_NET_HELLO_H

#include <stdbool.h>

#include "user/base/span.h"
#include "user/net/name.h"

#define HELLO_MAX 16384 /* one TLS record's worth; real hellos have 300 to 1,900 bytes */
#define HELLO_ALPN_MAX 8 /* protocols; real clients offer two or three */
#define HELLO_PROTOCOL_MAX 31 /* bytes of a protocol's name; the longest registered has 16 */
#define HELLO_PROTOCOL_SIZE (2 + 2 * HELLO_PROTOCOL_MAX + 1)

/* What a ClientHello says of where the connection is to go. */
struct tls_hello {
	char name[NAME_SIZE]; /* server_name, "" when there is none */
	bool encrypted; /* the true one may be hidden: an encrypted_client_hello, drafts and ESNI included */
	unsigned alpn_n;
	char alpn[HELLO_ALPN_MAX][HELLO_PROTOCOL_SIZE]; /* as text, or 0x and digits when it is none */
};

/*
 * Reads a TLS ClientHello (RFC 8446 4.1.2; RFC 6066 3; RFC 7301 3.1; RFC 9849 5) that may be spread
 * over records and reads. 0; -EAGAIN: more bytes are needed; -EBADMSG: no well-formed ClientHello, one
 * beyond a limit above, or a server name that is no host name (name_read()). ret is untouched unless 0.
 */
int hello_read(struct span in, struct tls_hello *ret);

#endif
