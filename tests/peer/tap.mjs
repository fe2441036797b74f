// SPDX-License-Identifier: Apache-2.0
// A loopback recorder in front of an HTTP server: what passes is written to LOG, byte for byte, one JSON line
// a chunk ({connection, from, bytes: base64}). It is part of the server's side: clients are told its port.
// `node tap.mjs LISTEN TARGET LOG`.
import { appendFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';

const [listen, target, logPath] = process.argv.slice(2);
let count = 0;

createServer({ allowHalfOpen: true }, (client) => {
	const connection = ++count;
	const server = connect({ port: Number(target), host: '127.0.0.1', allowHalfOpen: true });
	const record = (from, bytes) =>
		appendFileSync(logPath, JSON.stringify({ connection, from, bytes: bytes.toString('base64') }) + '\n');
	const carry = (from, source, sink) => {
		source.on('data', (bytes) => {
			record(from, bytes);
			if (!sink.write(bytes))
				source.pause();
		});
		sink.on('drain', () => source.resume());
		source.on('end', () => sink.end());
		source.on('error', () => sink.destroy());
	};
	carry('client', client, server);
	carry('server', server, client);
}).listen(Number(listen), '127.0.0.1');
