/* SPDX-License-Identifier: Apache-2.0 */
/* Without a mouse: find, look, choose, approve, reject. */
import { assert, dialog, enter, row, toast } from '../steps.mjs';

export default async function (t) {
	const serials = [await t.ask('hold'), await t.ask('hold'), await t.ask('hold')];
	const page = await enter(t, 'overview');
	const press = async (...keys) => {
		for (const k of keys) await page.keyboard.press(k);
	};
	const focused = () =>
		page.evaluate(
			() =>
				document.activeElement.textContent ||
				document.activeElement.getAttribute('aria-label'),
		);
	await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
	await press('g', 'c');
	await page.getByRole('heading', { name: 'Claims', level: 1 }).waitFor();
	await row(page, serials[2]).waitFor();
	await press('?');
	await dialog(page).getByText('select the row').waitFor();
	await t.shot('keys');
	await press('Escape');
	await press('/');
	await page.keyboard.type('state=pending');
	await press('Enter', 'Escape');
	await row(page, serials[2]).waitFor();
	await press('j');
	assert.equal(await focused(), serials[0]);
	await press('j', 'j', 'k');
	assert.equal(await focused(), serials[1]);
	await t.shot('row');
	await press('o');
	await page.getByRole('heading', { name: `Claim ${serials[1]}`, level: 1 }).waitFor();
	await press('b');
	await row(page, serials[2]).waitFor();
	await press('j', 'x', 'j', 'x');
	await page.getByText('2 chosen').waitFor();
	await press('a');
	await dialog(page).waitFor();
	await press('Enter'); /* in the first field: it is a form */
	await toast(page).getByText('Approved 2 claims').waitFor();
	await row(page, serials[0]).waitFor({ state: 'detached' });
	assert.equal(await focused(), serials[2]); /* not lost with the rows that went */
	await press('r');
	await dialog(page).getByLabel('Reason').waitFor();
	await page.keyboard.type('no room');
	await press('Enter');
	await toast(page).getByText('Rejected 1 claim').waitFor();
	assert.deepEqual(
		[(await t.ask('claim', serials[1])).claim, (await t.ask('claim', serials[2])).claim],
		['approved', 'rejected'],
	);
}
