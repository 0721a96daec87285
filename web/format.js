/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, moments and durations, in the browser's language. Moments are relative with the absolute
 * one in the title, and keep up with the clock. */
import { h } from './dom.js';

const number = new Intl.NumberFormat();
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });

const UNITS = [
	['year', 31557600],
	['month', 2629800],
	['day', 86400],
	['hour', 3600],
	['minute', 60],
];

export const num = (n) => (typeof n === 'number' ? number.format(n) : '–');
export const plural = (n, one, many = `${one}s`) => `${num(n)} ${n === 1 ? one : many}`;
export const moment = (iso) => absolute.format(new Date(iso));
export const date = (iso) => day.format(new Date(iso));

export function ago(iso, now = Date.now()) {
	const seconds = (Date.parse(iso) - now) / 1000;
	for (const [unit, size] of UNITS)
		if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
	return seconds > 5 ? 'in a moment' : 'just now';
}

export function duration(seconds) {
	for (const [unit, size] of UNITS)
		if (seconds >= size)
			return new Intl.NumberFormat(undefined, {
				style: 'unit',
				unit,
				unitDisplay: 'short',
			}).format(Math.trunc(seconds / size));
	return new Intl.NumberFormat(undefined, {
		style: 'unit',
		unit: 'second',
		unitDisplay: 'short',
	}).format(Math.max(0, Math.trunc(seconds)));
}

export function octets(n) {
	const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
	let i = 0;
	for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
	return new Intl.NumberFormat(undefined, {
		style: 'unit',
		unit: units[i],
		unitDisplay: 'short',
		maximumFractionDigits: i ? 1 : 0,
	}).format(n);
}

export function time(iso, absent = '–') {
	if (!iso) return h('span.dim', absent);
	return h('time', { datetime: iso, title: moment(iso) }, ago(iso));
}

/* How long since, without "ago": a waiting time. */
export function since(iso, absent = '–') {
	if (!iso) return h('span.dim', absent);
	return h(
		'time',
		{ datetime: iso, title: moment(iso), 'data-since': '' },
		duration((Date.now() - Date.parse(iso)) / 1000),
	);
}

setInterval(() => {
	for (const t of document.querySelectorAll('time[datetime]')) {
		const iso = t.getAttribute('datetime');
		const text = t.hasAttribute('data-since')
			? duration((Date.now() - Date.parse(iso)) / 1000)
			: ago(iso);
		if (t.textContent !== text) t.textContent = text;
	}
}, 20000);
