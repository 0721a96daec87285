/* SPDX-License-Identifier: Apache-2.0 */
/* A list with three bad rows: nothing is imported and each is named; corrected, all of it is. */
import { assert, enter, row } from '../steps.mjs';

const good = [
	'manufacturer,serial,note',
	'Acme,WEB-1,order 1',
	'Acme,WEB-2,order 1',
	'Acme,<i>WEB-3</i>,order 1',
];
const bad = [...good, 'Acne,WEB-4,', 'Acme,,', 'Acme,WEB-5,a,b,c,d,e,f'];

export default async function (t) {
	const page = await enter(t, 'import');
	t.expect(/status of 400/);
	const file = (rows) => ({
		name: 'supplier.csv',
		mimeType: 'text/csv',
		buffer: Buffer.from(`${rows.join('\n')}\n`),
	});
	await page.getByLabel('CSV or NDJSON file').setInputFiles(file(bad));
	await page.getByText('3 rows of 6 are wrong; nothing was imported').waitFor();
	await page.getByRole('status').getByText('3 rows are wrong').waitFor();
	assert.equal(await page.locator('table tbody tr').count(), 3);
	for (const line of ['5', '6', '7'])
		await page.locator('table tbody th', { hasText: line }).waitFor();
	await t.shot('bad', { fullPage: true });
	assert.equal(await page.getByRole('button', { name: /^Import/ }).count(), 0);
	await page.getByLabel('CSV or NDJSON file').setInputFiles(file(good));
	await page.getByText('All 3 rows are good; nothing was changed yet').waitFor();
	assert.equal(await t.ask('count', 'preapproved'), 0);
	await page.getByRole('button', { name: 'Import 3 devices' }).click();
	await page.getByText('3 devices may join').waitFor();
	await t.shot('imported', { fullPage: true });
	await page.getByRole('link', { name: 'See them' }).click();
	await row(page, '<i>WEB-3</i>').waitFor(); /* a serial number is never markup */
	assert.equal(await page.locator('td i, th i').count(), 0);
}
