/* provider_abi.h - the Patchbay provider ABI, version 1.0.

   This header is all that a host and a provider plugin share, and the manual of whoever writes a plugin. A plugin is
   one shared library that exports one function, prv_plugin_entry_v1, and reaches everything else through tables.
   It needs no other file of Patchbay: cc -std=c11 -shared -fPIC -fvisibility=hidden -o my.so my.c

   Conventions
     C1  Head. Every struct that may grow begins with `size` (sizeof as the producer compiled it) and `flags` (0 unless
         a flag is defined). Read a field only when `offset + width <= size`; write only what the receiver's `size`
         covers. Structs grow at the end only. A function pointer that is null or beyond `size` is "not provided".
     C2  Arrays of structs come as pointer, count and stride, so that elements may grow: step by the stride.
     C3  Scalars are fixed-width. Absolute deadlines are CLOCK_MONOTONIC nanoseconds; durations are nanoseconds.
     C4  Text is prv_str: UTF-8, not NUL-terminated; when len is 0, ptr may be null.
     C5  Memory is borrowed until the call it came with returns, or it is [static]: valid until the process ends.
         Nobody frees what the other side made. A result that needs memory is written into a prv_sink.
     C6  prv_call, prv_exchange and prv_timer are host handles: index and generation in 64 bits, never 0. A stale one
         is answered with PRV_E_STALE and does no harm.
     C7  Tags. [thread: any] from any thread, also at once; [thread: loop] on the event loop of the call, serially;
         [thread: instance] never at once with another [instance] function of the same instance.
         [blocking: no] must return within a millisecond, whatever it takes.

   Rules (PRV-Rnnn; diagnostics and tests quote them)
     R001  Only prv_plugin_entry_v1 is exported.
     R002  The entry is pure and idempotent: no thread, file, network, environment; same descriptor each time.
     R003  A plugin built for a newer minor than the host's still answers PRV_OK; only a magic or a minimum minor that
           it cannot serve is answered with PRV_E_INCOMPATIBLE and a sentence.
     R004  `create` does no network I/O and takes at most a second.
     R005  A call whose call_open answers PRV_OK is ended by exactly one `done`, which may come before call_open
           returned; one that was not accepted, by none.
     R006  Nothing is emitted after `done`.
     R007  Every text of an event is valid UTF-8 by itself: a character is never split between two events.
     R008  PRV_EVENT_FINISH is emitted only when the upstream's end was really seen. The host reports a call whose
           `done` comes without it as truncated, never as complete.
     R009  The host never calls the plugin from inside a plugin-to-host function.
     R010  After call_cancel the plugin calls `done` within two seconds.
     R011  The call's context stays valid until call_close.
     R012  No fork, exit, signal handler, locale, working directory, environment, standard stream.
     R013  No exception, panic, longjmp or language error crosses the boundary.
     R014  After `destroy` returned, the plugin calls no host function and owns no thread that could.
     R015  Events of one call come serially (from any thread): a second emit begins after the first returned.

   Versions. Major 1 is in the entry's name. A minor only appends: fields, functions, status codes, event kinds,
   service ids. Values that the host hands to a plugin never grow within a major. Since: 1.0 unless a line says else. */

#ifndef PRV_PROVIDER_ABI_H
#define PRV_PROVIDER_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRV_ABI_MAJOR 1u
#define PRV_ABI_MINOR 0u
/* "PATCHBAY", read as a little-endian integer. */
#define PRV_MAGIC 0x5941424843544150ull

/* ---- Values ------------------------------------------------------------------------------------------------- */

typedef struct prv_str {
  const char *ptr;
  uint64_t len;
} prv_str;

typedef struct prv_bytes {
  const uint8_t *ptr;
  uint64_t len;
} prv_bytes;

/* For C authors: a literal, or an array of known size. */
#define PRV_LITERAL(text) {(text), sizeof(text) - 1}

/* Where a result of unknown length goes: call `write` once or more, in order, before the call returns. */
typedef struct prv_sink {
  void *ctx;
  void (*write)(void *ctx, prv_str text);
} prv_sink;

typedef uint64_t prv_call;
typedef uint64_t prv_exchange;
typedef uint64_t prv_timer;

/* ---- Status codes (int32_t) ------------------------------------------------------------------------------------ */

#define PRV_OK 0
#define PRV_PAUSE 1     /* accepted; stop producing until call_resume */
#define PRV_CANCELLED 2 /* the call was cancelled: stop, and call `done` */

#define PRV_E_INVALID_ARGUMENT (-1)
#define PRV_E_UNSUPPORTED (-2)
#define PRV_E_INCOMPATIBLE (-3)
#define PRV_E_NOT_FOUND (-4)
#define PRV_E_STATE (-5)
#define PRV_E_STALE (-6)
#define PRV_E_NO_MEMORY (-7)
#define PRV_E_LIMIT (-8)           /* a bound of the host: response too large, too many timers */
#define PRV_E_AUTH (-10)           /* the upstream refused the key */
#define PRV_E_PERMISSION (-11)     /* the key may not do this; or the host does not allow the origin */
#define PRV_E_RATE_LIMITED (-12)   /* requests or tokens per window; retry_after_ns says when */
#define PRV_E_QUOTA (-13)          /* money or plan: waiting does not help */
#define PRV_E_OVERLOADED (-14)     /* the upstream is busy for everyone */
#define PRV_E_TIMEOUT (-15)        /* prv_http_result.clock names the clock */
#define PRV_E_NETWORK (-16)        /* no connection, reset, end before the end */
#define PRV_E_UPSTREAM (-17)       /* 5xx */
#define PRV_E_BAD_RESPONSE (-18)   /* the upstream broke its own format */
#define PRV_E_CONTEXT_LENGTH (-19) /* the prompt does not fit the model */
#define PRV_E_CONTENT_FILTER (-20)
#define PRV_E_BAD_REQUEST (-21) /* the upstream refused the request's content */
#define PRV_E_MODEL_NOT_FOUND (-22)
#define PRV_E_CONCURRENCY (-23) /* too many of our calls in flight there */
#define PRV_E_INTERNAL (-30)    /* the plugin's own fault; any unknown negative code is read as this */

/* ---- Entry ----------------------------------------------------------------------------------------------------- */

/* Flags of prv_handshake. */
#define PRV_HANDSHAKE_SCAN 1u     /* only the descriptor is wanted; `create` will not follow */
#define PRV_HANDSHAKE_VALIDATE 2u /* a validator asks */
#define PRV_HANDSHAKE_WORKER 4u   /* the plugin is alone in a worker process */

typedef struct prv_handshake {
  uint32_t size;
  uint32_t flags;
  uint64_t magic;         /* PRV_MAGIC */
  uint32_t abi_minor;     /* the newest minor the host speaks */
  uint32_t min_abi_minor; /* the oldest minor the host accepts */
  prv_str host_name;
  prv_str host_version; /* for messages; decide nothing by it */
} prv_handshake;

struct prv_plugin;

/* Filled by the plugin; `size` is the host's, set before the call. */
typedef struct prv_reply {
  uint32_t size;
  uint32_t flags;
  const struct prv_plugin *plugin; /* out, [static] */
  prv_sink error;                  /* on any result but PRV_OK: one sentence, what was found and expected */
} prv_reply;

/* The only exported symbol. [thread: any] [blocking: no] May be called several times (R002).
   PRV_OK: reply->plugin is set. PRV_E_INCOMPATIBLE: reply->error has the reason. */
#if defined(_WIN32)
#error "Patchbay plugins are ELF shared libraries"
#elif defined(__GNUC__)
#define PRV_EXPORT __attribute__((visibility("default")))
#else
#define PRV_EXPORT
#endif
PRV_EXPORT int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply);

/* ---- Descriptor ------------------------------------------------------------------------------------------------ */

/* Capabilities of a provider. */
#define PRV_CAN_CHAT 1ull
#define PRV_CAN_STREAM 2ull
#define PRV_CAN_TOOLS 4ull
#define PRV_CAN_IMAGES 8ull
#define PRV_CAN_THINK 16ull
#define PRV_CAN_WEB_SEARCH 32ull
#define PRV_CAN_LIST_MODELS 64ull
#define PRV_CAN_CHECK_HEALTH 128ull
#define PRV_CAN_JSON 256ull

/* Flags of prv_provider_desc. */
#define PRV_PROVIDER_BLOCKING 1u  /* call_open may block its thread: the provider runs in a worker only */
#define PRV_PROVIDER_NEEDS_KEY 2u /* useless without an API key */

typedef struct prv_provider_desc {
  uint32_t size;
  uint32_t flags;
  prv_str id;           /* "kimi": lower case, digits, '-'; the `plugin` of the configuration */
  prv_str display_name; /* "Moonshot Kimi" */
  uint64_t capabilities;
  prv_str config_schema_json; /* JSON Schema of `create`'s config_json; empty: no settings of its own */
  prv_str default_base_url;   /* "" when the operator must give one, or no network is used */
  const prv_str *required_services;
  uint64_t required_service_count;
  const prv_str *optional_services;
  uint64_t optional_service_count;
  double temperature_max;   /* the largest temperature a request may ask for; 0: 2 */
  uint32_t max_concurrency; /* a sensible default limit of calls in flight; 0: the host's */
  uint32_t reserved;
  prv_str models_json; /* built-in catalogue, a prv.models/1 array, used until call kind MODELS has answered */
} prv_provider_desc;

struct prv_host;
struct prv_provider;

typedef struct prv_plugin {
  uint32_t size;
  uint32_t flags;
  uint32_t abi_minor; /* the minor this plugin was built with */
  uint32_t reserved;
  prv_str id; /* reverse DNS: "org.patchbay.kimi" */
  prv_str name;
  prv_str vendor;
  prv_str version; /* "1.2.0" */
  prv_str description;
  prv_str url;
  prv_str license;
  prv_str sdk;       /* "patchbay-swift 1.0"; "" when written from this header */
  prv_str toolchain; /* "swift 6.3.1", "gcc 12.2" */
  const prv_provider_desc *providers;
  uint64_t provider_count;
  uint64_t provider_stride;
  /* Makes an instance of the provider `provider_id` and fills *instance (its `size` is the host's). `host` is valid
     until `destroy` returned. config_json: an object, with what the operator configured for this provider plus
     "base_url", "models" and "has_key"; never the key itself.
     [thread: any] [blocking: <= 1 s, no network (R004)]
     PRV_E_NOT_FOUND: unknown provider_id. PRV_E_INVALID_ARGUMENT: error names the setting. */
  int32_t (*create)(const struct prv_plugin *plugin, prv_str provider_id, const struct prv_host *host,
                    prv_str config_json, struct prv_provider *instance, prv_sink error);
  /* A [static] table of an optional power (Extensions, below), or null. Optional. [thread: any] [blocking: no] */
  const void *(*get_extension)(const struct prv_plugin *plugin, prv_str id);
} prv_plugin;

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

/* Kinds of call. One handle, one life for all: open, events, done, close. */
#define PRV_CALL_CHAT 1u   /* body prv.chat/1; events TEXT ... FINISH */
#define PRV_CALL_MODELS 2u /* no body; events MODEL, then FINISH */
#define PRV_CALL_HEALTH 3u /* no body; FINISH when healthy, else `done` with the error */
#define PRV_CALL_TOOL 4u   /* prv.tools/1: body prv.tool-call/1; events TEXT ... FINISH */

/* Flags of prv_call_request. */
#define PRV_CALL_STREAM 1u /* the client wants deltas as they come; without it the pieces are joined by the host */

/* prv.chat/1: an object in the OpenAI chat shape: "messages" (role, content as text or as parts `text` and
   `image_url`, tool_calls, tool_call_id, reasoning_content), and optionally "temperature", "top_p", "max_tokens",
   "stop", "tools", "tool_choice", "response_format"; our own under "patchbay": {"thinking": "minimal|low|medium|high|
   max", "web_search": true, "session": "stable opaque key for cache affinity"}. The model is in the request. The host
   has checked the shapes and bounds. Absent means "the provider's default". */
/* A file that came with a call (prv.files/1). */
typedef struct prv_file {
  uint32_t size;
  uint32_t flags;
  prv_str name;       /* "notes.pdf": 1 to 255 bytes, no '/', no control character, neither "." nor ".." */
  prv_str media_type; /* as the client says: "application/pdf"; "" when it does not */
  prv_bytes content;
} prv_file;

typedef struct prv_call_request {
  uint32_t size;
  uint32_t flags;
  uint32_t kind;
  uint32_t attempt;          /* 1 for the first try */
  uint64_t deadline_mono_ns; /* the host cancels the call then; C3 */
  prv_str request_id;        /* for logs and upstream trace headers */
  prv_str model;             /* as the provider names it */
  prv_str body_schema;
  prv_str body_json;
  const prv_file *files; /* prv.files/1; borrowed, as all of this, until call_open returned */
  uint64_t file_count;
  uint64_t file_stride;
} prv_call_request;

/* Kinds of event. A host ignores and counts what it does not know. */
#define PRV_EVENT_TEXT 1u           /* text */
#define PRV_EVENT_REASONING 2u      /* text */
#define PRV_EVENT_TOOL_CALL 3u      /* index, id, name; begins tool call number `index` */
#define PRV_EVENT_TOOL_ARGUMENTS 4u /* index, text: a piece of its JSON arguments */
#define PRV_EVENT_REFUSAL 5u        /* text */
#define PRV_EVENT_USAGE 6u          /* usage; the last one counts */
#define PRV_EVENT_FINISH 7u         /* name: stop | length | tool_calls | content_filter | the provider's own (R008) */
#define PRV_EVENT_MODEL_USED 8u     /* name: the model the upstream says it used */
#define PRV_EVENT_MODEL 9u          /* text: one object of prv.models/1 (below) */
#define PRV_EVENT_ANNOTATION 10u    /* name: "web_search", ...; text: JSON */

/* prv.models/1: {"id": "kimi-k2.6", "aliases": ["kimi"], "context_tokens": 262144, "output_tokens": 32768,
   "capabilities": ["tools", "images", "thinking", "web_search"]}; all but id may be absent. */

typedef struct prv_usage {
  uint32_t size;
  uint32_t flags;
  uint64_t input_tokens;
  uint64_t output_tokens;
  uint64_t cached_input_tokens;
  uint64_t reasoning_tokens;
} prv_usage;

typedef struct prv_event {
  uint32_t size;
  uint32_t flags;
  uint32_t kind;
  uint32_t index;
  prv_str text;
  prv_str id;
  prv_str name;
  const prv_usage *usage; /* PRV_EVENT_USAGE only */
} prv_event;

/* Values of `retryable`. */
#define PRV_RETRY_UNKNOWN 0u
#define PRV_RETRY_NO 1u
#define PRV_RETRY_YES 2u

/* Why and how a call ended: PRV_OK, PRV_CANCELLED when it ended because nobody waits for it, or an error code. With
   the first two only size, flags and status matter. */
typedef struct prv_done {
  uint32_t size;
  uint32_t flags;
  int32_t status;
  uint32_t http_status; /* of the upstream; 0: none */
  uint32_t retryable;
  uint32_t reserved;
  uint64_t retry_after_ns;     /* 0: not said */
  prv_str provider_code;       /* the provider's own code, word for word: "1302", "rate_limit_reached_error" */
  prv_str message;             /* the provider's own message, or ours; no key, no prompt */
  prv_str upstream_request_id; /* for the provider's support */
} prv_done;

/* Reasons of call_cancel. */
#define PRV_CANCEL_CLIENT 1u   /* the client asked, or left */
#define PRV_CANCEL_DEADLINE 2u /* a clock ran out */
#define PRV_CANCEL_STOP 3u     /* the instance is being stopped */

/* An instance. `size` is the host's on entry of `create`. */
typedef struct prv_provider {
  uint32_t size;
  uint32_t flags;
  void *self;
  /* Optional. After `create`, before the first call. [thread: instance] [blocking: no] */
  int32_t (*start)(void *self, prv_sink error);
  /* Optional. No new calls come from now on; open ones are cancelled by the host. [thread: instance] [blocking: no] */
  void (*stop)(void *self);
  /* After every call was closed. Frees the instance (R014). [thread: instance] [blocking: <= 1 s] */
  void (*destroy)(void *self);
  /* Begins a call. Everything after goes through `call`; *context is handed back with each later function. Events may
     be emitted before it returns, and `done` called: a short answer needs no second turn. Any result but PRV_OK: not
     accepted, error has a sentence, nothing was emitted, `done` must not be called.
     [thread: loop; several loops at once] [blocking: no] */
  int32_t (*call_open)(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error);
  /* Stop: nobody waits for the answer. Its HTTP exchanges are already aborted. May come at most once per call, also
     when `done` is under way on another thread. [thread: loop] [blocking: no] */
  void (*call_cancel)(void *self, void *context, uint32_t reason);
  /* Optional. After an emit answered PRV_PAUSE: go on. [thread: loop] [blocking: no] */
  void (*call_resume)(void *self, void *context);
  /* The last function for this call, exactly once, after `done`: free the context (R011). [thread: loop]
     [blocking: no] */
  void (*call_close)(void *self, void *context);
} prv_provider;

/* ---- Host and services ------------------------------------------------------------------------------------------ */

/* What a plugin gets in `create`. Valid until `destroy` returned. Every function here and in the services:
   [thread: any] [blocking: no], from `create` on; `ctx` is the table's own ctx field. */
typedef struct prv_host {
  uint32_t size;
  uint32_t flags;
  void *ctx;
  prv_str name;
  prv_str version;
  /* A [static] service table, or null when it is not offered. */
  const void *(*get_service)(void *ctx, prv_str id);
  /* Hands over one event (R007, R015). PRV_OK, PRV_PAUSE, PRV_CANCELLED, PRV_E_STALE, PRV_E_INVALID_ARGUMENT. */
  int32_t (*emit)(void *ctx, prv_call call, const prv_event *event);
  /* Ends the call (R005). PRV_OK, PRV_E_STALE when it had ended, PRV_E_INVALID_ARGUMENT. */
  int32_t (*done)(void *ctx, prv_call call, const prv_done *done);
} prv_host;

/* prv.log/1 - always offered. */
#define PRV_SERVICE_LOG "prv.log/1"
#define PRV_LOG_DEBUG 10
#define PRV_LOG_INFO 20
#define PRV_LOG_WARNING 30
#define PRV_LOG_ERROR 40

typedef struct prv_field {
  prv_str name;
  prv_str value;
} prv_field;

typedef struct prv_log_v1 {
  uint32_t size;
  uint32_t flags;
  /* 1 when a line of this level would be written. */
  int32_t (*enabled)(void *ctx, int32_t level);
  /* One line. message is constant text; what varies goes into fields. call: 0 when it belongs to none. No key, no
     prompt. Lines over 8 KiB are cut. */
  void (*write)(void *ctx, prv_call call, int32_t level, prv_str message, const prv_field *fields,
                uint64_t field_count);
} prv_log_v1;

/* prv.time/1 - always offered. A test host may run this clock as it likes: take time from here only. */
#define PRV_SERVICE_TIME "prv.time/1"

typedef struct prv_time_v1 {
  uint32_t size;
  uint32_t flags;
  uint64_t (*now_mono_ns)(void *ctx);
  uint64_t (*now_unix_ns)(void *ctx);
  /* Runs fn(arg) on the call's loop once, after delay_ns. A call has at most 16 timers: PRV_E_LIMIT. Timers of a call
     that is closed do not fire. PRV_E_STALE: no such call. */
  int32_t (*timer_start)(void *ctx, prv_call call, uint64_t delay_ns, void (*fn)(void *arg), void *arg,
                         prv_timer *timer);
  /* PRV_OK: fn will not run. PRV_E_STALE: it ran or was cancelled. */
  int32_t (*timer_cancel)(void *ctx, prv_timer timer);
} prv_time_v1;

/* prv.http/1 - the host does the networking: TLS, proxies, pooling, limits, keys. An exchange belongs to a call: while
   the call is paused its socket is not read; when the call is cancelled or done the exchange is aborted. The plugin
   reaches only the origin of its base_url and what the operator allowed; redirects are not followed. */
#define PRV_SERVICE_HTTP "prv.http/1"

/* Response modes. */
#define PRV_HTTP_BODY 0u /* on_body gets the bytes as they come */
#define PRV_HTTP_SSE 1u  /* a 2xx answer of type text/event-stream goes to on_sse, any other to on_body */

/* Clocks, in prv_http_result.clock. */
#define PRV_CLOCK_NONE 0u
#define PRV_CLOCK_CONNECT 1u
#define PRV_CLOCK_FIRST_BYTE 2u
#define PRV_CLOCK_IDLE 3u
#define PRV_CLOCK_TOTAL 4u

typedef struct prv_header {
  prv_str name;
  prv_str value;
} prv_header;

typedef struct prv_http_request {
  uint32_t size;
  uint32_t flags;
  prv_str method; /* GET, POST, PUT, DELETE, HEAD */
  prv_str url;    /* absolute, http or https */
  const prv_header *headers;
  uint64_t header_count;
  prv_bytes body;      /* copied before `request` returns */
  prv_str auth_ref;    /* "api_key": the host adds this instance's key; "": none. The plugin never sees it. */
  prv_str auth_scheme; /* "bearer", or "header:NAME" for a raw key in that header; "": bearer */
  uint32_t response_mode;
  uint32_t reserved;
  uint64_t max_response_bytes; /* 0: 64 MiB; PRV_E_LIMIT beyond */
  uint64_t connect_timeout_ns; /* these four: 0 means what the operator configured for the call */
  uint64_t first_byte_timeout_ns;
  uint64_t idle_timeout_ns;
  uint64_t total_timeout_ns;
} prv_http_request;

typedef struct prv_http_result {
  uint32_t size;
  uint32_t flags;
  int32_t status;       /* PRV_OK: the whole answer was received, whatever its HTTP status */
  uint32_t http_status; /* 0: none was received */
  uint32_t clock;       /* with PRV_E_TIMEOUT */
  uint32_t reserved;
  prv_str message; /* with an error: what failed, host and port included */
  uint64_t bytes_received;
  uint64_t connect_ns; /* since the request; 0: never, or a connection was reused */
  uint64_t first_byte_ns;
  uint64_t total_ns;
} prv_http_result;

/* All [thread: loop] [blocking: no]; copied by `request`. Null ones are skipped, on_complete must be there. */
typedef struct prv_http_callbacks {
  uint32_t size;
  uint32_t flags;
  void (*on_headers)(void *self, prv_exchange exchange, uint32_t http_status, const prv_header *headers,
                     uint64_t header_count);
  void (*on_body)(void *self, prv_exchange exchange, prv_bytes bytes);
  /* One event of the stream (WHATWG HTML 9.2.6). event is "message" when the stream named none. */
  void (*on_sse)(void *self, prv_exchange exchange, prv_str event, prv_str id, prv_str data);
  /* Exactly once, the last one, also after cancel (PRV_CANCELLED). */
  void (*on_complete)(void *self, prv_exchange exchange, const prv_http_result *result);
} prv_http_callbacks;

typedef struct prv_http_v1 {
  uint32_t size;
  uint32_t flags;
  /* Starts an exchange of `call`. PRV_OK: on_complete will come, never before this returned. PRV_E_STALE: no such call.
     PRV_CANCELLED: the call was cancelled. PRV_E_PERMISSION: the origin is not allowed.
     PRV_E_LIMIT: more than 8 exchanges of one call. PRV_E_UNSUPPORTED: the host has no HTTP library. */
  int32_t (*request)(void *ctx, prv_call call, const prv_http_request *request, const prv_http_callbacks *callbacks,
                     void *self, prv_exchange *exchange);
  /* Aborts; on_complete follows with PRV_CANCELLED. PRV_E_STALE: it had completed. */
  int32_t (*cancel)(void *ctx, prv_exchange exchange);
} prv_http_v1;

/* prv.config/1 - always offered. */
#define PRV_SERVICE_CONFIG "prv.config/1"

typedef struct prv_config_v1 {
  uint32_t size;
  uint32_t flags;
  /* Writes the value at `path` ("base_url", "models.0") of this provider's settings as JSON. PRV_E_NOT_FOUND. */
  int32_t (*get)(void *ctx, prv_str path, prv_sink value);
} prv_config_v1;

/* prv.exec/1 - always offered. Runs fn(arg) exactly once, soon, on a loop; never before post returned. */
#define PRV_SERVICE_EXEC "prv.exec/1"

typedef struct prv_exec_v1 {
  uint32_t size;
  uint32_t flags;
  /* On any one loop: the caller's, when it is one. PRV_E_STATE: the host is stopping; fn will not run. */
  int32_t (*post)(void *ctx, void (*fn)(void *arg), void *arg);
  /* On the call's loop, serially with its callbacks. PRV_E_STALE: no such call, fn will not run. */
  int32_t (*post_call)(void *ctx, prv_call call, void (*fn)(void *arg), void *arg);
} prv_exec_v1;

/* prv.thread-check/1 - optional; for assertions. Each answers 1 or 0. */
#define PRV_SERVICE_THREAD_CHECK "prv.thread-check/1"

typedef struct prv_thread_check_v1 {
  uint32_t size;
  uint32_t flags;
  int32_t (*is_loop)(void *ctx);
  int32_t (*is_call_loop)(void *ctx, prv_call call);
} prv_thread_check_v1;

/* ---- Extensions: what prv_plugin.get_extension answers ----------------------------------------------------------- */

/* prv.tools/1 - tools that the plugin contributes. Clients see them beside the host's own, and call one by its name.
   The call is of kind PRV_CALL_TOOL, at an instance of provider_id, with no model and the body prv.tool-call/1:
   {"name": "kimi_manage_files", "arguments": {...}}. Its events are those of a chat: the TEXT pieces join to the
   result, FINISH "stop" says that it is whole (R008). It has the permits, clocks and limits of any call.
   The host has checked the arguments against input_schema_json, at every depth: type, properties, required,
   additionalProperties, items, enum, minimum, maximum, minLength, maxLength, minItems, maxItems. Other keywords are
   shown to clients and checked by the plugin alone. "stream" and "timeout" are the host's arguments of every tool. */
#define PRV_EXTENSION_TOOLS "prv.tools/1"

/* Flags of prv_tool. */
#define PRV_TOOL_REPEATABLE 1u /* twice does no more than once: the host may try it again after a failure */

typedef struct prv_tool {
  uint32_t size;
  uint32_t flags;
  prv_str provider_id;       /* one of prv_plugin.providers */
  prv_str name;              /* provider_id with '_' for '-', then '_' and lower case, digits, '_'; 3 to 64 bytes */
  prv_str description;       /* for whoever chooses among tools, a model perhaps */
  prv_str input_schema_json; /* JSON Schema of the arguments: "type": "object" */
} prv_tool;

typedef struct prv_tools_v1 {
  uint32_t size;
  uint32_t flags;
  const prv_tool *tools; /* at most 64 */
  uint64_t tool_count;
  uint64_t tool_stride;
} prv_tools_v1;

/* prv.files/1 - files in the arguments of tools. A client sends each as an object of "name", "text" or "base64", and
   perhaps "media_type"; a path it cannot send, and no file of the host's machine is read. The host checks and decodes
   them, leaves the argument out of the body, and hands them over in prv_call_request.files. */
#define PRV_EXTENSION_FILES "prv.files/1"

typedef struct prv_file_argument {
  uint32_t size;
  uint32_t flags;
  prv_str tool;       /* of prv.tools/1 */
  prv_str argument;   /* in its schema an array of files; of type "object" when max_count is 1: one file */
  uint64_t max_count; /* 1 to 64 */
  uint64_t max_bytes; /* of one file's content; 0: what the host takes */
} prv_file_argument;

typedef struct prv_files_v1 {
  uint32_t size;
  uint32_t flags;
  const prv_file_argument *arguments; /* at most one for each tool */
  uint64_t argument_count;
  uint64_t argument_stride;
} prv_files_v1;

#ifdef __cplusplus
}
#endif
#endif /* PRV_PROVIDER_ABI_H */
