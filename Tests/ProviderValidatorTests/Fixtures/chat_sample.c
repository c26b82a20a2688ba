/* A small provider for servers that speak the OpenAI chat format, and one fault at a time.

   cc -DFAULT=FAULT_NONE makes one that passes every check. Each other fault makes the check fire that it is named after,
   and no other: a validator whose check never fires proves nothing. */
#define _GNU_SOURCE
#include "provider_abi.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "chat_json.h"

enum {
  FAULT_NONE,
  FAULT_MODELS_BASIC,       /* lists the first model twice */
  FAULT_MODELS_ERRORS,      /* a refused key is an internal error */
  FAULT_HEALTH,             /* healthy whatever the upstream answers */
  FAULT_CHAT_BASIC,         /* no usage */
  FAULT_NONSTREAM,          /* a client that wants no stream gets half a text */
  FAULT_CHUNKING,           /* reads the stream itself, and takes each piece for whole lines */
  FAULT_SPLIT_UTF8,         /* sends a text with an accent byte by byte */
  FAULT_ORDER,              /* reasoning after FINISH */
  FAULT_DONE_TWICE,         /* done again after a good end */
  FAULT_TOOL_CALLS,         /* loses the first piece of a tool's arguments */
  FAULT_ERROR_MAPPING,      /* 429 is a fault of the upstream, to be tried again at any time */
  FAULT_TRUNCATED,          /* an answer that just stopped is complete */
  FAULT_UNKNOWN_FIELDS,     /* a member that it does not know is an error */
  FAULT_DEAF_EARLY,         /* no done when cancelled before the head of the answer */
  FAULT_CANCEL_MID,         /* a cancelled call failed */
  FAULT_CANCEL_RACE,        /* cancelled after the last event: done from two places */
  FAULT_DEAF_HEAD,          /* no done when cancelled between head and first event */
  FAULT_DEAF_DEADLINE,      /* no done after a deadline */
  FAULT_GREEDY,             /* goes on in spite of PRV_PAUSE */
  FAULT_CROSSTALK,          /* one variable for all calls */
  FAULT_THREAD_LOCAL,       /* state in a thread-local variable */
  FAULT_BLOCKING,           /* call_open of a health check sleeps */
  FAULT_BORROWED,           /* keeps the pointer to the request's id */
  FAULT_DEAF_STOP,          /* no done when the instance stops */
  FAULT_LATE,               /* a thread outlives destroy */
  FAULT_NOISY,              /* prints */
  FAULT_SECRET,             /* repeats what the upstream says of a refused key */
  FAULT_REDIRECT,           /* follows a redirect, key and all */
  FAULT_FUZZ_UPSTREAM,      /* never ends a call whose event is no JSON */
  FAULT_FUZZ_REQUEST,       /* cuts long requests */
  FAULT_SOAK                /* a descriptor a call */
};
#ifndef FAULT
#define FAULT FAULT_NONE
#endif

#define TEXT(literal) ((prv_str){(literal), sizeof(literal) - 1})
static prv_str text_of(const char *string) { return (prv_str){string, strlen(string)}; }

typedef struct {
  const prv_host *host;
  const prv_http_v1 *http;
  const prv_log_v1 *log;
  char base[1024];
} instance;

typedef struct {
  instance *owner;
  prv_call call;
  uint32_t kind, cancel_reason;
  int wants_stream, has_head, has_event, is_done, is_event_stream, is_broken, tools;
  uint32_t http_status;
  uint64_t retry_after_seconds, input_tokens, output_tokens;
  char finish[64], location[1024];
  char *body;
  size_t body_bytes;
  const char *request_id;
  uint64_t request_id_bytes;
} chat;

static chat *last_chat;
static _Thread_local int has_head_here;
static void request(chat *c, const char *method, const char *url, const char *body, size_t bytes);

/* ---- To the host ------------------------------------------------------------------------------------------------ */

static int32_t emit(chat *c, prv_event event) {
  const prv_host *host = c->owner->host;
  event.size = sizeof event;
  return host->emit(host->ctx, c->call, &event);
}

static void emit_text(chat *c, uint32_t kind, uint32_t index, const char *text, size_t bytes) {
  if (!is_utf8(text, bytes)) { c->is_broken = 1; return; }
  if (FAULT == FAULT_CROSSTALK && kind == PRV_EVENT_TEXT && last_chat) c = last_chat;
  if (FAULT == FAULT_THREAD_LOCAL && kind == PRV_EVENT_TEXT && !has_head_here) return;
  if (FAULT == FAULT_NONSTREAM && kind == PRV_EVENT_TEXT && !c->wants_stream) bytes /= 2;
  int is_ascii = 1;
  for (size_t i = 0; i < bytes; i++) is_ascii &= (unsigned char)text[i] < 0x80;
  size_t piece = FAULT == (is_ascii ? FAULT_GREEDY : FAULT_SPLIT_UTF8) ? 1 : bytes;
  for (size_t at = 0; at < bytes; at += piece)
    emit(c, (prv_event){.kind = kind, .index = index, .text = {text + at, piece}});
}

static void end(chat *c, int32_t status, const char *message) {
  const prv_host *host = c->owner->host;
  if (c->is_done) return;
  c->is_done = 1;
  if (FAULT == FAULT_BORROWED && c->owner->log) {
    prv_field field = {TEXT("request"), {c->request_id, c->request_id_bytes}};
    c->owner->log->write(host->ctx, c->call, PRV_LOG_INFO, TEXT("a call ended"), &field, 1);
  }
  prv_done done = {.size = sizeof done, .status = status, .http_status = c->http_status, .message = text_of(message)};
  done.retry_after_ns = c->retry_after_seconds * 1000000000u;
  host->done(host->ctx, c->call, &done);
  if (FAULT == FAULT_DONE_TWICE && status == PRV_OK && c->kind == PRV_CALL_CHAT) host->done(host->ctx, c->call, &done);
}

/* ---- From the upstream ------------------------------------------------------------------------------------------ */

static int emit_string(chat *c, uint32_t kind, uint32_t index, const char *p, const char *limit) {
  if (!p || *p != '"') return 1;
  char *text = malloc((size_t)(limit - p) + 1);
  long bytes = json_text(p, limit, text);
  if (bytes > 0) emit_text(c, kind, index, text, (size_t)bytes);
  free(text);
  return bytes >= 0;
}

static void take_tool(chat *c, const char *p, const char *limit) {
  uint32_t index = (uint32_t)json_number(json_member(p, limit, "index"), limit);
  const char *function = json_member(p, limit, "function");
  char id[256] = "", name[256] = "";
  const char *id_at = json_member(p, limit, "id"), *name_at = json_member(function, limit, "name");
  const char *id_end = id_at ? json_string_end(id_at, limit) : NULL;
  const char *name_end = name_at ? json_string_end(name_at, limit) : NULL;
  long id_bytes = id_end && id_end - id_at < 256 ? json_text(id_at, limit, id) : 0;
  long name_bytes = name_end && name_end - name_at < 256 ? json_text(name_at, limit, name) : 0;
  if (id_bytes < 0 || name_bytes < 0 || !is_utf8(id, (size_t)id_bytes) || !is_utf8(name, (size_t)name_bytes)) {
    c->is_broken = 1;
    return;
  }
  int is_new = name_bytes > 0 && (int)index == c->tools;
  if (is_new) {
    c->tools++;
    emit(c, (prv_event){.kind = PRV_EVENT_TOOL_CALL, .index = index, .id = {id, (uint64_t)id_bytes},
                        .name = {name, (uint64_t)name_bytes}});
  }
  if ((int)index >= c->tools) return;
  if (FAULT == FAULT_TOOL_CALLS && is_new) return;
  if (!emit_string(c, PRV_EVENT_TOOL_ARGUMENTS, index, json_member(function, limit, "arguments"), limit))
    c->is_broken = 1;
}

/* One chunk of a stream, or a whole answer. */
static void take_answer(chat *c, const char *p, const char *limit) {
  if (json_end(json_space(p, limit), limit) == NULL || *json_space(p, limit) != '{') { c->is_broken = 1; return; }
  if (json_member(p, limit, "error")) { c->is_broken = 1; return; }
  if (FAULT == FAULT_UNKNOWN_FIELDS && json_member(p, limit, "x_unknown")) { c->is_broken = 1; return; }
  const char *usage = json_member(p, limit, "usage");
  if (usage && *usage == '{') {
    c->input_tokens = json_number(json_member(usage, limit, "prompt_tokens"), limit);
    c->output_tokens = json_number(json_member(usage, limit, "completion_tokens"), limit);
  }
  const char *choice = json_first(json_member(p, limit, "choices"), limit);
  const char *delta = json_member(choice, limit, "delta");
  if (!delta) delta = json_member(choice, limit, "message");
  if (!emit_string(c, PRV_EVENT_REASONING, 0, json_member(delta, limit, "reasoning_content"), limit)) c->is_broken = 1;
  if (!emit_string(c, PRV_EVENT_TEXT, 0, json_member(delta, limit, "content"), limit)) c->is_broken = 1;
  for (const char *tool = json_first(json_member(delta, limit, "tool_calls"), limit); tool; tool = json_next(tool, limit))
    take_tool(c, tool, limit);
  const char *finish = json_member(choice, limit, "finish_reason");
  const char *finish_end = finish ? json_string_end(finish, limit) : NULL;
  if (finish_end && finish_end - finish < 64) {
    long bytes = json_text(finish, limit, c->finish);
    c->finish[bytes > 0 && is_utf8(c->finish, (size_t)bytes) ? bytes : 0] = 0;
  }
}

static void on_sse(void *self, prv_exchange exchange, prv_str event, prv_str id, prv_str data) {
  chat *c = self;
  (void)exchange, (void)event, (void)id;
  c->has_event = 1;
  if (c->is_broken || (data.len == 6 && memcmp(data.ptr, "[DONE]", 6) == 0)) return;
  take_answer(c, data.ptr, data.ptr + data.len);
}

static void take_lines(chat *c, const char *p, const char *limit) {
  while (p < limit) {
    const char *line_end = memchr(p, '\n', (size_t)(limit - p));
    if (!line_end) return;
    if (line_end - p > 6 && memcmp(p, "data: ", 6) == 0)
      on_sse(c, 0, TEXT(""), TEXT(""), (prv_str){p + 6, (uint64_t)(line_end - p - 6)});
    p = line_end + 1;
  }
}

static void on_body(void *self, prv_exchange exchange, prv_bytes bytes) {
  chat *c = self;
  (void)exchange;
  if (FAULT == FAULT_CHUNKING && c->is_event_stream) {
    take_lines(c, (const char *)bytes.ptr, (const char *)bytes.ptr + bytes.len);
    return;
  }
  if (bytes.len > (4u << 20) - c->body_bytes) { c->is_broken = 1; return; }
  c->body = realloc(c->body, c->body_bytes + bytes.len + 1);
  memcpy(c->body + c->body_bytes, bytes.ptr, bytes.len);
  c->body_bytes += bytes.len;
}

static int is_name(prv_str name, const char *wanted) {
  if (name.len != strlen(wanted)) return 0;
  for (uint64_t i = 0; i < name.len; i++)
    if ((name.ptr[i] | 0x20) != (wanted[i] | 0x20)) return 0;
  return 1;
}

static void on_headers(void *self, prv_exchange exchange, uint32_t status, const prv_header *headers, uint64_t count) {
  chat *c = self;
  (void)exchange;
  c->has_head = has_head_here = 1;
  c->http_status = status;
  for (uint64_t i = 0; i < count; i++) {
    prv_str value = headers[i].value;
    if (is_name(headers[i].name, "retry-after")) c->retry_after_seconds = json_number(value.ptr, value.ptr + value.len);
    if (is_name(headers[i].name, "content-type"))
      c->is_event_stream = status == 200 && value.len >= 17 && memcmp(value.ptr, "text/event-stream", 17) == 0;
    if (is_name(headers[i].name, "location") && value.len < sizeof c->location)
      memcpy(c->location, value.ptr, value.len);
  }
}

/* What an error of the upstream means. */
static void end_refused(chat *c) {
  const char *p = c->body ? c->body : "", *limit = p + c->body_bytes;
  const char *error = json_member(p, limit, "error"), *code = json_member(error, limit, "code");
  const char *code_end = code ? json_string_end(code, limit) : NULL;
  char said[64] = "", message[1024] = "";
  if (code_end && code_end - code < 64 && json_text(code, limit, said) < 0) said[0] = 0;
  int32_t status = PRV_E_BAD_REQUEST;
  if (c->http_status == 401) status = PRV_E_AUTH;
  if (c->http_status == 403) status = PRV_E_PERMISSION;
  if (c->http_status == 404) status = PRV_E_MODEL_NOT_FOUND;
  if (c->http_status == 429) status = PRV_E_RATE_LIMITED;
  if (c->http_status == 503) status = PRV_E_OVERLOADED;
  if (c->http_status >= 500 && c->http_status != 503) status = PRV_E_UPSTREAM;
  if (c->http_status < 400) status = PRV_E_BAD_RESPONSE;
  if (strcmp(said, "context_length_exceeded") == 0) status = PRV_E_CONTEXT_LENGTH;
  if (strcmp(said, "content_filter") == 0) status = PRV_E_CONTENT_FILTER;
  if (strcmp(said, "insufficient_quota") == 0) status = PRV_E_QUOTA;
  if (FAULT == FAULT_ERROR_MAPPING && c->kind == PRV_CALL_CHAT && c->http_status == 429) status = PRV_E_UPSTREAM;
  if (FAULT == FAULT_MODELS_ERRORS && c->kind == PRV_CALL_MODELS && c->http_status == 401) status = PRV_E_INTERNAL;
  const char *words = json_member(error, limit, "message"), *words_end = words ? json_string_end(words, limit) : NULL;
  if (FAULT == FAULT_SECRET && words_end && words_end - words < 1024 && json_text(words, limit, message) < 0) message[0] = 0;
  end(c, status, message[0] ? message : "the upstream refused the request");
}

static void end_models(chat *c) {
  const char *p = c->body ? c->body : "", *limit = p + c->body_bytes;
  const char *list = json_member(p, limit, "data");
  if (c->body_bytes == 0 || !list || *list != '[') { end(c, PRV_E_BAD_RESPONSE, "the upstream listed no models"); return; }
  int times = FAULT == FAULT_MODELS_BASIC ? 2 : 1;
  for (const char *model = json_first(list, limit); model; model = json_next(model, limit)) {
    const char *id = json_member(model, limit, "id"), *id_end = id ? json_string_end(id, limit) : NULL;
    if (!id_end || !is_utf8(id, (size_t)(id_end - id)) || id_end - id > 200) continue;
    char object[256];
    int bytes = snprintf(object, sizeof object, "{\"id\":%.*s}", (int)(id_end - id), id);
    for (int i = 0; i < times; i++) emit(c, (prv_event){.kind = PRV_EVENT_MODEL, .text = {object, (uint64_t)bytes}});
    times = 1;
  }
  emit(c, (prv_event){.kind = PRV_EVENT_FINISH, .name = TEXT("stop")});
  end(c, PRV_OK, "");
}

static void end_chat(chat *c) {
  if (c->body_bytes > 0 && !c->is_event_stream) take_answer(c, c->body, c->body + c->body_bytes);
  if (c->is_broken) { end(c, PRV_E_BAD_RESPONSE, "the upstream sent what is not of its format"); return; }
  if (FAULT == FAULT_TRUNCATED && !c->finish[0]) memcpy(c->finish, "stop", 5);
  if (!c->finish[0]) { end(c, PRV_E_NETWORK, "the upstream's answer stopped before its end"); return; }
  prv_usage usage = {.size = sizeof usage, .input_tokens = c->input_tokens, .output_tokens = c->output_tokens};
  if (c->input_tokens && FAULT != FAULT_CHAT_BASIC) emit(c, (prv_event){.kind = PRV_EVENT_USAGE, .usage = &usage});
  emit(c, (prv_event){.kind = PRV_EVENT_FINISH, .name = text_of(c->finish)});
  if (FAULT == FAULT_ORDER) emit(c, (prv_event){.kind = PRV_EVENT_REASONING, .text = TEXT("late")});
  end(c, PRV_OK, "");
}

static int is_deaf(chat *c) {
  if (c->kind != PRV_CALL_CHAT) return 0;
  if (FAULT == FAULT_DEAF_EARLY) return !c->has_head;
  if (FAULT == FAULT_DEAF_HEAD) return c->has_head && !c->has_event && c->cancel_reason == PRV_CANCEL_CLIENT;
  if (FAULT == FAULT_DEAF_DEADLINE) return c->cancel_reason == PRV_CANCEL_DEADLINE;
  if (FAULT == FAULT_DEAF_STOP) return c->cancel_reason == PRV_CANCEL_STOP;
  return 0;
}

static void on_complete(void *self, prv_exchange exchange, const prv_http_result *result) {
  chat *c = self;
  (void)exchange;
  if (c->is_done && FAULT != FAULT_CANCEL_RACE) return;
  if (result->status == PRV_CANCELLED) {
    if (is_deaf(c)) return;
    if (FAULT == FAULT_CANCEL_RACE && c->is_done) c->is_done = 0;
    int is_failed = FAULT == FAULT_CANCEL_MID && c->has_event && c->cancel_reason == PRV_CANCEL_CLIENT;
    end(c, is_failed ? PRV_E_NETWORK : PRV_CANCELLED, "cancelled");
    return;
  }
  if (c->http_status >= 300 && c->http_status < 400 && FAULT == FAULT_REDIRECT && c->location[0]) {
    c->http_status = 0;
    request(c, "GET", c->location, "", 0);
    return;
  }
  int is_good = result->status == PRV_OK && c->http_status >= 200 && c->http_status < 300;
  if (c->kind == PRV_CALL_HEALTH && (is_good || FAULT == FAULT_HEALTH)) {
    emit(c, (prv_event){.kind = PRV_EVENT_FINISH, .name = TEXT("stop")});
    end(c, PRV_OK, "");
  } else if (FAULT == FAULT_FUZZ_UPSTREAM && c->is_broken && c->is_event_stream) {
    return;
  } else if (result->status != PRV_OK && !(c->kind == PRV_CALL_CHAT && c->finish[0] && !c->is_broken)) {
    if (FAULT == FAULT_TRUNCATED && c->kind == PRV_CALL_CHAT && c->has_event) end_chat(c);
    else end(c, result->status, "the upstream did not answer to the end");
  } else if (c->http_status < 200 || c->http_status >= 300) {
    end_refused(c);
  } else if (c->kind == PRV_CALL_MODELS) {
    end_models(c);
  } else {
    end_chat(c);
  }
}

/* ---- From the host ---------------------------------------------------------------------------------------------- */

static void request(chat *c, const char *method, const char *url, const char *body, size_t bytes) {
  const prv_host *host = c->owner->host;
  prv_header headers[] = {{TEXT("Content-Type"), TEXT("application/json")}};
  prv_http_request wanted = {.size = sizeof wanted, .method = text_of(method), .url = text_of(url), .headers = headers,
                             .header_count = 1, .body = {(const uint8_t *)body, bytes}, .auth_ref = TEXT("api_key")};
  wanted.response_mode = FAULT == FAULT_CHUNKING ? PRV_HTTP_BODY : PRV_HTTP_SSE;
  prv_http_callbacks callbacks = {.size = sizeof callbacks, .on_headers = on_headers, .on_body = on_body,
                                  .on_sse = on_sse, .on_complete = on_complete};
  prv_exchange exchange;
  int32_t status = c->owner->http->request(host->ctx, c->call, &wanted, &callbacks, c, &exchange);
  if (status != PRV_OK) end(c, status, "the host did not send the request");
}

/* The request's body with the model and the wish for a stream in front. */
static void send_chat(chat *c, const prv_call_request *r) {
  char url[1100];
  snprintf(url, sizeof url, "%s/chat/completions", c->owner->base);
  size_t room = r->body_json.len + r->model.len + 64;
  char *body = malloc(room);
  int used = snprintf(body, room, "{\"model\":\"%.*s\",\"stream\":%s", (int)r->model.len, r->model.ptr,
                      c->wants_stream ? "true" : "false");
  const char *p = json_space(r->body_json.ptr, r->body_json.ptr + r->body_json.len), *limit = r->body_json.ptr + r->body_json.len;
  const char *first = json_space(p + 1, limit);
  if (first < limit && *first != '}') body[used++] = ',';
  memcpy(body + used, p + 1, (size_t)(limit - p - 1));
  size_t bytes = (size_t)used + (size_t)(limit - p - 1);
  if (FAULT == FAULT_FUZZ_REQUEST && bytes > 600) bytes = 600;
  request(c, "POST", url, body, bytes);
  free(body);
}

static int32_t call_open(void *self, const prv_call_request *r, prv_call call, void **context, prv_sink error) {
  instance *owner = self;
  if (r->kind != PRV_CALL_CHAT && r->kind != PRV_CALL_MODELS && r->kind != PRV_CALL_HEALTH) {
    error.write(error.ctx, TEXT("this provider chats, lists its models and knows its health"));
    return PRV_E_UNSUPPORTED;
  }
  if (FAULT == FAULT_NOISY) { printf("a call began\n"); fflush(stdout); }
  if (FAULT == FAULT_SOAK) { int kept = open("/dev/null", O_RDONLY | O_CLOEXEC); (void)kept; }
  if (FAULT == FAULT_BLOCKING && r->kind == PRV_CALL_HEALTH) nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
  chat *c = calloc(1, sizeof *c);
  c->owner = owner;
  c->call = call;
  c->kind = r->kind;
  c->wants_stream = (r->flags & PRV_CALL_STREAM) != 0;
  c->request_id = r->request_id.ptr;
  c->request_id_bytes = r->request_id.len;
  *context = last_chat = c;
  if (r->kind == PRV_CALL_CHAT) {
    send_chat(c, r);
  } else {
    char url[1100];
    snprintf(url, sizeof url, "%s/models", owner->base);
    request(c, "GET", url, "", 0);
  }
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) {
  chat *c = context;
  (void)self;
  c->cancel_reason = reason; /* on_complete follows, and ends the call */
  if (FAULT == FAULT_CANCEL_RACE && c->finish[0]) end(c, PRV_CANCELLED, "cancelled");
}

static void call_close(void *self, void *context) {
  chat *c = context;
  (void)self;
  if (last_chat == c) last_chat = NULL;
  free(c->body);
  free(c);
}

static void *late_thread(void *argument) {
  const prv_host *host = argument;
  for (int i = 0; i < 400; i++) {
    host->get_service(host->ctx, TEXT(PRV_SERVICE_TIME));
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return NULL;
}

static void destroy(void *self) {
  instance *owner = self;
  pthread_t thread;
  if (FAULT == FAULT_LATE && pthread_create(&thread, NULL, late_thread, (void *)owner->host) == 0) pthread_detach(thread);
  free(owner);
}

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config,
                      prv_provider *instance_out, prv_sink error) {
  (void)plugin;
  if (id.len != 6 || memcmp(id.ptr, "sample", 6) != 0) return PRV_E_NOT_FOUND;
  const char *limit = config.ptr + config.len, *base = json_member(config.ptr, limit, "base_url");
  const char *base_end = base ? json_string_end(base, limit) : NULL;
  instance *owner = calloc(1, sizeof *owner);
  long bytes = base_end && base_end - base < 1000 ? json_text(base, limit, owner->base) : 0;
  if (bytes <= 0) {
    error.write(error.ctx, TEXT("base_url is missing: where does the provider answer?"));
    free(owner);
    return PRV_E_INVALID_ARGUMENT;
  }
  owner->host = host;
  owner->http = host->get_service(host->ctx, TEXT(PRV_SERVICE_HTTP));
  owner->log = host->get_service(host->ctx, TEXT(PRV_SERVICE_LOG));
  if (!owner->http) {
    error.write(error.ctx, TEXT("the host offers no prv.http/1"));
    free(owner);
    return PRV_E_UNSUPPORTED;
  }
  *instance_out = (prv_provider){.size = sizeof *instance_out, .self = owner, .destroy = destroy, .call_open = call_open,
                                 .call_cancel = call_cancel, .call_close = call_close};
  return PRV_OK;
}

static const prv_str required[] = {PRV_LITERAL(PRV_SERVICE_HTTP)};
static const prv_provider_desc providers[] = {
    {.size = sizeof(prv_provider_desc),
     .id = PRV_LITERAL("sample"),
     .display_name = PRV_LITERAL("Sample"),
     .capabilities = PRV_CAN_CHAT | PRV_CAN_STREAM | PRV_CAN_TOOLS | PRV_CAN_LIST_MODELS | PRV_CAN_CHECK_HEALTH,
     .default_base_url = PRV_LITERAL("https://api.example.org/v1"),
     .required_services = required,
     .required_service_count = 1}};

static const prv_plugin plugin = {
    .size = sizeof(prv_plugin), .abi_minor = PRV_ABI_MINOR, .id = PRV_LITERAL("org.example.sample"),
    .name = PRV_LITERAL("Sample"), .vendor = PRV_LITERAL("Example"), .version = PRV_LITERAL("1.0.0"),
    .providers = providers, .provider_count = 1, .provider_stride = sizeof providers[0], .create = create};

PRV_EXPORT int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  if (handshake->magic != PRV_MAGIC || handshake->min_abi_minor > PRV_ABI_MINOR) {
    reply->error.write(reply->error.ctx, TEXT("built for ABI 1.0, and the host asks for another"));
    return PRV_E_INCOMPATIBLE;
  }
  reply->plugin = &plugin;
  return PRV_OK;
}
