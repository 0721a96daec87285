/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the registrar these files belong to; tests/web holds it to the Makefile's. */
export const version = '0.1.0';
