// SPDX-License-Identifier: Apache-2.0
// policy_peer.mjs DIR [answers]: puts the requests of DIR to cedar-wasm; with "answers" writes DIR/answered.json, the requests
// with their answers; prints one line about
// the first hundred "p50 X ns, mean X ns": of calls with policies parsed before and only the entities that a request can
// reach, which is the fastest way its interface has.
import { readFileSync, writeFileSync } from 'node:fs';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';

const dir = process.argv[2];
const read = (name) => readFileSync(`${dir}/${name}`, 'utf8');
const key = (u) => `${u.type}::${u.id}`;
const entities = new Map(JSON.parse(read('entities.json')).map((e) => [key(e.uid), e]));
const requests = JSON.parse(read('requests.json'))
	.map(({ principal, action, resource, context }) => ({ principal, action, resource, context }));

// What a request can reach: parents and attributes of principal and resource, and so on.
function reachable(request) {
	const seen = new Map();
	const visit = (value) => {
		if (Array.isArray(value)) {
			value.forEach(visit);
		} else if (value && typeof value === 'object') {
			if (typeof value.type === 'string' && typeof value.id === 'string') {
				const e = entities.get(key(value));
				if (!e || seen.has(e))
					return;
				seen.set(e, true);
				visit(e.parents);
				visit(e.attrs);
			} else {
				Object.values(value).forEach(visit);
			}
		}
	};
	visit([request.principal, request.action, request.resource, request.context]);
	return [...seen.keys()];
}

const parsed = preparsePolicySet('bench', { staticPolicies: read('policies.cedar') });
if (parsed.type !== 'success') {
	console.error(JSON.stringify(parsed).slice(0, 500));
	process.exit(1);
}
const calls = requests.map((r) => ({ ...r, preparsedPolicySetId: 'bench', validateRequest: false, entities: reachable(r) }));
const ask = (call) => {
	const answer = statefulIsAuthorized(call);
	if (answer.type !== 'success') {
		console.error(JSON.stringify(answer).slice(0, 500));
		process.exit(1);
	}
	return answer.response;
};
if (process.argv[3] === 'answers') {
	const answered = requests.map((r, i) => {
		const response = ask(calls[i]);
		return { ...r, decision: response.decision, reason: response.diagnostics.reason,
			errors: response.diagnostics.errors.map((e) => e.policyId) };
	});
	writeFileSync(`${dir}/answered.json`, JSON.stringify(answered));
}

// Processor time: a call is long enough to be interrupted by others, which is not its fault.
const took = calls.slice(0, 100).map((call) => {
	const begin = process.cpuUsage();
	statefulIsAuthorized(call);
	const { user, system } = process.cpuUsage(begin);
	return (user + system) * 1000;
}).sort((a, b) => a - b);
const mean = took.reduce((a, b) => a + b, 0) / took.length;
console.log(`p50 ${took[took.length >> 1]} ns, mean ${Math.round(mean)} ns`);
