/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's REST resources, one function each: the only file that knows paths, headers and how
 * an answer looks. Who asks is known by a cookie that scripts cannot read; what changes something
 * carries the session's token against forgery, and a key so that asking twice is once. */

const BASE = '/api/v1';
const WAIT_S = 25;

export class Problem extends Error {
	constructor(status, body, fallback) {
		super(body.detail || body.title || fallback);
		this.name = 'Problem';
		this.status = status;
		this.code = body.code || '';
		this.title = body.title || '';
		this.detail = body.detail || '';
		this.exchange = body.exchange || '';
		this.body = body;
	}
}

const session = { csrf: '', onEnd: null };

/* The page says here how to log in again; it is called once for all that wait. */
export function onSessionEnd(ask) {
	let asking = null;
	session.onEnd = () => {
		asking ??= ask().finally(() => {
			asking = null;
		});
		return asking;
	};
}

export function newKey() {
	const octets = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(octets, (o) => o.toString(16).padStart(2, '0')).join('');
}

const path = (...parts) => parts.map((p) => `/${encodeURIComponent(p)}`).join('');
const query = (members) => {
	const given = Object.entries(members ?? {}).filter(
		([, v]) => v !== undefined && v !== null && v !== '',
	);
	return given.length ? `?${new URLSearchParams(given)}` : '';
};

async function parseBody(reply) {
	const text = await reply.text();
	if (!(reply.headers.get('content-type') ?? '').includes('json'))
		return { detail: text.trim().slice(0, 300) };
	try {
		return JSON.parse(text);
	} catch {
		return { detail: 'The answer is not complete.' };
	}
}

async function call(method, where, o = {}) {
	const headers = { Accept: o.text ? 'text/csv' : 'application/json' };
	let body = o.body;
	if (body !== undefined && typeof body === 'object' && !(body instanceof Blob)) {
		body = JSON.stringify(body);
		headers['Content-Type'] = 'application/json';
	} else if (o.type) {
		headers['Content-Type'] = o.type;
	}
	if (o.etag) headers['If-Match'] = o.etag;
	if (method !== 'GET') {
		if (session.csrf) headers['X-CSRF-Token'] = session.csrf;
		if (!o.noKey) headers['Idempotency-Key'] = o.key ?? newKey();
	}
	let reply;
	try {
		reply = await fetch(BASE + where, {
			method,
			headers,
			body,
			signal: o.signal,
			credentials: 'same-origin',
			cache: 'no-store',
			redirect: 'error',
		});
	} catch (error) {
		if (error.name === 'AbortError') throw error;
		throw new Problem(0, {
			code: 'unreachable',
			title: 'The registrar does not answer',
			detail: 'No answer came from the registrar.',
		});
	}
	if (reply.ok && o.text) return { body: await reply.text(), next: reply.headers.get('x-next') };
	const answer = await parseBody(reply);
	if (reply.ok) return { body: answer, etag: reply.headers.get('etag'), status: reply.status };
	if (reply.status === 401 && !o.quiet && session.onEnd) {
		await session.onEnd();
		return call(method, where, { ...o, quiet: true });
	}
	if (o.accept?.includes(reply.status)) return { body: answer, status: reply.status };
	throw new Problem(reply.status, answer, `HTTP ${reply.status}`);
}

const get = async (where, o) => (await call('GET', where, o)).body;
const post = async (where, body = {}, o = {}) => (await call('POST', where, { ...o, body })).body;
const one = async (where) => {
	const { body, etag } = await call('GET', where);
	return { item: body, etag };
};

/* Every page of a list, up to max items: what a chart or a tree needs. */
export async function all(list, members = {}, max = 5000, after = undefined) {
	const items = [];
	do {
		const page = await list({ ...members, after, limit: 1000 });
		items.push(...page.items);
		after = page.next;
	} while (after && items.length < max);
	return items;
}

/* ---- Who is asking ---- */

function keepToken(who) {
	session.csrf = who?.csrf ?? '';
	note(who ? 'perhaps' : 'none');
	return who;
}

/* Whether it is worth asking who one is: each such question by a stranger is written into the audit
 * log, and who opens the page to log in is one. The cookie itself cannot be seen from here. */
function note(session) {
	try {
		localStorage.setItem('session', session);
	} catch {
		/* then it is asked each time */
	}
}
export function mayHaveSession() {
	try {
		return localStorage.getItem('session') !== 'none';
	} catch {
		return true;
	}
}

export async function whoAmI() {
	try {
		return keepToken(await get('/session', { quiet: true }));
	} catch (error) {
		if (error.status === 401) keepToken(null);
		throw error;
	}
}
export const logIn = async (body) =>
	keepToken((await call('POST', '/session', { body, quiet: true, noKey: true })).body);
export const logOut = async () => {
	await call('DELETE', '/session', { quiet: true, noKey: true });
	keepToken(null);
};

/* ---- What there is ---- */

export const status = () => get('/status');
export const doctor = () => get('/doctor');
export const explain = (serial, manufacturer) =>
	get(`/doctor${path(serial)}${query({ manufacturer })}`);
export const statistics = () => get('/statistics');
export const events = (after, signal, wait = WAIT_S) =>
	get(`/events${query({ after, wait })}`, { signal });
export const eventList = (members) => get(`/events${query(members)}`);
export const audit = (members) => get(`/audit${query(members)}`);
export const heads = (members) => get(`/audit/heads${query(members)}`);
export const sealNow = () => post('/audit/seal');
export const backup = () => get('/backups');
export const backUp = (file, key) => post('/backups', { path: file }, { key });
export const manufacturers = () => get('/manufacturers');
export const certificates = (members) => get(`/certificates${query(members)}`);

export const claims = (members) => get(`/claims${query(members)}`);
export const claim = (id) => one(`/claims${path(id)}`);
/* Exactly how many match; the registrar counts some thousand rows at a time. */
export async function count(match) {
	let total = 0;
	let after;
	do {
		const page = await claims({ match, after, count: true });
		total += page.count;
		after = page.next;
	} while (after);
	return total;
}
export const decideOne = (id, verb, body, o) => post(`/claims${path(id, verb)}`, body, o);
export const decideMany = async (verb, body, key) => {
	const { body: answer, status: code } = await call('POST', `/claims/${verb}`, { body, key });
	return { ...answer, queued: code === 202 };
};
/* All that match, as a list that can be imported again: the pages one after the other; only
 * the first names the columns. */
export async function exportClaims(match) {
	const parts = [];
	let after;
	do {
		const page = await call('GET', `/claims/export${query({ match, after, limit: 1000 })}`, {
			text: true,
		});
		parts.push(page.body);
		after = page.next;
	} while (after);
	return new Blob(parts, { type: 'text/csv' });
}
export const job = (id) => get(`/jobs${path(id)}`);
export const importList = async (text, type, dryRun, key) =>
	(
		await call('POST', `/claims/import${query({ dry_run: dryRun ? 1 : null })}`, {
			body: new Blob([text], { type }),
			type,
			key,
			accept: [400],
		})
	).body;

export const devices = (members) => get(`/devices${query(members)}`);
export const device = (id) => one(`/devices${path(id)}`);
export const timeline = (id, members) => get(`/devices${path(id, 'history')}${query(members)}`);
export const actOn = (id, verb, body, o) => post(`/devices${path(id, verb)}`, body, o);

export const sites = (members) => get(`/sites${query(members)}`);
export const changeSite = (verb, body, o) => post(`/sites/${verb}`, body, o);

export const rules = () => get('/rules');
export const addRule = (body, key) => post('/rules', body, { key });
export const changeRule = (id, verb, body, key) => post(`/rules${path(id, verb)}`, body, { key });
export const testRules = (members) => get(`/rules/test${query(members)}`);

export const hooks = () => get('/hooks');
export const addHook = (body, key) => post('/hooks', body, { key });
export const changeHook = (id, verb, body, key) => post(`/hooks${path(id)}/${verb}`, body, { key });
export const deadLetters = (id) => get(`/hooks${path(id, 'dead')}`);

export const users = () => get('/users');
export const addUser = (body, key) => post('/users', body, { key });
export const changeUser = (name, verb, body, key) =>
	post(`/users${path(name, verb)}`, body, { key });
export const tokens = () => get('/tokens');
export const addToken = (body, key) => post('/tokens', body, { key });
export const removeToken = (id, key) => post(`/tokens${path(id, 'remove')}`, {}, { key });
