/* SPDX-License-Identifier: Apache-2.0 */
/* Charts by DOM calls. Each is a figure with a name, a text for those who hear it, and the same
 * numbers as a table. */
import { h, newId, svg } from './dom.js';
import { num } from './format.js';
import { plainTable } from './table.js';

function figure(title, drawing, heads, rows, none) {
	if (!rows.length) return h('figure.chart', h('figcaption', h('h2', title)), h('p.dim', none));
	return h(
		'figure.chart',
		h('figcaption', h('h2', title)),
		drawing,
		h('details', h('summary', 'As a table'), plainTable(title, heads, rows)),
	);
}

/* The top of the scale: easy to read, and so is its half. */
function niceMax(value) {
	const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
	return [2, 4, 6, 8, 10].map((f) => f * power).find((n) => n >= value);
}

/* Upright bars. data: [{label, long, value, tone, href}]; every nth label is written. */
export function bars({ title, unit, data, every = 1, none }) {
	const W = 640,
		H = 170,
		left = 34,
		bottom = 22,
		top = 10;
	const max = niceMax(Math.max(...data.map((d) => d.value), 4));
	const step = (W - left - 4) / Math.max(data.length, 1);
	const y = (v) => top + (H - top - bottom) * (1 - v / max);
	const name = newId('s');
	const total = data.reduce((sum, d) => sum + d.value, 0);
	const drawing = svg(
		'svg',
		{ viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-labelledby': name },
		svg('title', { id: name }, `${title}: ${num(total)} ${unit}`),
		[0, max / 2, max].map((v) => [
			svg('line', { class: 'grid', x1: left, x2: W, y1: y(v), y2: y(v) }),
			svg('text', { class: 'axis', x: left - 6, y: y(v) + 4, 'text-anchor': 'end' }, num(v)),
		]),
		data.map((d, i) => {
			const bar = svg(
				'rect',
				{
					class: `bar ${d.tone ?? ''}`,
					x: left + i * step + step * 0.12,
					width: step * 0.76,
					y: d.value ? Math.min(y(d.value), y(0) - 2) : y(0),
					height: d.value ? Math.max(y(0) - y(d.value), 2) : 0,
					rx: 1.5,
				},
				svg('title', `${d.long ?? d.label}: ${num(d.value)} ${unit}`),
			);
			const text =
				i % every === 0 &&
				svg(
					'text',
					{
						class: 'axis',
						x: left + i * step + step / 2,
						y: H - 6,
						'text-anchor': 'middle',
					},
					d.label,
				);
			return [bar, text || null];
		}),
	);
	return figure(
		title,
		drawing,
		['When', unit],
		data.filter((d) => d.value).map((d) => [d.long ?? d.label, num(d.value)]),
		none,
	);
}

/* Lying bars with words: few rows with long names. */
export function ranks({ title, unit, data, none }) {
	const W = 640,
		row = 26,
		text = 230;
	const max = Math.max(...data.map((d) => d.value), 1);
	const name = newId('s');
	const drawing = svg(
		'svg',
		{
			viewBox: `0 0 ${W} ${Math.max(data.length, 1) * row}`,
			role: 'img',
			'aria-labelledby': name,
		},
		svg(
			'title',
			{ id: name },
			`${title}: ${data.map((d) => `${d.label} ${num(d.value)}`).join(', ')}`,
		),
		data.map((d, i) => [
			svg('text', { class: 'axis row-name', x: 0, y: i * row + 17 }, shorten(d.label, 36)),
			svg(
				'rect',
				{
					class: `bar ${d.tone ?? ''}`,
					x: text,
					y: i * row + 6,
					height: row - 12,
					rx: 2,
					width: Math.max(((W - text - 56) * d.value) / max, 2),
				},
				svg('title', `${d.label}: ${num(d.value)} ${unit}`),
			),
			svg(
				'text',
				{
					class: 'axis',
					x: text + Math.max(((W - text - 56) * d.value) / max, 2) + 6,
					y: i * row + 17,
				},
				num(d.value),
			),
		]),
	);
	return figure(
		title,
		drawing,
		['What', unit],
		data.map((d) => [d.label, num(d.value)]),
		none,
	);
}

const shorten = (text, max) => (text.length > max ? `${text.slice(0, max - 1)}…` : text);

/* Days in weeks, like a wall calendar. days: [{date: 'YYYY-MM-DD', value}], from the first day on. */
export function calendar({ title, unit, days, pick, note }) {
	const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short', timeZone: 'UTC' });
	const long = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeZone: 'UTC' });
	const month = new Intl.DateTimeFormat(undefined, { month: 'short', timeZone: 'UTC' });
	const at = (d) => new Date(`${d.date}T00:00:00Z`);
	const max = Math.max(...days.map((d) => d.value), 1);
	const level = (v) => (v === 0 ? 0 : Math.min(4, 1 + Math.floor((3.99 * v) / (max + 1))));
	const first = days.length ? (at(days[0]).getUTCDay() + 6) % 7 : 0;
	const names = Array.from({ length: 7 }, (_, i) => weekday.format(Date.UTC(2024, 0, 1 + i)));
	const cells = [...Array(first).fill(null), ...days];
	const weeks = [];
	for (let i = 0; i < cells.length; i += 7) weeks.push(cells.slice(i, i + 7));
	return h(
		'figure.chart',
		h('figcaption', h('h2', title), note && h('p.dim', note)),
		h(
			'table.calendar',
			h('caption.hidden', title),
			h(
				'thead',
				h(
					'tr',
					names.map((n) => h('th', { scope: 'col' }, n)),
				),
			),
			h(
				'tbody',
				weeks.map((week) =>
					h(
						'tr',
						Array.from({ length: 7 }, (_, i) => week[i]).map((d) => {
							if (!d) return h('td.none');
							const date = at(d);
							const name =
								date.getUTCDate() === 1 || d === days[0]
									? `${month.format(date)} ${date.getUTCDate()}`
									: date.getUTCDate();
							const label = `${long.format(date)}: ${num(d.value)} ${unit}`;
							return h(
								`td.level${level(d.value)}`,
								d.value && pick
									? h(
											'button',
											{
												type: 'button',
												'aria-label': label,
												title: label,
												onclick: () => pick(d),
											},
											h('span.day', name),
											h('strong', num(d.value)),
										)
									: h(
											'span',
											{ title: label },
											h('span.day', name),
											d.value ? h('strong', num(d.value)) : null,
										),
							);
						}),
					),
				),
			),
		),
	);
}
