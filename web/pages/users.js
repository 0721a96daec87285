/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what, and the tokens of whoever looks. */
import * as api from '../api.js';
import { ask, tell } from '../dialog.js';
import { h, replace, say } from '../dom.js';
import { time } from '../format.js';
import { problemBox } from '../problem.js';
import * as session from '../session.js';
import { plainTable } from '../table.js';
import { chip, mono } from '../words.js';

const ROLES = [
	['viewer', 'viewer – sees'],
	['approver', 'approver – decides about claims'],
	['operator', 'operator – and looks after devices'],
	['auditor', 'auditor – sees, and the audit log'],
	['supplier', 'supplier – announces its own devices'],
	['admin', 'admin – everything'],
];
const grantFields = [
	{
		name: 'role',
		label: 'Role',
		type: 'select',
		options: ROLES,
		value: 'viewer',
		required: true,
	},
	{
		name: 'site',
		label: 'Only at site',
		placeholder: '/eu/de',
		help: 'And all below it. Empty: everywhere.',
	},
	{ name: 'manufacturer', label: 'Only for manufacturer' },
	{ name: 'until', label: 'Until', type: 'datetime-local' },
];

function grantOf(form) {
	const out = { role: form.role };
	if (form.site) out.site = form.site;
	if (form.manufacturer) out.manufacturer = form.manufacturer;
	if (form.until) out.until = `${new Date(form.until).toISOString().slice(0, 19)}Z`;
	return out;
}

const grantText = (g) => [
	h('strong', g.role),
	g.site && g.site !== '/' && ` in ${g.site}`,
	g.manufacturer && ` for ${g.manufacturer}`,
	g.until && [' until ', time(g.until)],
];
const once = (title, text, secret) => tell(title, h('p', text), h('p.secret', secret));

export async function show(view) {
	const people = h('section.card'),
		own = h('section.card');
	const admin = session.may('admin');
	replace(view, people, own);

	async function change(name, verb, o, after) {
		const done = await ask({
			...o,
			run: async (form, key) =>
				(await api.changeUser(name, verb, o.body2 ? o.body2(form) : {}, key)) ?? true,
		});
		if (!done) return;
		if (after) await after(done);
		else say('Done.');
		await load();
	}
	const code = (name) =>
		change(
			name,
			'code',
			{
				title: `A new one-time code for ${name}?`,
				verb: 'Make a code',
				body: h(
					'p.note',
					'With it they log in once and choose a new password. Codes from before stop working.',
				),
			},
			(done) =>
				once(
					`One-time code for ${name}`,
					'Tell it by phone or in person. It works once, for a quarter of an hour, and is not shown again.',
					done.code,
				),
		);
	const grant = (name) =>
		change(name, 'grant', {
			title: `Give ${name} a role`,
			fields: grantFields,
			verb: 'Give',
			body2: grantOf,
		});
	const ungrant = (name, g) =>
		change(name, 'ungrant', {
			title: `Take the role ${g.role} from ${name}?`,
			tone: 'danger',
			verb: 'Take it away',
			body: h(
				'p.note.warn',
				'It counts at once, also for sessions and tokens that are open.',
			),
			body2: () =>
				Object.fromEntries(
					Object.entries(g).filter(
						([k, v]) => v !== null && ['role', 'site', 'manufacturer'].includes(k),
					),
				),
		});
	const turn = (u) =>
		change(u.name, u.disabled ? 'enable' : 'disable', {
			title: `${u.disabled ? 'Enable' : 'Disable'} ${u.name}?`,
			verb: u.disabled ? 'Enable' : 'Disable',
			tone: u.disabled ? 'primary' : 'danger',
			body: h(
				'p.note',
				u.disabled
					? 'They may log in again with the password they had.'
					: 'Their sessions and tokens end at once. What they did stays in the audit log.',
			),
		});
	const remove = (u) =>
		change(u.name, 'remove', {
			title: `Remove ${u.name}?`,
			verb: 'Remove',
			tone: 'danger',
			body: h(
				'p.note.warn',
				'Their sessions and tokens end at once. What they did stays in the audit log, under this name.',
			),
		});

	async function addUser() {
		const done = await ask({
			title: 'Add a user',
			verb: 'Add',
			fields: [
				{
					name: 'name',
					label: 'Name',
					required: true,
					autofocus: true,
					pattern: '[a-z0-9._\\-]+',
					autocapitalize: 'none',
					help: 'Small letters, digits, . _ -',
				},
				...grantFields,
			],
			body: h(
				'p.note',
				'They log in with a one-time code, which is shown once after this, and choose a password.',
			),
			run: (form, key) => api.addUser({ name: form.name, ...grantOf(form) }, key),
		});
		if (!done) return;
		if (done.code)
			await once(
				`One-time code for ${done.user}`,
				'Tell it by phone or in person. It works once, for a quarter of an hour, and is not shown again.',
				done.code,
			);
		await load();
	}

	const row = (u) => [
		h('strong', u.name),
		(u.grants ?? []).map((g) =>
			h(
				'div',
				grantText(g),
				' ',
				h(
					'button.link',
					{
						type: 'button',
						'aria-label': `Take the role ${g.role} from ${u.name}`,
						onclick: () => ungrant(u.name, g),
					},
					'take away',
				),
			),
		),
		[
			chip(u.disabled ? 'disabled' : 'enabled'),
			!u.password &&
				h(
					'div.dim.small',
					u.code_until && Date.parse(u.code_until) > Date.now()
						? ['has a code that ends ', time(u.code_until)]
						: 'has no password: make a code',
				),
		],
		time(u.login, 'never'),
		h(
			'span.buttons',
			h(
				'button',
				{
					type: 'button',
					'aria-label': `Give ${u.name} a role`,
					onclick: () => grant(u.name),
				},
				'Give a role…',
			),
			h(
				'button',
				{
					type: 'button',
					'aria-label': `New code for ${u.name}`,
					onclick: () => code(u.name),
				},
				'New code…',
			),
			h(
				'button',
				{
					type: 'button',
					'aria-label': `${u.disabled ? 'Enable' : 'Disable'} ${u.name}`,
					onclick: () => turn(u),
				},
				u.disabled ? 'Enable…' : 'Disable…',
			),
			h(
				'button',
				{ type: 'button', 'aria-label': `Remove ${u.name}`, onclick: () => remove(u) },
				'Remove…',
			),
		),
	];

	async function loadPeople() {
		if (!admin) {
			replace(
				people,
				h('h2', 'Users'),
				h('p.dim', 'Only administrators see and change users.'),
			);
			return;
		}
		try {
			const { items } = await api.users();
			replace(
				people,
				h(
					'header',
					h('h2', 'Users'),
					h('button.primary', { type: 'button', onclick: addUser }, 'Add a user…'),
				),
				items.length
					? plainTable(
							'Users',
							['Name', 'May', 'State', 'Last log-in', ''],
							items.map(row),
						)
					: h('p.dim', 'There is no user: registrarctl on the registrar needs none.'),
			);
		} catch (error) {
			replace(people, h('h2', 'Users'), problemBox(error, loadPeople));
		}
	}

	async function password() {
		const who = session.get();
		const done = await ask({
			title: 'Change your password',
			verb: 'Change it',
			fields: [
				{
					name: 'old',
					label: 'Password now',
					type: 'password',
					required: true,
					autocomplete: 'current-password',
				},
				{
					name: 'password',
					label: 'New password',
					type: 'password',
					required: true,
					minlength: 12,
					autocomplete: 'new-password',
					help: 'At least 12 characters.',
				},
				{
					name: 'again',
					label: 'The same again',
					type: 'password',
					required: true,
					autocomplete: 'new-password',
				},
			],
			run: async (form, key) => {
				if (form.password !== form.again)
					throw new api.Problem(
						400,
						{
							title: 'The two are different',
							detail: 'Type the same new password twice.',
						},
						'',
					);
				return (
					(await api.changeUser(
						who.user,
						'password',
						{ password: form.old, new_password: form.password },
						key,
					)) ?? true
				);
			},
		});
		if (done) say('Your password is changed.');
	}
	async function addToken() {
		const done = await ask({
			title: 'Make a token',
			verb: 'Make it',
			body: h('p.note', 'For scripts and registrarctl --url: it may what you may, or less.'),
			fields: [
				{
					name: 'name',
					label: 'What for',
					required: true,
					maxlength: 63,
					autofocus: true,
					pattern: '[a-z0-9][a-z0-9._\\-]*',
					autocapitalize: 'none',
					help: 'Small letters, digits, . _ -',
				},
				{
					name: 'days',
					label: 'For so many days',
					type: 'number',
					min: 1,
					max: 3650,
					value: 90,
					required: true,
				},
				{
					name: 'role',
					label: 'Role',
					type: 'select',
					options: [['', 'as yours'], ...ROLES],
					value: '',
				},
				{ name: 'site', label: 'Only at site', placeholder: '/eu/de' },
				{ name: 'manufacturer', label: 'Only for manufacturer' },
			],
			run: (form, key) =>
				api.addToken(
					{
						name: form.name,
						days: Number(form.days),
						...Object.fromEntries(
							['role', 'site', 'manufacturer']
								.filter((k) => form[k])
								.map((k) => [k, form[k]]),
						),
					},
					key,
				),
		});
		if (!done) return;
		await once(
			`Token ${done.name}`,
			'Put it where only your script can read it. It is not shown again.',
			done.token,
		);
		await load();
	}
	async function removeToken(t) {
		const done = await ask({
			title: `Remove the token ${t.name ?? t.id}?`,
			tone: 'danger',
			verb: 'Remove',
			body: h('p.note.warn', 'What uses it is refused from now on.'),
			run: async (form, key) => api.removeToken(t.id, key),
		});
		if (done) await load();
	}
	async function loadOwn() {
		const who = session.get();
		try {
			const { items } = await api.tokens();
			replace(
				own,
				h(
					'header',
					h('h2', 'You and your tokens'),
					h(
						'span.buttons',
						who.by === 'session' &&
							h(
								'button',
								{ type: 'button', onclick: password },
								'Change your password…',
							),
						h('button', { type: 'button', onclick: addToken }, 'Make a token…'),
					),
				),
				items.length
					? plainTable(
							'Your tokens',
							['What for', 'May', 'Used last', 'Until', ''],
							items.map((t) => [
								h('strong', t.name ?? mono(String(t.id))),
								t.role ? grantText(t) : 'as you',
								time(t.used, 'never'),
								time(t.until, 'no end'),
								h(
									'button',
									{
										type: 'button',
										'aria-label': `Remove the token ${t.name ?? t.id}`,
										onclick: () => removeToken(t),
									},
									'Remove…',
								),
							]),
						)
					: h('p.dim', 'You have no tokens.'),
			);
		} catch (error) {
			replace(own, h('h2', 'You and your tokens'), problemBox(error, loadOwn));
		}
	}
	const load = () => Promise.all([loadPeople(), loadOwn()]);
	await load();
	return {
		keys: { n: ['new user', () => admin && addUser()] },
		refresh: (events) => events.some((e) => /user|token/.test(e.type)) && load(),
	};
}
