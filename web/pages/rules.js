/* SPDX-License-Identifier: Apache-2.0 */
/* Rules decide about devices nobody decided about: the first that matches counts. With a box to try
 * a device before it comes. */
import * as api from '../api.js';
import { ask } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { field, parseLabels, values } from '../form.js';
import { num, time } from '../format.js';
import { problemBox } from '../problem.js';
import { may, whyNot } from '../session.js';
import { plainTable } from '../table.js';
import { chip, labels, mono } from '../words.js';

const FIELDS = [
	{
		name: 'action',
		label: 'What it does',
		type: 'select',
		required: true,
		value: 'approve',
		options: [
			['approve', 'approve'],
			['hold', 'hold for a person'],
			['reject', 'reject'],
		],
	},
	{
		name: 'manufacturer',
		label: 'Manufacturer',
		help: 'Its name in the configuration; empty: any.',
	},
	{ name: 'model', label: 'Model', placeholder: 'gw-*', help: 'Empty: any.' },
	{
		name: 'serial',
		label: 'Serial numbers',
		placeholder: 'A-1* or A-100..A-199, B-7',
		help: 'Names, beginnings with *, ranges; empty: any.',
	},
	{ name: 'network', label: 'From network', placeholder: '10.8.0.0/16' },
	{ name: 'not_before', label: 'Begins', type: 'datetime-local' },
	{ name: 'not_after', label: 'Ends', type: 'datetime-local' },
	{ name: 'remaining', label: 'For so many devices', type: 'number', min: 1 },
	{ name: 'site', label: 'Puts them at site', placeholder: '/eu/de/berlin-3' },
	{ name: 'labels', label: 'Gives them labels', placeholder: 'order=4711' },
	{ name: 'reason', label: 'Reason', maxlength: 200 },
	{
		name: 'position',
		label: 'Place in the list',
		type: 'number',
		min: 1,
		help: 'Empty: the last.',
	},
];

function bodyOf(form) {
	const body = {};
	for (const [name, value] of Object.entries(form)) {
		if (value === '') continue;
		if (name === 'remaining' || name === 'position') body[name] = Number(value);
		else if (name === 'not_before' || name === 'not_after')
			body[name] = `${new Date(value).toISOString().slice(0, 19)}Z`;
		else if (name === 'labels') body.labels = parseLabels(value);
		else body[name] = value;
	}
	return body;
}

function conditions(r) {
	const window = [
		r.not_before && ['from ', time(r.not_before)],
		r.not_after && [' until ', time(r.not_after)],
	].filter(Boolean);
	const parts = [
		r.manufacturer && ['manufacturer ', mono(r.manufacturer)],
		r.model && ['model ', mono(r.model)],
		r.serial && ['serial ', mono(r.serial)],
		r.network && ['from ', mono(r.network)],
		window.length > 0 && window,
		r.remaining !== null && r.remaining !== undefined && `${num(r.remaining)} more devices`,
	].filter(Boolean);
	return parts.length ? parts.map((p, i) => [i > 0 && ', ', p]) : 'every device';
}

export async function show(view) {
	let places = new Map(); /* people know a rule by its place, the registrar by its number */
	const list = h('div.stack'),
		answer = h('div', { role: 'status' });
	const test = h(
		'form',
		h(
			'div.inline-form',
			field({
				name: 'serial',
				label: 'Serial number',
				required: true,
				spellcheck: 'false',
				autocapitalize: 'none',
				'data-search': '',
			}),
			field({
				name: 'manufacturer',
				label: 'Manufacturer',
				help: 'Not needed where there is one.',
			}),
			field({ name: 'model', label: 'Model' }),
			field({ name: 'address', label: 'From address', placeholder: '10.8.1.20' }),
		),
		h('div.buttons', h('button', { type: 'submit' }, 'Try')),
		answer,
	);
	test.addEventListener('submit', async (event) => {
		event.preventDefault();
		try {
			const t = await api.testRules(values(test));
			replace(
				answer,
				h(
					'p.note',
					chip(t.answer),
					' ',
					h('strong', t.serial),
					' of ',
					t.manufacturer,
					': ',
					t.claim && t.claim !== 'none'
						? `a person decided already (${t.claim}).`
						: t.rule
							? `the rule at place ${num(places.get(t.rule))} decides${t.reason ? `: ${t.reason}` : ''}.`
							: 'no rule matches; the configuration decides.',
				),
			);
		} catch (error) {
			replace(answer, problemBox(error));
		}
	});
	replace(
		view,
		h(
			'div.bar-row',
			h(
				'p.dim',
				'From the top, the first rule that matches counts. What a person decided about a device goes before all rules.',
			),
			h('span.space'),
			h(
				'button.primary',
				{ type: 'button', disabled: !may('admin'), title: whyNot('admin'), onclick: add },
				'Add a rule…',
			),
		),
		list,
		h(
			'section.card',
			h('h2', 'Try a device'),
			h('p.dim', 'Nothing is changed: you see what would happen if it asked now.'),
			test,
		),
	);

	async function add() {
		const done = await ask({
			title: 'Add a rule',
			wide: true,
			fields: FIELDS,
			verb: 'Add the rule',
			body: h(
				'p.note',
				'It is in force at once, for devices that ask from now on. Claims that wait are judged again when their device asks next.',
			),
			run: (form, key) => api.addRule(bodyOf(form), key),
		});
		if (done) {
			say('The rule is in force.');
			await load();
		}
	}
	async function change(rule, verb, body, text) {
		try {
			await api.changeRule(rule.id, verb, body);
			say(text);
		} catch (error) {
			replace(answer, problemBox(error));
		}
		await load();
	}
	async function remove(rule) {
		const done = await ask({
			title: `Remove the rule at place ${rule.position}?`,
			tone: 'danger',
			verb: 'Remove',
			body: [
				h('p', chip(rule.action), ' ', conditions(rule)),
				h(
					'p.note.warn',
					'Devices that it approved stay approved. Those that ask from now on are judged by the rules below it.',
				),
			],
			run: (form, key) => api.changeRule(rule.id, 'remove', {}, key),
		});
		if (done) await load();
	}
	const actions = (r, n) =>
		may('admin') &&
		h(
			'span.buttons',
			h(
				'button',
				{
					type: 'button',
					'aria-label': `Rule ${r.id}: earlier`,
					disabled: r.position === 1,
					onclick: () => change(r, 'move', { position: r.position - 1 }, 'Moved up.'),
				},
				'↑',
			),
			h(
				'button',
				{
					type: 'button',
					'aria-label': `Rule ${r.id}: later`,
					disabled: r.position === n,
					onclick: () => change(r, 'move', { position: r.position + 1 }, 'Moved down.'),
				},
				'↓',
			),
			r.enabled !== undefined &&
				h(
					'button',
					{
						type: 'button',
						'aria-label': `${r.enabled ? 'Disable' : 'Enable'} rule ${r.id}`,
						onclick: () =>
							change(
								r,
								r.enabled ? 'disable' : 'enable',
								{},
								r.enabled
									? 'It is left out from now on.'
									: 'It counts from now on.',
							),
					},
					r.enabled ? 'Disable' : 'Enable',
				),
			h(
				'button',
				{ type: 'button', 'aria-label': `Remove rule ${r.id}`, onclick: () => remove(r) },
				'Remove…',
			),
		);

	async function load() {
		try {
			const { items, default: rest = [] } = await api.rules();
			places = new Map(items.map((r) => [r.id, r.position]));
			const rows = items.map((r) => [
				num(r.position),
				chip(
					r.enabled === false ? 'disabled' : r.action,
					r.enabled === false ? `${r.action} (disabled)` : r.action,
				),
				conditions(r),
				[
					r.site && r.site !== '/' && h('span.mono', r.site, ' '),
					Object.keys(r.labels ?? {}).length > 0 && labels(r.labels),
				],
				r.reason,
				actions(r, items.length),
			]);
			const last = rest.map((d) => [
				h('span.dim', 'else'),
				chip(d.action),
				['every other device of ', mono(d.manufacturer)],
				'',
				[d.reason ?? '', h('span.dim', ' (configuration)')],
				'',
			]);
			replace(
				list,
				!items.length && h('p.note', 'There is no rule yet, so the configuration decides.'),
				h(
					'section.card',
					plainTable(
						'Rules',
						['Place', 'Does', 'For', 'Gives', 'Reason', ''],
						[...rows, ...last],
					),
				),
			);
		} catch (error) {
			replace(list, problemBox(error, load));
		}
	}
	await load();
	return {
		keys: { n: ['new rule', () => may('admin') && add()] },
		refresh: (events) => events.some((e) => /rule/.test(e.type)) && load(),
	};
}
