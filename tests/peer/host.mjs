// SPDX-License-Identifier: Apache-2.0
// An ordinary MCP host on the public SDK: `node host.mjs CONFIG SERVER STEP...`. CONFIG is the usual
// {"mcpServers": {NAME: {command, args, env} | {url}}}; each STEP is one string. It prints one JSON line
// a step, exactly what the SDK gave it, and knows nothing of Tollgate.
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
	CreateMessageRequestSchema,
	ListRootsRequestSchema,
	ResultSchema,
} from '@modelcontextprotocol/sdk/types.js';

const TIMEOUT_MS = 20000;
const [configPath, serverName, ...steps] = process.argv.slice(2);
const config = JSON.parse(readFileSync(configPath, 'utf8'));
const entry = config.mcpServers[serverName];
const capabilities = config.capabilities ?? {};
const notes = [];

function print(step, fields) {
	process.stdout.write(JSON.stringify({ step, ...fields }) + '\n');
}

function failure(error) {
	const { code, message, data } = error;
	return { ok: false, error: { code, message, data } };
}

function transport() {
	if (entry.url)
		return new StreamableHTTPClientTransport(new URL(entry.url));
	return new StdioClientTransport({ command: entry.command, args: entry.args ?? [], env: entry.env,
		stderr: 'ignore' });
}

const client = new Client({ name: 'ordinary-host', version: '1.0.0' }, { capabilities });
client.fallbackNotificationHandler = async (n) => { notes.push(n); };
if (capabilities.roots)
	client.setRequestHandler(ListRootsRequestSchema, async () => ({ roots: [{ uri: 'file:///srv', name: 'srv' }] }));
if (capabilities.sampling)
	client.setRequestHandler(CreateMessageRequestSchema, async () => ({ role: 'assistant', model: 'none',
		content: { type: 'text', text: 'sampled' } }));

async function listAll() {
	const tools = [];
	let cursor;
	do {
		const page = await client.listTools(cursor === undefined ? undefined : { cursor });
		tools.push(...page.tools);
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return tools;
}

// A call whose arguments are made here, so that a command line need not carry a megabyte.
function sized(count) {
	return { message: 'é'.repeat(count / 2) };
}

const verbs = {
	async list() { return { tools: (await listAll()).map((t) => t.name) }; },
	async definitions() { return { tools: await listAll() }; },
	async ping() { return await client.ping({ timeout: TIMEOUT_MS }); },
	async server() { return { version: client.getServerVersion(), instructions: client.getInstructions() }; },
	async call(rest) {
		const [, name, args] = /^(\S+)\s*(.*)$/s.exec(rest);
		return await client.callTool({ name, arguments: args ? JSON.parse(args) : {} }, undefined,
			{ timeout: TIMEOUT_MS });
	},
	async big(rest) {
		const [name, count] = rest.split(' ');
		const r = await client.callTool({ name, arguments: sized(Number(count)) }, undefined, { timeout: TIMEOUT_MS });
		const text = r.content[0].text;
		return { isError: r.isError, characters: text.length, intact: text.endsWith(sized(Number(count)).message) };
	},
	async progress(rest) {
		const [, name, args] = /^(\S+)\s*(.*)$/s.exec(rest);
		const seen = [];
		const result = await client.callTool({ name, arguments: JSON.parse(args) }, undefined,
			{ timeout: TIMEOUT_MS, onprogress: (p) => seen.push(p) });
		return { seen, result };
	},
	async cancel(rest) {
		const [, name, ms, args] = /^(\S+) (\d+)\s*(.*)$/s.exec(rest);
		const stop = new AbortController();
		setTimeout(() => stop.abort('changed my mind'), Number(ms));
		return await client.callTool({ name, arguments: args ? JSON.parse(args) : {} }, undefined,
			{ timeout: TIMEOUT_MS, signal: stop.signal });
	},
	async parallel(rest) {
		const [, name, count] = /^(\S+) (\d+)$/.exec(rest);
		const all = Array.from({ length: Number(count) }, (_, i) =>
			client.callTool({ name, arguments: { message: `n${i}` } }, undefined, { timeout: TIMEOUT_MS }));
		return { texts: (await Promise.all(all)).map((r) => r.content?.[0]?.text) };
	},
	async request(rest) {
		const [, method, params] = /^(\S+)\s*(.*)$/s.exec(rest);
		return await client.request({ method, params: params ? JSON.parse(params) : undefined }, ResultSchema,
			{ timeout: TIMEOUT_MS });
	},
	async sleep(rest) {
		await new Promise((done) => setTimeout(done, Number(rest)));
		return {};
	},
	async notes() { return { notes: notes.map((n) => n.method).sort() }; },
	// Waits until the harness has made a file, so that something can change between two calls.
	async until(rest) {
		const { existsSync } = await import('node:fs');
		for (let i = 0; i < 400 && !existsSync(rest); i++)
			await new Promise((done) => setTimeout(done, 50));
		return { there: existsSync(rest) };
	},
};

let failed = false;
try {
	await client.connect(transport(), { timeout: TIMEOUT_MS });
	print('connect', { ok: true });
	for (const step of steps) {
		const [, verb, rest] = /^(\S+)\s*(.*)$/s.exec(step);
		try {
			print(step, { ok: true, result: await verbs[verb](rest) });
		} catch (error) {
			print(step, failure(error));
		}
	}
} catch (error) {
	print('connect', failure(error));
	failed = true;
}
await client.close().catch(() => {});
process.exit(failed ? 1 : 0);
