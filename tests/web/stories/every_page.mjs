/* SPDX-License-Identifier: Apache-2.0 */
/* Each page, light and dark, wide and narrow: every control has a name, text is readable against what
 * is behind it, Tab goes through in the order one reads, and nothing needs sideways scrolling. */
import { assert, enter } from '../steps.mjs';

const CONTROLS = new Set([
	'button',
	'link',
	'textbox',
	'searchbox',
	'combobox',
	'checkbox',
	'spinbutton',
	'radio',
	'DisclosureTriangle',
	'img',
	'table',
	'dialog',
]);
const RATIO_MIN = 4.5; /* WCAG 2.2, 1.4.3 */

/* In the page: text whose contrast is too low. */
function faint(least) {
	const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
	const rgba = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const light = ([r, g, b]) => {
		const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
	};
	const behind = (node) => {
		for (let n = node; n; n = n.parentElement) {
			const c = rgba(getComputedStyle(n).backgroundColor);
			if (c[3] === 255) return c;
		}
		return [255, 255, 255];
	};
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const found = [];
	while (walk.nextNode()) {
		const node = walk.currentNode.parentElement;
		if (
			!walk.currentNode.data.trim() ||
			!node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) ||
			node.closest(':disabled')
		)
			continue;
		const style = getComputedStyle(node);
		const [a, b] = [
			light(rgba(node instanceof SVGElement ? style.fill : style.color)),
			light(behind(node)),
		];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < least)
			found.push(
				`${ratio.toFixed(2)} ${node.tagName}.${node.getAttribute('class')} “${walk.currentNode.data.trim().slice(0, 30)}”`,
			);
	}
	return [...new Set(found)];
}

/* In the page: what is wrong with its structure. */
function structure() {
	const wrong = [];
	if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
	for (const name of ['nav', 'header', 'main'])
		if (!document.querySelector(name)) wrong.push(`no ${name}`);
	for (const n of document.querySelectorAll('[tabindex]'))
		if (n.tabIndex > 0) wrong.push(`tabindex ${n.tabIndex}`);
	for (const t of document.querySelectorAll('table')) {
		if (!t.caption?.textContent) wrong.push('a table without a caption');
		if (!t.querySelector('th[scope=col]')) wrong.push('a table without heads');
	}
	const ids = [...document.querySelectorAll('[id]')].map((n) => n.id);
	for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id ${id} twice`);
	for (const n of document.querySelectorAll('[onclick]'))
		wrong.push(`inline ${n.outerHTML.slice(0, 60)}`);
	if (document.documentElement.scrollWidth > innerWidth)
		wrong.push(`sideways by ${document.documentElement.scrollWidth - innerWidth}`);
	return wrong;
}

async function nameless(t) {
	const cdp = await t.context.newCDPSession(t.page);
	const { nodes } = await cdp.send('Accessibility.getFullAXTree');
	await cdp.detach();
	return nodes
		.filter((n) => !n.ignored && CONTROLS.has(n.role?.value) && !n.name?.value?.trim())
		.map((n) => n.role.value);
}

/* Tab through the page: where the focus is, whether it shows, and whether it goes on. */
async function walk(t) {
	const stops = [];
	await t.page.evaluate(() => {
		/* from the top */
		document.body.tabIndex = -1;
		document.body.focus();
		document.body.removeAttribute('tabindex');
		globalThis.seen = [];
	});
	for (let i = 0; i < 60; i++) {
		await t.page.keyboard.press('Tab');
		const stop = await t.page.evaluate(() => {
			const n = document.activeElement;
			if (n === document.body) return null;
			const style = getComputedStyle(n);
			const again = globalThis.seen.includes(n);
			globalThis.seen.push(n);
			const before = globalThis.seen.at(-2);
			return {
				again,
				back: Boolean(
					before &&
						!again &&
						before.compareDocumentPosition(n) & Node.DOCUMENT_POSITION_PRECEDING,
				),
				shown: style.outlineStyle !== 'none' && style.outlineWidth !== '0px',
				what: `${n.tagName} ${n.textContent.slice(0, 30)}`,
			};
		});
		if (!stop || stop.again) break;
		stops.push(stop);
	}
	return stops;
}

export default async function (t, pages) {
	await t.ask('furnish');
	const page = await enter(t, 'overview');
	const wrong = [];
	const note = (where, list) => wrong.push(...list.map((w) => `${where}: ${w}`));
	const settled = async () => {
		await page.waitForFunction(
			() =>
				!document.querySelector('.loading') &&
				document.querySelector('.page')?.childElementCount,
			null,
		);
		await page.waitForTimeout(150);
	};
	const theDevice = await t.ask('some_device');
	for (const name of [...pages, `device/${theDevice}`, `claim/${theDevice}`]) {
		const file = name.split('/')[0];
		await t.go(name);
		await settled();
		note(`${name}`, await page.locator('.problem').allInnerTexts());
		note(`${name} structure`, await page.evaluate(structure));
		note(
			`${name} names`,
			(await nameless(t)).map((role) => `a ${role} without a name`),
		);
		note(`${name} contrast`, await page.evaluate(faint, RATIO_MIN));
		await t.shot(`${file}-light`, { fullPage: true });
		await page.emulateMedia({ colorScheme: 'dark' });
		note(`${name} contrast, dark`, await page.evaluate(faint, RATIO_MIN));
		await t.shot(`${file}-dark`, { fullPage: true });
		await page.emulateMedia({ colorScheme: 'light' });
		await page.setViewportSize({ width: 400, height: 800 });
		note(`${name} narrow`, await page.evaluate(structure));
		await t.shot(`${file}-narrow`);
		await page.setViewportSize({ width: 1360, height: 860 });
		const stops = await walk(t);
		if (stops.length < 15) note(name, [`Tab stops at ${stops.length} places only`]);
		note(
			`${name} focus`,
			stops.filter((s) => !s.shown).map((s) => `does not show: ${s.what}`),
		);
		note(
			`${name} order`,
			stops.filter((s) => s.back).map((s) => `goes back to ${s.what}`),
		);
	}
	assert.deepEqual(wrong, []);
	/* the switch goes against the system */
	await page.emulateMedia({ colorScheme: 'light' });
	for (const want of ['light', 'dark']) {
		await page.getByRole('button', { name: /^Colours/ }).click();
		assert.equal(
			await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme),
			want,
		);
	}
}
