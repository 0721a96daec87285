/* SPDX-License-Identifier: Apache-2.0 */
/* destinations: where owners want their devices, as cloud registrars are told. masactl only. */
#ifndef CTL_DESTINATIONS_H
#define CTL_DESTINATIONS_H

#include "ctl/ctl.h"

extern const struct ctl_option destinations_registrar_options[];
enum ctl_exit destinations_list(struct ctl *c, int argc, char **argv);
enum ctl_exit destinations_registrar(struct ctl *c, int argc, char **argv);
enum ctl_exit destinations_est(struct ctl *c, int argc, char **argv);
enum ctl_exit destinations_configuration(struct ctl *c, int argc, char **argv);
enum ctl_exit destinations_remove(struct ctl *c, int argc, char **argv);

#endif
