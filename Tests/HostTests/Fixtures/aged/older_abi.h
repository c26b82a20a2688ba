/* provider_abi.h as an early day might have had it: the same first fields, each struct cut as short as the host can
   still read it. A plugin that is compiled from this file alone has these sizes in its tables and knows no more. */
#ifndef OLDER_ABI_H
#define OLDER_ABI_H

#include <stddef.h>
#include <stdint.h>

#define PRV_MAGIC 0x5941424843544150ull
#define PRV_OK 0
#define PRV_E_UNSUPPORTED (-2)
#define PRV_E_NOT_FOUND (-4)
#define PRV_CALL_CHAT 1u
#define PRV_EVENT_TEXT 1u
#define PRV_EVENT_USAGE 6u
#define PRV_EVENT_FINISH 7u
#define PRV_CAN_CHAT 1ull

typedef struct prv_str {
  const char *ptr;
  uint64_t len;
} prv_str;
#define PRV_LITERAL(text) {(text), sizeof(text) - 1}

typedef struct prv_sink {
  void *ctx;
  void (*write)(void *ctx, prv_str text);
} prv_sink;

typedef uint64_t prv_call;

typedef struct prv_handshake {
  uint32_t size, flags;
  uint64_t magic;
} prv_handshake;

struct prv_plugin;
typedef struct prv_reply {
  uint32_t size, flags;
  const struct prv_plugin *plugin;
} prv_reply;

/* No default URL, services, limits or catalogue. */
typedef struct prv_provider_desc {
  uint32_t size, flags;
  prv_str id, display_name;
  uint64_t capabilities;
} prv_provider_desc;

struct prv_host;
struct prv_provider;

/* No get_extension. */
typedef struct prv_plugin {
  uint32_t size, flags, abi_minor, reserved;
  prv_str id, name, vendor, version, description, url, license, sdk, toolchain;
  const prv_provider_desc *providers;
  uint64_t provider_count, provider_stride;
  int32_t (*create)(const struct prv_plugin *plugin, prv_str provider_id, const struct prv_host *host,
                    prv_str config_json, struct prv_provider *instance, prv_sink error);
} prv_plugin;

/* No files. */
typedef struct prv_call_request {
  uint32_t size, flags, kind, attempt;
  uint64_t deadline_mono_ns;
  prv_str request_id, model, body_schema, body_json;
} prv_call_request;

/* No cached or reasoning tokens. */
typedef struct prv_usage {
  uint32_t size, flags;
  uint64_t input_tokens, output_tokens;
} prv_usage;

typedef struct prv_event {
  uint32_t size, flags, kind, index;
  prv_str text, id, name;
  const prv_usage *usage;
} prv_event;

/* An event from before there were ids, names and usage. */
typedef struct prv_short_event {
  uint32_t size, flags, kind, index;
  prv_str text;
} prv_short_event;

/* Nothing but the status. */
typedef struct prv_done {
  uint32_t size, flags;
  int32_t status;
  uint32_t http_status;
} prv_done;

typedef struct prv_provider {
  uint32_t size, flags;
  void *self;
  int32_t (*start)(void *self, prv_sink error);
  void (*stop)(void *self);
  void (*destroy)(void *self);
  int32_t (*call_open)(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error);
  void (*call_cancel)(void *self, void *context, uint32_t reason);
  void (*call_resume)(void *self, void *context);
  void (*call_close)(void *self, void *context);
} prv_provider;

typedef struct prv_host {
  uint32_t size, flags;
  void *ctx;
  prv_str name, version;
  const void *(*get_service)(void *ctx, prv_str id);
  int32_t (*emit)(void *ctx, prv_call call, const prv_event *event);
  int32_t (*done)(void *ctx, prv_call call, const prv_done *done);
} prv_host;

#endif
