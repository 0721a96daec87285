/* SPDX-License-Identifier: Apache-2.0 */
/* How the registrar's tables came to be (run/store.h: struct store_schema). */
#ifndef REGISTRAR_RECORDS_MIGRATIONS_H
#define REGISTRAR_RECORDS_MIGRATIONS_H

extern const char *const records_migrations[]; /* NULL-ended */

#endif
