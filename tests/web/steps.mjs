/* SPDX-License-Identifier: Apache-2.0 */
/* What several stories do, in the words of who uses the pages. */
import assert from 'node:assert/strict';

export { assert };

/* Logged in as somebody whose session an earlier story kept, or who logs in now. */
export async function enter(t, place = 'overview', options = {}) {
	const { user = 'anna', ...more } = options;
	await t.ask('have_user', user);
	const page = await t.open({ user, ...more });
	t.expect(/status of 401/);
	await t.go(place);
	const form = page.locator('form', { hasText: 'Password' });
	await Promise.race([form.waitFor(), page.locator('nav').waitFor()]);
	if (await form.count()) {
		await page.getByLabel('Name').fill(user);
		await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
		await page.getByRole('button', { name: 'Log in' }).click();
		await page.locator('nav').waitFor();
		await t.keep(user);
	}
	return page;
}

export const PASSWORD = 'correct horse battery staple';

export const row = (page, serial) =>
	page.locator('.list tbody tr', { has: page.getByText(serial, { exact: true }) });
export const dialog = (page) => page.getByRole('dialog');
export const toast = (page) => page.locator('#say');
