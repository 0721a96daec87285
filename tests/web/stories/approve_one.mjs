/* SPDX-License-Identifier: Apache-2.0 */
/* A device asks, shows up in an open inbox by itself, is approved, and is followed until it joined. */
import { assert, dialog, enter, row, toast } from '../steps.mjs';

export default async function (t) {
	const page = await enter(t, 'claims');
	await page.getByText('Live', { exact: true }).waitFor();
	const serial = await t.ask('hold');
	await row(page, serial).waitFor(); /* nobody reloaded */
	await t.shot('inbox');
	await row(page, serial).getByRole('link').click();
	await page.getByRole('heading', { name: `Claim ${serial}`, level: 1 }).waitFor();
	await page.getByText('asks again about every minute').waitFor();
	await t.shot('claim');
	await page.getByRole('button', { name: 'Approve…' }).click();
	await dialog(page).getByText('joins when it asks next').waitFor();
	await dialog(page).getByLabel('Note').fill('on the delivery note');
	await t.shot('question');
	await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
	await toast(page).getByText(`Approved ${serial}`).waitFor();
	await page.getByRole('link', { name: 'The device', exact: true }).click();
	await page.getByRole('heading', { name: serial, level: 1 }).waitFor();
	assert.equal(await t.ask('join', serial), 0);
	await page.locator('.chip', { hasText: 'active' }).first().waitFor();
	await page.locator('.timeline').getByText('Got its certificate').first().waitFor();
	await page.getByText('on the delivery note').first().waitFor();
	await t.shot('joined', { fullPage: true });
}
