/* A whole Patchbay provider in C: it answers with the last user message. All it needs is provider_abi.h. */
#include "provider_abi.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- The provider ----------------------------------------------------------------------------------------------- */

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  const prv_host *host = self;
  if (request->kind != PRV_CALL_CHAT) {
    prv_str text = PRV_LITERAL("this provider only chats");
    error.write(error.ctx, text);
    return PRV_E_UNSUPPORTED;
  }
  *context = NULL; /* nothing to remember: the call is done before we return */
  prv_event text = {.size = sizeof text, .kind = PRV_EVENT_TEXT};
  prv_event finish = {.size = sizeof finish, .kind = PRV_EVENT_FINISH, .name = PRV_LITERAL("stop")};
  prv_done done = {.size = sizeof done};
  const char *question = NULL, *m = member(request->body_json.ptr, "messages");
  for (m = m ? space(m + 1) : "]"; *m == '{'; m = *m == ',' ? space(m + 1) : m) {
    const char *role = member(m, "role"), *content = member(m, "content");
    if (role && content && *content == '"' && strncmp(role, "\"user\"", 6) == 0) question = content;
    m = space(skip(m));
  }
  char *answer = question ? malloc((size_t)(skip(question) - question)) : NULL;
  if (answer) {
    text.text = (prv_str){answer, (uint64_t)(unescape(question, answer) - answer)};
    if (text.text.len > 0) host->emit(host->ctx, call, &text);
  }
  done.status = question && !answer ? PRV_E_NO_MEMORY : PRV_OK;
  if (done.status == PRV_OK) host->emit(host->ctx, call, &finish);
  host->done(host->ctx, call, &done);
  free(answer);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config,
                      prv_provider *instance, prv_sink error) {
  (void)plugin, (void)config, (void)error;
  if (id.len != 6 || memcmp(id.ptr, "echo-c", 6) != 0) return PRV_E_NOT_FOUND;
  *instance = (prv_provider){.size = sizeof *instance, .self = (void *)host, .destroy = destroy,
                             .call_open = call_open, .call_cancel = call_cancel, .call_close = call_close};
  return PRV_OK;
}

static const prv_provider_desc providers[] = {{
    .size = sizeof(prv_provider_desc), .id = PRV_LITERAL("echo-c"), .display_name = PRV_LITERAL("Echo in C"),
    .capabilities = PRV_CAN_CHAT, .models_json = PRV_LITERAL("[{\"id\":\"echo-c-1\"}]")}};

static const prv_plugin plugin = {
    .size = sizeof(prv_plugin), .abi_minor = PRV_ABI_MINOR, .id = PRV_LITERAL("com.example.echo-c"),
    .name = PRV_LITERAL("Echo in C"), .vendor = PRV_LITERAL("Example"), .version = PRV_LITERAL("1.0.0"),
    .providers = providers, .provider_count = 1, .provider_stride = sizeof providers[0], .create = create};

int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  if (handshake->magic != PRV_MAGIC || handshake->min_abi_minor > PRV_ABI_MINOR) return PRV_E_INCOMPATIBLE;
  reply->plugin = &plugin;
  return PRV_OK;
}
