// SPDX-License-Identifier: Apache-2.0
/*
 * The url of a network server: scheme, host, port and path, in the one spelling that can be
 * compared. Anything that a request's target could say differently (user, query, fragment) is
 * refused.
 */
#include "user/mcp/catalog_impl.h"

static bool take(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

static struct span until(struct span s, const char *stops)
{
	size_t i = 0;

	while (i < s.n && !strchr(stops, s.p[i]))
		i++;
	return (struct span){ s.p, i };
}

static bool port_of(struct span s, uint16_t *ret)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	if (v == 0 || v > 65535)
		return false;
	*ret = (uint16_t)v;
	return true;
}

static bool is_host(struct span s, bool bracketed)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], l = (char)(c | 0x20);

		if (!(l >= 'a' && l <= 'z') && !(c >= '0' && c <= '9') && c != '.' &&
		    !(bracketed ? c == ':' : c == '-' || c == '_'))
			return false;
	}
	return s.n > 0;
}

const char *catalog_url_parse(struct span url, struct catalog_server *s)
{
	struct span rest = url, authority, host;
	bool bracketed;

	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= 0x20 || url.p[i] >= 0x7f)
			return "url holds a character that must be escaped";
	s->url = url;
	s->tls = take(&rest, "https://");
	if (!s->tls && !take(&rest, "http://"))
		return "url must begin with http:// or https://";
	authority = until(rest, "/?#");
	s->path = (struct span){ rest.p + authority.n, rest.n - authority.n };
	if (until(s->path, "?#").n != s->path.n)
		return "url must not have a query or a fragment";
	if (s->path.n == 0)
		s->path = SPAN("/");
	bracketed = take(&authority, "[");
	host = until(authority, bracketed ? "]" : ":");
	if (!is_host(host, bracketed))
		return "url has no valid host";
	s->host = host;
	authority.p += host.n;
	authority.n -= host.n;
	if (bracketed && !take(&authority, "]"))
		return "url has no valid host";
	s->port = s->tls ? 443 : 80;
	if (authority.n && (!take(&authority, ":") || !port_of(authority, &s->port)))
		return "url has no valid port";
	return NULL;
}
