/* SPDX-License-Identifier: Apache-2.0 */
/* The release, as every program's --version prints it. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define BRSKI_VERSION "0.1.0"

#endif
