// SPDX-License-Identifier: Apache-2.0
/* A DNS message, as a question and as an answer: no fault; what is judged reads as a host name, and what is written
 * for what was read is read again. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/net/dns.h"

static void check_reply(const struct dns_question *q, const struct dns_answer *a)
{
	uint8_t out[DNS_MESSAGE_MAX];
	struct dns_answer again;
	size_t n = dns_reply_write(q, a->rcode, a, DNS_MESSAGE_MAX, out);

	if (n == 0 || n > sizeof(out))
		abort();
	if (dns_answer_read((struct span){ (char *)out, n }, q->name, q->type, &again) < 0)
		abort();
	if (again.n != a->n || again.services != a->services)
		abort();
	n = dns_reply_write(q, DNS_OK, a, q->room, out);
	if (n > q->room)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned types[] = { DNS_A, DNS_AAAA, DNS_HTTPS };
	uint8_t asked[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1";
	struct span in = { (const char *)data, size };
	struct dns_question q;
	struct dns_answer a;
	char name[NAME_SIZE];

	if (dns_question_read(in, &q) == 0 && *q.name &&
	    (name_read(span_of(q.name), name) < 0 || strcmp(name, q.name) != 0))
		abort();
	for (unsigned i = 0; i < 3; i++) {
		if (dns_answer_read(in, "a.example", types[i], &a) < 0)
			continue;
		if (a.n > DNS_ADDRESSES_MAX || a.services > DNS_SERVICES_MAX)
			abort();
		asked[sizeof(asked) - 4] = (uint8_t)types[i];
		if (dns_question_read((struct span){ (char *)asked, sizeof(asked) - 1 }, &q) < 0)
			abort();
		check_reply(&q, &a);
	}
	return 0;
}
