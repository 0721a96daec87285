/* SPDX-License-Identifier: Apache-2.0 */
/* A labelled control, and reading a form's values. */
import { Problem } from './api.js';
import { h, newId } from './dom.js';

/* {name, label, type, value, help, required, options: [[value, text]], rows, list, …attributes} */
export function field(o) {
	const id = newId('f');
	const { name, label, type = 'text', value, help, required, options, rows, wide, ...more } = o;
	const common = { id, name, required, 'aria-describedby': help ? `${id}h` : null, ...more };
	let control;
	if (type === 'select')
		control = h(
			'select',
			common,
			options.map(([v, text]) => h('option', { value: v, selected: v === value }, text)),
		);
	else if (type === 'area')
		control = h('textarea', { rows: rows ?? 3, ...common, value: value ?? '' });
	else if (type === 'check')
		return h(
			'label.check',
			h('input', { type: 'checkbox', ...common, checked: value }),
			h('span', label),
			help && h('small.dim', { id: `${id}h` }, help),
		);
	else control = h('input', { type, ...common, value: value ?? '' });
	return h(
		`div.field${wide ? '.wide' : ''}`,
		h('label', { for: id }, label, required ? null : h('span.dim', ' (optional)')),
		control,
		help && h('small.dim', { id: `${id}h` }, help),
	);
}

export function values(form) {
	const out = {};
	for (const control of form.elements) {
		if (!control.name || control.disabled) continue;
		if (control.type === 'checkbox') out[control.name] = control.checked;
		else if (control.type !== 'radio' || control.checked)
			out[control.name] = control.type === 'password' ? control.value : control.value.trim();
	}
	return out;
}

/* "rack=4, order=4711" to an object, or a Problem. */
export function parseLabels(text) {
	const out = {};
	for (const part of text
		.split(/[,\n]/)
		.map((p) => p.trim())
		.filter(Boolean)) {
		const at = part.indexOf('=');
		if (at < 1)
			throw new Problem(
				400,
				{ title: 'That is no label', detail: `“${part}” is not written as name=value.` },
				'',
			);
		out[part.slice(0, at).trim()] = part.slice(at + 1).trim();
	}
	return out;
}

export const formatLabels = (labels) =>
	Object.entries(labels ?? {})
		.map(([k, v]) => `${k}=${v}`)
		.join(', ');
