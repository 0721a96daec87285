/* SPDX-License-Identifier: Apache-2.0 */
/* The inbox: who wants to join and waits for a decision. */
import * as api from '../api.js';
import { h, replace, say } from '../dom.js';
import { num, plural, since, time } from '../format.js';
import { problemBox } from '../problem.js';
import { href, note } from '../router.js';
import { may, whyNot } from '../session.js';
import { Table } from '../table.js';
import { chip, marks, verdict, whyHeld } from '../words.js';
import { countOf, decide } from './decide.js';
import { searchBox } from './search.js';

const STATES = [
	['pending', 'Waiting'],
	['announced', 'Announced'],
	['preapproved', 'Preapproved'],
	['approved', 'Approved'],
	['rejected', 'Rejected'],
	['expired', 'Expired'],
	['', 'All'],
];

const EMPTY = {
	pending: [
		h('p', 'Nobody waits.'),
		h(
			'p',
			'A device that no rule decides about appears here by itself as soon as it asks to join.',
		),
	],
	announced: [
		h('p', 'No announced device waits for an approval.'),
		h('p', 'What a supplier announces stands here until somebody who may decides about it.'),
	],
	preapproved: [
		h('p', 'Nothing is approved before it comes.'),
		h(
			'p',
			h('a', { href: '#/import' }, "Import a supplier's list"),
			' and its devices join without waiting.',
		),
	],
	'': [
		h('p', 'No device was seen here yet.'),
		h(
			'p',
			'Connect one, or ',
			h('a', { href: '#/import' }, "import a supplier's list"),
			'. ',
			'If one should be here and is not: ',
			h('a', { href: '#/system' }, 'System, Doctor'),
			'.',
		),
	],
};

export async function show(view, place) {
	let state = place.query.get('state') ?? 'pending';
	let match = place.query.get('match') ?? '';
	let everything = null; /* {match, total, items} when all that match are chosen */
	let decisions = 0; /* made on this page */

	const table = new Table({
		label: 'Claims',
		select: true,
		key: (c) => c.id,
		href: (c) => href('claim', c.id),
		read: (page) => api.claims({ ...page, match: question() }),
		rowClass: (c) => (c.signals?.length ? 'marked' : ''),
		onSelect: () => {
			everything = null;
			toolbar();
		},
		empty: null,
		columns: [
			{ label: 'Serial', cell: (c) => c.serial },
			{ label: 'Manufacturer', cell: (c) => c.manufacturer },
			{ label: 'Model', cell: (c) => c.model, class: 'p3' },
			{ label: 'State', cell: (c) => chip(c.claim), class: 'state' },
			{
				label: 'Since',
				cell: (c) => (c.claim === 'pending' ? since(c.first_seen) : time(c.decided)),
				class: 'nowrap',
			},
			{ label: 'Site', cell: (c) => c.site, class: 'p2' },
			{ label: 'From', cell: (c) => c.address && h('span.mono', c.address), class: 'p2' },
			{ label: 'Why', cell: (c) => whyHeld(c), class: 'why p2' },
			{ label: 'MASA log', cell: (c) => [verdict(c), marks(c.signals)] },
		],
	});

	const tabs = h('div.tabs', { role: 'group', 'aria-label': 'State' });
	const bar = h('div.toolbar', { role: 'region', 'aria-label': 'Chosen claims' });
	const search = searchBox({
		value: match,
		what: 'claims',
		apply: (text) => {
			match = text;
			load();
		},
	});
	add(view, search, tabs, bar, table.node);

	function add(node, ...children) {
		replace(node, h('div.bar-row', children[0]), children.slice(1));
	}

	function drawTabs() {
		replace(
			tabs,
			...STATES.map(([name, text]) =>
				h(
					'button',
					{
						type: 'button',
						'aria-pressed': String(name === state),
						onclick: () => {
							state = name;
							load();
						},
					},
					text,
				),
			),
		);
	}

	/* The whole question in the match language, as bulk decisions take it. */
	const question = () =>
		[match, state && !/(^|,)state=/.test(match) && `state=${state}`].filter(Boolean).join(',');

	function toolbar() {
		const n = everything ? everything.total : table.selected.size;
		bar.classList.toggle('on', n > 0);
		if (!n) {
			replace(
				bar,
				h(
					'span.dim',
					table.items.length
						? `${table.countText} ${table.items.length === 1 && !table.next ? 'claim' : 'claims'}. `
						: '',
					h(
						'span.p2',
						'Choose with ',
						h('kbd', 'x'),
						' or the boxes; ',
						h('kbd', 'a'),
						' approves, ',
						h('kbd', 'r'),
						' rejects.',
					),
				),
				h('span.space'),
				table.items.length > 0 && [exportButton(), chooseAll()],
			);
			return;
		}
		replace(
			bar,
			h('strong', everything ? `All ${num(n)} that match are chosen` : `${num(n)} chosen`),
			button('Approve…', 'approve', 'primary'),
			button('Reject…', 'reject', 'danger'),
			h(
				'button',
				{
					type: 'button',
					onclick: () => {
						everything = null;
						table.clear();
					},
				},
				'Choose none',
			),
			!everything && chooseAll(),
		);
	}

	function button(text, verb, tone) {
		return h(
			`button.${tone}`,
			{
				type: 'button',
				disabled: !may('decide'),
				title: whyNot('decide'),
				onclick: () => act(verb),
			},
			text,
		);
	}

	function chooseAll() {
		const b = h(
			'button',
			{
				type: 'button',
				onclick: async () => {
					b.disabled = true;
					replace(b, 'Counting…');
					try {
						const asked = question();
						const found = await countOf(asked);
						if (asked !== question()) return;
						for (const c of table.items) table.pick(c.id, true);
						everything = { match: asked, ...found };
						toolbar();
						say(`All ${plural(found.total, 'claim')} that match are chosen.`);
					} catch (error) {
						replace(bar, problemBox(error, toolbar));
					}
				},
			},
			table.next
				? 'Choose all that match'
				: `Choose all ${num(table.items.length)} that match`,
		);
		return b;
	}

	function exportButton() {
		const b = h(
			'button',
			{
				type: 'button',
				title: 'A CSV file of all that match, which can be imported again',
				onclick: async () => {
					b.disabled = true;
					try {
						const link = h('a', {
							href: URL.createObjectURL(await api.exportClaims(question())),
							download: 'claims.csv',
						});
						link.click();
						setTimeout(() => URL.revokeObjectURL(link.href), 60000);
						b.disabled = false;
					} catch (error) {
						replace(bar, problemBox(error, toolbar));
					}
				},
			},
			'Export',
		);
		return b;
	}

	async function act(verb) {
		if (!may('decide')) return say(whyNot('decide'), 'warn');
		const chosen = everything ?? {
			items: table.selectedItems.length ? table.selectedItems : [table.item].filter(Boolean),
		};
		if (!chosen.items.length) return say('Nothing is chosen.');
		if (await decide(verb, { ...chosen, done: () => decisions++ })) {
			everything = null;
			table.clear();
			await table.refresh();
			table.focus();
		}
	}

	async function load() {
		note('claims', { state, match });
		everything = null;
		drawTabs();
		table.node.classList.toggle('one-state', state !== '');
		search.wrong(null);
		table.o.empty = match
			? [
					h('p', 'Nothing matches.'),
					h('p', 'Take a part of the filter away, or look at all states.'),
				]
			: (EMPTY[state] ?? h('p', 'None.'));
		await table.load();
		toolbar();
	}
	await load();
	return {
		keys: {
			...table.keys(),
			a: ['approve', () => act('approve')],
			r: ['reject', () => act('reject')],
		},
		refresh: async () => {
			const before = table.selected.size;
			const held = everything;
			const known = decisions;
			await table.refresh();
			const lost = before - table.selected.size;
			if (lost > 0 && !held && decisions === known)
				say(
					`${plural(lost, 'chosen claim')} ${lost === 1 ? 'was' : 'were'} decided by somebody else.`,
					'warn',
				);
			if (held && !document.querySelector('dialog[open]')) {
				everything = held;
				toolbar();
			}
		},
	};
}
