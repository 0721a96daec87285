/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to a device, the newest first. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { moment, time } from '../format.js';
import { problemBox } from '../problem.js';
import { toneOf } from '../words.js';

/* A line of the journal in words; what is not here is told as it is written. */
const WORDS = {
	'claim pending': 'Asked to join, and waits',
	'claim approved': 'Approved',
	'claim rejected': 'Rejected',
	'claim announced': 'Announced',
	'claim preapproved': 'Approved before it came',
	'claim expired': 'The approval ended unused',
	'claim approved-once': 'Approved by a first person',
	'voucher delivered': 'Got its voucher',
	'voucher-status true': 'Says: the voucher is good',
	'voucher-status false': 'Says: the voucher is not good',
	'enroll certificate': 'Got its certificate',
	'keygen certificate': 'Got its key and certificate',
	'renew certificate': 'Renewed its certificate',
	'enroll-status true': 'Joined',
	'enroll-status false': 'Says: the certificate is not good',
	'history good': "The MASA's log is clean",
	'history warned': "The MASA's log has an earlier owner",
	'history refused': "Refused for what the MASA's log says",
	'device quarantined': 'Quarantined',
	'device released': 'Released',
	'device revoked': 'Revoked',
	'device decommissioned': 'Decommissioned',
	'device replaced': 'Replaced',
	'device moved': 'Moved',
	'device labelled': 'Labelled',
	'device expiring': 'Its certificate ends before long',
	'device expired': 'Its certificate has ended',
	'device cleared': 'Marks cleared',
	'device rejoined': 'Joined again with its factory certificate',
	'fraud clone-suspected': 'Asked from two places at once',
	'fraud second-key': 'A second key for this serial number',
	'fraud foreign-domain': 'The MASA gave it to another owner',
	'fraud rejoin-while-renewing': 'Joins anew while its old certificate still renews',
	'fraud looping': 'Comes back again and again',
};
const GOOD = new Set(['certificate', 'true', 'good', 'released', 'cleared']);

const words = (j) => WORDS[`${j.step} ${j.outcome}`] ?? `${j.step ?? ''} ${j.outcome ?? ''}`;
const tone = (j) => (j.step === 'fraud' ? 'bad' : GOOD.has(j.outcome) ? 'good' : toneOf(j.outcome));

const SHOWN = 60;
const LINES_MAX = 5000;

export function timelineOf(id) {
	const list = h('ol.timeline');
	const below = h('div');
	const node = h('div.stack', list, below);
	let lines = []; /* the oldest first, as the registrar tells them */
	let shown = SHOWN;

	function line(j, before) {
		return h(
			'li',
			time(j.time),
			h(`span.dot.${tone(j)}`, { 'aria-hidden': 'true' }),
			h(
				'div',
				h('p', h('strong', words(j)), j.by && h('span.dim', ` – by ${j.by}`)),
				j.reason && h('p', j.reason),
				j.exchange &&
					before?.exchange !== j.exchange &&
					h('p.dim.small', { title: moment(j.time) }, 'exchange ', h('code', j.exchange)),
			),
		);
	}

	function draw() {
		const newest = lines.toReversed().slice(0, shown);
		replace(list, ...newest.map((j, i) => line(j, newest[i - 1])));
		replace(
			below,
			!lines.length && h('p.dim', 'Nothing happened to it yet: it has not asked.'),
			lines.length > shown &&
				h(
					'button',
					{
						type: 'button',
						onclick: () => {
							shown += SHOWN;
							draw();
						},
					},
					'Show what was before',
				),
		);
	}

	/* What is new since the last time. */
	async function load() {
		try {
			const more = await api.all(
				(members) => api.timeline(id, members),
				{},
				LINES_MAX,
				lines.at(-1)?.sequence,
			);
			lines = lines.concat(more);
			draw();
		} catch (error) {
			replace(below, problemBox(error, load));
		}
	}
	return { node, load };
}
