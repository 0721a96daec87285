/* SPDX-License-Identifier: Apache-2.0 */
/* A reason is asked for, and is where somebody looks for it later. */
import { assert, dialog, enter, row, toast } from '../steps.mjs';

export default async function (t) {
	const serial = await t.ask('hold');
	const page = await enter(t, 'claims');
	await row(page, serial).getByRole('checkbox').check();
	await page.getByRole('button', { name: 'Reject…' }).click();
	await dialog(page).getByText('refused when they ask next').waitFor();
	await dialog(page)
		.getByRole('button', { name: 'Reject 1' })
		.click(); /* without a reason: the field asks for it */
	await dialog(page).getByLabel('Reason').fill('not in the <b>order</b>');
	await t.shot('question');
	/* the list is read again meanwhile, for somebody comes, and the answer is late: that what was
	 * chosen is not in it any more is nobody else's doing */
	let read, goOn;
	const isRead = new Promise((done) => (read = done));
	const mayGoOn = new Promise((done) => (goOn = done));
	await page.route('**/api/v1/claims?*', async (route) => {
		read();
		await mayGoOn;
		await route.continue();
	});
	const other = await t.ask('hold');
	await isRead;
	await dialog(page).getByRole('button', { name: 'Reject 1' }).click();
	await toast(page).getByText('Rejected 1 claim').waitFor();
	goOn();
	await row(page, other).waitFor();
	assert.match(await toast(page).innerText(), /^Rejected 1 claim/);
	await t.ask('ctl', 'claims', 'reject', other, '--reason', 'other stories count who waits');
	await row(page, serial).waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Rejected' }).click();
	await row(page, serial).getByText('not in the <b>order</b>').waitFor(); /* text, not markup */
	await t.shot('rejected');
}
