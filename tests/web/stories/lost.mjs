/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar restarts under an open page, and a session ends: the page says so and goes on. */
import { dialog, enter, PASSWORD, row, toast } from '../steps.mjs';

export default async function (t) {
	const serial = await t.ask('hold');
	const page = await enter(t, 'claims', { user: 'otto' });
	t.expect(/ERR_/, /status of 401/, /status of 50/);
	await page.getByText('Live', { exact: true }).waitFor();
	await row(page, serial).getByRole('checkbox').check();
	await page.getByRole('button', { name: 'Reject…' }).click();
	await dialog(page).getByLabel('Reason').fill('kept through all of it');
	await t.ask('stop');
	await page.getByText('No connection').waitFor();
	await dialog(page).getByRole('button', { name: 'Reject 1' }).click();
	await dialog(page).getByText('See whether the registrar runs').waitFor();
	await t.shot('nobody-answers');
	await t.context.clearCookies(); /* the session ends as well */
	await t.ask('start');
	const again = page.getByRole('dialog', { name: 'Log in again' });
	await again.getByLabel('Name').fill('otto');
	await again.getByLabel('Password', { exact: true }).fill(PASSWORD);
	await t.shot('log-in-again');
	await again.getByRole('button', { name: 'Log in' }).click();
	await again.waitFor({ state: 'detached' });
	await dialog(page).getByRole('button', { name: 'Reject 1' }).click();
	await toast(page).getByText('Rejected 1 claim').waitFor();
	await page.getByText('Live', { exact: true }).waitFor();
}
