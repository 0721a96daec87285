/* SPDX-License-Identifier: Apache-2.0 */
/* What happens now: one long poll on the registrar's events, told to whoever subscribed. It also
 * notices that nobody answers, and that the registrar is another version than this page. */
import * as api from './api.js';
import { version } from './version.js';

const BACKOFF_MAX_MS = 4000;
const STATUS_EVERY_MS = 30000;
const STATUS_GAP_MS = 2000; /* between two looks, however much happens */
const GATHER_MS = 200; /* of events, before asking for more */
const listeners = new Set();
const watchers = new Set();
let stop = null;
let checked = 0;

export const state = { link: 'starting', since: Date.now(), newer: null, pending: null };

/* fn(events): something happened; events may be empty when it is not known what. */
export function subscribe(fn) {
	listeners.add(fn);
	return () => listeners.delete(fn);
}

/* fn(state): the link came or went, a newer version answers, another number waits. */
export function watch(fn) {
	watchers.add(fn);
	fn(state);
	return () => watchers.delete(fn);
}

function set(changes) {
	if (changes.link && changes.link !== state.link) state.since = Date.now();
	Object.assign(state, changes);
	for (const fn of watchers) fn(state);
}

export async function look() {
	const s = await api.status();
	checked = Date.now();
	set({ pending: s.claims_pending, newer: s.version === version ? null : s.version });
	return s;
}

let soon = 0;
function lookSoon() {
	soon ||= setTimeout(
		() => {
			soon = 0;
			look().catch(() => {}); /* the poll will notice and tell */
		},
		Math.max(0, checked + STATUS_GAP_MS - Date.now()),
	);
}

const pause = (ms, signal) =>
	new Promise((done) => {
		const timer = setTimeout(done, ms);
		signal.addEventListener(
			'abort',
			() => {
				clearTimeout(timer);
				done();
			},
			{ once: true },
		);
	});

async function follow(signal) {
	let after = null;
	let backoff = 500;
	while (!signal.aborted) {
		try {
			if (after === null) {
				after = (await api.events('end', signal, 0)).next;
				await look();
				if (state.link === 'lost') for (const fn of listeners) fn([]);
			}
			set({ link: 'live' });
			const page = await api.events(after, signal);
			backoff = 500;
			after = page.next;
			if (Date.now() - checked > STATUS_EVERY_MS) await look();
			if (page.items.length) {
				lookSoon();
				for (const fn of listeners) fn(page.items);
				await pause(GATHER_MS, signal);
			}
		} catch (error) {
			if (signal.aborted) return;
			if (error.name !== 'Problem') console.error(error);
			if (error.status === 0 || error.status >= 500) {
				set({ link: 'lost' });
				after = null;
			}
			await pause(backoff, signal);
			backoff = Math.min(backoff * 2, BACKOFF_MAX_MS);
		}
	}
}

export function start() {
	stop?.abort();
	stop = new AbortController();
	follow(stop.signal);
}

export function end() {
	stop?.abort();
	stop = null;
}
