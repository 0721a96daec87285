/* SPDX-License-Identifier: Apache-2.0 */
/* What is done now and then: rules, users, tokens, hooks, a backup, a quarantine. */
import { assert, dialog, enter, toast } from '../steps.mjs';

export default async function (t, folder) {
	const device = await t.ask('joined');
	const page = await enter(t, 'rules');
	const button = (name) => page.getByRole('button', { name, exact: true });
	const confirm = (name) => dialog(page).getByRole('button', { name, exact: true }).click();
	const close = () => confirm('Close');

	await button('Add a rule…').click();
	await dialog(page).getByLabel('Serial numbers').fill('RULE-*');
	await dialog(page).getByLabel('Puts them at site').fill('/eu/de/berlin-3');
	await dialog(page).getByLabel('Gives them labels').fill('order');
	await confirm('Add the rule');
	await dialog(page).getByText('is not written as name=value').waitFor();
	await dialog(page).getByLabel('Gives them labels').fill('order=4711');
	await confirm('Add the rule');
	const row = page.locator('tr', { hasText: 'RULE-*' });
	await row.getByText('order=4711').waitFor();
	await page.getByLabel('Serial number').fill('RULE-7');
	await button('Try').click();
	await page.locator('.note', { hasText: 'RULE-7' }).getByText('at place 2 decides').waitFor();
	await row.getByRole('button', { name: /^Disable/ }).click();
	await row.getByText('(disabled)').waitFor();
	await t.shot('rules');
	await row.getByRole('button', { name: /^Remove/ }).click();
	await confirm('Remove');
	await row.waitFor({ state: 'detached' });

	await t.go('users');
	await button('Add a user…').click();
	await dialog(page).getByLabel('Name').fill('uwe');
	await dialog(page).getByLabel('Role').selectOption('approver');
	await dialog(page).getByLabel('Only at site').fill('/eu/de/berlin-3');
	await confirm('Add');
	const code = await dialog(page).locator('.secret').innerText();
	assert(code.length > 8);
	await t.shot('code');
	await close();
	const uwe = page.locator('tr', { hasText: 'uwe' });
	await uwe.getByText('/eu/de/berlin-3').waitFor();
	await uwe.getByRole('button', { name: /^Give/ }).click();
	await dialog(page).getByLabel('Role').selectOption('viewer');
	await confirm('Give');
	await uwe.getByText('viewer').waitFor();
	await uwe.getByRole('button', { name: /Take the role viewer/ }).click();
	await confirm('Take it away');
	await uwe.getByText('viewer').waitFor({ state: 'detached' });
	await uwe.getByRole('button', { name: /^Disable/ }).click();
	await confirm('Disable');
	await uwe.getByText('disabled').waitFor();
	await uwe.getByRole('button', { name: /^Remove/ }).click();
	await confirm('Remove');
	await uwe.waitFor({ state: 'detached' });
	await button('Make a token…').click();
	await dialog(page).getByLabel('What for').fill('monitoring');
	await dialog(page).getByLabel('Role').selectOption('viewer');
	await confirm('Make it');
	assert((await dialog(page).locator('.secret').innerText()).length > 20);
	await close();
	await page.getByRole('button', { name: 'Remove the token monitoring' }).click();
	await confirm('Remove');
	await page.getByText('You have no tokens.').waitFor();

	await t.go('events');
	await button('Add a hook…').click();
	await dialog(page).getByLabel('Address').fill('https://127.0.0.1:9/hook');
	await dialog(page).getByLabel('Events').fill('claim.*, device.enrolled');
	await confirm('Add');
	assert((await dialog(page).locator('.secret').innerText()).length > 20);
	await close();
	await page.getByRole('button', { name: 'Test https://127.0.0.1:9/hook' }).click();
	await dialog(page).getByText('did not take the test').waitFor();
	await close();
	await page.getByRole('button', { name: 'Remove https://127.0.0.1:9/hook' }).click();
	await confirm('Remove');
	await page.getByText('127.0.0.1:9/hook').first().waitFor({ state: 'detached' });

	await t.go('system');
	await page.locator('section', { hasText: 'Doctor' }).locator('tbody tr').first().waitFor();
	await button('Make a backup…').click();
	await dialog(page).getByLabel('File').fill(`${folder}/backup.db`);
	await confirm('Make it');
	await page.locator('section', { hasText: 'Backup' }).getByText('done').waitFor();
	await t.shot('system', { fullPage: true });

	await t.go(`device/${device}`);
	await button('Quarantine…').click();
	await dialog(page).getByLabel('Reason').fill('to be looked at');
	await confirm('Quarantine');
	await page.locator('.chip', { hasText: 'quarantined' }).first().waitFor();
	await button('Release…').click();
	await confirm('Release');
	await page.locator('.chip', { hasText: 'active' }).first().waitFor();
	await button('Revoke…').click();
	await confirm('Revoke');
	await page.locator('.chip', { hasText: 'revoked' }).first().waitFor();
	await toast(page).getByText(`Revoked: ${device}`).waitFor();
	await t.shot('revoked', { fullPage: true });
}
