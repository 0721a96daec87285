/* SPDX-License-Identifier: Apache-2.0 */
/* The file goes into the program as it is. */
#include "registrar/admin/openapi.h"

__asm__(".section .rodata\n"
	".balign 8\n"
	"openapi_text_len:\n"
	"	.8byte openapi_text_end - openapi_text\n"
	"openapi_text:\n"
	"	.incbin \"docs/openapi/registrar.json\"\n"
	"openapi_text_end:\n"
	".previous\n");

extern const uint64_t openapi_text_len __attribute__((visibility("hidden")));
extern const uint8_t openapi_text[] __attribute__((visibility("hidden")));

struct bytes openapi_document(void)
{
	return bytes_of(openapi_text, (size_t)openapi_text_len);
}

void openapi_show(struct call *c, void *registrar)
{
	call_reply(c, 200, "application/json", openapi_document());
}
