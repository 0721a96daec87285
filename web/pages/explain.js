/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a device's way, as the registrar's doctor sees it. */
import * as api from '../api.js';
import { tell } from '../dialog.js';
import { h } from '../dom.js';
import { problemBox } from '../problem.js';
import { plainTable } from '../table.js';
import { chip } from '../words.js';

export const explainButton = (item) =>
	h(
		'button',
		{
			type: 'button',
			onclick: async () => {
				let body;
				try {
					const { items } = await api.explain(item.serial, item.manufacturer);
					body = plainTable(
						'What was found',
						['What', '', 'Found', 'What to do next'],
						items.map((i) => [i.check, chip(i.verdict), i.found, i.next]),
					);
				} catch (error) {
					body = problemBox(error);
				}
				await tell(`Why does ${item.serial} not join?`, body);
			},
		},
		'Why does it not join?',
	);
