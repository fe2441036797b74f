// SPDX-License-Identifier: Apache-2.0
/*
 * The smallest MCP server over stdio: blocking reads, one tool that answers with a fixed text, and one
 * that policies forbid. For the bench, where it must cost little, and for peer tests of a C server. It
 * trusts what it reads; it is a fixture, not an example. echo_server [LOG]: LOG gets every line as it
 * came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL(name) \
	"{\"name\":\"" name "\",\"description\":\"The tool " name ".\",\"inputSchema\":{\"type\":\"object\"}}"

static const char *result_of(const char *line)
{
	if (strstr(line, "\"method\":\"tools/call\""))
		return "{\"content\":[{\"type\":\"text\",\"text\":\"ran\"}]}";
	if (strstr(line, "\"method\":\"tools/list\""))
		return "{\"tools\":[" TOOL("echo") "," TOOL("wipe") "]}";
	if (strstr(line, "\"method\":\"initialize\""))
		return "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
		       "\"serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}}";
	return "{}";
}

/* The raw id: up to the comma or brace that ends it; ids that hold one are not sent here. */
static int id_of(const char *line, const char **ret)
{
	const char *id = strstr(line, "\"id\":");

	if (!id)
		return 0;
	*ret = id + 5;
	return (int)strcspn(*ret, ",}");
}

int main(int argc, char **argv)
{
	static char out[65536];
	FILE *log = argc > 1 ? fopen(argv[1], "a") : NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		const char *id = NULL;
		int id_len = id_of(line, &id), len;

		if (log) {
			fwrite(line, 1, (size_t)n, log);
			fflush(log);
		}
		if (id_len == 0 || !strstr(line, "\"method\":"))
			continue;
		len = snprintf(out, sizeof(out), "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n",
			       id_len, id, result_of(line));
		for (int done = 0; done < len;) {
			ssize_t w = write(STDOUT_FILENO, out + done, (size_t)(len - done));

			if (w <= 0)
				exit(4);
			done += (int)w;
		}
	}
	free(line);
	return 0;
}
