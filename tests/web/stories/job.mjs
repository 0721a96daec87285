/* SPDX-License-Identifier: Apache-2.0 */
/* More than are answered at once: a job with its progress, and a list that goes on. */
import { readFileSync } from 'node:fs';
import { assert, dialog, enter, toast } from '../steps.mjs';

export default async function (t) {
	const page = await enter(t, 'claims?state=preapproved&match=serial%3DJ-*');
	await page.getByText('100+ claims').waitFor();
	const [file] = await Promise.all([
		page.waitForEvent('download'),
		page.getByRole('button', { name: 'Export' }).click(),
	]);
	const lines = readFileSync(await file.path(), 'utf8')
		.trim()
		.split('\n');
	assert.equal(lines.length, 1501);
	assert.equal(lines.filter((line) => line.startsWith('manufacturer,')).length, 1);
	await page.getByRole('button', { name: 'Choose all that match' }).click();
	await page.getByText('All 1,500 that match are chosen').waitFor();
	await page.getByRole('button', { name: 'Reject…' }).click();
	await dialog(page).getByText('of the first 1,000').waitFor();
	await dialog(page).getByLabel('Reason').fill('the order was cancelled');
	await dialog(page).getByRole('button', { name: 'Reject 1,500' }).click();
	await dialog(page).getByRole('progressbar').waitFor();
	await t.shot('progress');
	await toast(page).getByText('Rejected 1,500 claims').waitFor();
	await page.getByRole('button', { name: 'Rejected' }).click();
	await page.getByText('100+ claims').waitFor();
	await page.getByRole('button', { name: 'Show more' }).click();
	await page.getByText('200+ claims').waitFor();
}
