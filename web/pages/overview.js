/* SPDX-License-Identifier: Apache-2.0 */
/* One look: what waits, what goes wrong, what will end soon, whether the MASAs answer. */
import * as api from '../api.js';
import { bars, ranks } from '../chart.js';
import { h, replace } from '../dom.js';
import { moment, num, octets, since, time } from '../format.js';
import { problemBox } from '../problem.js';
import { href } from '../router.js';
import { chip, mono, whyHeld } from '../words.js';
import { facts, plainTable } from '../table.js';

const EVERY_MS = 60000;
const PACE_MS = 10000; /* statistics are sums over a day */
const HOURS = 24;
const DAYS = 30;

const tile = (n, text, tone, to, help) =>
	h(
		`${to ? 'a' : 'div'}.tile.${n ? tone : 'none'}`,
		{ href: to, title: help },
		h('strong', num(n)),
		h('span', text),
	);

/* A part that fails says so and leaves the others alone. */
async function part(place, work) {
	try {
		replace(place, await work());
	} catch (error) {
		replace(
			place,
			problemBox(error, () => part(place, work)),
		);
	}
}

function tiles(s, st) {
	const wrong = (st.failures ?? []).reduce((sum, f) => sum + f.count, 0);
	const down = (s.masas ?? []).filter((m) => ['down', 'unreachable'].includes(m.state)).length;
	return h(
		'div.tiles',
		tile(
			s.claims_pending,
			s.claims_pending === 1 ? 'claim waits' : 'claims wait',
			'wait',
			href('claims'),
			s.oldest_pending && `the longest since ${moment(s.oldest_pending)}`,
		),
		tile(
			st.joined_today ?? lastDay(st),
			'joined in 24 hours',
			'good',
			href('devices', { state: 'active' }),
		),
		tile(wrong, 'refusals and failures in 24 hours', 'bad', href('events')),
		tile(
			s.expiring ?? st.expiring,
			'certificates end soon',
			'warn',
			href('certificates', { expiring: '30d' }),
		),
		tile(
			down,
			down === 1 ? 'MASA does not answer' : 'MASAs do not answer',
			'bad',
			href('manufacturers'),
		),
	);
}

const lastDay = (st) =>
	(st.joins_per_hour ?? []).slice(-HOURS).reduce((sum, j) => sum + j.count, 0);

function joins(st) {
	const hour = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
	const long = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
	const known = new Map((st.joins_per_hour ?? []).map((j) => [Date.parse(j.hour), j.count]));
	const now = Math.floor(Date.now() / 3600000) * 3600000;
	const data = Array.from({ length: HOURS }, (_, i) => now - (HOURS - 1 - i) * 3600000).map(
		(at) => ({ label: hour.format(at), long: long.format(at), value: known.get(at) ?? 0 }),
	);
	return bars({
		title: 'Joins per hour',
		unit: 'devices',
		data,
		every: 4,
		none: 'None in 24 hours.',
	});
}

function expiry(st) {
	const short = new Intl.DateTimeFormat(undefined, {
		day: 'numeric',
		month: 'short',
		timeZone: 'UTC',
	});
	const known = new Map((st.expiry_by_day ?? []).map((d) => [d.day, d.count]));
	const data = Array.from({ length: DAYS }, (_, i) =>
		new Date(Date.now() + i * 86400000).toISOString().slice(0, 10),
	).map((d) => ({
		label: short.format(new Date(d)),
		long: d,
		value: known.get(d) ?? 0,
		tone: 'warn',
	}));
	return bars({
		title: 'Certificates that end, by day',
		unit: 'certificates',
		data,
		every: 7,
		none: 'None in the next 30 days.',
	});
}

function failures(st) {
	const data = (st.failures ?? []).slice(0, 8).map((f) => ({
		label: f.reason ? `${f.step}: ${f.reason}` : f.step,
		value: f.count,
		tone: 'bad',
	}));
	return ranks({ title: 'Failures by reason', unit: 'times', data, none: 'None in 24 hours.' });
}

function masas(list) {
	if (!list?.length)
		return h(
			'p.dim',
			'No manufacturer is configured: see ',
			h('a', { href: href('manufacturers') }, 'Manufacturers'),
			'.',
		);
	return plainTable(
		'MASAs',
		['Manufacturer', 'MASA'],
		list.map((m) => [m.manufacturer, chip(m.state)]),
	);
}

function waiting(page) {
	if (!page.items.length) return h('p.dim', 'Nobody waits.');
	return plainTable(
		'Waiting longest',
		['Serial', 'Manufacturer', 'Waits', 'Why'],
		page.items.map((c) => [
			h('a', { href: href('claim', c.id) }, mono(c.serial)),
			c.manufacturer,
			since(c.first_seen),
			whyHeld(c),
		]),
	);
}

export async function show(view) {
	const top = h('div'),
		left = h('div.stack'),
		right = h('div.stack'),
		wrong = h('div'),
		masa = h('div'),
		inbox = h('div'),
		own = h('div');
	replace(
		view,
		top,
		h('div.two', h('section.card', left), h('section.card', right)),
		h(
			'div.two',
			h(
				'section.card',
				h('h2', 'Waiting longest'),
				inbox,
				h('p', h('a', { href: href('claims') }, 'All that wait')),
			),
			h('section.card', wrong),
		),
		h(
			'div.two',
			h('section.card', h('h2', "Manufacturers' services (MASA)"), masa),
			h('section.card', h('h2', 'This registrar'), own),
		),
	);

	async function load() {
		await Promise.all([
			part(top, async () => {
				const [s, st] = await Promise.all([api.status(), api.statistics()]);
				replace(left, joins(st));
				replace(right, expiry(st));
				replace(wrong, failures(st));
				replace(masa, masas(s.masas));
				replace(
					own,
					facts([
						['Version', s.version],
						['Runs since', time(s.started)],
						['Its certificate ends', time(s.certificate_not_after)],
						['The issuing CA ends', time(s.ca_not_after)],
						['Revocation list valid until', time(s.crl_next_update, 'none is made')],
						['Last backup', time(s.backup, 'none yet')],
						s.store_bytes && [
							'Store',
							s.store_free_bytes === null
								? octets(s.store_bytes)
								: `${octets(s.store_bytes)}, ${octets(s.store_free_bytes)} free`,
						],
					]),
				);
				return tiles(s, st);
			}),
			part(inbox, async () => waiting(await api.claims({ state: 'pending', limit: 6 }))),
		]);
	}
	await load();
	const timer = setInterval(load, EVERY_MS);
	return { refresh: load, pace: PACE_MS, leave: () => clearInterval(timer) };
}
