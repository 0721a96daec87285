/* SPDX-License-Identifier: Apache-2.0 */
/* A question before something is done: it says what happens next, keeps what was typed when the
 * registrar refuses, and sends one key however often the button is pressed. */
import { newKey } from './api.js';
import { h, newId, replace } from './dom.js';
import { field, values } from './form.js';
import { problemBox } from './problem.js';

/* {title, body, fields, verb, tone, run(values, key, tools), wide, narrow} → what run returned, or undefined.
 * tools.show(…nodes) puts something below the fields, what changed meanwhile; run
 * returns false when it wants to be asked again. */
export function ask(o) {
	const title = newId('t');
	const wrong = h('div');
	const extra = h('div');
	const confirm = h(`button.${o.tone ?? 'primary'}`, { type: 'submit' }, o.verb ?? 'OK');
	const cancel = h(
		'button',
		{ type: 'button', onclick: () => box.close() },
		o.cancel ?? 'Cancel',
	);
	const heading = h('h2', { id: title }, o.title);
	const form = h(
		'form',
		{ method: 'dialog' },
		heading,
		o.body,
		h(`div.fields${o.wide ? '.wide-fields' : ''}`, (o.fields ?? []).map(field)),
		extra,
		wrong,
		h('div.buttons', o.run && confirm, cancel),
	);
	const box = h(`dialog${o.wide ? '.wide' : ''}`, { 'aria-labelledby': title }, form);
	let key = newKey();
	let result;

	async function submit(event) {
		event.preventDefault();
		if (confirm.disabled) return;
		confirm.disabled = true;
		form.setAttribute('aria-busy', 'true');
		replace(wrong);
		try {
			const tools = {
				show: (...nodes) => {
					replace(extra, ...nodes);
					extra.scrollIntoView({ block: 'nearest' });
				},
				verb: (text) => replace(confirm, text),
				title: (text) => replace(heading, text),
				freshKey: () => {
					key = newKey();
				},
			};
			result = await o.run(values(form), key, tools);
			if (result !== false) box.close();
		} catch (error) {
			if (error.status >= 400 && error.status < 500)
				key = newKey(); /* it was answered, and not done */
			replace(wrong, problemBox(error));
			wrong.scrollIntoView({ block: 'nearest' });
		} finally {
			confirm.disabled = false;
			form.removeAttribute('aria-busy');
		}
	}
	form.addEventListener('submit', submit);
	document.body.append(box);
	box.showModal();
	(
		form.querySelector('[autofocus], .fields input, .fields textarea, .fields select') ??
		(o.tone === 'danger' ? cancel : confirm)
	).focus();
	return new Promise((resolve) => {
		box.addEventListener('close', () => {
			box.remove();
			resolve(result);
		});
	});
}

export const tell = (title, ...body) =>
	ask({ title, body, cancel: 'Close', wide: body.some((n) => n?.querySelector?.('table')) });
