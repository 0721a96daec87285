/* SPDX-License-Identifier: Apache-2.0 */
/* One line in the match language, or the beginning of a serial number. */
import { h, replace } from '../dom.js';
import { plainTable } from '../table.js';
import { tell } from '../dialog.js';

/* A bare word is the beginning of a serial number. */
export const asMatch = (text) => {
	const t = text.trim();
	return !t || t.includes('=') ? t : `serial=${t.replace(/\*$/, '')}*`;
};

const EXAMPLES = [
	['A-10', 'serial numbers that begin with A-10'],
	['manufacturer=Acme,model=gw-*', "that manufacturer's, of models that begin with gw-"],
	['site=/eu', 'of this site and all below it'],
	['from=10.8.0.0/16', 'that asked from this network'],
	['older-than=1h', 'first seen more than an hour ago (m, h, d)'],
	['label.rack=4', 'with this label'],
	['state=pending', 'in this state'],
];

export function searchBox({ value, what, apply }) {
	const wrong = h('div');
	const input = h('input', {
		type: 'search',
		value,
		'aria-label': `Filter ${what}`,
		'data-search': '',
		spellcheck: 'false',
		autocapitalize: 'none',
		placeholder: 'Serial number, or manufacturer=acme,site=/eu,older-than=1h',
	});
	const form = h(
		'form',
		{ role: 'search', class: 'grow' },
		h(
			'div.bar-row',
			input,
			h('button', { type: 'submit' }, 'Filter'),
			h('button.quiet', { type: 'button', onclick: help }, 'How to filter'),
		),
		wrong,
	);
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		input.value = asMatch(input.value);
		apply(input.value);
	});
	input.addEventListener('search', () => {
		if (!input.value) apply('');
	});
	form.wrong = (node) => replace(wrong, node);
	return form;
}

const help = () =>
	tell(
		'How to filter',
		h(
			'p',
			'Parts with a comma between them have to fit all. A * stands at the end of a value only.',
		),
		plainTable(
			'Examples',
			['Write', 'to see'],
			EXAMPLES.map(([a, b]) => [h('code', a), b]),
		),
	);
