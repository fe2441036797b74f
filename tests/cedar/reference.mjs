// SPDX-License-Identifier: Apache-2.0
// reference.mjs SEED FIRST N: random cases for the Cedar engine with the answers of cedar-wasm, one JSON object a line:
//   {"case": number, "policies": text, "templates": text, "links": [{template, id, principal?, resource?}],
//    "schema": text, "invalid": [id], "warned": [id], "entities": text,
//    "requests": [{principal, action, resource, context, decision, reason, errors}]}
// Policies and templates are numbered through, policies first; links have ids of their own. invalid and warned are the
// ids of those that have errors and warnings in strict validation. Each case depends on SEED and its number only. When
// the reference traps, the last line is {"trap": number}: its memory is not to be trusted after that, so who reads starts
// another one behind that case.
import { isAuthorized, validate } from '@cedar-policy/cedar-wasm/nodejs';

const [seed, first, count] = process.argv.slice(2).map(Number);
let state;

function random() { // splitmix32
	state = (state + 0x9e3779b9) | 0;
	let t = state ^ (state >>> 16);
	t = Math.imul(t, 0x21f0aaad);
	t ^= t >>> 15;
	t = Math.imul(t, 0x735a2d97);
	return ((t ^ (t >>> 15)) >>> 0) / 4294967296;
}

const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;
let tame; // a case whose policies are mostly valid
const times = (n, f) => Array.from({ length: n }, (_, i) => f(i));

// --- values ---------------------------------------------------------------------------------------

const WORDS = ['', 'a', 'b', 'ab', 'aab', 'abc', '/srv/a/x', '/srv/b/y', 'A', 'é', 'a*b', 'x"y', '10.0.0.1'];
const LONGS = ['0', '1', '2', '-1', '7', '100', '9223372036854775807', '-9223372036854775808'];
const TYPES = { User: 4, Group: 4, Doc: 4, Folder: 3, 'NS::T': 2 };
const IPS = ['10.0.0.1', '10.0.0.0/8', '10.1.2.3/24', '127.0.0.1', '224.0.0.5', '::1', 'ff02::1', '::ffff:0:1', 'fe80::/10',
	'192.168.1.300', '1.2.3', '10.0.0.1/33', ''];
const DECIMALS = ['1.0', '0.5', '-0.5', '1.0000', '922337203685477.5807', '-922337203685477.5808', '1', '1.23456', '0.0',
	'-0.0', 'x'];
const DATES = ['2024-02-29', '2026-10-15T11:38:02Z', '1969-12-31T23:59:59.999Z', '2026-01-01T00:00:00+0130', '2023-02-29',
	'0000-01-01', '9999-12-31', '2024-01-01T24:00:00Z'];
const DURATIONS = ['1h', '60m', '-90s', '1d2h3m4s5ms', '0ms', '9223372036854775807ms', '-9223372036854775808ms', '1h1d',
	'-', '106751991168d'];

const quote = (s) => `"${s.replace(/[\\"]/g, (c) => `\\${c}`)}"`;
const someEntity = () => { const t = pick(Object.keys(TYPES)); return { type: t, id: String(below(TYPES[t] + 1)) }; };
const entityText = (e) => `${e.type}::${quote(e.id)}`;

const CTX = { n: 'long', m: 'long', s: 'string', path: 'string', flag: 'bool', set: 'strings', nums: 'longs', who: 'entity', many: 'entities',
	rec: 'record', ip: 'ip', dec: 'decimal', at: 'datetime', dur: 'duration', opt: 'long' };
const ATTRS = { level: 'long', name: 'string', flag: 'bool', owner: 'entity', friends: 'entities', labels: 'strings', rec: 'record', ip: 'ip', at: 'datetime' };

function jsonValue(kind) {
	switch (chance(0.04) ? pick(['long', 'string', 'bool', 'strings', 'record']) : kind) {
	case 'long': return below(20) - 3;
	case 'string': return pick(WORDS);
	case 'bool': return chance(0.5);
	case 'strings': return times(below(5), () => pick(WORDS));
	case 'longs': return times(below(4), () => below(5));
	case 'entity': return { __entity: someEntity() };
	case 'entities': return times(below(4), () => (chance(0.03) ? 1 : { __entity: someEntity() }));
	case 'record': return { a: below(4), b: { c: pick(WORDS), ...(chance(0.5) ? { d: [1, [2]] } : {}) },
		...(chance(0.3) ? { 'x y': true } : {}) };
	case 'ip': return { __extn: { fn: 'ip', arg: pick(IPS.slice(0, 9)) } };
	case 'decimal': return { __extn: { fn: 'decimal', arg: pick(DECIMALS.slice(0, 6)) } };
	case 'datetime': return { __extn: { fn: 'datetime', arg: pick(DATES.slice(0, 4)) } };
	default: return { __extn: { fn: 'duration', arg: pick(DURATIONS.slice(0, 7)) } };
	}
}

// Parents have a higher number of the same type, or are of a type behind: no cycles.
function entities() {
	const above = { User: ['Group'], Group: ['Group'], Doc: ['Folder', 'Group'], Folder: ['Folder'], 'NS::T': ['Folder'] };
	const out = [];
	for (const [type, n] of Object.entries(TYPES)) {
		for (let i = 0; i < n; i++) {
			if (chance(0.15))
				continue;
			const parents = [];
			for (const t of above[type]) {
				if (chance(0.6))
					parents.push({ type: t, id: String(t === type ? i + 1 + below(2) : below(TYPES[t] + 1)) });
			}
			const attrs = {};
			for (const [k, kind] of Object.entries(ATTRS)) {
				if (chance(0.7))
					attrs[k] = jsonValue(kind);
			}
			const tags = chance(0.5) ? Object.fromEntries(WORDS.slice(0, 1 + below(4)).map((w) => [w, pick([1, 'a', [1]])]))
				: undefined;
			out.push({ uid: { type, id: String(i) }, attrs, parents, ...(tags ? { tags } : {}) });
		}
	}
	for (const i of [0, 1])
		out.push({ uid: { type: 'Action', id: `act${i}` }, attrs: {}, parents: [{ type: 'Action', id: 'all' }] });
	return out;
}

// --- expressions: of a kind, mostly ---------------------------------------------------------------

const constructor = (fn, list) => `${fn}(${quote(tame || chance(0.9) ? pick(list.slice(0, 4)) : pick(list))})`;

function path(kind) {
	const of = (base, kinds) => Object.keys(kinds).filter((k) => kinds[k] === kind).map((k) => `${base}.${k}`);
	const all = [...of('context', CTX), ...of('principal', ATTRS), ...of('resource', ATTRS), ...of('context.who', ATTRS),
		...of('principal.owner', ATTRS)];
	return all.length ? pick(all) : 'context.n';
}

function bool(d) {
	const simple = [
		() => path('bool'), () => pick(['true', 'false']),
		() => `${path('string')} == ${quote(pick(WORDS))}`,
		() => `${path('string')} like ${pick(['"*"', '"a*"', '"*b"', '"/srv/*"', '"/srv/a*"', '"*a*"', '"*/*x"', '"a\\*b"', '"é"', '""', '"*a*b*"'])}`,
		() => `${path('strings')}.contains(${quote(pick(WORDS))})`,
		() => `${path('long')} ${pick(['<', '<=', '>', '>=', '==', '!='])} ${below(20) - 3}`,
		() => `principal in ${entityText(someEntity())}`, () => `resource in ${path(pick(['entity', 'entities']))}`,
		() => `${pick(['principal', 'resource', 'context.who'])} is ${pick(Object.keys(TYPES))}${chance(0.3) ? ` in ${entityText(someEntity())}` : ''}`,
		() => `context has ${pick(['opt', 'rec.b.d', 'rec.a', 'nope', 'who.level', '"x y"', 'n.x'])}`,
		() => `${pick(['principal', 'resource'])} has ${pick([...Object.keys(ATTRS), 'rec.b', 'owner.level', 'nope'])}`,
		() => `${path('ip')}.${pick(['isIpv4()', 'isIpv6()', 'isLoopback()', 'isMulticast()', `isInRange(${constructor('ip', IPS)})`])}`,
		() => `resource.owner == principal`,
	];
	if (d === 0)
		return pick(simple)();
	return pick([
		...simple,
		() => `(${bool(d - 1)} && ${bool(d - 1)})`, () => `(${bool(d - 1)} || ${bool(d - 1)})`, () => `!(${bool(d - 1)})`,
		() => `(if ${bool(d - 1)} then ${bool(d - 1)} else ${bool(d - 1)})`,
		() => `${expr('long', d - 1)} ${pick(['<', '<=', '>', '>='])} ${expr('long', d - 1)}`,
		() => { const k = pick(['long', 'string', 'entity', 'record', 'strings', 'ip', 'decimal', 'datetime', 'duration', 'bool']);
			return `${expr(k, d - 1)} ${pick(['==', '!='])} ${expr(k, d - 1)}`; },
		() => { const k = pick(['datetime', 'duration']); return `${expr(k, d - 1)} ${pick(['<', '<=', '>', '>='])} ${expr(k, d - 1)}`; },
		() => `${expr('decimal', d - 1)}.${pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${expr('decimal', d - 1)})`,
		() => `${expr('strings', d - 1)}.${pick(['containsAll', 'containsAny'])}(${expr('strings', d - 1)})`,
		() => `${expr('longs', d - 1)}.contains(${expr('long', d - 1)})`, () => `${expr(pick(['strings', 'longs', 'entities']), d - 1)}.isEmpty()`,
		() => `${expr('entity', d - 1)} in ${expr(pick(['entity', 'entities']), d - 1)}`,
		() => `${expr('entity', d - 1)}.hasTag(${expr('string', d - 1)})`,
		() => `${expr('entity', d - 1)}.getTag(${expr('string', d - 1)}) == ${expr('string', d - 1)}`,
	])();
}

const some = () => (tame ? 1 + below(3) : below(4));

function expr(kind, d) {
	if (!tame && chance(0.03))
		kind = pick(['long', 'string', 'bool', 'strings', 'record', 'entity', 'decimal']);
	if (chance(0.4) && kind !== 'bool')
		return path(kind);
	switch (kind) {
	case 'long':
		if (d && chance(0.5))
			return chance(0.2) ? `(-${path('long')})`
				: chance(0.2) ? `${expr('duration', 0)}.${pick(['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'])}()`
				: `(${expr('long', d - 1)} ${pick(['+', '-', '*'])} ${expr('long', d - 1)})`;
		return pick(LONGS);
	case 'string': return d && chance(0.2) ? `(if ${bool(d - 1)} then ${expr('string', d - 1)} else ${expr('string', d - 1)})`
		: quote(pick(WORDS));
	case 'bool': return bool(d);
	case 'strings': return `[${times(some(), () => (d ? expr('string', d - 1) : quote(pick(WORDS)))).join(', ')}]`;
	case 'longs': return `[${times(some(), () => (d ? expr('long', d - 1) : pick(LONGS))).join(', ')}]`;
	case 'entity': return pick(['principal', 'resource', 'action', entityText(someEntity())]);
	case 'entities': return `[${times(some(), () => expr('entity', 0)).join(', ')}]`;
	case 'record': return chance(0.3) ? 'context.rec.b' : `{a: ${expr('long', 0)}, "b": {c: ${expr('string', 0)}}}`;
	case 'ip': return constructor('ip', IPS);
	case 'decimal': return constructor('decimal', DECIMALS);
	case 'datetime': return d && chance(0.4) ? `${expr('datetime', d - 1)}.${pick([`offset(${expr('duration', d - 1)})`, 'toDate()'])}`
		: constructor('datetime', DATES);
	default: return d && chance(0.4) ? pick([() => `${expr('datetime', d - 1)}.durationSince(${expr('datetime', d - 1)})`,
		() => `${expr('datetime', d - 1)}.toTime()`])() : constructor('duration', DURATIONS);
	}
}

// --- policies and requests ------------------------------------------------------------------------

// slot: its name, in a template that has it.
function scope(name, types, slot) {
	const e = () => { const t = pick(types); return `${t}::"${below(TYPES[t] + 1)}"`; };
	if (slot)
		return pick([`${name} == ${slot}`, `${name} in ${slot}`, `${name} is ${pick(types)} in ${slot}`]);
	return pick([() => name, () => name, () => `${name} == ${e()}`, () => `${name} in ${e()}`, () => `${name} is ${pick(types)}`,
		() => `${name} is ${pick(types)} in ${e()}`])();
}

const action = () => pick(['action', 'action', 'action == Action::"act0"', 'action in Action::"all"',
	tame ? 'action in [Action::"act1", Action::"act0"]' : 'action in [Action::"act1", Action::"act2"]', 'action in []']);

const PRINCIPALS = ['User', 'Group'], RESOURCES = ['Doc', 'Folder', 'NS::T'];

// A wide set asks the same of many constants, so that lookups take the place of tests.
function policy(wide, slots = {}) {
	const head = wide && chance(0.8) ? 'principal, action, resource'
		: `${scope('principal', PRINCIPALS, slots.principal)}, ${action()}, ${scope('resource', RESOURCES, slots.resource)}`;
	const conditions = times(wide ? 1 : below(3), () => `${chance(0.75) ? 'when' : 'unless'} { ${
		times(1 + below(3), () => (wide ? bool(0) : bool(below(tame ? 3 : 4)))).join(' && ')} }`);
	return `${chance(0.7) ? 'permit' : 'forbid'}(${head}) ${conditions.join(' ')};`;
}

function template() {
	const slots = pick([{ principal: '?principal' }, { resource: '?resource' }, { principal: '?principal', resource: '?resource' }]);
	return { slots, text: policy(false, slots) };
}

// Now and then what a link must not do: leave a slot empty, fill one that is not there, take an id that is in use.
function link(templates, first, i) {
	const t = below(templates.length), out = { template: `policy${first + t}`, id: `link${chance(0.01) ? 0 : i}` };
	for (const [slot, types] of [['principal', PRINCIPALS], ['resource', RESOURCES]]) {
		const type = chance(0.95) ? pick(types) : pick(Object.keys(TYPES));
		if (!!templates[t].slots[slot] !== chance(0.005))
			out[slot] = { type, id: String(below(TYPES[type] + 1)) };
	}
	return out;
}

// --- schemas: what most entities and contexts look like -------------------------------------------

function schema() {
	const who = tame ? 'User' : pick(['User', 'Group', 'Doc']), long = chance(0.95) ? 'Long' : 'String';
	const types = { long, string: 'String', bool: 'Bool', strings: 'Set<String>', longs: 'Set<Long>', entity: who,
		entities: `Set<${who}>`, record: '{a: Long, b: {c: String, d?: Set<Long>}, "x y"?: Bool}', ip: 'ipaddr',
		decimal: 'decimal', datetime: 'datetime', duration: 'duration' };
	const required = tame ? 1 : 0.85;
	const record = (kinds) => `{${Object.entries(kinds).filter(() => tame || chance(0.97)).map(([k, kind]) =>
		`${k}${k !== 'opt' && chance(required) ? '' : '?'}: ${types[kind]}`).join(', ')}}`;
	const entity = (name, parents) => `entity ${name} in [${parents}] = ${record(ATTRS)}${chance(0.8) ? ' tags String' : ''};`;
	return [entity('User', 'Group'), entity('Group', 'Group'), entity('Doc', 'Folder, Group'), entity('Folder', 'Folder'),
		`namespace NS { ${entity('T', 'Folder')} }`, 'action all;',
		...['act0', 'act1', ...(chance(0.5) ? ['act2'] : [])].map((a) => `action ${a} in [all] appliesTo { principal: [${
			pick(['User', 'Group', 'User, Group'])}], resource: [${pick(['Doc', 'Folder', 'Doc, Folder, NS::T'])}], context: ${record(CTX)} };`),
	].join('\n');
}

const idsOf = (list) => [...new Set(list.map((e) => e.policyId))];

function request() {
	const context = {};
	for (const [k, kind] of Object.entries(CTX)) {
		if (chance(k === 'opt' ? 0.5 : 0.93))
			context[k] = jsonValue(kind);
	}
	return { principal: { type: pick(['User', 'User', 'Group']), id: String(below(5)) },
		action: { type: 'Action', id: `act${below(4)}` },
		resource: { type: pick(['Doc', 'Doc', 'Folder', 'NS::T']), id: String(below(5)) }, context };
}

for (let i = first; i < count; i++) {
	state = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(i + 1, 0x85ebca6b);
	tame = chance(0.5);
	const wide = chance(0.3);
	const statics = times(1 + below(wide ? 40 : 8), () => policy(wide));
	const templates = times(chance(0.5) ? 1 + below(3) : 0, template);
	const links = templates.length ? times(below(5), (k) => link(templates, statics.length, k)) : [];
	const store = entities(), types = schema();
	const set = { staticPolicies: statics.join('\n'),
		templates: Object.fromEntries(templates.map((t, k) => [`policy${statics.length + k}`, t.text])),
		templateLinks: links.map((l) => ({ templateId: l.template, newId: l.id, values: {
			...(l.principal ? { '?principal': l.principal } : {}), ...(l.resource ? { '?resource': l.resource } : {}) } })) };
	const out = { case: i, policies: set.staticPolicies, templates: templates.map((t) => t.text).join('\n'), links,
		schema: types, entities: JSON.stringify(store), requests: [] };
	try {
		for (let k = 0; k < 4 && !out.refused; k++) {
			const r = request();
			const answer = isAuthorized({ ...r, policies: set, entities: store, validateRequest: false });
			if (answer.type !== 'success')
				out.refused = answer.errors.map((e) => e.message).join('; ');
			else
				out.requests.push({ ...r, decision: answer.response.decision, reason: answer.response.diagnostics.reason,
					errors: answer.response.diagnostics.errors.map((e) => e.policyId) });
		}
		const valid = out.refused ? null : validate({ validationSettings: { mode: 'strict' }, schema: types, policies: set });
		if (valid && valid.type !== 'success')
			throw new Error(`case ${i}: ${valid.errors.map((e) => e.message).join('; ')}\n${types}`);
		out.invalid = valid ? idsOf(valid.validationErrors) : [];
		out.warned = valid ? idsOf(valid.validationWarnings) : [];
	} catch (e) {
		if (!(e instanceof WebAssembly.RuntimeError))
			throw e;
		console.log(JSON.stringify({ trap: i }));
		break;
	}
	console.log(JSON.stringify(out));
}
