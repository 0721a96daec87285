/* SPDX-License-Identifier: Apache-2.0 */
/* One option's value: text into the struct's field, by type. Used by config.c. */
#ifndef RUN_CONFIG_VALUE_H
#define RUN_CONFIG_VALUE_H

#include "common/run/config.h"

/* Parse text into the field of the option inside `base` (the struct or the instance). dir: what
 * relative paths are relative to. ERR_INPUT says what is wrong with the value; a string that was
 * there is freed. */
bool config_value_set(const struct config_option *o, void *base, const char *text, const char *dir,
	struct err *e) MUST_CHECK;
/* Free what the field owns. */
void config_value_clear(const struct config_option *o, void *base);
/* The field's value as text, appended: equal texts are equal values. */
bool config_value_format(
	const struct config_option *o, const void *base, struct buf *out, struct err *e) MUST_CHECK;
/* "duration (90, 90s, 15m, 12h, 30d)", "one of: a b c", … appended: for the help. */
bool config_value_describe(
	const struct config_option *o, struct buf *out, struct err *e) MUST_CHECK;

#endif
