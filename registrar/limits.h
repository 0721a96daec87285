/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of the registrar that is not a configuration option, with its reason. */
#ifndef REGISTRAR_LIMITS_H
#define REGISTRAR_LIMITS_H

#include "common/pki/cms.h"

#define MANUFACTURERS_MAX      64 /* sections in one file; an IDevID is tried against each */
#define SERIALS_FILE_MAX       (64 << 20) /* two million serials of 30 characters */
#define COAPS_MTU_MIN	       256   /* a handshake below that would take a hundred datagrams */
#define COAPS_MTU_MAX	       1232  /* IPv6 everywhere: 1280 less the headers (row B-09) */
#define COAPS_REQUEST_MAX      16384 /* a voucher-request in COSE is below 1 kB, a CSR below 2 */
#define DISCOVERY_MAX	       16 /* interfaces and addresses; a border router has two or three */
#define CERT_CACHE_ENTRIES     20000 /* about 3 kB each: the devices that are talking right now */
#define OUTSTANDING_MAX	       4096  /* devices whose voucher is being fetched at one time */
#define ENROLL_BODY_MAX	       32768 /* CSR_DER_MAX in base64 with line breaks and PEM armour */
#define MASA_REPLY_MAX	       CMS_DER_MAX /* more is no voucher */
#define RESERVED_MORE_S	       5      /* above what the MASA may take for a voucher and a history */
#define MASA_RETRY_AFTER_MAX_S 60     /* RFC 8995 §5.6: a pledge waits no longer (T-20) */
#define LOOPING_RETRY_AFTER    "60"   /* all that a device that joins may be told (T-20) */
#define LOOPING_EST_AFTER      "3600" /* who has a certificate has time */
#define FRAUD_TURNS_S	       3600   /* back so soon where it had left: two devices take turns */
#define FRAUD_RECENT_S	       86400  /* a certificate renewed so lately is in use */
#define MASA_WAVERS_MS	       60000 /* that long after it came back, a MASA is not said to be gone */
#define MASA_URLS_MAX	       8     /* base URLs of one manufacturer's MASA */
#define MASA_PAUSE_MS	       2000  /* the first for which a MASA that fails is left alone */
#define MASA_PROBE_LOST_MS     60000 /* longer than any request to a MASA lasts */
#define MASA_RETRY_SPREAD_S    10    /* over which devices come back after a MASA's pause */
#define ACCEPT_MAX	       255   /* of a pledge's Accept passed on; longer ones are made anew */
#define CLAIM_TOUCH_S	       600   /* a waiting device is noted at most this often */
#define CLAIMS_MANY	       100   /* from so many on, they are spread over time */
#define ENROLL_REPEAT_S	       3600  /* the same CSR from the same client gets the same answer */
#define LDEVID_BACKDATE_S      300   /* clocks of devices run behind */
#define JOURNAL_MAX	       2000000 /* rows; about 200 octets each */
#define CRL_TICK_MS	       60000   /* between two looks whether the revocation list is due */
#define CRL_MAX_AGE	       "60" /* seconds a cache may keep the list: revocation is seen soon */
#define HEADS_THIN_S	       86400 /* heads of the last day all stay, then one an hour */
#define FELLOWS_MAX	       64    /* registrars of one site that are told apart */
#define FELLOWS_BEAT_MS	       5000  /* between two signs of life */
#define FELLOWS_DEAD_LOOKS     6   /* 30 s without one: longer than a database changes its leader */
#define FELLOWS_GATHER_MS      100 /* commits of this long are one look */
#define SWEEP_MS	       60000	/* between two rounds of ageing out */
#define SWEEP_FIRST_MS	       600000	/* a clock that was wrong at the start is set by then */
#define SWEEP_HOLD_MS	       86400000 /* after the clock was set: time for a person to look */
#define DRAIN_MS	       60000 /* above the longest [masa] timeout: what runs is finished */
#define ADMIN_CONNECTIONS_MAX  256   /* people and their tools, some with a few tabs open */
#define PUBLISHED_CLIENTS_MAX  256   /* each stays for one question and its answer */
#define PUBLISHED_GUESTS_MAX   128   /* questions from other listeners: some ten milliseconds */
#define PUBLISHED_REQUEST_MS   5000  /* for a question of a few hundred octets */
#define PUBLISHED_IDLE_MS      10000 /* who asks about a chain asks again at once, if at all */
#define PUBLISHED_HELD_MAX     (32 << 20) /* thirty of the longest lists, taken slowly */
#define ADMIN_BODY_MAX	       65536	  /* a thousand identifiers */
#define LOGIN_BODY_MAX	       8192	  /* from anybody: a name, two passwords, all escaped */
#define IMPORT_BODY_MAX	       (16 << 20) /* IMPORT_ROWS_MAX rows of 160 octets */
#define ANNOUNCED_MAX	       200000	  /* devices that wait for somebody to decide: two lists */
#define IMPORT_ROWS_MAX	       100000	  /* one transaction: others wait seconds for the store */
#define ADMIN_SCAN_MAX	       5000	  /* rows looked at for one page */
#define RULES_MAX	       1000	  /* each is tried for each device that asks */
#define RULE_MODELS_MAX	       1024	  /* the same of models */
#define RULE_SERIALS_MAX       8192	  /* octets of its list; longer ones are imports */
#define ADMIN_LIST_MAX	       1000	  /* rows of one page */
#define DEVICE_LINES_MAX       200 /* of one serial-number in a day; more failures say nothing new */
#define DEVICE_AWAY_LINES_MAX  5   /* the same while its MASA is away: it asks every few seconds */
#define JOURNAL_REASON_MAX     600 /* octets of why; an err has no more */
#define REASON_LEN_MAX	       200 /* of a text a person gave */

#endif
