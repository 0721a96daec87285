/* SPDX-License-Identifier: Apache-2.0 */
/* A supplier's list: looked at as a whole first, then taken as a whole or not at all. */
import * as api from '../api.js';
import { h, replace, say } from '../dom.js';
import { field } from '../form.js';
import { num, plural } from '../format.js';
import { problemBox } from '../problem.js';
import { href } from '../router.js';
import { may, whyNot } from '../session.js';
import { plainTable } from '../table.js';
import { chip, mono } from '../words.js';

const SHOWN = 200;
const WORDS = {
	preapproved: 'joins without waiting',
	announced: 'is expected, and waits for an approver when it comes',
	approved: 'was waiting, and is approved',
	unchanged: 'known already',
	rejected: 'was rejected by a person, and stays so',
	revoked: 'was revoked, and stays so',
	bad: 'wrong',
};
const EXAMPLE =
	'manufacturer,serial,model,site,labels,note\nAcme,A-1001,gw-4,/eu/de/berlin-3,rack=4,order 4711\n';

const shownAs = (s) => (s.announced && !s.preapproved ? 'announced' : 'preapproved');
const typeOf = (name, text) =>
	/\.(nd)?json(l)?$/.test(name) || text.trimStart().startsWith('{')
		? 'application/x-ndjson'
		: 'text/csv';

export async function show(view) {
	let name = '',
		text = '',
		type = '',
		key;
	const answer = h('div.stack');
	const file = h('input', {
		type: 'file',
		id: 'list',
		accept: '.csv,.ndjson,.jsonl,.json,text/csv',
		onchange: () => choose(),
	});
	const pasted = field({
		name: 'text',
		label: 'Or paste it here',
		type: 'area',
		rows: 6,
		spellcheck: 'false',
	});
	const area = pasted.querySelector('textarea');
	const check = h(
		'button.primary',
		{ type: 'submit', disabled: !may('announce'), title: whyNot('announce') },
		'Check the list',
	);
	const form = h(
		'form.card',
		h('h2', 'Announce devices before they come'),
		h(
			'p',
			may('decide')
				? 'Devices of the list join without waiting'
				: 'Devices of the list are expected; who may decide approves them',
			'. The first row names the columns; only ',
			h('code', 'manufacturer'),
			' and ',
			h('code', 'serial'),
			' are needed. First the whole list is checked and nothing is changed.',
		),
		h('div.field', h('label', { for: 'list' }, 'CSV or NDJSON file'), file),
		pasted,
		h('details', h('summary', 'An example'), h('pre.mono', EXAMPLE)),
		h('div.buttons', check),
	);
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		run(true);
	});
	replace(view, form, answer);

	async function choose() {
		const chosen = file.files[0];
		if (!chosen) return;
		name = chosen.name;
		area.value = '';
		text = await chosen.text();
		await run(true);
	}

	async function run(dry) {
		if (area.value.trim()) {
			name = 'the pasted list';
			text = area.value.endsWith('\n') ? area.value : `${area.value}\n`;
		} else if (file.files[0]) text = await file.files[0].text();
		if (!text.trim())
			return replace(answer, h('p.note.warn', 'Choose a file or paste a list first.'));
		if (dry) key = api.newKey();
		type = typeOf(name, text);
		check.disabled = true;
		replace(answer, h('p.dim', dry ? 'Checking…' : 'Importing…'));
		try {
			draw(await api.importList(text, type, dry, dry ? undefined : key), dry);
		} catch (error) {
			replace(
				answer,
				problemBox(error, () => run(dry)),
			);
		} finally {
			check.disabled = false;
		}
	}

	function draw(a, dry) {
		const s = a.summary;
		if (!s) throw new api.Problem(400, a, 'This is no list.');
		const results = a.results ?? [];
		const rows = [
			...results.filter((r) => r.result === 'bad'),
			...results.filter((r) => r.result !== 'bad'),
		].slice(0, SHOWN);
		const counts = Object.keys(WORDS).filter((k) => s[k]);
		const changes = (s.preapproved ?? 0) + (s.approved ?? 0) + (s.announced ?? 0);
		const head = s.bad
			? h(
					'p.note.bad',
					h(
						'strong',
						`${plural(s.bad, 'row')} of ${num(s.rows)} ${s.bad === 1 ? 'is' : 'are'} wrong; nothing was imported.`,
					),
					' Correct the rows below in your file, then choose it again. The list is taken as a whole or not at all.',
				)
			: dry
				? h(
						'p.note',
						h(
							'strong',
							changes
								? `All ${plural(s.rows, 'row')} are good; nothing was changed yet.`
								: 'The list is good and would change nothing.',
						),
					)
				: h(
						'p.note.good',
						h(
							'strong',
							`Imported ${name}: ${plural(changes, 'device')} ${!s.announced ? 'may join' : changes === 1 ? 'is known now' : 'are known now'}.`,
						),
						' ',
						h(
							'a',
							{ href: href('claims', { state: shownAs(s) }) },
							'See them',
						),
					);
		replace(
			answer,
			h(
				'section.card',
				h('h2', dry ? 'The check' : 'The import'),
				head,
				counts.length > 0 &&
					h(
						'ul',
						counts.map((k) => h('li', chip(k), ' ', num(s[k]), ' – ', WORDS[k])),
					),
				s.label_columns?.length > 0 &&
					h(
						'p.note.warn',
						`Columns that are not known and are kept as labels: ${s.label_columns.join(', ')}.`,
					),
				dry &&
					!s.bad &&
					changes > 0 &&
					h(
						'div.buttons',
						h(
							'button.primary',
							{ type: 'button', onclick: () => run(false) },
							`Import ${plural(changes, 'device')}`,
						),
					),
				rows.length > 0 &&
					plainTable(
						'Rows',
						['Line', 'Manufacturer', 'Serial', 'Result', 'Why'],
						rows.map((r) => [
							num(r.line),
							r.manufacturer,
							mono(r.serial),
							chip(r.result),
							r.reason,
						]),
					),
				results.length > rows.length &&
					h('p.dim', `… and ${num(results.length - rows.length)} more rows.`),
			),
		);
		if (s.bad)
			say(
				`${plural(s.bad, 'row')} ${s.bad === 1 ? 'is' : 'are'} wrong; nothing was imported.`,
				'warn',
			);
		if (!dry && !s.bad) {
			say(`Imported ${plural(s.rows, 'row')}.`);
			file.value = '';
			area.value = '';
			text = '';
		}
	}
	return {};
}
