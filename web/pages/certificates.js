/* SPDX-License-Identifier: Apache-2.0 */
/* What was issued, and when it ends. */
import * as api from '../api.js';
import { calendar } from '../chart.js';
import { h, replace } from '../dom.js';
import { num, time } from '../format.js';
import { problemBox } from '../problem.js';
import { href, note } from '../router.js';
import { Table } from '../table.js';
import { chip } from '../words.js';

const WEEKS = 6;
const CHOICES = [
	['', 'All'],
	['7d', 'End within 7 days'],
	['30d', 'End within 30 days'],
	['90d', 'End within 90 days'],
];

export async function show(view, place) {
	let expiring = place.query.get('expiring') ?? '';
	let day = '';
	const wall = h('section.card');
	const chosen = h('p.dim', { role: 'status' });
	const table = new Table({
		label: 'Certificates',
		key: (c) => c.serial,
		name: (c) => c.serial,
		read: async (page) => {
			const answer = await api.certificates({ ...page, expiring });
			if (day) answer.items = answer.items.filter((c) => c.not_after?.slice(0, 10) === day);
			return answer;
		},
		empty: [h('p', 'None.'), h('p', 'Certificates appear here as soon as devices join.')],
		columns: [
			{
				label: 'Device',
				cell: (c) =>
					(c.device ?? c.device_id)
						? h(
								'a.main',
								{ href: href('device', c.device ?? c.device_id) },
								c.device_serial ?? c.subject,
							)
						: (c.device_serial ?? c.subject),
			},
			{ label: 'Manufacturer', cell: (c) => c.manufacturer, class: 'p2' },
			{ label: 'Serial number', cell: (c) => h('span.mono.small', c.serial), class: 'p3' },
			{ label: 'Issued', cell: (c) => time(c.issued), class: 'p2 nowrap' },
			{ label: 'Ends', cell: (c) => time(c.not_after), class: 'nowrap' },
			{
				label: 'State',
				cell: (c) =>
					chip(
						c.revoked
							? 'revoked'
							: Date.parse(c.not_after) < Date.now()
								? 'expired'
								: Date.parse(c.not_after) < Date.now() + 30 * 86400000
									? 'expiring'
									: 'good',
					),
			},
		],
	});
	const states = h(
		'select',
		{
			'aria-label': 'Which',
			onchange: () => {
				expiring = states.value;
				day = '';
				load();
			},
		},
		CHOICES.map(([v, text]) => h('option', { value: v, selected: v === expiring }, text)),
	);
	replace(view, wall, h('div.bar-row', states, chosen), table.node);

	async function drawWall() {
		try {
			const known = new Map(
				((await api.statistics()).expiry_by_day ?? []).map((d) => [d.day, d.count]),
			);
			const days = Array.from({ length: WEEKS * 7 }, (_, i) =>
				new Date(Date.now() + i * 86400000).toISOString().slice(0, 10),
			).map((date) => ({ date, value: known.get(date) ?? 0 }));
			const total = days.reduce((sum, d) => sum + d.value, 0);
			if (!total)
				return replace(
					wall,
					h('h3', 'When certificates end'),
					h('p.dim', `None end within ${WEEKS} weeks.`),
				);
			return replace(
				wall,
				calendar({
					title: 'When certificates end',
					unit: 'certificates end',
					days,
					note: `${num(total)} end within ${WEEKS} weeks. Devices renew by themselves before; those that are off or cannot reach us do not.`,
					pick: (d) => {
						day = d.date;
						expiring = '90d';
						states.value = '90d';
						load();
						table.node.scrollIntoView();
					},
				}),
			);
		} catch (error) {
			return replace(wall, problemBox(error, drawWall));
		}
	}
	async function load() {
		note('certificates', { expiring });
		replace(
			chosen,
			day && [
				'Those that end on ',
				day,
				'. ',
				h(
					'button.link',
					{
						type: 'button',
						onclick: () => {
							day = '';
							load();
						},
					},
					'Show all',
				),
			],
		);
		await table.load();
	}
	drawWall();
	await load();
	return {
		keys: table.keys(),
		refresh: (events) =>
			events.some((e) => /enrolled|renewed|revoked|decommissioned|replaced/.test(e.type)) &&
			table.refresh(),
	};
}
