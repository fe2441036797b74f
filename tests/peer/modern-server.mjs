// SPDX-License-Identifier: Apache-2.0
// An MCP server of both eras (2026-07-28 and before) on the second SDK, with a log of its own.
// `node modern-server.mjs LOG [--http PORT]`.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { toNodeHandler } from '@modelcontextprotocol/node';
import * as z from 'zod';

const [logPath, ...rest] = process.argv.slice(2);
const port = rest[0] === '--http' ? Number(rest[1]) : 0;
const log = (entry) => appendFileSync(logPath, JSON.stringify(entry) + '\n');

function build() {
	const server = new McpServer({ name: 'modern', version: '1.0.0' });
	const tool = (name, description) => server.registerTool(name,
		{ description, inputSchema: z.object({ message: z.string() }) },
		async ({ message }) => {
			log({ ran: name, args: message.length > 200 ? '(long)' : { message } });
			return { content: [{ type: 'text', text: `${name}: ${message}` }] };
		});
	tool('echo', 'Gives the message back.');
	tool('shred', 'Destroys what the message names.');
	return server;
}

if (!port) {
	serveStdio(build, { legacy: 'serve' });
} else {
	const handle = toNodeHandler(createMcpHandler(build, { legacy: 'stateless' }));
	createServer((request, response) => handle(request, response))
		.listen(port, '127.0.0.1', () => log({ started: 'http' }));
}
