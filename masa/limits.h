/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the MASA, with its reason. */
#ifndef MASA_LIMITS_H
#define MASA_LIMITS_H

/* Certificates kept parsed: registrars come back with every device, devices only a few times. */
#define MASA_CERTS_CACHED 4096
/* Registrar chains kept verified; a registrar signs with one chain for a year. */
#define MASA_DOMAINS_CACHED 1024
/* Registrars whose request rate is counted at a time; who is pushed out starts afresh. */
#define MASA_RATES_COUNTED 8192
/* Devices that may share a serial number (told apart by idevid-issuer). */
#define MASA_NAMESAKES_MAX 8
/* Owners held in memory with their anchors. */
#define MASA_OWNERS_MAX 10000
/* PEM of one owner's anchors. */
#define MASA_OWNER_PEM_MAX 65536
/* Names of owners: they stand in CSV files and tables. */
#define MASA_OWNER_NAME_MAX 128
/* Rows of one admin list answer; the tool asks for the next page. */
#define MASA_PAGE_ROWS 1000
/* Rows of one import request: each takes three steps of one transaction (STORE_IMPORT_MAX). */
#define MASA_IMPORT_ROWS 256
/* An admin request: an import of MASA_IMPORT_ROWS rows with long serials and issuers fits. */
#define MASA_ADMIN_BODY_MAX 262144
/* An admin answer: MASA_PAGE_ROWS rows; the longest, all of it escaped, has 3 KiB. */
#define MASA_ADMIN_REPLY_MAX 4194304
/* Administrators and their tools elsewhere. */
#define MASA_ADMIN_CONNECTIONS_MAX 64
/* Revocation lists kept, each with CRL_LIST_DER_MAX octets and a table of half that at most. */
#define MASA_LISTS_CACHED 64
/* Distribution points remembered as not answering. */
#define MASA_LIST_FAILURES_CACHED 1024
/* How long one is left alone then: a stranger's certificate must not make us hammer a third party,
 * and a site whose web server is back wants to go on. */
#define MASA_LIST_FAILURE_MS 30000
/* A list is fetched again after this long even when it is good for longer: a CA that revokes
 * somebody publishes at once. The older one serves on while that fails. */
#define MASA_LIST_FRESH_MS 3600000
/* Fetches at a time and worker; each may hold CRL_LIST_DER_MAX octets. */
#define MASA_LIST_FETCHES_MAX 16
/* One fetch, and how long after the first one a request still begins others: with 3 s for the last
 * a registrar that waits 10 s gets its answer. */
#define MASA_LIST_CONNECT_MS 2000
#define MASA_LIST_FETCH_MS   3000
#define MASA_LIST_WAIT_MS    5000
/* Fetches of one request: a chain of five certificates with more than one address each. */
#define MASA_LIST_FETCHES_PER_REQUEST 8
/* How long a stopping MASA finishes what it has begun: the signing of a voucher takes milliseconds,
 * the slowest client is cut at http_limits' write time-out. */
#define MASA_DRAIN_MS	      20000
#define MASA_FOLLOW_MS	      5000 /* between two looks at what other MASAs wrote */
#define MASA_FOLLOW_GATHER_MS 200  /* commits of this long are one look */

#endif
