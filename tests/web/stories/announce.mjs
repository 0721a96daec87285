/* SPDX-License-Identifier: Apache-2.0 */
/* A supplier announces devices and may not decide; somebody who may finds them and approves. */
import { assert, dialog, enter, row } from '../steps.mjs';

export default async function (t) {
	let page = await enter(t, 'import', { user: 'susi' });
	await page.getByText('Devices of the list are expected').waitFor();
	await page.getByLabel('CSV or NDJSON file').setInputFiles({
		name: 'excel.csv',
		mimeType: 'text/csv',
		buffer: Buffer.from('\ufeffManufacturer;Serial;Note\r\nAcme;SUP-1;"left, top"\r\n;;\r\n'),
	});
	await page.getByRole('button', { name: 'Import 1 device' }).click();
	await page.getByText('1 device is known now').waitFor();
	await page.getByRole('link', { name: 'See them' }).click();
	await row(page, 'SUP-1').waitFor();
	assert.equal(await t.ask('count', 'announced'), 1);
	page = await enter(t, 'claims');
	await page.getByRole('button', { name: 'Announced' }).click();
	await row(page, 'SUP-1').getByRole('checkbox').check();
	await page.keyboard.press('a');
	await dialog(page).getByRole('button', { name: 'Approve 1' }).click();
	await row(page, 'SUP-1').waitFor({ state: 'detached' });
	assert.equal(await t.ask('count', 'announced'), 0);
}
