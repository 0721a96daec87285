/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar was updated while the page stayed open: it says so, and loses nothing typed. */
import { assert, enter } from '../steps.mjs';

export default async function (t) {
	await t.ask('have_user', 'anna');
	const page = await enter(t, 'claims');
	await page.getByText('Live', { exact: true }).waitFor();
	assert.equal(await page.getByRole('button', { name: 'Reload the page' }).count(), 0);
	await page.route('**/version.js', (route) =>
		route.fulfill({ contentType: 'text/javascript', body: "export const version = '0.0.9';" }),
	);
	await page.reload();
	await page.getByRole('searchbox').fill('serial=HALF-TYP');
	await page.getByRole('alert').getByText('this page is of another').waitFor();
	assert.equal(await page.getByRole('searchbox').inputValue(), 'serial=HALF-TYP');
	await t.shot('banner');
	await page.unroute('**/version.js');
	await page.getByRole('button', { name: 'Reload the page' }).click();
	await page.getByText('Live', { exact: true }).waitFor();
	assert.equal(await page.getByRole('button', { name: 'Reload the page' }).count(), 0);
}
