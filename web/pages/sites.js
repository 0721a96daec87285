/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of sites, and what is asked for at each. */
import * as api from '../api.js';
import { ask } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { num } from '../format.js';
import { problemBox } from '../problem.js';
import { href } from '../router.js';
import { may, whyNot } from '../session.js';
import { plainTable } from '../table.js';

const fields = (s) => [
	{
		name: 'path',
		label: 'Path',
		value: s?.path,
		required: true,
		readonly: Boolean(s),
		autofocus: !s,
		pattern: '\\/[a-z0-9._\\/\\-]+',
		maxlength: 255,
		help: 'Like /eu/de/berlin-3: small letters, digits, . _ - between the strokes, eight parts at most.',
	},
	{ name: 'name', label: 'Name', value: s?.name, maxlength: 100 },
	{ name: 'note', label: 'Note', value: s?.note, maxlength: 100 },
	{
		name: 'approvers',
		label: 'Approvers of a claim',
		type: 'select',
		required: true,
		value: String(s?.approvers ?? 1),
		options: [
			['1', 'one person'],
			['2', 'two people, of each claim'],
		],
	},
	{
		name: 'unknown',
		label: 'Devices that nobody announced',
		type: 'select',
		required: true,
		value: s?.unknown ?? 'hold',
		options: [
			['hold', 'are held until somebody decides'],
			['reject', 'are rejected'],
		],
	},
];

export async function show(view) {
	const list = h('div');
	replace(
		view,
		h(
			'div.bar-row',
			h(
				'p.dim',
				'A site is a place in a tree. Roles can be given for a site and all below it.',
			),
			h('span.space'),
			h(
				'button.primary',
				{
					type: 'button',
					disabled: !may('admin'),
					title: whyNot('admin'),
					onclick: () => change('add'),
				},
				'Add a site…',
			),
		),
		list,
	);

	async function change(verb, site) {
		const texts = {
			add: ['Add a site', 'Add'],
			set: [`Change ${site?.path}`, 'Save'],
			remove: [`Remove ${site?.path}?`, 'Remove'],
		}[verb];
		const done = await ask({
			title: texts[0],
			verb: texts[1],
			tone: verb === 'remove' ? 'danger' : 'primary',
			body:
				verb === 'remove' &&
				h(
					'p.note.warn',
					'It is taken from the tree. That is refused while devices are there: move them first.',
				),
			fields: verb === 'remove' ? [] : fields(site),
			run: async (form, key) => {
				const body =
					verb === 'remove'
						? { path: site.path }
						: { ...form, approvers: Number(form.approvers) };
				await api.changeSite(verb, body, { key, etag: site && `"${site.revision}"` });
				return true;
			},
		});
		if (done) {
			say('Done.');
			await load();
		}
	}
	async function load() {
		try {
			const { items } = await api.sites({ limit: 1000 });
			replace(
				list,
				items.length
					? h(
							'section.card',
							plainTable(
								'Sites',
								[
									'Site',
									'Name',
									'Devices',
									'In it and below',
									'Approvers',
									'Not announced',
									'',
								],
								items.map((s) => [
									h(
										'a',
										{ href: href('devices', { site: s.path }) },
										h('span.mono', s.path),
									),
									s.name,
									s.devices === undefined ? '–' : num(s.devices),
									s.devices === undefined ? '–' : num(s.devices + s.below),
									s.approvers === 2 ? 'two' : 'one',
									s.unknown === 'reject' ? 'rejected' : 'held',
									may('admin') &&
										h(
											'span.buttons',
											h(
												'button',
												{
													type: 'button',
													'aria-label': `Change ${s.path}`,
													onclick: () => change('set', s),
												},
												'Change…',
											),
											s.path !== '/' &&
												h(
													'button',
													{
														type: 'button',
														'aria-label': `Remove ${s.path}`,
														onclick: () => change('remove', s),
													},
													'Remove…',
												),
										),
								]),
							),
						)
					: h(
							'div.empty',
							h('p', 'There are no sites yet.'),
							h(
								'p',
								'Without sites every device is at “/”. With them, rules and approvals put devices where they belong.',
							),
						),
			);
		} catch (error) {
			replace(list, problemBox(error, load));
		}
	}
	await load();
	return {
		keys: { n: ['new site', () => may('admin') && change('add')] },
		refresh: (events) => events.some((e) => /site|moved/.test(e.type)) && load(),
	};
}
