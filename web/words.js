/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's names in words and colours. A name that is not listed is shown as it is. */
import { h } from './dom.js';

const TONES = {
	good: [
		'approved',
		'preapproved',
		'active',
		'good',
		'ok',
		'up',
		'enabled',
		'joins',
		'done',
		'delivered',
		'enrolled',
		'issued',
		'true',
		'released',
		'renewed',
		'imported',
	],
	wait: [
		'pending',
		'joining',
		'announced',
		'approved-once',
		'hold',
		'held',
		'unknown',
		'running',
		'queued',
		'unchanged',
		'vouched',
		'new',
	],
	warn: [
		'expiring',
		'expired',
		'warned',
		'warn',
		'quarantined',
		'decommissioned',
		'replaced',
		'disabled',
		'dead',
		'failing',
		'looping',
	],
	bad: [
		'rejected',
		'reject',
		'revoked',
		'refused',
		'bad',
		'fail',
		'failed',
		'down',
		'denied',
		'false',
		'not listed',
		'clone-suspected',
	],
};
const tones = new Map(
	Object.entries(TONES).flatMap(([tone, names]) => names.map((n) => [n, tone])),
);
const SIGNS = { good: '✓', wait: '◔', warn: '!', bad: '✕', plain: '•' };

export const toneOf = (name) => tones.get(name) ?? (name === 'approve' ? 'good' : 'plain');

/* Colour never tells alone: each has a sign and its word. */
export function chip(name, text) {
	if (!name) return h('span.dim', '–');
	const tone = toneOf(name);
	return h(
		`span.chip.${tone}`,
		h('span.sign', { 'aria-hidden': 'true' }, SIGNS[tone]),
		text ?? name,
	);
}

const HISTORY = {
	unknown: ['wait', 'not asked yet'],
	good: ['good', 'clean'],
	warned: ['warn', 'earlier owner'],
	refused: ['bad', 'refused'],
};

/* What the MASA's audit log says about a device. */
export function verdict(item) {
	if (!item.history) return h('span.dim', '–');
	if (item.history === 'unknown') return h('span.dim', HISTORY.unknown[1]);
	const [tone, text] = HISTORY[item.history] ?? ['plain', item.history];
	return h(
		`span.chip.${tone}`,
		{ title: item.history_reason || null },
		h('span.sign', { 'aria-hidden': 'true' }, SIGNS[tone]),
		text,
	);
}

const MARKS = {
	'clone-suspected':
		'The same device asked from two places at once: its key may have been copied.',
	'second-key': 'A second key for this serial number: somebody else may claim to be it.',
	'foreign-domain': 'The MASA gave it to another owner after it joined here.',
	'rejoin-while-renewing':
		'It joins anew while its old certificate is still being renewed: there may be two of it.',
	looping: 'It comes back again and again; see its timeline for what fails.',
};

export function marks(list) {
	if (!Array.isArray(list) || !list.length) return null;
	return list.map((m) =>
		h(
			'span.chip.bad',
			{ title: MARKS[m] ?? m },
			h('span.sign', { 'aria-hidden': 'true' }, '⚑'),
			m.replaceAll('-', ' '),
		),
	);
}

/* The same in sentences, on the page of one device. */
export const warnings = (list) =>
	(list ?? []).map((m) =>
		h('p.note.bad', h('strong', m.replaceAll('-', ' ')), ' – ', MARKS[m] ?? ''),
	);

/* Why a claim waits. */
export function whyHeld(item) {
	if (item.claim !== 'pending') return item.reason ?? '';
	if (item.reason) return item.reason;
	if (item.history === 'refused' || item.history === 'warned')
		return item.history_reason ?? "the MASA's audit log";
	if (item.approvals?.length)
		return `approved by ${item.approvals.map((a) => a.by ?? a).join(', ')}; a second approver is needed`;
	return 'no rule decides about it';
}

export const mono = (text) => (text ? h('span.mono', text) : h('span.dim', '–'));

export function labels(object) {
	const entries = Object.entries(object ?? {});
	if (!entries.length) return h('span.dim', '–');
	return entries.map(([k, v]) => h('span.label', k, v ? `=${v}` : ''));
}
