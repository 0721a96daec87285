/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to a device, the newest first. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { moment, time } from '../format.js';
import { problemBox } from '../problem.js';
import { toneOf } from '../words.js';

const STEPS = {
	admit: 'Request', claim: 'Claim', masa: 'MASA', history: 'MASA\'s audit log', voucher: 'Voucher', voucher_status: 'Voucher, said by the device',
	enroll: 'Certificate', reenroll: 'Renewal', enroll_status: 'Certificate, said by the device', device: 'Device', rule: 'Rule',
	endorse: 'Our request to the MASA', vet: 'Check of the voucher', import: 'Import', fraud: 'Signal of fraud',
};

const name = (j) => STEPS[j.step?.replaceAll('-', '_')] ?? j.step ?? '';

export function timelineOf(id) {
	const list = h('ol.timeline');
	const below = h('div');
	const node = h('div.stack', list, below);
	let lines = [];

	function draw(more) {
		replace(list, ...lines.map((j, i) => h('li', time(j.time), h(`span.dot.${toneOf(j.outcome)}`, { 'aria-hidden': 'true' }),
			h('div', h('p', h('strong', name(j)), ' ', j.outcome ?? '',
				j.by && h('span.dim', ` by ${j.by}`)),
			j.reason && h('p.dim', j.reason),
			j.exchange && lines[i - 1]?.exchange !== j.exchange && h('p.dim.small', { title: moment(j.time) }, 'exchange ', h('code', j.exchange))))));
		replace(below, !lines.length && h('p.dim', 'Nothing happened to it yet: it has not asked.'),
			more && h('button', { type: 'button', onclick: () => older(more) }, 'Show what was before'));
	}

	async function load() {
		try {
			const page = await api.timeline(id, { limit: 100 });
			lines = page.items;
			draw(page.next);
		} catch (error) {
			replace(below, problemBox(error, load));
		}
	}
	async function older(after) {
		try {
			const page = await api.timeline(id, { after, limit: 100 });
			lines = lines.concat(page.items);
			draw(page.next);
		} catch (error) {
			replace(below, problemBox(error, () => older(after)));
		}
	}
	return { node, load };
}
