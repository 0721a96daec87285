/* SPDX-License-Identifier: Apache-2.0 */
/* A list as a table: pages by cursor, a selection, one stop for the Tab key whose place j and k
 * move, and rows that stay where they are when the list is read again. */
import { h, replace, newId, add } from './dom.js';
import { num } from './format.js';
import { problemBox } from './problem.js';

const PAGE = 100;
const LOOKS_MAX = 50; /* a rare match: the registrar looks at a bounded number of rows an answer */
const KEPT_MAX = 1000; /* rows that a quiet refresh asks for at once */

/* {label, columns: [{label, cell(item), class}], read(members) → {items, next}, key(item), href(item), name(item),
 *  select: bool, onSelect(), empty: nodes, rowClass(item)} */
export class Table {
	constructor(o) {
		this.o = { key: (item) => item.id, name: (item) => item.serial, ...o };
		this.items = [];
		this.rows = new Map();
		this.selected = new Set();
		this.current = null;
		this.next = null;
		this.turn = 0;
		this.body = h('tbody');
		this.note = h('div');
		this.moreButton = h(
			'button',
			{ type: 'button', onclick: () => this.more(), hidden: true },
			'Show more',
		);
		this.all =
			o.select &&
			h('input', {
				type: 'checkbox',
				'aria-label': 'Select all that are shown',
				onchange: () => this.toggleAll(),
			});
		const caption = newId('c');
		this.node = h(
			'div.list',
			h(
				'div.scroll',
				{ role: 'region', 'aria-labelledby': caption, tabindex: '0' },
				h(
					'table',
					h('caption.hidden', { id: caption }, o.label),
					h(
						'thead',
						h(
							'tr',
							o.select && h('th.pick', { scope: 'col' }, this.all),
							o.columns.map((c) =>
								h('th', { scope: 'col', class: c.class ?? '' }, c.label),
							),
						),
					),
					this.body,
				),
			),
			this.note,
			h('div.more', this.moreButton),
		);
		this.body.addEventListener('focusin', (event) => this.#settle(event.target.closest('tr')));
	}

	async load() {
		this.selected.clear();
		this.rows.clear();
		this.body.replaceChildren();
		this.current = null;
		this.items = [];
		this.next = null;
		this.changed();
		replace(this.note, h('p.dim.loading', 'Loading…'));
		await this.#read(undefined, PAGE);
	}

	more() {
		return this.#read(this.next, PAGE);
	}

	/* The same rows again, without moving anything that stays. */
	async refresh() {
		if (this.failed) return this.load();
		return this.#read(undefined, Math.min(Math.max(this.items.length, PAGE), KEPT_MAX), true);
	}

	async #read(after, limit, again) {
		const turn = ++this.turn;
		this.moreButton.disabled = true;
		try {
			let page = await this.o.read({ after, limit });
			for (
				let looks = 1;
				!page.items.length && page.next && looks < LOOKS_MAX && turn === this.turn;
				looks++
			)
				page = await this.o.read({ after: page.next, limit });
			if (turn !== this.turn) return;
			this.failed = false;
			if (again && this.items.length > KEPT_MAX) {
				const seen = new Set(page.items.map(this.o.key));
				page.items.push(
					...this.items.slice(KEPT_MAX).filter((item) => !seen.has(this.o.key(item))),
				);
				page.next = this.next;
			}
			this.next = page.next;
			this.#show(after === undefined ? page.items : this.items.concat(page.items));
		} catch (error) {
			if (turn !== this.turn) return;
			if (again && error.status === 0)
				return; /* the head of the page tells that nobody answers */
			this.failed = true;
			replace(
				this.note,
				problemBox(error, () => this.load()),
			);
		} finally {
			if (turn === this.turn) this.moreButton.disabled = false;
		}
	}

	#show(items) {
		const rows = new Map();
		const held = this.body.contains(document.activeElement) ? this.current : null;
		const place = this.items.findIndex((item) => this.o.key(item) === this.current);
		for (const item of items) {
			const key = this.o.key(item);
			const text = JSON.stringify(item);
			const old = this.rows.get(key);
			rows.set(key, old && old.text === text ? old : { text, row: this.#row(item, key) });
		}
		for (const key of this.selected) if (!rows.has(key)) this.selected.delete(key);
		this.rows = rows;
		this.items = items;
		this.body.replaceChildren(...[...rows.values()].map((r) => r.row));
		this.moreButton.hidden = !this.next;
		replace(
			this.note,
			items.length === 0 &&
				h(
					'div.empty',
					this.next
						? h('p', 'Nothing so far; there is more to search.')
						: (this.o.empty ?? h('p', 'Nothing here.')),
				),
		);
		if (items.length && !rows.has(this.current))
			this.#settle(this.row(Math.min(Math.max(place, 0), items.length - 1)));
		else this.#settle(rows.get(this.current)?.row);
		if (held !== null) this.focus();
		this.changed();
	}

	#row(item, key) {
		const row = h('tr', { class: this.o.rowClass?.(item) ?? '' });
		row.item = item;
		if (this.o.select) {
			const pick = h('input', {
				type: 'checkbox',
				'aria-label': `Select ${this.o.name(item)}`,
				tabindex: '-1',
				checked: this.selected.has(key),
				onchange: () => this.pick(key, pick.checked),
			});
			add(row, [h('td.pick', pick)]);
			row.classList.toggle('picked', this.selected.has(key));
		}
		this.o.columns.forEach((c, i) => {
			const content = c.cell(item);
			const main =
				i === 0 && this.o.href
					? h('a.main', { href: this.o.href(item) }, content)
					: content;
			add(row, [
				i === 0
					? h('th', { scope: 'row', class: c.class ?? '' }, main)
					: h('td', { class: c.class ?? '' }, main ?? '–'),
			]);
		});
		for (const stop of row.querySelectorAll('a, button, input')) stop.tabIndex = -1;
		return row;
	}

	/* Only the current row's controls are reached by Tab. */
	#settle(row) {
		if (!row?.item) return;
		const key = this.o.key(row.item);
		for (const r of this.body.querySelectorAll('tr.current'))
			if (r !== row) {
				r.classList.remove('current');
				for (const stop of r.querySelectorAll('a, button, input')) stop.tabIndex = -1;
			}
		row.classList.add('current');
		for (const stop of row.querySelectorAll('a, button, input')) stop.tabIndex = 0;
		this.current = key;
	}

	row(i) {
		return this.rows.get(this.items[i] && this.o.key(this.items[i]))?.row;
	}

	get item() {
		return this.rows.get(this.current)?.row.item;
	}

	focus() {
		const row = this.rows.get(this.current)?.row;
		(row?.querySelector('a.main') ?? row?.querySelector('input, button, a'))?.focus();
		row?.scrollIntoView({ block: 'nearest' });
	}

	move(step) {
		if (!this.items.length) return;
		const at = this.items.findIndex((item) => this.o.key(item) === this.current);
		const inside = this.body.contains(document.activeElement);
		const to = Math.min(
			Math.max(inside ? at + step : Math.max(at, 0), 0),
			this.items.length - 1,
		);
		this.#settle(this.row(to));
		this.focus();
		if (to === this.items.length - 1 && this.next && inside) this.more();
	}

	pick(key, on) {
		const row = this.rows.get(key)?.row;
		if (on) this.selected.add(key);
		else this.selected.delete(key);
		if (row) {
			row.classList.toggle('picked', on);
			row.querySelector('.pick input').checked = on;
		}
		this.changed();
	}

	toggle() {
		if (this.current !== null) this.pick(this.current, !this.selected.has(this.current));
	}

	toggleAll() {
		const on = this.all.checked;
		for (const item of this.items) this.pick(this.o.key(item), on);
	}

	clear() {
		for (const key of [...this.selected]) this.pick(key, false);
	}

	get selectedItems() {
		return this.items.filter((item) => this.selected.has(this.o.key(item)));
	}

	changed() {
		if (this.all) {
			this.all.checked = this.items.length > 0 && this.selected.size === this.items.length;
			this.all.indeterminate = this.selected.size > 0 && !this.all.checked;
		}
		this.o.onSelect?.(this);
	}

	get countText() {
		return `${num(this.items.length)}${this.next ? '+' : ''}`;
	}

	keys() {
		return {
			j: ['next row', () => this.move(1)],
			k: ['row before', () => this.move(-1)],
			ArrowDown: ['next row', () => this.move(1)],
			ArrowUp: ['row before', () => this.move(-1)],
			...(this.o.href && {
				o: ['open the row', () => this.item && location.assign(this.o.href(this.item))],
			}),
			...(this.o.select && { x: ['select the row', () => this.toggle()] }),
		};
	}
}

/* A small table of facts that are there already. */
export function plainTable(label, heads, rows) {
	return h(
		'div.scroll',
		h(
			'table.plain',
			h('caption.hidden', label),
			h(
				'thead',
				h(
					'tr',
					heads.map((t) => h('th', { scope: 'col' }, t)),
				),
			),
			h(
				'tbody',
				rows.map((cells) =>
					h(
						'tr',
						cells.map((c, i) =>
							i ? h('td', c ?? '–') : h('th', { scope: 'row' }, c ?? '–'),
						),
					),
				),
			),
		),
	);
}

export function facts(pairs) {
	return h(
		'dl.facts',
		pairs
			.filter(Boolean)
			.map(([name, value]) => h('div', h('dt', name), h('dd', value ?? h('span.dim', '–')))),
	);
}
