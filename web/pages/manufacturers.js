/* SPDX-License-Identifier: Apache-2.0 */
/* Whose devices may ask at all, and whether their services answer. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { num, plural, time } from '../format.js';
import { problemBox } from '../problem.js';
import { href } from '../router.js';
import { facts, plainTable } from '../table.js';
import { chip, mono } from '../words.js';

const ADMIT = {
	all: 'all its devices join without asking a person',
	hold: 'its devices are held until a rule or a person decides',
	listed: 'only devices that were announced join',
	none: 'its devices are refused',
};

function card(m) {
	return h(
		'section.card',
		h(
			'header',
			h('h2', m.name),
			m.masa_up === undefined || m.masa_up === null
				? null
				: chip(
						m.masa_up ? 'up' : 'down',
						m.masa_up ? 'MASA answers' : 'MASA does not answer',
					),
		),
		facts([
			['Policy', ADMIT[m.admit] ?? m.admit],
			['MASA', m.masa_url ? mono(m.masa_url) : 'as each device says'],
			m.devices !== undefined && [
				'Devices',
				h(
					'a',
					{ href: href('devices', { match: `manufacturer=${m.name}` }) },
					num(m.devices),
				),
			],
			m.pending !== undefined && [
				'Claims that wait',
				h(
					'a',
					{ href: href('claims', { match: `manufacturer=${m.name}` }) },
					num(m.pending),
				),
			],
			m.masa_last_answer && ['MASA answered last', time(m.masa_last_answer)],
			m.masa_reason && ['Why not', m.masa_reason],
		]),
		m.anchors?.length > 0 &&
			h(
				'details',
				h('summary', plural(m.anchors.length, 'trust anchor')),
				plainTable(
					'Trust anchors',
					['Subject', 'Ends', 'SHA-256'],
					m.anchors.map((a) => [
						a.subject,
						time(a.not_after),
						h('span.mono.small', a.sha256),
					]),
				),
			),
	);
}

export async function show(view) {
	async function load() {
		try {
			const { items } = await api.manufacturers();
			replace(
				view,
				h(
					'p.dim',
					'Only devices of these manufacturers are heard. To add one, on the registrar: ',
					h('code', 'registrarctl manufacturers add NAME --anchors FILE'),
					'.',
				),
				items.length
					? h('div.two', items.map(card))
					: h(
							'div.empty',
							h('p', 'No manufacturer is configured.'),
							h(
								'p',
								'So no device can join: the registrar cannot tell whose they are.',
							),
						),
			);
		} catch (error) {
			replace(view, problemBox(error, load));
		}
	}
	await load();
	return {
		refresh: (events) => events.some((e) => /masa|manufacturer|config/.test(e.type)) && load(),
	};
}
