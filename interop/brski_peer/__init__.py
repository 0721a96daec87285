# SPDX-License-Identifier: Apache-2.0
"""A second opinion: what a BRSKI peer sends and reads, made with Python libraries only.

Nothing here shares code with the programs under test. Modules:

certs    keys, certification authorities and every kind of certificate, right and wrong ones
cms      CMS SignedData: build it every which way, parse and verify it
voucher  the JSON of voucher-requests and vouchers, and whole signed exchanges
jws      JWS in its general JSON form: sign, countersign, parse and verify vouchers
cmp      CMP messages: request, confirm and grant certificates
cose     COSE_Sign1 and the CBOR of voucher-requests and vouchers
dtls     DTLS associations without a network, by OpenSSL
coap     CoAP over them: a client and a server that say anything

Needs Debian's python3-cryptography, python3-asn1crypto and python3-cbor2.
"""
