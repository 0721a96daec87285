/* SPDX-License-Identifier: Apache-2.0 */
/* Telling others about single certificates of ours, when they ask (RFC 6960, RFC 9919): good,
 * revoked, or unknown, as the store has it at this moment, signed by the issuing CA that the
 * question is about. Nothing is kept of a question or an answer, so that several registrars with
 * one database say the same as soon as one of them has revoked. */
#ifndef REGISTRAR_OCSP_H
#define REGISTRAR_OCSP_H

#include "registrar/registrar.h"

#define OCSP_PATH	  "/ocsp"
#define OCSP_GET_PATH	  OCSP_PATH "/*" /* the request in base64 */
#define OCSP_REQUEST_TYPE "application/ocsp-request"
#define OCSP_ANSWER_TYPE  "application/ocsp-response"

/* For anybody. What OCSP itself refuses is an answer with status 200, unsigned. */
void ocsp_serve(struct call *c, void *registrar);
void ocsp_serve_get(struct call *c, void *registrar);

#endif
