// SPDX-License-Identifier: Apache-2.0
/* tollgate.conf as text: total on any bytes, and every refusal has a message with a place in the text. */
#include <stdint.h>
#include <string.h>

#include "user/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };
	int r = conf_parse("fuzz", (const char *)data, size, &c, &e);

	if (r < 0) {
		if (strncmp(e.text, "fuzz:", 5) != 0 || e.line > size + 2)
			__builtin_trap();
		return 0;
	}
	for (unsigned i = 0; i < c.nagents; i++)
		if (conf_agent_find(&c, c.agents[i].name) != &c.agents[i])
			__builtin_trap();
	conf_free(&c);
	return 0;
}
