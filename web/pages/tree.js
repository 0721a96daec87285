/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of sites, to choose one. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { num } from '../format.js';
import { problemBox } from '../problem.js';

const parentOf = (path) => path.slice(0, path.lastIndexOf('/')) || '/';

export function siteTree({ pick, current }) {
	const node = h('div');
	let items = [];

	function branch(parent) {
		const below = items.filter((s) => parentOf(s.path) === parent);
		return (
			below.length > 0 &&
			h(
				'ul',
				below.map((s) =>
					h(
						'li',
						button(
							s.path,
							s.path.slice(s.path.lastIndexOf('/') + 1),
							s.devices === undefined ? undefined : s.devices + s.below,
						),
						branch(s.path),
					),
				),
			)
		);
	}
	const button = (path, text, n) =>
		h(
			'button',
			{
				type: 'button',
				'aria-current': path === current() ? 'true' : null,
				title: path || 'every site',
				onclick: () => pick(path),
			},
			h('span', text),
			n !== undefined && n !== null && h('span.dim', num(n)),
		);

	function draw() {
		replace(
			node,
			h('ul.tree', h('li', button('', 'All sites'), branch('/'))),
			!items.length &&
				h(
					'p.dim.small',
					'There are no sites yet: ',
					h('a', { href: '#/sites' }, 'add one'),
					'.',
				),
		);
	}
	async function load() {
		try {
			items = (await api.all(api.sites)).filter((s) => s.path !== '/');
			draw();
		} catch (error) {
			replace(node, problemBox(error, load));
		}
	}
	return { node, draw, load };
}

/* Names of sites for whoever types one: fields with list: 'sites'. */
let hints = null;
export function siteHints() {
	hints ??= document.body.appendChild(h('datalist', { id: 'sites' }));
	api.all(api.sites).then(
		(list) => replace(hints, ...list.map((s) => h('option', { value: s.path, label: s.name }))),
		() => {},
	); /* one types it then */
}
