// SPDX-License-Identifier: Apache-2.0
/* Which character sets a media type names. */
#include "user/net/media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

static void utf8_or_none(void **state)
{
	static const char *const good[] = {
		"", "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8",
		"application/json; Charset=\"utf-8\"; q=1", "text/event-stream;charset=utf-8 ; x=y",
	};
	static const char *const bad[] = {
		"application/json; charset=utf-7", "application/json; charset=", "application/json; charset",
		"application/json; charset = utf-8", "application/json; charset='utf-8'",
		"application/json; charset=utf-8; charset=utf-7", "application/json; charset=utf-80",
		"application/json; charset=utf-16", "application/json; charset=\"utf-8", "charset*=utf-7",
		"application/json; x=\"; charset=utf-7\"", "application/json; CHARSET=\"utf-7\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!http_media_is_utf8(span_of(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (http_media_is_utf8(span_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(utf8_or_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
