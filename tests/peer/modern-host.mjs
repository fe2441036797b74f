// SPDX-License-Identifier: Apache-2.0
// An ordinary MCP host on the second SDK, which speaks 2026-07-28. Same command line and output as host.mjs.
// CONFIG may hold "negotiation": "auto" (the SDK then probes with a sibling process) or a version to insist on.
import { readFileSync } from 'node:fs';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const [configPath, serverName, ...steps] = process.argv.slice(2);
const config = JSON.parse(readFileSync(configPath, 'utf8'));
const entry = config.mcpServers[serverName];
const wish = config.negotiation ?? '2026-07-28';
const mode = wish === 'auto' || wish === 'legacy' ? wish : { pin: wish };

function print(step, fields) {
	process.stdout.write(JSON.stringify({ step, ...fields }) + '\n');
}

function failure(error) {
	const { code, message, data } = error;
	return { ok: false, error: { code, message, data } };
}

const client = new Client({ name: 'modern-host', version: '1.0.0' },
	{ capabilities: {}, versionNegotiation: { mode } });
const transport = entry.url ? new StreamableHTTPClientTransport(new URL(entry.url))
	: new StdioClientTransport({ command: entry.command, args: entry.args ?? [], env: entry.env, stderr: 'ignore' });

let failed = false;
try {
	await client.connect(transport, { timeout: 20000 });
	print('connect', { ok: true });
	for (const step of steps) {
		const [, verb, name, args] = /^(\S+)\s*(\S*)\s*(.*)$/s.exec(step);
		try {
			if (verb === 'list')
				print(step, { ok: true, result: { tools: (await client.listTools()).tools.map((t) => t.name) } });
			else
				print(step, { ok: true, result: await client.callTool({ name, arguments: args ? JSON.parse(args) : {} },
					{ timeout: 20000 }) });
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
