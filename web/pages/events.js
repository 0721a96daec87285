/* SPDX-License-Identifier: Apache-2.0 */
/* What happens, as it happens, and the hooks that tell it to others. */
import * as api from '../api.js';
import { ask, tell } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { num, time } from '../format.js';
import { problemBox } from '../problem.js';
import { may, whyNot } from '../session.js';
import { plainTable } from '../table.js';
import { chip, mono } from '../words.js';

const KEPT = 200;

const FIELDS = [
	{
		name: 'url',
		label: 'Address',
		type: 'url',
		required: true,
		placeholder: 'https://example.net/hook',
		autofocus: true,
	},
	{
		name: 'types',
		label: 'Events',
		placeholder: 'claim.*, device.enrolled',
		help: 'Empty: all.',
	},
];

export async function show(view) {
	const list = h('div'),
		hooks = h('section.card');
	let items = [];
	const filter = h('input', {
		type: 'search',
		'aria-label': 'Types of events',
		placeholder: 'claim.*,device.enrolled',
		'data-search': '',
		spellcheck: 'false',
	});
	const form = h(
		'form',
		{ class: 'bar-row', role: 'search' },
		filter,
		h('button', { type: 'submit' }, 'Filter'),
	);
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		load();
	});
	replace(view, hooks, h('h2', 'Events'), form, list);

	/* What one request did to many devices is one line. */
	function groups() {
		const out = [];
		for (const e of items) {
			const last = out.at(-1);
			if (
				last &&
				e.data?.exchange &&
				last.first.data?.exchange === e.data.exchange &&
				last.first.type === e.type
			)
				last.count++;
			else out.push({ first: e, count: 1 });
		}
		return out;
	}

	function draw() {
		replace(
			list,
			items.length
				? h(
						'section.card',
						plainTable(
							'Events, the newest first',
							['When', 'What', 'Device', 'Who', 'Reason'],
							groups().map(({ first: e, count }) => [
								time(e.time),
								chip(e.data?.outcome, e.type.replace(/^brski\./, '')),
								count > 1
									? `${num(count)} devices`
									: e.data?.serial &&
										h(
											'a',
											{
												href: `#/device/${encodeURIComponent(e.data.serial)}`,
											},
											mono(e.data.serial),
										),
								e.data?.by,
								e.data?.reason,
							]),
						),
					)
				: h(
						'div.empty',
						h('p', 'Nothing happened yet.'),
						h('p', 'Events appear here by themselves.'),
					),
		);
	}
	async function load() {
		try {
			const end = Number((await api.eventList({ after: 'end', limit: 1 })).next);
			items = (
				await api.eventList({
					after: Math.max(0, end - KEPT),
					limit: KEPT,
					type: filter.value.replaceAll(' ', ''),
				})
			).items.reverse();
			draw();
		} catch (error) {
			replace(list, problemBox(error, load));
		}
	}

	async function loadHooks() {
		try {
			const found = await api.hooks();
			replace(
				hooks,
				h(
					'header',
					h('h2', 'Hooks'),
					h(
						'button',
						{
							type: 'button',
							disabled: !may('admin'),
							title: whyNot('admin'),
							onclick: add,
						},
						'Add a hook…',
					),
				),
				found.items.length
					? plainTable(
							'Hooks',
							['Address', 'Events', 'State', 'Delivered last', 'Given up', ''],
							found.items.map(row),
						)
					: h(
							'p.dim',
							'None. A hook sends events to an address of yours, signed, and tries again when it does not answer.',
						),
			);
		} catch (error) {
			replace(
				hooks,
				h('h2', 'Hooks'),
				error.status === 403
					? h('p.dim', whyNot('admin') ?? error.detail)
					: problemBox(error, loadHooks),
			);
		}
	}
	const row = (k) => [
		[
			mono(k.url),
			k.failure &&
				k.failing_since &&
				h('div.dim.small', 'fails since ', time(k.failing_since), ': ', k.failure),
		],
		k.types ?? 'all',
		chip(!k.enabled ? 'disabled' : k.failing_since ? 'failing' : 'ok'),
		time(k.delivered, 'nothing yet'),
		k.dead
			? h(
					'button.link',
					{
						type: 'button',
						'aria-label': `${num(k.dead)} given up by ${k.url}`,
						onclick: () => dead(k),
					},
					num(k.dead),
				)
			: num(0),
		may('admin') &&
			h(
				'span.buttons',
				h(
					'button',
					{ type: 'button', 'aria-label': `Test ${k.url}`, onclick: () => test(k) },
					'Test',
				),
				h(
					'button',
					{
						type: 'button',
						'aria-label': `${k.enabled ? 'Disable' : 'Enable'} ${k.url}`,
						onclick: () =>
							act(
								k,
								k.enabled ? 'disable' : 'enable',
								k.enabled
									? 'It is told nothing until it is enabled.'
									: 'It is told events again, those it missed first.',
							),
					},
					k.enabled ? 'Disable' : 'Enable',
				),
				h(
					'button',
					{ type: 'button', 'aria-label': `Remove ${k.url}`, onclick: () => remove(k) },
					'Remove…',
				),
			),
	];

	async function test(hook) {
		try {
			const t = await api.changeHook(hook.id, 'test', {});
			if (t.taken) say(`It took the test in ${num(t.took_ms)} ms.`);
			else
				await tell(
					'The hook did not take the test',
					h('p.note.bad', t.reason ?? ''),
					h(
						'p.dim',
						'See whether its address is right and reachable from the registrar, and whether it answers 2xx.',
					),
				);
		} catch (error) {
			await tell('That did not work', problemBox(error));
		}
	}
	async function act(hook, verb, text) {
		try {
			await api.changeHook(hook.id, verb, {});
			say(text);
		} catch (error) {
			await tell('That did not work', problemBox(error));
		}
		await loadHooks();
	}
	async function add() {
		const made = await ask({
			title: 'Add a hook',
			fields: FIELDS,
			verb: 'Add',
			body: h(
				'p.note',
				'It is told what happens from now on. The key it is signed with is shown once, after this.',
			),
			run: (f, key) =>
				api.addHook(
					f.types ? { url: f.url, types: f.types.replaceAll(' ', '') } : { url: f.url },
					key,
				),
		});
		if (!made) return;
		if (made.secret)
			await tell(
				'The key of the hook',
				h('p', 'Keep it where the hook checks signatures. It is not shown again.'),
				h('p.secret', made.secret),
			);
		await loadHooks();
	}
	async function remove(hook) {
		const done = await ask({
			title: 'Remove the hook?',
			tone: 'danger',
			verb: 'Remove',
			body: [
				h('p', mono(hook.url)),
				h('p.note.warn', 'It is told nothing more, and what waits for it is dropped.'),
			],
			run: (f, key) => api.changeHook(hook.id, 'remove', {}, key),
		});
		if (done) await loadHooks();
	}
	async function dead(hook) {
		try {
			const letters = await api.deadLetters(hook.id);
			await ask({
				title: 'Events that could not be delivered',
				wide: true,
				cancel: 'Close',
				verb: 'Send them again',
				body: plainTable(
					'Given up',
					['When', 'Event', 'Tries', 'Last answer'],
					letters.items.map((l) => [
						time(l.time),
						num(l.sequence),
						num(l.tries),
						l.retrying ? 'is tried again' : l.reason,
					]),
				),
				run: async (f, key) =>
					(await api.changeHook(hook.id, 'dead/retry', { all: true }, key)) ?? true,
			});
			await loadHooks();
		} catch (error) {
			await tell('That did not work', problemBox(error));
		}
	}
	loadHooks();
	await load();
	return {
		keys: { n: ['new hook', () => may('admin') && add()] },
		refresh: (events) => {
			if (!events.length || filter.value) return load();
			items = [...events.toReversed(), ...items].slice(0, KEPT);
			draw();
			return events.some((e) => /hook/.test(e.type)) ? loadHooks() : null;
		},
	};
}
