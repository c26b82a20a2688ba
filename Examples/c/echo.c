/* A whole Patchbay provider in C: it answers with the last user message. All it needs is provider_abi.h. */
#include "provider_abi.h"

#include <stdlib.h>
#include <string.h>

/* Whether the other side's struct is long enough to have this field (C1). */
#define HAS(pointer, field) \
  ((pointer)->size >= (size_t)((const char *)(&(pointer)->field + 1) - (const char *)(pointer)))

static int32_t fail(prv_sink error, int32_t status, prv_str text) {
  if (error.write) error.write(error.ctx, text);
  return status;
}

/* ---- The request's body: JSON that the host has checked, so every value ends before the body does ---------------- */

static const char *space(const char *p) {
  while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') p++;
  return p;
}

/* The place behind the value that begins at p. */
static const char *skip(const char *p) {
  int depth = 0;
  do {
    if (*p == '"') {
      for (p++; *p != '"'; p++) p += *p == '\\';
    }
    depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
    p++;
  } while (depth > 0);
  return p;
}

/* The value of a member; NULL when the object has none of this name, or is no object. */
static const char *member(const char *object, const char *name) {
  const char *key = space(object + 1);
  while (*object == '{' && *key == '"') {
    const char *end = skip(key), *value = space(space(end) + 1);
    if ((size_t)(end - key) == strlen(name) + 2 && memcmp(key + 1, name, strlen(name)) == 0) return value;
    while (*value != ',' && *value != '}') value = skip(value);
    key = *value == ',' ? space(value + 1) : value;
  }
  return NULL;
}

/* The first element of the array at p; NULL when it is empty, or no array. */
static const char *first(const char *p) {
  if (!p || *p != '[') return NULL;
  p = space(p + 1);
  return *p == ']' ? NULL : p;
}

/* The element after the one at p; NULL at the end. */
static const char *next(const char *p) {
  while (*p != ',' && *p != ']') p = space(skip(p));
  return *p == ',' ? space(p + 1) : NULL;
}

static int says(const char *value, const char *text) {
  return value && *value == '"' && strncmp(value + 1, text, strlen(text)) == 0 && value[strlen(text) + 1] == '"';
}

static uint32_t hex(const char *p) {
  char digits[5] = {p[0], p[1], p[2], p[3], 0};
  return (uint32_t)strtoul(digits, NULL, 16);
}

/* Writes the content of the JSON string at p as UTF-8, which is never longer; returns its end. */
static char *unescape(const char *p, char *out) {
  for (p++; *p != '"'; p++) {
    if (*p != '\\') { *out++ = *p; continue; }
    const char *plain = strchr("b\bf\fn\nr\rt\t", *++p);
    if (*p != 'u') { *out++ = plain ? plain[1] : *p; continue; }
    uint32_t c = hex(p + 1);
    p += 4;
    if (c >> 10 == 0x36) { c = 0x10000 + ((c & 0x3FF) << 10 | (hex(p + 3) & 0x3FF)); p += 6; }
    int tail = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *out++ = (char)(tail ? 0xFF00u >> (tail + 1) | c >> 6 * tail : c);
    while (tail--) *out++ = (char)(0x80 | (c >> 6 * tail & 0x3F));
  }
  return out;
}

/* Writes the text of a message: its content, or the joined `text` parts of it. */
static char *unescape_content(const char *content, char *out) {
  if (content && *content == '"') return unescape(content, out);
  for (const char *part = first(content); part; part = next(part)) {
    const char *text = says(member(part, "type"), "text") ? member(part, "text") : NULL;
    if (text && *text == '"') out = unescape(text, out);
  }
  return out;
}

/* ---- The provider ----------------------------------------------------------------------------------------------- */

/* Ends an answer of which every piece was sent. */
static void finish(const prv_host *host, prv_call call) {
  prv_event finish = {.size = sizeof finish, .kind = PRV_EVENT_FINISH, .name = PRV_LITERAL("stop")};
  prv_done done = {.size = sizeof done, .status = PRV_OK};
  host->emit(host->ctx, call, &finish);
  host->done(host->ctx, call, &done);
}

static void give_up(const prv_host *host, prv_call call, int32_t status) {
  prv_done done = {.size = sizeof done, .status = status};
  host->done(host->ctx, call, &done);
}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  const prv_host *host = self;
  if (request->kind != PRV_CALL_CHAT) {
    return fail(error, PRV_E_UNSUPPORTED, (prv_str)PRV_LITERAL("this provider only chats"));
  }
  if (request->body_json.len == 0) {
    return fail(error, PRV_E_INVALID_ARGUMENT, (prv_str)PRV_LITERAL("a chat has no body; expected prv.chat/1"));
  }
  const char *body = space(request->body_json.ptr), *question = NULL;
  for (const char *m = first(member(body, "messages")); m; m = next(m)) {
    if (says(member(m, "role"), "user")) question = member(m, "content");
  }
  char *answer = malloc((size_t)request->body_json.len);
  if (!answer) return fail(error, PRV_E_NO_MEMORY, (prv_str)PRV_LITERAL("no memory for the answer"));
  prv_event text = {.size = sizeof text, .kind = PRV_EVENT_TEXT};
  text.text = (prv_str){answer, (uint64_t)(unescape_content(question, answer) - answer)};
  int32_t status = text.text.len > 0 ? host->emit(host->ctx, call, &text) : PRV_OK;
  free(answer);
  /* The context is the call while its end is still owed, and NULL once it was said. */
  *context = status == PRV_PAUSE ? (void *)(uintptr_t)call : NULL;
  if (status == PRV_OK) finish(host, call);
  if (status != PRV_OK && status != PRV_PAUSE) give_up(host, call, status < 0 ? PRV_E_INTERNAL : PRV_CANCELLED);
  return PRV_OK;
}

static void call_resume(void *self, void *context) {
  if (context) finish(self, (prv_call)(uintptr_t)context);
}

static void call_cancel(void *self, void *context, uint32_t reason) {
  (void)reason;
  if (context) give_up(self, (prv_call)(uintptr_t)context, PRV_CANCELLED);
}

static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config,
                      prv_provider *instance, prv_sink error) {
  (void)plugin, (void)config;
  const prv_str own = PRV_LITERAL("echo-c");
  if (id.len != own.len || memcmp(id.ptr, own.ptr, id.len) != 0) {
    return fail(error, PRV_E_NOT_FOUND, (prv_str)PRV_LITERAL("this plugin has one provider, echo-c"));
  }
  prv_provider made = {.size = sizeof made, .self = (void *)host, .destroy = destroy, .call_open = call_open,
                       .call_cancel = call_cancel, .call_resume = call_resume, .call_close = call_close};
  if (instance->size < made.size) made.size = instance->size; /* an older host: write only what it has */
  memcpy(instance, &made, made.size);
  return PRV_OK;
}

static const prv_provider_desc providers[] = {{
    .size = sizeof(prv_provider_desc), .id = PRV_LITERAL("echo-c"), .display_name = PRV_LITERAL("Echo in C"),
    .capabilities = PRV_CAN_CHAT | PRV_CAN_STREAM, .models_json = PRV_LITERAL("[{\"id\":\"echo-c-1\"}]")}};

static const prv_plugin plugin = {
    .size = sizeof(prv_plugin), .abi_minor = PRV_ABI_MINOR, .id = PRV_LITERAL("com.example.echo-c"),
    .name = PRV_LITERAL("Echo in C"), .vendor = PRV_LITERAL("Example"), .version = PRV_LITERAL("1.0.0"),
    .providers = providers, .provider_count = 1, .provider_stride = sizeof providers[0], .create = create};

int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  if (handshake->magic != PRV_MAGIC) {
    return fail(reply->error, PRV_E_INCOMPATIBLE, (prv_str)PRV_LITERAL("the handshake's magic is not PRV_MAGIC"));
  }
  if (HAS(handshake, min_abi_minor) && handshake->min_abi_minor > PRV_ABI_MINOR) {
    return fail(reply->error, PRV_E_INCOMPATIBLE, (prv_str)PRV_LITERAL("built for an older minor; rebuild the plugin"));
  }
  reply->plugin = &plugin;
  return PRV_OK;
}
