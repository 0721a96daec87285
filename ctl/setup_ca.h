/* SPDX-License-Identifier: Apache-2.0 */
/* The CA of a setup, a new one or one that is there, and the certificates below it. */
#ifndef CTL_SETUP_CA_H
#define CTL_SETUP_CA_H

#include "ctl/setup.h"

#define SETUP_CA_FOLDER "ca" /* in the state folder */

struct setup_ca {
	struct setup s;
	int days;	  /* of root and issuing CA */
	bool for_service; /* the service issues certificates itself */
	char name[SETUP_ANSWER_MAX], host[SETUP_ANSWER_MAX];
	char given[SETUP_ANSWER_MAX]; /* an existing CA's certificate, and */
	const char *given_key;	      /* its key; NULL: there is none */
	char *dir;
	struct identity root, issuing;
};

/* clang-format off */
#define SETUP_OPTIONS                                                                              \
	{"name", "ORG"}, {"host", "NAME"}, {"existing-ca", "FILE"}, {"existing-key", "FILE"},      \
	{"directory", "DIR"}, {"state", "DIR"}, {"yes", NULL}
/* clang-format on */
extern const struct ctl_option setup_options[];

/* setup_ca_clear() in any case. */
bool setup_ca_begin(struct setup_ca *a, struct ctl *c, const struct setup_service *service,
	struct err *e) MUST_CHECK;
void setup_ca_clear(struct setup_ca *a);

/* The three questions, the folders and the CA. */
bool setup_ca_make(struct setup_ca *a, struct err *e) MUST_CHECK;

struct setup_member {
	const char *stem; /* in the state folder */
	enum cert_profile profile;
	const char *common_name; /* NULL: the host */
	bool has_san;
	int days;
};
/* A key for the service with a certificate of the CA, and the CA's behind it. */
bool setup_ca_member(struct setup_ca *a, const struct setup_member *m, struct err *e) MUST_CHECK;

/* In the summary. */
bool setup_ca_tell(const struct setup_ca *a, const char *who_needs_it, struct err *e) MUST_CHECK;

#endif
