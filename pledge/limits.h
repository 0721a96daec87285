/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the pledge, each with its reason. What a registrar sends is foreign until its
 * voucher has been checked (R8995-PLG-018). */
#ifndef PLEDGE_LIMITS_H
#define PLEDGE_LIMITS_H

#include "common/pki/cms.h"
#include "common/pki/csrattrs.h"
#include "common/pki/pkcs7_certs.h"

#define NONCE_LEN		  16 /* octets; RFC 8366 §5.3 allows 8 to 32 */
#define VOUCHER_REPLY_MAX	  CMS_DER_MAX
#define BASE64_REPLY_MAX(der)	  ((der)*2) /* base64 is 4/3, line breaks and blanks besides */
#define CACERTS_REPLY_MAX	  BASE64_REPLY_MAX(PKCS7_CERTS_DER_MAX)
#define CSRATTRS_REPLY_MAX	  BASE64_REPLY_MAX(CSRATTRS_DER_MAX)
#define TELEMETRY_REPLY_MAX	  16384 /* read to keep the connection usable, then ignored */
#define SAME_ORIGIN_REDIRECT_MAX  3	/* no count in the text; a loop must end (R8995-PLG-030) */
#define OTHER_ORIGIN_REDIRECT_MAX 1	/* RFC 8995 §5.6 */
#define CLOUD_PLACES_MAX	  40	/* CLOUD-PLG-005: dozens; each hop costs a handshake */
#define CLOUD_CLAIM_ASKS_MAX	  10	/* in one attempt, each after a short Retry-After */
#define CONFIGURATION_MAX	  65536 /* kept, never run: room for any device's settings */
#define RETRY_AFTER_DEFAULT_S	  60	/* RFC 8995 §5.6: header absent or garbage */
#define WAITED_SAVE_S		  600 /* flash wears: how long it has waited is not written at each 202 */
#define BACKOFF_FLOOR_MS	  200 /* full jitter may draw nothing: still no tight loop */
#define RECONNECT_MIN_S		  1   /* a lossy link: the longest pause before the first try, */
#define RECONNECT_MAX_S		  8   /* and before any; the deadline ends them */
#define CLOCK_SKEW_S		  86400 /* a voucher from "tomorrow" is a wrong time zone, not an attack */
#define COAPS_MTU_MIN		  256  /* below it a block of 64 octets has no room */
#define COAPS_MTU_MAX		  1232 /* what IPv6 carries everywhere: 1280 less its headers */
#define REGISTRARS_MAX		  32
#define CANDIDATES_FOUND_MAX	  32 /* places that strangers named; nobody has so many proxies */
#define CANDIDATES_PER_SOURCE	  16 /* of these: a flood by one way leaves the others' room */
#define CANDIDATES_PER_SENDER	  4  /* addresses and carriers of one neighbour */
#define CANDIDATES_GONE_MAX	  64 /* senders remembered: as many tried in vain cost minutes */
#define CANDIDATES_MAX		  (REGISTRARS_MAX + CANDIDATES_FOUND_MAX + 1) /* and the cloud's */
#define DISCOVER_WORDS_MAX	  16
#define RESOLV_CONF_MAX		  16384
#define LISTEN_FIRST_MS		  300 /* announcements are preferred to questions (R8995-PLG-005) */
#define ASK_JITTER_MIN_MS	  20  /* RFC 6762 §5.2 */
#define ASK_JITTER_MAX_MS	  120
#define ASK_FIRST_MS		  1000 /* between the first two questions (RFC 6762 §5.2) */
#define ASK_LONGEST_MS		  (3600 * 1000)
#define GATHER_MS		  5000 /* four questions, and the leisure of those who answer */
#define LINK_NEWS_BURST		  4 /* a link, its addresses of both families, a router's prefix */
#define LINK_NEWS_GAP_MS	  5000 /* then they are looked at so often */
#define SETTLE_MS		  250  /* for better ones than the first */
#define STRANGER_PATIENCE_MS	  5000 /* R8995-PLG-010, with others to turn to */
#define STRANGER_CONNECT_MS	  1500 /* the same, to connect over TCP: three round trips of 400 ms */
#define LATENCY_EQUAL_MS	  500  /* below it two places are equally near */
#define PEER_WORDS_MAX		  120  /* of an error body, shown to the technician */
#define LINE_MAX_LEN		  1024 /* for the technician; an error text has 600 */
#define STATE_FILE_MAX		  262144
#define STATE_URL_MAX		  1024 /* far longer than any registrar is called */

#endif
