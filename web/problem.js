/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, as the registrar said it, and what to do next. */
import { h } from './dom.js';

const BY_CODE = {
	unreachable:
		'See whether the registrar runs (systemctl status brski-registrar) and whether you can reach it. ' +
		'Pressing the button again is safe: the same request is never done twice.',
	stale: 'Somebody changed it while you were looking. See below what is different, then decide again; what you typed is kept.',
	'count-changed':
		'Other devices match now than in your preview. Look at the new preview before you confirm.',
	'already-decided':
		'Somebody else decided the other way while you were looking. See what is different; press again if it shall be as you say.',
	'same-approver':
		"This site asks for two people: the second approval has to be somebody else's.",
	'wrong-login':
		'Look at the spelling and the caps lock. Each wrong try makes the next one wait longer. Without a password: registrarctl users code NAME, on the registrar.',
	locked:
		'Too many wrong attempts. Wait some minutes, or have an administrator make a new one-time code on the ' +
		'registrar: registrarctl users code NAME',
};

/* What HTTP calls them says little to most. */
const TITLES = {
	400: 'That is not right yet',
	401: 'Not logged in',
	403: 'Not allowed',
	404: 'Not found',
	409: 'It stands otherwise now',
	412: 'It changed meanwhile',
	413: 'Too much at once',
	422: 'That is not right yet',
	429: 'Too often',
	500: 'A fault of the registrar',
	502: 'The other side failed',
	503: 'Not now',
	504: 'No answer in time',
};

const BY_STATUS = {
	400: 'Change what is said to be wrong, then try again. Nothing was changed.',
	401: 'Log in again.',
	403: 'Your role does not allow it. What you may do is shown under your name; an administrator can grant more.',
	404: 'It may have been removed meanwhile, or lie outside of what you may see. Go back to the list.',
	409: 'Somebody else was faster, or it stands otherwise now. Load it again and look.',
	412: BY_CODE.stale,
	413: 'Split it into smaller parts.',
	415: 'Use one of the named formats.',
	422: 'Change what is said to be wrong, then try again. Nothing was changed.',
	429: 'Wait a minute, then try again.',
	500: 'This is a fault of the registrar. Its log tells more under the exchange below.',
	502: 'The other side did not answer well. See System, Doctor.',
	503: 'The registrar cannot do it now: its store may be full or busy. See System, Doctor; devices are told to come back.',
	504: 'The other side did not answer in time. See System, Doctor.',
};

export const advice = (p) =>
	BY_CODE[p.code] ??
	BY_STATUS[p.status] ??
	"Try again; if it happens again, look into the registrar's log.";

/* A box for an error of any kind; again: what a "Try again" button does. */
export function problemBox(error, again) {
	const known = error.name === 'Problem';
	if (!known) console.error(error);
	return h(
		'div.problem',
		{ role: 'alert' },
		h(
			'p.problem-title',
			known
				? (error.exchange && TITLES[error.status]) || error.title || 'That did not work'
				: 'This page has a fault',
		),
		h('p', known ? error.detail || error.message : String(error.message ?? error)),
		h(
			'p.dim',
			known ? advice(error) : 'Reload the page. registrarctl does the same work meanwhile.',
		),
		error.status >= 500 &&
			error.exchange &&
			h(
				'p.dim.small',
				'Exchange ',
				h('code', error.exchange),
				' – journalctl -u brski-registrar | grep ',
				error.exchange,
			),
		again && h('button', { type: 'button', onclick: again }, 'Try again'),
	);
}
