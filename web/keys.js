/* SPDX-License-Identifier: Apache-2.0 */
/* Single keys, where nobody is typing: those of the page first, then those of every page. */

const everywhere = new Map();
let page = new Map();
let leader = 0;

export function onEvery(key, what, run) {
	everywhere.set(key, { what, run });
}

/* {key: [what, run]}; of the page before are forgotten. */
export function ofPage(keys = {}) {
	page = new Map(Object.entries(keys).map(([key, [what, run]]) => [key, { what, run }]));
}

export const known = () => [...page, ...everywhere].map(([key, { what }]) => [key, what]);

const typing = (target) =>
	target.closest(
		'input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]',
	);

document.addEventListener('keydown', (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
	if (document.querySelector('dialog[open]')) return;
	if (typing(event.target)) {
		if (event.key === 'Escape') event.target.blur();
		return;
	}
	if (event.key === 'g') {
		leader = Date.now();
		return;
	}
	const key = Date.now() - leader < 1500 ? `g ${event.key}` : event.key;
	leader = 0;
	const action = page.get(key) ?? everywhere.get(key);
	if (!action) return;
	event.preventDefault();
	action.run(event);
});
