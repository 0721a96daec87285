/* SPDX-License-Identifier: Apache-2.0 */
/* A site where two people have to agree: the first is told so, cannot be both, and the second decides. */
import { assert, dialog, enter, toast } from '../steps.mjs';

async function approve(page, serial, site) {
	await page.getByRole('link', { name: serial }).click();
	await page.getByRole('button', { name: 'Approve…' }).click();
	if (site) await dialog(page).getByLabel('Site').fill(site);
	await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
}

export default async function (t) {
	const serial = await t.ask('hold');
	let page = await enter(t, 'sites');
	await page.getByRole('button', { name: 'Add a site…' }).click();
	await dialog(page).getByLabel('Path').fill('/careful');
	await dialog(page).getByLabel('Approvers of a claim').selectOption('2');
	await dialog(page).getByRole('button', { name: 'Add', exact: true }).click();
	await page.getByRole('link', { name: '/careful' }).waitFor();
	await t.go('claims');
	await approve(page, serial, '/careful');
	await toast(page).getByText('a second person has to approve it').waitFor();
	await page.getByText('Approved so far by').waitFor();
	await t.shot('once');
	await page.getByRole('button', { name: 'Approve…' }).click();
	await dialog(page).getByLabel('Site').fill('/careful');
	t.expect(/status of 409/);
	await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
	await dialog(page).getByText('the second approval has to be somebody else').waitFor();
	await t.shot('same');
	await t.context.close();
	page = await enter(t, 'claims', { user: 'otto' });
	await approve(page, serial, '/careful');
	await toast(page).getByText(`Approved ${serial}`).waitFor();
	assert.equal((await t.ask('claim', serial)).claim, 'approved');
}
