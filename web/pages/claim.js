/* SPDX-License-Identifier: Apache-2.0 */
/* One claim: everything that helps to decide. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { since, time } from '../format.js';
import { go, href } from '../router.js';
import { may, whyNot } from '../session.js';
import { facts } from '../table.js';
import { chip, labels, marks, mono, verdict, warnings, whyHeld } from '../words.js';
import { decideOne } from './decide.js';
import { explainButton } from './explain.js';
import { timelineOf } from './timeline.js';

const NEXT = {
	pending: 'It asks again about every minute, and joins as soon as it is approved.',
	announced: 'It is expected, and waits when it comes until it is approved.',
	preapproved: 'It was approved before it came, and joins without waiting when it asks for the first time.',
	approved: 'It joins when it asks next, if it has not yet.',
	rejected: 'It is refused whenever it asks, until somebody approves it.',
	expired:
		'The approval ended before the device used it. If it asks again it waits here for a decision.',
};

export async function show(view, place, tools) {
	const id = place.rest[0];
	let claim, etag;
	const top = h('div.stack');
	const line = timelineOf(id);
	replace(view, top, h('section.card', h('h2', 'Timeline'), line.node));

	const button = (text, verb, tone) =>
		h(
			`button.${tone}`,
			{
				type: 'button',
				disabled: !may('decide'),
				title: whyNot('decide'),
				onclick: () => act(verb),
			},
			text,
		);

	async function act(verb) {
		if (!may('decide')) return;
		if (await decideOne(verb, claim, etag, load)) await refresh();
	}

	function draw() {
		replace(
			top,
			h('p', h('a', { href: href('claims') }, '← Claims')),
			h(
				'section.card',
				h(
					'div.bar-row',
					chip(claim.claim),
					marks(claim.signals),
					h('span.space'),
					claim.claim !== 'approved' && button('Approve…', 'approve', 'primary'),
					claim.claim !== 'rejected' && button('Reject…', 'reject', 'danger'),
					explainButton(claim),
					h('a.button', { href: href('device', claim.id) }, 'The device'),
				),
				h(
					'p.dim',
					claim.claim === 'approved' &&
						!['new', 'joining', null, undefined].includes(claim.state)
						? "It came, and was let in: the device's page tells more."
						: (NEXT[claim.claim] ?? ''),
				),
				warnings(claim.signals),
				facts([
					['Manufacturer', claim.manufacturer],
					['Serial number', mono(claim.serial)],
					['Model', claim.model],
					[
						'Subject of the factory certificate',
						claim.subject && h('span.mono.small', claim.subject),
					],
					['Site', claim.site],
					['Labels', labels(claim.labels)],
					['Asked from', mono(claim.address)],
					claim.claim === 'pending' && ['Waits', since(claim.first_seen)],
					['First seen', time(claim.first_seen, 'never')],
					['Last seen', time(claim.last_seen, 'never')],
					[claim.claim === 'pending' ? 'Why it waits' : 'Reason', whyHeld(claim)],
					claim.by && ['Decided by', [claim.by, ' ', time(claim.decided)]],
					claim.until && ['The approval ends', time(claim.until)],
					claim.approvals?.length > 0 && [
						'Approved so far by',
						claim.approvals.map((a) => a.by ?? a).join(', '),
					],
				]),
			),
			h(
				'section.card',
				h('h2', "What the MASA's audit log says"),
				h(
					'div.bar-row',
					verdict(claim),
					h(
						'span',
						claim.history_reason ??
							{
								unknown: 'It is asked when a voucher is requested.',
								good: 'No other owner since it left the factory.',
							}[claim.history] ??
							'',
					),
				),
			),
		);
	}

	async function load() {
		({ item: claim, etag } = await api.claim(id));
		tools.title(`Claim ${claim.serial}`);
		draw();
	}
	async function refresh() {
		await Promise.all([load(), line.load()]);
	}
	await load();
	line.load();
	return {
		keys: {
			a: ['approve', () => act('approve')],
			r: ['reject', () => act('reject')],
			b: ['back to the claims', () => go('claims')],
		},
		refresh: (events) =>
			events.length === 0 || events.some((e) => concerns(e, claim)) ? refresh() : null,
	};
}

/* Is the event about this device? A CloudEvent names it in subject or data. */
export const concerns = (event, item) => !event.data?.serial || event.data.serial === item.serial;
