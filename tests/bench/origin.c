// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP origin of the bench: origin PORT answers every POST on a keep-alive connection with a JSON-RPC
 * result for the id of its body; tools/list and initialize get what a scan needs. One process, epoll. It
 * takes requests one at a time per connection, with Content-Length, as its clients send them; it is a
 * fixture.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNECTIONS 4096
#define REQUEST_MAX 8192

static struct {
	size_t len;
	char text[REQUEST_MAX + 1];
} *connection[CONNECTIONS];

static const char *result_of(const char *body)
{
	if (strstr(body, "tools/call"))
		return "{\"content\":[{\"type\":\"text\",\"text\":\"ran\"}]}";
	if (strstr(body, "tools/list"))
		return "{\"tools\":[{\"name\":\"echo\",\"description\":\"The tool echo.\","
		       "\"inputSchema\":{\"type\":\"object\"}}]}";
	if (strstr(body, "initialize"))
		return "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
		       "\"serverInfo\":{\"name\":\"origin\",\"version\":\"1\"}}";
	return NULL;
}

static bool answer(int fd, const char *body)
{
	static char out[4096], json[2048];
	const char *id = strstr(body, "\"id\":"), *result = result_of(body);
	int len;

	if (id && result) {
		int n = snprintf(json, sizeof(json), "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}",
				 (int)strcspn(id + 5, ",}"), id + 5, result);

		len = snprintf(out, sizeof(out),
			       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			       "Content-Length: %d\r\n\r\n%s", n, json);
	} else {
		len = snprintf(out, sizeof(out),
			       "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	}
	return write(fd, out, (size_t)len) == len;
}

/* False when the connection is to be closed. */
static bool serve(int fd)
{
	char *text = connection[fd]->text, *body;
	ssize_t n = read(fd, text + connection[fd]->len, REQUEST_MAX - connection[fd]->len);
	char *length;

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	connection[fd]->len += (size_t)n;
	text[connection[fd]->len] = '\0';
	body = strstr(text, "\r\n\r\n");
	if (!body)
		return connection[fd]->len < REQUEST_MAX;
	body += 4;
	length = strcasestr(text, "\ncontent-length:");
	if (!length || length > body)
		length = NULL;
	if ((size_t)(text + connection[fd]->len - body) < (length ? strtoul(length + 16, NULL, 10) : 0))
		return connection[fd]->len < REQUEST_MAX;
	connection[fd]->len = 0;
	return answer(fd, body);
}

static void welcome(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	int on = 1;

	if (fd >= 0 && fd < CONNECTIONS && !connection[fd])
		connection[fd] = calloc(1, sizeof(*connection[fd]));
	if (fd < 0 || fd >= CONNECTIONS || !connection[fd]) {
		close(fd);
		return;
	}
	connection[fd]->len = 0;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(argc > 1 ? (in_port_t)atoi(argv[1]) : 0),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ep = epoll_create1(EPOLL_CLOEXEC), on = 1;
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, got[64];

	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 1024) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e)) {
		perror("origin");
		return 1;
	}
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;

			if (fd == listener) {
				fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
				welcome(ep, fd);
			} else if (!serve(fd)) {
				close(fd);
			}
		}
	}
}
