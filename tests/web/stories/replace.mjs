/* SPDX-License-Identifier: Apache-2.0 */
/* A device is swapped: the new one takes its place, the old one is out. */
import { assert, dialog, enter } from '../steps.mjs';

export default async function (t) {
	const old = await t.ask('joined');
	const fresh = await t.ask('device');
	const page = await enter(t, `device/${old}`);
	await page.locator('.chip', { hasText: 'active' }).first().waitFor();
	await page.getByRole('button', { name: 'Labels…' }).click();
	await dialog(page).getByLabel('Labels').fill('rack=4');
	await dialog(page).getByRole('button', { name: 'Save the labels' }).click();
	await page.locator('.label', { hasText: 'rack=4' }).waitFor();
	await page.getByRole('button', { name: 'Replace…' }).click();
	await dialog(page).getByText('The old one is revoked').waitFor();
	await dialog(page).getByLabel('Serial number of the new device').fill(fresh);
	await dialog(page).getByLabel('Reason').fill('broken display');
	await t.shot('question');
	await dialog(page).getByRole('button', { name: 'Replace', exact: true }).click();
	await page.locator('.chip', { hasText: 'replaced' }).first().waitFor();
	await t.shot('old', { fullPage: true });
	assert.equal(await t.ask('join', fresh), 0);
	await page.locator('.facts div', { hasText: 'Replaced by' }).getByRole('link').click();
	await page.getByRole('heading', { name: fresh, level: 1 }).waitFor();
	await page.locator('.chip', { hasText: 'active' }).first().waitFor();
	await page.locator('.label', { hasText: 'rack=4' }).waitFor();
	await t.shot('new', { fullPage: true });
}
