/* SPDX-License-Identifier: Apache-2.0 */
/* Light, dark, or as the system says. Not a module: it runs before anything is painted. */
(() => {
	'use strict';
	const choices = ['auto', 'light', 'dark'];
	const read = () => {
		try {
			return localStorage.getItem('theme');
		} catch {
			return null; /* the browser keeps nothing: as the system says */
		}
	};
	const apply = (choice) => {
		document.documentElement.dataset.theme = choices.includes(choice) ? choice : 'auto';
	};
	apply(read());
	globalThis.brskiTheme = {
		choices,
		get: () => document.documentElement.dataset.theme,
		set(choice) {
			apply(choice);
			try {
				localStorage.setItem('theme', choice);
			} catch {
				/* it lasts as long as the page, then */
			}
		},
	};
})();
