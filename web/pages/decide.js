/* SPDX-License-Identifier: Apache-2.0 */
/* Approving and rejecting: the preview, what happens next, and what came of it. Used by the inbox and
 * by the page of one claim. */
import * as api from '../api.js';
import { ask } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { num, plural, since } from '../format.js';
import { parseLabels } from '../form.js';
import { chip, mono, verdict } from '../words.js';
import { plainTable } from '../table.js';
import { siteHints } from './tree.js';

const SHOWN = 6;
const DONE = ['approved', 'rejected', 'unchanged', 'approved-once'];
const JOB_EVERY_MS = 400;

const APPROVE_NEXT =
	'They join when they ask next, within about a minute for those that are waiting now. ' +
	'An approval that no device uses ends by itself (30 days, if the configuration says nothing else).';
const REJECT_NEXT =
	'They are refused when they ask next and stay refused until somebody approves them. ' +
	'Certificates are not touched: to withdraw those, revoke the device.';

function fieldsOf(verb) {
	if (verb === 'reject')
		return [
			{
				name: 'reason',
				label: 'Reason',
				required: true,
				maxlength: 200,
				autofocus: true,
				help: 'Kept with the claim and in the audit log.',
			},
		];
	siteHints();
	return [
		{
			name: 'site',
			label: 'Site',
			placeholder: '/eu/de/berlin-3',
			maxlength: 255,
			list: 'sites',
			help: 'Where they belong; empty leaves it as it is.',
		},
		{ name: 'labels', label: 'Labels', placeholder: 'rack=4, order=4711' },
		{
			name: 'reason',
			label: 'Note',
			maxlength: 200,
			help: 'Kept with the claim and in the audit log.',
		},
	];
}

function bodyOf(form) {
	const body = {};
	if (form.reason) body.reason = form.reason;
	if (form.site) body.site = form.site;
	if (form.labels) body.labels = parseLabels(form.labels);
	return body;
}

function counts(items, of) {
	const n = new Map();
	for (const item of items) n.set(of(item) || '–', (n.get(of(item) || '–') ?? 0) + 1);
	return [...n]
		.sort((a, b) => b[1] - a[1])
		.slice(0, 6)
		.map(([name, k]) => `${name} (${num(k)})`)
		.join(', ');
}

const doubtful = (item) => ['warned', 'refused'].includes(item.history) || item.signals?.length > 0;

/* What is about to be decided, before it is. */
function preview(items, total) {
	const odd = items.filter(doubtful);
	const shown = [...odd, ...items.filter((item) => !doubtful(item))].slice(0, SHOWN);
	return [
		odd.length > 0 &&
			h(
				'p.note.warn',
				`${plural(odd.length, 'device')} of these ${odd.length === 1 ? 'has' : 'have'} an earlier owner in the MASA's log or ` +
					`${odd.length === 1 ? 'is' : 'are'} marked. Look at them one by one first.`,
			),
		h(
			'p',
			h('strong', plural(total, 'claim')),
			total > items.length && ` – of the first ${num(items.length)}`,
			` – manufacturers: ${counts(items, (c) => c.manufacturer)}`,
			items.some((c) => c.model) && `; models: ${counts(items, (c) => c.model)}`,
			items.some((c) => c.site && c.site !== '/') &&
				`; sites: ${counts(items, (c) => c.site)}`,
		),
		plainTable(
			'The first of them',
			['Serial', 'Manufacturer', 'From', 'Waits', 'MASA log'],
			shown.map((c) => [
				mono(c.serial),
				c.manufacturer,
				mono(c.address),
				since(c.first_seen),
				verdict(c),
			]),
		),
		total > shown.length && h('p.dim', `… and ${num(total - shown.length)} more.`),
	];
}

/* Follows a long job to its end. */
async function follow(id, tools) {
	const bar = h('progress', { 'aria-label': 'Progress', max: 1 });
	const text = h('p', { role: 'status' });
	tools.show(bar, text, h('p.dim', 'It goes on by itself, also when this is closed.'));
	for (;;) {
		const job = await api.job(id);
		bar.max = job.total || 1;
		bar.value = job.done;
		replace(text, `${num(job.done)} of ${num(job.total)}`);
		if (['failed', 'interrupted'].includes(job.state))
			throw new api.Problem(
				500,
				{
					title: 'It stopped half way',
					detail: `${num(job.done)} of ${num(job.total)} were decided. ${job.reason ?? ''}`,
					code: 'job',
				},
				'',
			);
		if (job.state === 'finished')
			return { changed: job.done - job.failed, items: job.failures ?? [] };
		await new Promise((done) => setTimeout(done, JOB_EVERY_MS));
	}
}

function outcome(verb, answer) {
	const done = answer.changed;
	const left = answer.items.filter((r) => !DONE.includes(r.result));
	const once = answer.items.filter((r) => r.result === 'approved-once').length;
	const past = verb === 'approve' ? 'Approved' : 'Rejected';
	return {
		done,
		left,
		text:
			[
				`${past} ${plural(done, 'claim')}`,
				once && `${num(once)} of them need a second person`,
				left.length && `${num(left.length)} not`,
			]
				.filter(Boolean)
				.join('; ') + '.',
	};
}

/* items: those chosen; match: all that match, of which items are the first; done: called as soon as
 * it is known what came of it. Resolves when something was decided. */
export async function decide(verb, { items, match, total, done }) {
	const many = match !== undefined;
	const past = verb === 'approve' ? 'Approve' : 'Reject';
	let expected = many ? total : items.length;
	let anyway = false;
	const body = h('div.stack', preview(items, expected));
	const name = (n) => `${past} ${num(n)}`;
	const question = () => `${past} ${plural(expected, 'claim')}${match ? ' that match' : ''}?`;
	return ask({
		title: question(),
		wide: true,
		body: [
			match && h('p', 'Match: ', mono(match)),
			body,
			h('p.note', verb === 'approve' ? APPROVE_NEXT : REJECT_NEXT),
		],
		fields: fieldsOf(verb),
		verb: name(expected),
		tone: verb === 'approve' ? 'primary' : 'danger',
		run: async (form, key, tools) => {
			const more = { ...bodyOf(form), ...(anyway && { change: true }) };
			const what = many ? { match, expected } : { ids: items.map((c) => c.id) };
			let answer;
			try {
				answer = await api.decideMany(verb, { ...what, ...more }, key);
			} catch (error) {
				if (error.code !== 'count-changed') throw error;
				const now = await countOf(match);
				expected = now.total;
				replace(body, ...preview(now.items, now.total).flat().filter(Boolean));
				tools.title(question());
				tools.verb(name(expected));
				tools.freshKey();
				tools.show(
					h(
						'p.note.warn',
						{ role: 'alert' },
						h(
							'strong',
							`It was ${num(total)} in your preview and is ${num(now.total)} now.`,
						),
						' Nothing was decided. The preview above is new, and what you typed is kept.',
					),
				);
				return false;
			}
			if (answer.queued) answer = await follow(answer.id, tools);
			const end = outcome(verb, answer);
			done?.();
			say(end.text, end.left.length ? 'warn' : 'ok');
			if (end.left.length) {
				tools.show(
					h('p.note.warn', end.text),
					plainTable(
						'Not decided',
						['Claim', 'Result', 'Why'],
						end.left
							.slice(0, 100)
							.map((r) => [mono(r.serial ?? String(r.id)), chip(r.result), r.detail]),
					),
				);
				anyway = true;
				items = items.filter((c) => end.left.some((r) => r.id === c.id));
				if (many || !items.length) return true;
				tools.verb(`${past} those ${num(items.length)} all the same`);
				tools.freshKey();
				return false;
			}
			return true;
		},
	});
}

/* How many match, and the first of them. */
export async function countOf(match) {
	const [first, total] = await Promise.all([firstOf(match), api.count(match)]);
	return { items: first, total };
}

async function firstOf(match) {
	const items = [];
	let after;
	do {
		const page = await api.claims({ match, after, limit: 1000 });
		items.push(...page.items);
		after = page.next;
	} while (after && items.length < 1000);
	return items;
}

/* One claim, with what changed meanwhile when somebody was faster. */
export function decideOne(verb, claim, etag, again) {
	const past = verb === 'approve' ? 'Approve' : 'Reject';
	let tag = etag;
	let seen = claim;
	return ask({
		title: `${past} ${claim.serial}?`,
		body: [
			doubtful(claim) &&
				h('p.note.warn', claim.history_reason ?? 'This device is marked: see the claim.'),
			h(
				'p.note',
				(verb === 'approve' ? APPROVE_NEXT : REJECT_NEXT)
					.replace('They join', 'It joins')
					.replace('They are', 'It is')
					.replace('when they ask next and stay', 'when it asks next and stays')
					.replace('when they ask', 'when it asks')
					.replace('approves them', 'approves it')
					.replace(
						', within about a minute for those that are waiting now',
						', within about a minute if it is waiting now',
					),
			),
		],
		fields: fieldsOf(verb),
		verb: past,
		tone: verb === 'approve' ? 'primary' : 'danger',
		run: async (form, key, tools) => {
			let answer;
			try {
				answer = await api.decideOne(claim.id, verb, bodyOf(form), { etag: tag, key });
			} catch (error) {
				if (error.status !== 412 && error.code !== 'already-decided') throw error;
				const now = await api.claim(claim.id);
				tools.show(
					h('p.note.warn', { role: 'alert' }, 'It is different now:'),
					changes(seen, now.item),
				);
				tag = now.etag;
				seen = now.item;
				again?.();
				throw error;
			}
			say(
				answer.result === 'approved-once'
					? `${claim.serial}: approved once; a second person has to approve it.`
					: answer.result === 'unchanged'
						? `${claim.serial}: ${answer.detail ?? 'it was so already.'}`
						: `${past === 'Approve' ? 'Approved' : 'Rejected'} ${claim.serial}.`,
			);
			return true;
		},
	});
}

const QUIET = new Set(['revision', 'waiting_s', 'last_seen']);

/* What is different between two states of one thing. */
export function changes(before, now) {
	const names = Object.keys({ ...before, ...now }).filter(
		(k) => !QUIET.has(k) && JSON.stringify(before[k]) !== JSON.stringify(now[k]),
	);
	if (!names.length) return h('p', 'Only when it was seen last.');
	const text = (v) =>
		v === null || v === undefined ? '–' : typeof v === 'object' ? JSON.stringify(v) : String(v);
	return plainTable(
		'What changed',
		['', 'You saw', 'Now'],
		names.map((k) => [k.replaceAll('_', ' '), text(before[k]), text(now[k])]),
	);
}
