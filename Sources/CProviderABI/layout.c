// The layout of every boundary struct on the platforms Patchbay supports: 64-bit, little-endian (provider_abi.h C1).
#include "provider_abi.h"

_Static_assert(sizeof(void *) == 8, "the provider ABI is 64-bit");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the provider ABI is little-endian");
_Static_assert(sizeof(prv_str) == 16 && offsetof(prv_str, len) == 8, "prv_str");
