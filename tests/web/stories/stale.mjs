/* SPDX-License-Identifier: Apache-2.0 */
/* Two administrators at once: the slower one sees what changed, and keeps what was typed. */
import { assert, dialog, enter, toast } from '../steps.mjs';

export default async function (t) {
	const serial = await t.ask('hold');
	const page = await enter(t, 'claims');
	t.expect(/status of 4(09|12)/);
	await page.getByRole('link', { name: serial }).click();
	await page.getByRole('button', { name: 'Why does it not join?' }).click();
	await dialog(page).locator('table tbody tr').first().waitFor();
	await t.shot('explained');
	await dialog(page).getByRole('button', { name: 'Close' }).click();
	await page.getByRole('button', { name: 'Approve…' }).click();
	await dialog(page).getByLabel('Note').fill('seen it myself');
	await t.ask('ctl', 'claims', 'reject', serial, '--reason', 'stolen');
	await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
	await dialog(page).getByText('It is different now').waitFor();
	const changed = dialog(page).locator('table');
	await changed.getByText('rejected').waitFor();
	await changed.getByText('stolen').waitFor();
	assert.equal(await dialog(page).getByLabel('Note').inputValue(), 'seen it myself');
	await t.shot('changed');
	await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
	await toast(page).getByText(`Approved ${serial}`).waitFor();
	assert.equal((await t.ask('claim', serial)).claim, 'approved');
}
