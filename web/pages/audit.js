/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators and the registrar did, in a chain that nobody can quietly change. */
import * as api from '../api.js';
import { ask } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { num, time } from '../format.js';
import { problemBox } from '../problem.js';
import { Table } from '../table.js';
import { chip, mono } from '../words.js';

export async function show(view) {
	const heads = h('section.card');
	const from = h('input', {
		type: 'number',
		min: 1,
		placeholder: 'the newest',
		'data-search': '',
	});
	let end = null; /* the line to look back from; null: the newest there is */

	/* Cursors of the log go forward, people look back: a window of numbers, turned round. */
	async function back({ after, limit }) {
		const top = after ?? end ?? Number((await api.eventList({ after: 'end', limit: 1 })).next);
		const low = Math.max(0, top - limit);
		if (top === low) return { items: [], next: null };
		const { items } = await api.audit({ after: low, limit: top - low });
		return { items: items.toReversed(), next: low || null };
	}
	const table = new Table({
		label: 'Audit log',
		key: (j) => j.sequence,
		name: (j) => `line ${j.sequence}`,
		read: back,
		empty: [h('p', 'There are no lines yet.')],
		columns: [
			{ label: 'Line', cell: (j) => num(j.sequence), class: 'nowrap' },
			{ label: 'When', cell: (j) => time(j.time), class: 'nowrap' },
			{ label: 'Who', cell: (j) => j.by ?? 'the registrar' },
			{ label: 'What', cell: (j) => [j.step, ' ', chip(j.outcome)] },
			{
				label: 'Device',
				cell: (j) =>
					j.serial &&
					h('a.main', { href: `#/device/${encodeURIComponent(j.serial)}` }, j.serial),
			},
			{ label: 'Reason', cell: (j) => j.reason, class: 'why p2' },
			{
				label: 'Exchange',
				cell: (j) => j.exchange && h('span.mono.small', j.exchange),
				class: 'p3',
			},
			{
				label: 'Hash',
				cell: (j) =>
					j.hash && h('span.mono.small', { title: j.hash }, `${j.hash.slice(0, 12)}…`),
				class: 'p3',
			},
		],
	});
	const jump = h(
		'form',
		{ class: 'bar-row' },
		h('label', 'Back from line ', from),
		h('button', { type: 'submit' }, 'Show'),
		h(
			'button',
			{
				type: 'button',
				onclick: () => {
					from.value = '';
					end = null;
					table.load();
				},
			},
			'The newest',
		),
	);
	jump.addEventListener('submit', (event) => {
		event.preventDefault();
		end = Number(from.value) || null;
		table.load();
	});
	replace(
		view,
		heads,
		h(
			'div.bar-row',
			jump,
			h('span.space'),
			h('button', { type: 'button', onclick: () => how() }, 'How to check it'),
		),
		table.node,
	);

	async function drawHeads() {
		try {
			const list = await api.all(api.heads);
			const head = list.at(-1);
			replace(
				heads,
				h(
					'div.bar-row',
					h(
						'p',
						head
							? [
									h('strong', 'Signed up to line ', num(head.sequence)),
									' ',
									time(head.time),
									h('span.dim', ' – hash '),
									mono(`${head.hash.slice(0, 16)}…`),
								]
							: 'No head was signed yet.',
					),
					h('span.space'),
					h('button', { type: 'button', onclick: seal }, 'Sign now'),
				),
			);
		} catch (error) {
			replace(heads, problemBox(error, drawHeads));
		}
	}
	async function seal() {
		try {
			await api.sealNow();
			say('The log is signed up to now.');
			await drawHeads();
		} catch (error) {
			replace(heads, problemBox(error, drawHeads));
		}
	}
	const how = () =>
		ask({
			title: 'Checking the log',
			cancel: 'Close',
			body: [
				h(
					'p',
					'Each line holds the hash of the line before, and the registrar signs the last one. So a line that is changed, taken out or put in shows.',
				),
				h(
					'p',
					'Check it without believing this registrar: ',
					h('code', 'registrarctl audit verify'),
					', or export it with ',
					h('code', 'registrarctl audit export FILE'),
					' and check the file elsewhere.',
				),
			],
		});
	await drawHeads();
	await table.load();
	return { keys: table.keys(), refresh: () => (end === null ? table.refresh() : null) };
}
