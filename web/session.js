/* SPDX-License-Identifier: Apache-2.0 */
/* Who is using the page and what they may. The registrar decides; this only spares people buttons
 * that would be refused. */

let who = null;

export const set = (answer) => {
	who = answer;
};
export const get = () => who;

/* view, announce, decide, operate, audit, admin: somewhere at least. */
export const may = (permission) => who?.may?.includes(permission) ?? false;

/* For title=: why a button is not to be pressed, or null. */
export const whyNot = (permission) =>
	may(permission)
		? null
		: `Your role (${(who?.grants ?? []).map((g) => g.role).join(', ') || 'none'}) does not allow this.`;
