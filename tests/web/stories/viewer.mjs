/* SPDX-License-Identifier: Apache-2.0 */
/* Who may only look sees no door that is shut, and why a button is not theirs. */
import { assert, enter, row } from '../steps.mjs';

export default async function (t) {
	const serial = await t.ask('hold');
	const page = await enter(t, 'claims', { user: 'vera' });
	await row(page, serial).getByRole('checkbox').check();
	const button = page.getByRole('button', { name: 'Approve…' });
	assert(await button.isDisabled());
	assert.match(await button.getAttribute('title'), /viewer/);
	for (const name of ['Import', 'Audit'])
		assert.equal(await page.getByRole('navigation').getByRole('link', { name }).count(), 0);
	await page.goto(`${t.url}/#/users`);
	await page.getByText('Only administrators see and change users').waitFor();
	await t.shot('users');
}
