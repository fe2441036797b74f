// SPDX-License-Identifier: Apache-2.0
/* What a role does with the answer about an accepted socket; no program is loaded here. */
#include "user/kern/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* The system call's answer, as the test wants it. */
static struct tg_origin said;
static socklen_t said_len;
static int said_errno;

int getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	assert_int_equal(level, TG_SOL);
	assert_int_equal(name, TG_SO_ORIGIN);
	if (said_errno) {
		errno = said_errno;
		return -1;
	}
	memcpy(val, &said, sizeof(said) < *len ? sizeof(said) : *len);
	*len = said_len;
	return 0;
}

static struct tg_origin good4(void)
{
	struct tg_origin o = { .agent = 1, .port = 443, .family = 4 };

	o.dst[10] = o.dst[11] = 0xff;
	o.dst[12] = 192;
	o.dst[15] = 7;
	return o;
}

static int answer(struct tg_origin o, socklen_t len, int error, struct tg_origin *ret)
{
	said = o;
	said_len = len;
	said_errno = error;
	return flow_origin(3, ret);
}

static void takes_nothing_on_trust(void **state)
{
	struct tg_origin o, bad, untouched = { .agent = 99 };
	socklen_t n = sizeof(o);

	assert_int_equal(answer(good4(), n, 0, &o), 0);
	assert_int_equal(o.port, 443);
	o = untouched;
	assert_int_equal(answer(good4(), n, ENOENT, &o), -ENOENT);
	/* The kernel's own answer to an unknown option: no program of ours is there. */
	assert_int_equal(answer(good4(), n, ENOPROTOOPT, &o), -EPROTO);
	assert_int_equal(answer(good4(), n - 1, 0, &o), -EPROTO);
	assert_int_equal(answer(good4(), 16, 0, &o), -EPROTO);
	bad = good4();
	bad.agent = 0;
	assert_int_equal(answer(bad, n, 0, &o), -EPROTO);
	bad = good4();
	bad.port = 0;
	assert_int_equal(answer(bad, n, 0, &o), -EPROTO);
	bad = good4();
	bad.family = 6; /* mapped, but said to be IPv6: it could be read as two addresses */
	assert_int_equal(answer(bad, n, 0, &o), -EPROTO);
	bad = good4();
	bad.dst[0] = 0x20;
	assert_int_equal(answer(bad, n, 0, &o), -EPROTO);
	bad.family = 7;
	assert_int_equal(answer(bad, n, 0, &o), -EPROTO);
	assert_memory_equal(&o, &untouched, sizeof(o));
}

static void gives_addresses_to_dial(void **state)
{
	struct tg_origin o = good4();
	struct sockaddr_storage a;
	char text[64];
	socklen_t n;

	flow_address(&o, &a, &n);
	assert_int_equal(a.ss_family, AF_INET);
	assert_int_equal(n, sizeof(struct sockaddr_in));
	assert_int_equal(((struct sockaddr_in *)&a)->sin_port, htons(443));
	inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, text, sizeof(text));
	assert_string_equal(text, "192.0.0.7");
	memset(o.dst, 0, sizeof(o.dst));
	o.dst[15] = 1;
	o.family = 6;
	flow_address(&o, &a, &n);
	assert_int_equal(a.ss_family, AF_INET6);
	assert_int_equal(n, sizeof(struct sockaddr_in6));
	inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, text, sizeof(text));
	assert_string_equal(text, "::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_nothing_on_trust),
		cmocka_unit_test(gives_addresses_to_dial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
