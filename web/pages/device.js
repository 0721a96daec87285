/* SPDX-License-Identifier: Apache-2.0 */
/* One device: where it stands, its certificates, all that happened to it, and what can be done. */
import * as api from '../api.js';
import { ask } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { formatLabels, parseLabels } from '../form.js';
import { time } from '../format.js';
import { go, href } from '../router.js';
import { may, whyNot } from '../session.js';
import { facts, plainTable } from '../table.js';
import { chip, labels, marks, mono, verdict, warnings } from '../words.js';
import { concerns } from './claim.js';
import { changes } from './decide.js';
import { explainButton } from './explain.js';
import { timelineOf } from './timeline.js';
import { siteHints } from './tree.js';

const STATES = {
	joining: 'It has a voucher and is on its way to a certificate.',
	active: 'It has joined and its certificate is good.',
	expiring:
		'Its certificate ends soon. It renews by itself when it is on and reaches this registrar.',
	expired:
		'Its certificate has ended. With its factory certificate it may join again, if the policy allows that.',
	quarantined:
		'It keeps its certificate but may not renew it or join again, until it is released.',
	revoked:
		'Its certificates are on the revocation list and it may not join, until somebody approves it again.',
	decommissioned: 'It was taken out of service: its certificates are revoked.',
	replaced: 'Another device has taken its place: its certificates are revoked.',
	refused: 'It said no to this site, or its last attempt was refused. See the timeline.',
	new: 'It is only a claim so far.',
};

const reason = { name: 'reason', label: 'Reason', maxlength: 200, help: 'Kept in the audit log.' };

const ACTIONS = {
	quarantine: {
		past: 'Quarantined',
		text: 'Quarantine…',
		verb: 'Quarantine',
		tone: 'danger',
		fields: () => [reason],
		next: 'It cannot renew or join again until it is released. Its certificate stays valid for others until it ends; to withdraw it, revoke.',
		on: ['active', 'expiring', 'expired', 'joining'],
	},
	release: {
		past: 'Released',
		text: 'Release…',
		verb: 'Release',
		tone: 'primary',
		fields: () => [reason],
		next: 'It may renew and join again from now on.',
		on: ['quarantined'],
	},
	revoke: {
		past: 'Revoked',
		text: 'Revoke…',
		verb: 'Revoke',
		tone: 'danger',
		fields: () => [reason],
		next:
			'Its certificates go on the revocation list at once, and it is refused renewal. It cannot be undone: to let it in again, ' +
			'it has to be approved and join anew.',
		on: ['active', 'expiring', 'expired', 'quarantined', 'joining'],
	},
	decommission: {
		past: 'Decommissioned',
		text: 'Decommission…',
		verb: 'Decommission',
		tone: 'danger',
		fields: () => [reason],
		next: 'It is taken out of service for good: its certificates are revoked. Its history stays.',
		on: ['active', 'expiring', 'expired', 'quarantined', 'revoked', 'joining'],
	},
	replace: {
		past: 'Replaced',
		text: 'Replace…',
		verb: 'Replace',
		tone: 'danger',
		fields: () => [
			{
				name: 'with',
				label: 'Serial number of the new device',
				required: true,
				autofocus: true,
				spellcheck: 'false',
				autocapitalize: 'none',
			},
			{ name: 'with_manufacturer', label: 'Its manufacturer', help: 'If it is another one.' },
			reason,
		],
		next: 'The new device is approved beforehand and takes over site and labels. The old one is revoked. Both histories lead to each other.',
		on: [
			'active',
			'expiring',
			'expired',
			'quarantined',
			'revoked',
			'decommissioned',
			'joining',
		],
	},
	clear: {
		past: 'Marks cleared',
		text: 'Clear the marks…',
		verb: 'Clear',
		tone: 'primary',
		fields: () => [{ ...reason, required: true }],
		next: 'You have looked into it: the marks go, and its counts of today begin anew. A quarantine stays until it is released.',
	},
	move: {
		past: 'Moved',
		text: 'Move…',
		verb: 'Move',
		tone: 'primary',
		fields: (d) => {
			siteHints();
			return [
				{
					name: 'site',
					label: 'Site',
					value: d.site,
					required: true,
					autofocus: true,
					list: 'sites',
					help: 'Like /eu/de/berlin-3',
				},
				reason,
			];
		},
		next: 'It is shown and counted there, and who may decide there may decide about it. Nothing changes for the device itself.',
	},
	label: {
		past: 'Labels saved',
		text: 'Labels…',
		verb: 'Save the labels',
		tone: 'primary',
		fields: (d) => [
			{
				name: 'labels',
				label: 'Labels',
				type: 'area',
				value: formatLabels(d.labels),
				autofocus: true,
				help: 'name=value, with commas between. A label that is left out is taken away.',
			},
		],
		next: 'Labels are for finding devices; the device itself does not see them.',
	},
};

function bodyOf(verb, form, item) {
	if (verb === 'label') {
		const wanted = parseLabels(form.labels);
		const gone = Object.keys(item.labels ?? {}).filter((k) => !(k in wanted));
		return {
			...(Object.keys(wanted).length && { set: wanted }),
			...(gone.length && { remove: gone }),
		};
	}
	return Object.fromEntries(Object.entries(form).filter(([, v]) => v !== ''));
}

export async function show(view, place, tools) {
	const id = place.rest[0];
	let item, etag;
	const top = h('div.stack'),
		side = h('aside.stack', { 'aria-label': 'Actions' });
	const line = timelineOf(id);
	replace(
		view,
		h('p', h('a', { href: href('devices') }, '← Devices')),
		h(
			'div.main-side',
			h('div.stack', top, h('section.card', h('h2', 'Timeline'), line.node)),
			side,
		),
	);

	async function act(verb) {
		const a = ACTIONS[verb];
		let tag = etag;
		let seen = item;
		let force = false;
		const done = await ask({
			title: `${a.verb} ${item.serial}?`,
			body: h(`p.note${a.tone === 'danger' ? '.warn' : ''}`, a.next),
			fields: a.fields(item),
			verb: a.verb,
			tone: a.tone,
			run: async (form, key, box) => {
				try {
					return (
						(await api.actOn(
							id,
							verb,
							{ ...bodyOf(verb, form, seen), ...(force && { force }) },
							{ etag: tag, key },
						)) ?? true
					);
				} catch (error) {
					if (error.code === 'in-use') {
						force = true;
						box.verb('Replace all the same');
					}
					if (error.status !== 412) throw error;
					const now = await api.device(id);
					box.show(
						h('p.note.warn', { role: 'alert' }, 'It is different now:'),
						changes(strip(seen), strip(now.item)),
					);
					tag = now.etag;
					seen = now.item;
					throw error;
				}
			},
		});
		if (!done) return;
		say(`${a.past}: ${item.serial}.`);
		await refresh();
	}

	const button = (verb) =>
		h(
			`button.${ACTIONS[verb].tone === 'danger' ? 'danger' : 'plain'}`,
			{
				type: 'button',
				disabled: !may('operate'),
				title: whyNot('operate'),
				onclick: () => act(verb),
			},
			ACTIONS[verb].text,
		);

	/* A serial number may be that of several manufacturers. */
	function several({ serial, devices }) {
		replace(
			top,
			h(
				'section.card',
				h('h2', `Several devices are called ${serial}`),
				h(
					'ul',
					devices.map((d) =>
						h(
							'li',
							h('a', { href: href('device', d.id) }, `${d.manufacturer} ${d.serial}`),
							' ',
							chip(d.state),
						),
					),
				),
			),
		);
		tools.title(serial);
	}

	function draw() {
		const out = ['quarantine', 'replace', 'revoke', 'decommission'].filter((v) =>
			ACTIONS[v].on.includes(item.state),
		);
		const joined = !['new', undefined, null].includes(item.state);
		replace(
			top,
			h(
				'section.card',
				h('div.bar-row', chip(item.state), marks(item.signals)),
				h('p.dim', STATES[item.state] ?? ''),
				warnings(item.signals),
				item.quarantine_reason && h('p.note.warn', item.quarantine_reason),
				facts([
					['Manufacturer', item.manufacturer],
					['Serial number', mono(item.serial)],
					['Model', item.model],
					['Site', item.site],
					['Labels', labels(item.labels)],
					['Certificate ends', time(item.not_after, 'it has none')],
					['First seen', time(item.first_seen, 'never')],
					['Last seen', time(item.last_seen, 'never')],
					['Joined', time(item.enrolled, 'not yet')],
					['Asked from', mono(item.address)],
					["MASA's audit log", verdict(item)],
					item.rejoined && [
						'Joined again after its certificate had ended',
						time(item.rejoined),
					],
					item.replaces && [
						'In place of',
						h('a', { href: href('device', item.replaces) }, `device ${item.replaces}`),
					],
					item.replaced_by && [
						'Replaced by',
						h(
							'a',
							{ href: href('device', item.replaced_by) },
							`device ${item.replaced_by}`,
						),
					],
					['Claim', h('a', { href: href('claim', item.id) }, item.claim ?? 'see')],
					['Subject', item.subject && h('span.mono.small', item.subject)],
				]),
			),
			h(
				'section.card',
				h('h2', 'Certificates'),
				item.certificates?.length
					? plainTable(
							'Certificates',
							['Serial number', 'Issued', 'Ends', 'State'],
							item.certificates.map((c) => [
								h('span.mono.small', c.serial),
								time(c.issued),
								time(c.not_after),
								c.revoked
									? [chip('revoked'), ' ', time(c.revoked)]
									: chip(
											Date.parse(c.not_after) < Date.now()
												? 'expired'
												: 'good',
										),
							]),
						)
					: h('p.dim', 'None was issued to it here.'),
			),
		);
		replace(
			side,
			h(
				'section.card',
				h('h2', 'Look after it'),
				h(
					'div.buttons',
					button('move'),
					button('label'),
					item.state === 'quarantined' && button('release'),
					item.signals?.length > 0 && button('clear'),
					!['active', 'expiring'].includes(item.state) && explainButton(item),
				),
			),
			joined &&
				h(
					'section.card',
					h('h2', 'Take it out'),
					out.length > 0 && h('div.buttons', out.map(button)),
					h(
						'p.dim.small',
						out.length
							? 'Each says what happens next, and asks, before it is done.'
							: 'It is out already.',
					),
				),
		);
	}

	async function load() {
		const found = await api.device(id);
		if (found.item.devices) return several(found.item);
		({ item, etag } = found);
		tools.title(item.serial);
		draw();
	}
	const refresh = () => Promise.all([load(), line.load()]);
	await load();
	if (!item) return {};
	line.load();
	return {
		keys: {
			b: ['back to the devices', () => go('devices')],
			m: ['move', () => may('operate') && act('move')],
			l: ['labels', () => may('operate') && act('label')],
		},
		refresh: (events) =>
			events.length === 0 || events.some((e) => concerns(e, item)) ? refresh() : null,
	};
}

const strip = ({ certificates, journal, ...rest }) => rest;
