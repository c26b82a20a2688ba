/* What the fixture plugins share: a descriptor to fill in, and short names. Each fixture is one .c file, compiled from
   provider_abi.h alone. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "provider_abi.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) ((prv_str){(literal), sizeof(literal) - 1})

static inline prv_str text_of(const char *string) { return (prv_str){string, strlen(string)}; }

static inline int32_t emit_text(const prv_host *host, prv_call call, const char *text) {
  prv_event event = {.size = sizeof event, .kind = PRV_EVENT_TEXT, .text = text_of(text)};
  return host->emit(host->ctx, call, &event);
}

static inline int32_t emit_finish(const prv_host *host, prv_call call) {
  prv_event event = {.size = sizeof event, .kind = PRV_EVENT_FINISH, .name = TEXT("stop")};
  return host->emit(host->ctx, call, &event);
}

static inline int32_t finish_with(const prv_host *host, prv_call call, int32_t status) {
  prv_done done = {.size = sizeof done, .status = status};
  return host->done(host->ctx, call, &done);
}

#endif
