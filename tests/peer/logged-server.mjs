// SPDX-License-Identifier: Apache-2.0
// An ordinary MCP server on the public SDK that keeps a log of its own: one JSON line for every message
// that reaches it, and one for every tool that runs. `node logged-server.mjs LOG [--http PORT]`.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const [logPath, ...rest] = process.argv.slice(2);
const port = rest[0] === '--http' ? Number(rest[1]) : 0;

function log(entry) {
	appendFileSync(logPath, JSON.stringify(entry) + '\n');
}

const text = (s) => ({ content: [{ type: 'text', text: s }] });

function ran(tool, args) {
	log({ ran: tool, args: JSON.stringify(args).length > 200 ? '(long)' : args });
}

function build() {
	const server = new McpServer({ name: 'ledger', version: '1.0.0' },
		{ instructions: 'Keep the ledger.', capabilities: { logging: {}, tools: { listChanged: true } } });

	server.registerTool('echo', { description: 'Gives the message back.',
		inputSchema: { message: z.string() } }, async ({ message }) => {
		ran('echo', { message });
		return text(`echo: ${message}`);
	});
	server.registerTool('add_entry', { description: 'Adds a line to the ledger.',
		inputSchema: { line: z.string() } }, async ({ line }) => {
		ran('add_entry', { line });
		return text(`added: ${line}`);
	});
	server.registerTool('wipe_ledger', { description: 'Removes every line of the ledger.',
		inputSchema: {}, annotations: { destructiveHint: true } }, async () => {
		ran('wipe_ledger', {});
		return text('the ledger is empty');
	});
	server.registerTool('slow', { description: 'Takes its time.',
		inputSchema: { ms: z.number().int() } }, async ({ ms }, extra) => {
		ran('slow', { ms });
		const cancelled = await new Promise((done) => {
			const timer = setTimeout(() => done(false), ms);
			extra.signal.addEventListener('abort', () => { clearTimeout(timer); done(true); });
		});
		if (cancelled)
			log({ cancelled: 'slow' });
		return text(cancelled ? 'cancelled' : 'done');
	});
	server.registerTool('announce', { description: 'Says something unasked.',
		inputSchema: {} }, async (_args, extra) => {
		ran('announce', {});
		await extra.sendNotification({ method: 'notifications/message',
			params: { level: 'info', data: 'the ledger is open' } });
		await extra.sendNotification({ method: 'notifications/tools/list_changed' });
		return text('announced');
	});
	return server;
}

async function serve(transport) {
	const server = build();
	await server.connect(transport);
	const inner = transport.onmessage;
	transport.onmessage = (message, extra) => {
		log({ method: message.method ?? '(answer)', id: message.id ?? null, tool: message.params?.name ?? null });
		inner(message, extra);
	};
}

if (!port) {
	log({ started: 'stdio' });
	await serve(new StdioServerTransport());
	process.stdin.on('end', () => process.exit(0));
} else {
	const sessions = new Map();
	createServer(async (request, response) => {
		const id = request.headers['mcp-session-id'];
		let transport = id && sessions.get(id);
		if (!transport) {
			transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID,
				onsessioninitialized: (sid) => { sessions.set(sid, transport); } });
			await serve(transport);
		}
		await transport.handleRequest(request, response);
	}).listen(port, '127.0.0.1', () => log({ started: 'http' }));
}
