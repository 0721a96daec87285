/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory, by site and by what stands in a line of search. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { time } from '../format.js';
import { href, note } from '../router.js';
import { Table } from '../table.js';
import { chip, labels, marks } from '../words.js';
import { searchBox } from './search.js';
import { siteTree } from './tree.js';

const STATES = [
	['', 'All'],
	['active', 'Active'],
	['joining', 'Joining'],
	['expiring', 'Expiring'],
	['expired', 'Expired'],
	['quarantined', 'Quarantined'],
	['revoked', 'Revoked'],
	['decommissioned', 'Decommissioned'],
	['replaced', 'Replaced'],
	['refused', 'Refused'],
];

export async function show(view, place) {
	let match = place.query.get('match') ?? '';
	let state = place.query.get('state') ?? '';
	let site = place.query.get('site') ?? '';
	const count = h('p.dim', { role: 'status' });
	const table = new Table({
		label: 'Devices',
		key: (d) => d.id,
		href: (d) => href('device', d.id),
		read: (page) =>
			api.devices({
				...page,
				match: [match, site && `site=${site}`, state && `state=${state}`]
					.filter(Boolean)
					.join(','),
			}),
		onSelect: (t) =>
			replace(
				count,
				t.items.length
					? `${t.countText} ${t.items.length === 1 ? 'device' : 'devices'}`
					: '',
			),
		columns: [
			{ label: 'Serial', cell: (d) => d.serial },
			{ label: 'Manufacturer', cell: (d) => d.manufacturer },
			{ label: 'Model', cell: (d) => d.model, class: 'p3' },
			{ label: 'State', cell: (d) => [chip(d.state), marks(d.signals)] },
			{ label: 'Site', cell: (d) => d.site, class: 'p2' },
			{ label: 'Labels', cell: (d) => labels(d.labels), class: 'p3' },
			{ label: 'Certificate ends', cell: (d) => time(d.not_after), class: 'p2 nowrap' },
			{ label: 'Last seen', cell: (d) => time(d.last_seen), class: 'nowrap' },
		],
	});
	const search = searchBox({
		value: match,
		what: 'devices',
		apply: (text) => {
			match = text;
			load();
		},
	});
	const tree = siteTree({
		pick: (path) => {
			site = path;
			load();
		},
		current: () => site,
	});
	const states = h(
		'select',
		{
			'aria-label': 'State',
			onchange: () => {
				state = states.value;
				load();
			},
		},
		STATES.map(([v, text]) =>
			h('option', { value: v, selected: v === state }, v ? text : 'In every state'),
		),
	);
	replace(
		view,
		h('div.bar-row', search),
		h('div.bar-row', states, count),
		h(
			'div.side',
			h('section.card', { 'aria-label': 'Sites' }, h('h2', 'Sites'), tree.node),
			table.node,
		),
	);

	async function load() {
		note('devices', { match, state, site });
		tree.draw();
		table.o.empty =
			match || state || site
				? [h('p', 'Nothing matches.'), h('p', 'Take a part of the filter away.')]
				: [
						h('p', 'No device has joined yet.'),
						h(
							'p',
							'Those that ask wait under ',
							h('a', { href: '#/claims' }, 'Claims'),
							'.',
						),
					];
		await table.load();
	}
	tree.load();
	await load();
	return { keys: table.keys(), refresh: () => table.refresh() };
}
