/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_DNS_H
#define TOLLGATE_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/net/name.h"

/*
 * DNS messages (RFC 1035, RFC 6891, RFC 9460), as far as a stub needs them: questions for the addresses of a host,
 * and their answers. An answer is never passed on: it is read into struct dns_answer and written anew.
 */

#define DNS_MESSAGE_MAX 4096 /* bytes of a message that is read or written */
#define DNS_UDP_MIN 512 /* what every client takes */
#define DNS_UDP_MAX 1232 /* what passes without being cut into fragments */
#define DNS_ADDRESSES_MAX 32 /* of one answer; more are left out */
#define DNS_SERVICES_MAX 4
#define DNS_SERVICE_MAX 96 /* bytes of one, as we write it */

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_HTTPS = 65,
};

enum dns_rcode {
	DNS_OK = 0,
	DNS_FORMAT_ERROR = 1,
	DNS_SERVER_FAILURE = 2,
	DNS_NO_SUCH_NAME = 3,
	DNS_NOT_IMPLEMENTED = 4,
	DNS_REFUSED = 5,
};

struct dns_question {
	uint16_t id, type, class;
	bool recursion; /* desired */
	bool edns;
	size_t room; /* bytes that the client takes over UDP */
	char name[NAME_SIZE]; /* "" when it is no host name (name_read()) */
	char shown[NAME_SIZE]; /* for records: what is not printable is '?', what does not fit is left out */
	struct span wire; /* the question's own bytes, in the message */
};

struct dns_answer {
	enum dns_rcode rcode; /* DNS_OK with nothing in it: the name has no such data */
	uint32_t ttl; /* seconds that all of it holds; 0: not to be kept */
	unsigned n; /* of addresses */
	uint8_t address[DNS_ADDRESSES_MAX][16]; /* DNS_A: the first 4 bytes */
	unsigned services; /* DNS_HTTPS */
	struct {
		uint8_t len;
		uint8_t data[DNS_SERVICE_MAX]; /* priority, the name itself, and parameters that name no other host */
	} service[DNS_SERVICES_MAX];
};

/* Reads a query. 0; -EPROTO: it cannot be read, but ret->id is known and DNS_FORMAT_ERROR is due; -EBADMSG: no
 * answer is due at all. ret->wire is empty unless 0. */
int dns_question_read(struct span msg, struct dns_question *ret);

/*
 * Reads an answer to the question for a name's type, along its aliases. 0, or -EBADMSG for what does not answer it or
 * is not well-formed; ret is untouched then. Of service bindings, keys of encrypted hellos and addresses are left
 * out, and so are bindings to other names.
 */
int dns_answer_read(struct span msg, const char *name, unsigned type, struct dns_answer *ret);

/* Writes the reply to a question; a is NULL for an rcode alone. room: bytes it may have; what does not fit is cut off
 * and marked so. Returns its length. */
size_t dns_reply_write(const struct dns_question *q, enum dns_rcode rcode, const struct dns_answer *a, size_t room,
		       uint8_t ret[DNS_MESSAGE_MAX]);

#endif
