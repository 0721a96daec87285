/* SPDX-License-Identifier: Apache-2.0 */
/* Places are in the fragment: #/claims?state=pending&match=site=/eu. Filters may stand there, secrets
 * never do. */

export function parse(hash) {
	const [path, query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
	const parts = path.split('/').filter(Boolean).map(unescapePart);
	return {
		name: parts[0] || 'overview',
		rest: parts.slice(1),
		query: new URLSearchParams(query),
	};
}

function unescapePart(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

/* href('device', 12) or href('claims', {state: 'pending'}) */
export function href(name, ...rest) {
	const last = rest.at(-1);
	const query = last && typeof last === 'object' ? rest.pop() : {};
	const path = [name, ...rest].map((p) => encodeURIComponent(p)).join('/');
	const text = new URLSearchParams(
		Object.entries(query).filter(([, v]) => v !== '' && v != null),
	).toString();
	return `#/${path}${text ? `?${text}` : ''}`;
}

export function go(...place) {
	location.hash = href(...place);
}

/* The place in the address changes, the page stays. */
export function note(...place) {
	history.replaceState(null, '', href(...place));
}
