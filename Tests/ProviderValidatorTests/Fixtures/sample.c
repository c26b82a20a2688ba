/* A plugin that keeps every rule, until -DBREAK_... breaks one; -DNAME="..." gives another its own id. */
#include "provider_abi.h"
