/* SPDX-License-Identifier: Apache-2.0 */
/* The file goes into the program as it is. */
#include "registrar/openapi.h"

__asm__(".section .rodata\n"
	"openapi_text:\n"
	"	.incbin \"docs/openapi/registrar.json\"\n"
	"openapi_text_end:\n"
	"	.byte 0\n"
	".previous\n");

extern const uint8_t openapi_text[] __attribute__((visibility("hidden")));
extern const uint8_t openapi_text_end[] __attribute__((visibility("hidden")));

struct bytes openapi_document(void)
{
	return bytes_of(openapi_text, (size_t)(openapi_text_end - openapi_text));
}

void openapi_show(struct call *c, void *registrar)
{
	call_reply(c, 200, "application/json", openapi_document());
}
