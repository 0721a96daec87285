/* SPDX-License-Identifier: Apache-2.0 */
/* A browser for the tests: reads one JSON line for a story to tell (stories/NAME.mjs), and answers
 * with one when it is told. In between a story asks for what only the tests can do (a device that
 * joins, a command) by a line of its own. Any word of the browser's console that a story did not
 * expect is a failure of it. */
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const { build, url } = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(build, 'browser', 'deps', 'package.json'))('playwright-core');
const pictures = join(build, 'browser');
mkdirSync(pictures, { recursive: true });

const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
	args: [
		'--no-sandbox',
		'--disable-gpu',
		'--disable-dev-shm-usage',
		'--disable-background-networking',
		'--no-first-run',
	],
});
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const PATIENCE_MS = 1000 * Number(process.env.BRSKI_TEST_PATIENCE ?? 20); /* as in harness.py */
const sessions = new Map(); /* by user: cookies, so that a story need not log in each time */

class Story {
	constructor(name) {
		this.name = name;
		this.said = [];
		this.refused = [];
		this.expected = [];
		this.url = url;
	}

	async open(options = {}) {
		const { user, ...more } = options;
		this.context = await browser.newContext({
			viewport: { width: 1360, height: 860 },
			ignoreHTTPSErrors: true,
			locale: 'en-GB',
			storageState: user ? sessions.get(user) : undefined,
			...more,
		});
		this.context.setDefaultTimeout(PATIENCE_MS);
		this.page = await this.context.newPage();
		this.page.on('console', (m) => {
			/* tests of other links make interfaces meanwhile; the pages ask again by themselves */
			if (m.text().includes('net::ERR_NETWORK_CHANGED')) return;
			if (['error', 'warning'].includes(m.type()))
				this.said.push(`${m.text()} ${m.location().url}`);
		});
		this.page.on('response', async (r) => {
			if (r.status() >= 400)
				this.refused.push(
					`${r.status()} ${r.url()} ${r.request().postData() ?? ''} ${await r.text().catch(() => '')}`,
				);
		});
		this.page.on('pageerror', (error) => this.said.push(String(error.stack)));
		return this.page;
	}

	/* The requests that are to be refused: their lines in the console are the browser's own. */
	expect(...patterns) {
		this.expected.push(...patterns);
	}

	async ask(what, ...args) {
		write({ ask: what, args });
		const { value } = await lines.next();
		const answer = JSON.parse(value);
		if (answer.error) throw new Error(`${what}: ${answer.error}`);
		return answer.value;
	}

	async keep(user) {
		sessions.set(user, await this.context.storageState());
	}

	async shot(name, options) {
		await this.page.screenshot({
			path: join(pictures, `${this.name}-${name}.png`),
			...options,
		});
	}

	go(place) {
		return this.page.goto(`${url}/#/${place}`);
	}

	complaints() {
		return this.said.filter((line) => !this.expected.some((p) => p.test(line)));
	}
}

for (;;) {
	const { value, done } = await lines.next();
	if (done) break;
	const { story, args } = JSON.parse(value);
	const t = new Story(story);
	try {
		const { default: tell } = await import(`./stories/${story}.mjs`);
		await tell(t, ...args);
		const complaints = t.complaints();
		if (complaints.length) throw new Error(`the console says:\n${complaints.join('\n')}`);
		write({ told: story });
	} catch (error) {
		await t.page?.screenshot({ path: join(pictures, `${story}-FAILED.png`) }).catch(() => {});
		const text = await t.page
			?.locator('body')
			.innerText()
			.catch(() => '');
		write({
			failed: `${error.stack}\nconsole: ${t.said.join('\n')}\nrefused: ${t.refused.join('\n')}\npage: ${(text ?? '').slice(0, 1500)}`,
		});
	} finally {
		await t.context?.close();
	}
}
await browser.close();
