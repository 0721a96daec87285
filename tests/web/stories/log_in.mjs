/* SPDX-License-Identifier: Apache-2.0 */
/* The first time: a one-time code, a password chosen, and the pages. Then out, and in by password. */
import { assert, PASSWORD } from '../steps.mjs';

export default async function (t, user, code) {
	const page = await t.open();
	t.expect(/status of 401/, /status of 400/);
	await t.go('claims');
	await page.getByRole('heading', { name: 'Log in' }).waitFor();
	await page.getByLabel('Name').fill(user);
	await page.getByRole('button', { name: 'I have a one-time code' }).click();
	await t.shot('code');
	assert.equal(await page.getByLabel('Name').inputValue(), user); /* typed once */
	await page.keyboard.type('WRONG-CODE'); /* it waits for the code */
	assert.equal(await page.getByLabel('One-time code').inputValue(), 'WRONG-CODE');
	await page.getByLabel('Choose a password').fill(PASSWORD);
	await page.getByLabel('The same again').fill(`${PASSWORD}!`);
	await page.getByRole('button', { name: 'Save and log in' }).click();
	await page.getByRole('alert').getByText('different').waitFor();
	await page.getByLabel('The same again').fill(PASSWORD);
	await page.getByRole('button', { name: 'Save and log in' }).click();
	await page.getByRole('alert').locator('.dim').first().waitFor();
	await t.shot('refused');
	await page.getByLabel('One-time code').fill(code);
	await page.getByRole('button', { name: 'Save and log in' }).click();
	await page
		.getByRole('heading', { name: 'Claims', level: 1 })
		.waitFor(); /* where they wanted to go */
	const kept = await page.evaluate(() =>
		JSON.stringify([
			{ ...localStorage },
			{ ...sessionStorage },
			document.cookie,
			location.href,
		]),
	);
	for (const secret of [PASSWORD, code, 'csrf']) assert(!kept.includes(secret), kept);

	await page.getByRole('button', { name: user, exact: true }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Log out' }).click();
	await page.getByRole('heading', { name: 'Log in' }).waitFor();
	await page.getByLabel('Name').fill(user);
	await page.getByLabel('Password', { exact: true }).fill('not the right one');
	await page.getByRole('button', { name: 'Log in' }).click();
	await page.getByRole('alert').waitFor();
	await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
	await page.keyboard.press('Enter');
	await page.getByRole('heading', { name: 'Claims', level: 1 }).waitFor();
	await page.goto(`${t.url}/#/overview`);
	await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
	await page.getByText('Joins per hour').first().waitFor();
	await t.shot('overview');
	await t.keep(user);
}
