/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around the pages: navigation, who is logged in, whether the registrar answers. A page is
 * a module of pages/ whose show(view) fills an element and returns what it wants of the frame:
 * {keys, refresh(events), pace, leave()}. */
import * as api from './api.js';
import { ask, tell } from './dialog.js';
import { h, replace, say } from './dom.js';
import { duration, num } from './format.js';
import * as keys from './keys.js';
import * as live from './live.js';
import { problemBox } from './problem.js';
import { go, href, parse } from './router.js';
import * as session from './session.js';
import { logInForm } from './pages/login.js';

/* name: [title, module, key after g, permission, group] */
const PAGES = {
	overview: ['Overview', 'overview', 'o', 'view', 'Now'],
	claims: ['Claims', 'claims', 'c', 'view', 'Now'],
	devices: ['Devices', 'devices', 'd', 'view', 'Now'],
	certificates: ['Certificates', 'certificates', 't', 'view', 'Now'],
	import: ['Import', 'import', 'i', 'announce', 'Set up'],
	rules: ['Rules', 'rules', 'r', 'view', 'Set up'],
	sites: ['Sites', 'sites', 's', 'view', 'Set up'],
	manufacturers: ['Manufacturers', 'manufacturers', 'm', 'view', 'Set up'],
	events: ['Events & hooks', 'events', 'e', 'view', 'Look after'],
	audit: ['Audit', 'audit', 'a', 'audit', 'Look after'],
	users: ['Users & tokens', 'users', 'u', 'view', 'Look after'],
	system: ['System', 'system', 'y', 'view', 'Look after'],
	claim: ['Claim', 'claim'],
	device: ['Device', 'device'],
};
const REFRESH_AFTER_MS = 400; /* events come in swarms */
const REFRESH_EVERY_MS = 2000; /* and on a busy day all the time; a page may want longer */

const app = document.getElementById('app');
let main, title, links, banner, linkState, userMenu;
let shown = null;
let turn = 0;
let due = 0;
let refreshed = 0;
let missed = [];

/* ---- The frame ---- */

function navigation() {
	const groups = new Map();
	links = new Map();
	for (const [name, [text, , key, permission, group]] of Object.entries(PAGES)) {
		if (!group || !session.may(permission)) continue;
		const link = h('a', { href: href(name), title: `g ${key}` }, h('span', text));
		links.set(name, link);
		if (!groups.has(group)) groups.set(group, []);
		groups.get(group).push(h('li', link));
	}
	return h(
		'nav',
		{ id: 'nav', 'aria-label': 'Pages' },
		h('a.brand', { href: href('overview') }, mark(), h('span', 'Registrar')),
		[...groups].map(([group, items]) => h('div.group', h('p', group), h('ul', items))),
	);
}

const mark = () => h('img', { src: 'icon.svg', alt: '', width: 22, height: 22 });

function themeButton() {
	const names = { auto: 'as the system', light: 'light', dark: 'dark' };
	const { brskiTheme: theme } = globalThis;
	const button = h('button.quiet', {
		type: 'button',
		onclick: () => {
			theme.set(
				theme.choices[(theme.choices.indexOf(theme.get()) + 1) % theme.choices.length],
			);
			name();
			say(`Colours: ${names[theme.get()]}`);
		},
	});
	const name = () => {
		const sign = { auto: '◐', light: '☀', dark: '☾' }[theme.get()];
		replace(button, sign);
		button.setAttribute('aria-label', `Colours: ${names[theme.get()]}`);
		button.title = button.getAttribute('aria-label');
	};
	name();
	return button;
}

function frame() {
	title = h('h1', { tabindex: '-1' });
	main = h('div.page');
	banner = h('div.banners');
	linkState = h('span.link-state', { role: 'status' });
	const who = session.get();
	userMenu = h('button.quiet', { type: 'button', onclick: aboutMe }, who.user);
	const menu = h(
		'button.quiet.menu',
		{
			type: 'button',
			'aria-expanded': 'false',
			'aria-controls': 'nav',
			onclick: () =>
				menu.setAttribute(
					'aria-expanded',
					String(document.body.classList.toggle('nav-open')),
				),
		},
		'☰ Menu',
	);
	replace(
		app,
		navigation(),
		h(
			'div.right',
			h(
				'header',
				menu,
				title,
				h('span.space'),
				linkState,
				h(
					'button.quiet',
					{ type: 'button', 'aria-label': 'Keys (?)', title: 'Keys (?)', onclick: help },
					'?',
				),
				themeButton(),
				userMenu,
			),
			banner,
			h('main', { id: 'main', tabindex: '-1' }, main),
		),
	);
	live.watch(showLink);
}

function showLink(s) {
	if (!linkState?.isConnected) return;
	const text = { starting: '', live: 'Live', lost: 'No connection' }[s.link];
	linkState.className = `link-state ${s.link}`;
	if (linkState.textContent !== text) linkState.textContent = text;
	const claims = links.get('claims');
	if (claims && s.pending !== null) {
		claims.querySelector('.count')?.remove();
		if (s.pending)
			claims.append(h('span.count', { title: 'waiting for a decision' }, num(s.pending)));
	}
	document.title = `${s.pending ? `(${num(s.pending)}) ` : ''}${title.textContent} – Registrar`;
	const notes = [];
	if (s.newer)
		notes.push(
			h(
				'div.banner.warn',
				{ role: 'alert' },
				h(
					'span',
					`The registrar is now version ${s.newer}, and this page is of another. ` +
						'Finish what you are typing, then reload.',
				),
				h(
					'button',
					{ type: 'button', onclick: () => location.reload() },
					'Reload the page',
				),
			),
		);
	if (s.link === 'lost')
		notes.push(
			h(
				'div.banner.bad',
				{ role: 'alert' },
				`The registrar does not answer. What you see is from before; it is tried again by itself. ` +
					'If it lasts, on its machine: systemctl status brski-registrar',
			),
		);
	if (banner.childElementCount !== notes.length || notes.length) replace(banner, ...notes);
}

async function aboutMe() {
	const who = session.get();
	await ask({
		title: who.user,
		verb: 'Log out',
		cancel: 'Close',
		body: [
			who.by &&
				h(
					'p',
					`You are known by ${{ session: 'your password', certificate: 'your certificate', token: 'a token', socket: 'the socket' }[who.by] ?? who.by}.`,
				),
			h('p', 'You may:'),
			h(
				'ul',
				(who.grants ?? []).map((g) =>
					h(
						'li',
						h('strong', g.role),
						g.site && g.site !== '/' ? ` in ${g.site}` : ' everywhere',
						g.manufacturer && ` for ${g.manufacturer}`,
						g.until && ` until ${g.until}`,
					),
				),
			),
			h('p', h('a', { href: href('users') }, 'Tokens and users')),
		],
		run: async () => {
			await api.logOut();
			live.end();
			session.set(null);
			location.reload();
		},
	});
}

/* ---- Logging in ---- */

async function logInPage() {
	const who = await new Promise((done) => {
		document.body.className = 'logging-in';
		replace(
			app,
			h(
				'main',
				{ id: 'main', class: 'log-in', tabindex: '-1' },
				h('p.brand', mark(), h('span', 'Registrar')),
				logInForm(done),
			),
		);
		app.querySelector('input')?.focus();
	});
	document.body.className = '';
	return who;
}

/* The session ended while somebody works: ask above the page, and lose nothing of it. */
function logInAgain() {
	return new Promise((done) => {
		const box = h(
			'dialog',
			{ 'aria-label': 'Log in again' },
			h('p', 'Your session has ended. Log in again: what you typed is still here.'),
			logInForm((who) => {
				session.set(who);
				box.close();
				box.remove();
				done();
			}),
		);
		box.addEventListener('cancel', (event) => event.preventDefault());
		document.body.append(box);
		box.showModal();
	});
}

/* ---- Pages ---- */

async function route() {
	const place = parse(location.hash);
	const page = PAGES[place.name];
	const mine = ++turn;
	shown?.leave?.();
	shown = null;
	refreshed = 0;
	document.body.classList.remove('nav-open');
	document.querySelector('.menu')?.setAttribute('aria-expanded', 'false');
	for (const [name, link] of links) {
		const here = name === place.name || name === `${place.name}s`;
		if (here) link.setAttribute('aria-current', 'page');
		else link.removeAttribute('aria-current');
	}
	keys.ofPage();
	const view = h('div.page');
	main.replaceWith(view);
	main = view;
	replace(title, page ? page[0] : 'Not here');
	document.title = `${title.textContent} – Registrar`;
	if (!page) {
		replace(
			view,
			h(
				'div.empty',
				h('p', 'There is no such page.'),
				h('p', h('a', { href: href('overview') }, 'To the overview')),
			),
		);
		return;
	}
	try {
		const { show } = await import(`./pages/${page[1]}.js`);
		if (mine !== turn) return;
		const result = await show(view, place, {
			current: () => mine === turn,
			title: (text) => {
				if (mine === turn) {
					replace(title, text);
					document.title = `${text} – Registrar`;
				}
			},
			reload: () => route(),
		});
		if (mine !== turn) {
			result?.leave?.();
			return;
		}
		shown = result ?? {};
		keys.ofPage(shown.keys);
	} catch (error) {
		if (mine === turn)
			replace(
				view,
				problemBox(error, () => route()),
			);
	}
}

function focusTitle() {
	if (!document.querySelector('dialog[open]')) title?.focus({ preventScroll: true });
	scrollTo(0, 0);
}

/* Events are told to the page soon, and then at most every so often. */
function onEvents(events) {
	missed.push(...events);
	if (due) return;
	const gap = refreshed + (shown?.pace ?? REFRESH_EVERY_MS) - Date.now();
	due = setTimeout(
		() => {
			const those = missed;
			due = 0;
			missed = [];
			refreshed = Date.now();
			Promise.resolve(shown?.refresh?.(those)).catch((error) => console.error(error));
		},
		Math.max(REFRESH_AFTER_MS, gap),
	);
}

async function help() {
	const goTo = Object.entries(PAGES)
		.filter(([, p]) => p[2])
		.map(([, p]) => [`g ${p[2]}`, p[0]]);
	const row = ([key, what]) =>
		h(
			'div',
			h(
				'dt',
				key.split(' ').map((k) => h('kbd', k)),
			),
			h('dd', what),
		);
	const own = keys.known().filter(([key]) => !key.startsWith('g ') && !key.startsWith('Arrow'));
	await tell(
		'Keys',
		h('div.columns', h('dl.keys', own.map(row)), h('dl.keys', goTo.map(row))),
		h('p.dim', `Live since ${duration((Date.now() - live.state.since) / 1000)}.`),
	);
}

/* ---- The beginning ---- */

async function begin() {
	try {
		if (!api.mayHaveSession()) session.set(await logInPage());
		else session.set(await api.whoAmI());
	} catch (error) {
		if (error.status === 401) {
			session.set(await logInPage());
		} else {
			replace(
				app,
				h(
					'main',
					{ id: 'main', class: 'log-in', tabindex: '-1' },
					problemBox(error, () => location.reload()),
				),
			);
			return;
		}
	}
	api.onSessionEnd(logInAgain);
	frame();
	for (const [name, [text, , key]] of Object.entries(PAGES))
		if (key) keys.onEvery(`g ${key}`, text, () => go(name));
	keys.onEvery('?', 'this help', help);
	keys.onEvery('/', 'search or filter', () => document.querySelector('[data-search]')?.focus());
	addEventListener('hashchange', async () => {
		await route();
		focusTitle();
	});
	live.subscribe(onEvents);
	live.start();
	await route();
}

begin();
