/* SPDX-License-Identifier: Apache-2.0 */
/* Making elements. Text only ever becomes text nodes: nothing here reads markup, so a serial number
 * that looks like a tag is shown as what it is. */

/* h('button.primary', {type: 'button', onclick: f, 'aria-label': 'x'}, 'text', node, [nodes], null) */
export function h(spec, ...rest) {
	const [tag, ...classes] = spec.split('.');
	const node = document.createElement(tag || 'div');
	if (classes.length) node.className = classes.join(' ');
	return fill(node, rest);
}

const SVG = 'http://www.w3.org/2000/svg';
export function svg(tag, ...rest) {
	return fill(document.createElementNS(SVG, tag), rest);
}

function fill(node, rest) {
	const first = rest[0];
	const plain =
		first && typeof first === 'object' && !(first instanceof Node) && !Array.isArray(first);
	if (plain) setAll(node, rest.shift());
	add(node, rest);
	return node;
}

export function setAll(node, attributes) {
	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
		else if (name === 'class') node.classList.add(...value.split(' ').filter(Boolean));
		else if (name === 'value') node.value = value;
		else if (name === 'checked') node.checked = true;
		else node.setAttribute(name, value === true ? '' : String(value));
	}
}

export function add(node, children) {
	for (const child of children.flat(Infinity))
		if (child !== null && child !== undefined && child !== false)
			node.append(child instanceof Node ? child : String(child));
	return node;
}

export function replace(node, ...children) {
	node.replaceChildren();
	return add(node, children);
}

/* A name for a pair of label and control. */
let ids = 0;
export const newId = (prefix = 'n') => `${prefix}${++ids}`;

/* Said by a screen reader, and shown for some seconds. */
let quiet = 0;
export function say(text, tone = 'ok') {
	const place = document.getElementById('say');
	clearTimeout(quiet);
	replace(place, h(`div.toast.${tone}`, text));
	quiet = setTimeout(() => place.replaceChildren(), 8000);
}
