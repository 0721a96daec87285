/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in: by password, or the first time by a one-time code after which a password is chosen. */
import * as api from '../api.js';
import { h, replace } from '../dom.js';
import { field, values } from '../form.js';
import { problemBox } from '../problem.js';

const PASSWORD_MIN = 12;

/* done(who): somebody is logged in. */
export function logInForm(done) {
	const box = h('div.card');
	const byPassword = () => change(passwordForm());
	const byCode = () => change(codeForm());

	/* The other form, with the name that was typed, at the first thing that is missing. */
	function change(next) {
		const name = box.querySelector('[name=user]')?.value ?? '';
		replace(box, next);
		next.querySelector('[name=user]').value = name;
		[...next.querySelectorAll('input')].find((input) => !input.value).focus();
	}

	function form(heading, fields, verb, run, ...below) {
		const wrong = h('div');
		const button = h('button.primary', { type: 'submit' }, verb);
		const node = h(
			'form',
			h('h2', heading),
			fields.map(field),
			wrong,
			h('div.buttons', button),
			below,
		);
		node.addEventListener('submit', async (event) => {
			event.preventDefault();
			if (button.disabled) return;
			button.disabled = true;
			replace(wrong);
			try {
				await run(values(node));
			} catch (error) {
				replace(wrong, problemBox(error));
				node.querySelector('input[type=password], input[name=code]')?.select();
			} finally {
				button.disabled = false;
			}
		});
		return node;
	}

	const nameField = {
		name: 'user',
		label: 'Name',
		required: true,
		autocomplete: 'username',
		autocapitalize: 'none',
		spellcheck: 'false',
	};

	function passwordForm() {
		return form(
			'Log in',
			[
				nameField,
				{
					name: 'password',
					label: 'Password',
					type: 'password',
					required: true,
					autocomplete: 'current-password',
				},
			],
			'Log in',
			async ({ user, password }) => done(await api.logIn({ user, password })),
			h(
				'p.bar-row',
				h('button.link', { type: 'button', onclick: byCode }, 'I have a one-time code'),
				h(
					'button.link',
					{ type: 'button', onclick: byCertificate },
					'I have a certificate',
				),
			),
		);
	}

	/* The browser has shown it already, if it has one: the connection asks for it. */
	async function byCertificate() {
		try {
			done(await api.logIn({}));
		} catch (error) {
			box.querySelector('.problem')?.remove();
			box.append(problemBox(error));
		}
	}

	function codeForm() {
		return form(
			'Log in with a one-time code',
			[
				nameField,
				{
					name: 'code',
					label: 'One-time code',
					required: true,
					autocomplete: 'one-time-code',
					spellcheck: 'false',
					autocapitalize: 'none',
					help: 'registrarctl setup printed it; registrarctl users code NAME, on the registrar, makes another.',
				},
				{
					name: 'password',
					label: 'Choose a password',
					type: 'password',
					required: true,
					minlength: PASSWORD_MIN,
					autocomplete: 'new-password',
					help: `At least ${PASSWORD_MIN} characters; four words are good.`,
				},
				{
					name: 'again',
					label: 'The same again',
					type: 'password',
					required: true,
					autocomplete: 'new-password',
				},
			],
			'Save and log in',
			async ({ user, code, password, again }) => {
				if (password !== again)
					throw new api.Problem(
						400,
						{ title: 'The two are different', detail: 'Type the same password twice.' },
						'',
					);
				done(await api.logIn({ user, code, new_password: password }));
			},
			h('p', h('button.link', { type: 'button', onclick: byPassword }, 'I have a password')),
		);
	}

	byPassword();
	return box;
}
