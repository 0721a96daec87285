/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar itself: is it well, what would a doctor say, is there a backup. */
import * as api from '../api.js';
import { ask } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { num, octets, time } from '../format.js';
import { problemBox } from '../problem.js';
import { may, whyNot } from '../session.js';
import { facts, plainTable } from '../table.js';
import { version } from '../version.js';
import { chip, mono } from '../words.js';

const ORDER = ['fail', 'warn', 'ok'];

async function part(place, title, work) {
	try {
		replace(place, h('h2', title), await work());
	} catch (error) {
		replace(
			place,
			h('h2', title),
			error.status === 403
				? h('p.dim', whyNot('admin') ?? error.detail)
				: problemBox(error, () => part(place, title, work)),
		);
	}
}

export async function show(view) {
	const health = h('section.card'),
		doctor = h('section.card'),
		backup = h('section.card');
	replace(view, health, doctor, backup);
	let timer = 0;

	const showHealth = () =>
		part(health, 'Health', async () => {
			const s = await api.status();
			return facts([
				[
					'Version',
					[s.version, s.version !== version && h('span.dim', ` (this page: ${version})`)],
				],
				['Runs since', time(s.started)],
				['Claims that wait', num(s.claims_pending)],
				['Vouchers under way', num(s.vouchers_under_way)],
				['Connections', num(s.connections)],
				['Manufacturers', num(s.manufacturers)],
				['Its certificate', s.certificate],
				['It ends', time(s.certificate_not_after)],
				['The issuing CA ends', time(s.ca_not_after)],
				['Revocation list valid until', time(s.crl_next_update, 'none is made')],
				['SHA-256 of its certificate', h('span.mono.small', s.certificate_sha256)],
			]);
		});
	const showDoctor = () => {
		replace(doctor, h('h2', 'Doctor'), h('p.dim', 'Looking…'));
		return part(doctor, 'Doctor', async () => {
			const items = [...(await api.doctor()).items].sort(
				(a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict),
			);
			const bad = items.filter((i) => i.verdict !== 'ok').length;
			return h(
				'div.stack',
				h(
					'div.bar-row',
					h(
						`p.note.${bad ? 'warn' : 'good'}`,
						bad ? `${num(bad)} of ${num(items.length)} want a look.` : 'All is well.',
					),
					h('span.space'),
					h('button', { type: 'button', onclick: showDoctor }, 'Look again'),
				),
				plainTable(
					'What the doctor found',
					['What', '', 'Found', 'What to do next'],
					items.map((i) => [
						i.check,
						chip(i.verdict),
						i.found,
						i.next ?? h('span.dim', '–'),
					]),
				),
			);
		});
	};
	const showBackup = () =>
		part(backup, 'Backup', async () => {
			const b = await api.backup();
			clearTimeout(timer);
			if (b.state === 'running') timer = setTimeout(showBackup, 1000);
			return h(
				'div.stack',
				b.id
					? facts([
							['State', chip(b.state)],
							['File', mono(b.path)],
							['Began', time(b.started)],
							['Finished', time(b.finished, 'not yet')],
							b.octets > 0 && ['Size', octets(b.octets)],
							b.reason && ['Why not', b.reason],
						])
					: h('p.dim', 'None was made since the registrar started.'),
				h(
					'div.buttons',
					h(
						'button',
						{
							type: 'button',
							disabled: !may('admin') || b.state === 'running',
							title: whyNot('admin'),
							onclick: make,
						},
						'Make a backup…',
					),
				),
				h(
					'p.dim.small',
					'It holds the store, not the keys: keep those apart. To use one: registrarctl restore, with the registrar stopped.',
				),
			);
		});
	async function make() {
		const done = await ask({
			title: 'Make a backup',
			verb: 'Make it',
			body: h(
				'p.note',
				'The registrar goes on working meanwhile. The file is written on its machine.',
			),
			fields: [
				{
					name: 'path',
					label: 'File',
					required: true,
					autofocus: true,
					value: '',
					placeholder: '/var/backups/brski/registrar.db',
					help: "A path on the registrar's machine where it may write; the file must not be there yet.",
				},
			],
			run: (form, key) => api.backUp(form.path, key),
		});
		if (done) {
			say('The backup began.');
			await showBackup();
		}
	}
	await Promise.all([showHealth(), showBackup()]);
	showDoctor();
	return {
		keys: { d: ['ask the doctor again', showDoctor] },
		refresh: (events) => {
			showHealth();
			if (events.some((e) => /backup/.test(e.type))) showBackup();
		},
		leave: () => clearTimeout(timer),
	};
}
