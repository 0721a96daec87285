/* SPDX-License-Identifier: Apache-2.0 */
/* A reason is asked for, and is where somebody looks for it later. */
import { dialog, enter, row, toast } from '../steps.mjs';

export default async function (t) {
	const serial = await t.ask('hold');
	const page = await enter(t, 'claims');
	await row(page, serial).getByRole('checkbox').check();
	await page.getByRole('button', { name: 'Reject…' }).click();
	await dialog(page).getByText('refused when they ask next').waitFor();
	await dialog(page)
		.getByRole('button', { name: 'Reject 1' })
		.click(); /* without a reason: the field asks for it */
	await dialog(page).getByLabel('Reason').fill('not in the <b>order</b>');
	await t.shot('question');
	await dialog(page).getByRole('button', { name: 'Reject 1' }).click();
	await toast(page).getByText('Rejected 1 claim').waitFor();
	await row(page, serial).waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Rejected' }).click();
	await row(page, serial).getByText('not in the <b>order</b>').waitFor(); /* text, not markup */
	await t.shot('rejected');
}
