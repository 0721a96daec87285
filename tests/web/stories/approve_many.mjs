/* SPDX-License-Identifier: Apache-2.0 */
/* Four hundred at once, after a preview; one more asks while the preview is open. */
import { assert, dialog, enter, toast } from '../steps.mjs';

export default async function (t, match, more) {
	const page = await enter(t, 'claims');
	t.expect(/status of 409/);
	await page.getByRole('searchbox').fill(match);
	await page.keyboard.press('Enter');
	await page.getByText('100+ claims').waitFor();
	await page.getByRole('button', { name: 'Choose all that match' }).click();
	await page.getByText('All 400 that match are chosen').waitFor();
	await t.shot('chosen');
	await page.getByRole('button', { name: 'Approve…' }).click();
	const box = dialog(page);
	await box.getByRole('heading', { name: 'Approve 400 claims that match?' }).waitFor();
	await box.getByText('and 394 more').waitFor();
	await box.getByLabel('Note').fill('pallet 12');
	await box.getByLabel('Labels').fill('order=4711');
	await t.shot('preview');
	await t.ask('hold_many', more.first, more.count);
	await box.getByRole('button', { name: 'Approve 400' }).click();
	await box.getByText('It was 400 in your preview and is 401 now').waitFor();
	assert.equal(await box.getByLabel('Note').inputValue(), 'pallet 12');
	await t.shot('changed');
	await box.getByRole('button', { name: 'Approve 401' }).click();
	await toast(page).getByText('Approved 401 claims').waitFor();
	await page.getByText('Nothing matches.').waitFor();
	await t.shot('done');
	assert.equal(await t.ask('count', 'pending'), 0);
	assert.equal(await t.ask('count', 'approved', 'pallet 12'), 401);
}
