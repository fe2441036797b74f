// SPDX-License-Identifier: Apache-2.0
#include "user/net/reach.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/net/net.h"

static enum net_reach of(const char *text)
{
	struct net_dest d;
	uint8_t addr[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	assert_int_equal(inet_pton(family, text, addr), 1);
	assert_int_equal(net_dest_set(&d, family, addr, 443), 0);
	return net_reach(&d);
}

static void each(enum net_reach want, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (of(texts[i]) != want)
			fail_msg("%s is %d, not %d", texts[i], of(texts[i]), want);
}

static void public_addresses(void **state)
{
	static const char *const texts[] = {
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"168.63.129.15", "2606:4700::1111", "2001:200::1", "2002:101:101::1", "64:ff9b::1.1.1.1",
		"::ffff:1.1.1.1", "2a00::1",
	};

	each(NET_REACH_PUBLIC, texts, ARRAY_SIZE(texts));
}

static void internal_addresses(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
		"127.255.255.255", "169.254.0.1", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1",
		"192.168.255.255", "198.18.0.1", "198.19.255.255", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::10.0.0.1", "::1.1.1.1", "100::1", "2001::1", "2001:1ff::1", "2001:db8::1",
		"3fff::1", "5f00::1", "fc00::1", "fd00:ec2::253", "fdff::1", "fe80::1", "fec0::1", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1",
		"64:ff9b:1::1.1.1.1", "2002:a00:1::1", "2002:7f00:1::",
	};

	each(NET_REACH_INTERNAL, texts, ARRAY_SIZE(texts));
}

static void metadata_services(void **state)
{
	static const char *const texts[] = {
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.169.253", "168.63.129.16",
		"100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
		"::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254",
		"64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1",
	};

	each(NET_REACH_METADATA, texts, ARRAY_SIZE(texts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_addresses),
		cmocka_unit_test(internal_addresses),
		cmocka_unit_test(metadata_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
