/* SPDX-License-Identifier: Apache-2.0 */
/* One thing that an administrator does, by the pages: what test_ways.py also does by other ways.
 * What was read is told back by `read`. */
import { dialog, enter, toast } from '../steps.mjs';

const fact = (page, name) =>
	page
		.locator('.facts div', { hasText: name })
		.locator('dd')
		.first()
		.innerText();

async function choose(page, match) {
	const others = { hasNotText: match.slice('serial='.length, -1) };
	await page.getByRole('searchbox').fill(match);
	await page.keyboard.press('Enter');
	await page.locator('.list tbody tr', others).first().waitFor({ state: 'detached' });
	await page.getByRole('button', { name: /^Choose all/ }).click();
	await page.getByText(/^All \d+ that match are chosen$/).waitFor();
}

const ways = {
	async look(t, page, serial) {
		await t.go(`claim/${serial}`);
		await page.getByRole('heading', { name: `Claim ${serial}`, level: 1 }).waitFor();
		await t.ask('read', {
			claim: (await page.locator('.chip').first().innerText()).split('\n').pop(),
			model: await fact(page, 'Model'),
			address: await fact(page, 'Asked from'),
		});
	},

	async approve(t, page, serial, note) {
		await t.go(`claim/${serial}`);
		await page.getByRole('button', { name: 'Approve…' }).click();
		await t.ask('meanwhile');
		await dialog(page).getByLabel('Note').fill(note);
		await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
		const done = toast(page).getByText(`Approved ${serial}`);
		const stale = dialog(page).getByText('It is different now');
		await done.or(stale).first().waitFor();
		await t.ask('read', { done: await done.isVisible() });
	},

	async reject(t, page, serial, reason) {
		await t.go(`claim/${serial}`);
		await page.getByRole('button', { name: 'Reject…' }).click();
		await dialog(page).getByLabel('Reason').fill(reason);
		await dialog(page).getByRole('button', { name: 'Reject', exact: true }).click();
		await toast(page).getByText(`Rejected ${serial}`).waitFor();
	},

	async approve_matching(t, page, match, note) {
		await choose(page, match);
		await page.getByRole('button', { name: 'Approve…' }).click();
		const question = dialog(page).getByRole('heading', { name: /^Approve \d+ claims/ });
		const asked = await question.innerText();
		await t.ask('meanwhile');
		await dialog(page).getByLabel('Note').fill(note);
		await dialog(page).getByRole('button', { name: /^Approve \d+$/ }).click();
		const done = toast(page).getByText(/Approved \d+ claims?/);
		const changed = dialog(page).getByText('in your preview and is');
		await done.or(changed).first().waitFor();
		await t.ask('read', { shown: Number(asked.match(/\d+/)[0]), done: await done.isVisible() });
	},

	async import_list(t, page, text) {
		await t.go('import');
		await page
			.getByLabel('CSV or NDJSON file')
			.setInputFiles({ name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
		const wrong = page.getByText('nothing was imported').first();
		const button = page.getByRole('button', { name: /^Import \d+/ });
		await wrong.or(button).first().waitFor();
		if (await wrong.isVisible()) {
			const lines = await page.locator('table tbody th').allInnerTexts();
			return t.ask('read', { bad: lines.map(Number) });
		}
		await button.click();
		await page.getByText(/\d devices? may join\./).first().waitFor();
		return t.ask('read', { bad: [] });
	},

	async replace(t, page, old, fresh, reason) {
		await t.go(`device/${old}`);
		await page.getByRole('button', { name: 'Replace…' }).click();
		await dialog(page).getByLabel('Serial number of the new device').fill(fresh);
		await dialog(page).getByLabel('Reason').fill(reason);
		await dialog(page).getByRole('button', { name: 'Replace', exact: true }).click();
		await page.locator('.chip', { hasText: 'replaced' }).first().waitFor();
	},

	async timeline(t, page, serial, last) {
		await t.go(`device/${serial}`);
		await page.locator('.timeline').getByText(last).first().waitFor();
		await t.ask('read', { text: await page.locator('.timeline').innerText() });
	},
};

export default async function (t, what, ...args) {
	const page = await enter(t, 'claims');
	t.expect(/status of 4(00|09|12)/);
	await ways[what](t, page, ...args);
}
