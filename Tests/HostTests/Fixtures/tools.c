/* A plugin with one provider, `parrot`, and a tool that says what it was given: "ARGUMENTS NAME=CONTENT ...". -D words
   change its tables into wrong ones. */
#include "fixture.h"
#include <stdio.h>

#ifndef TOOL_NAME
#define TOOL_NAME "parrot_say"
#endif
#ifndef SCHEMA
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"words\":{\"type\":\"string\"},\"files\":{\"type\":\"array\"}}}"
#endif
#ifndef TOOL_PROVIDER
#define TOOL_PROVIDER "parrot"
#endif
#ifndef FILES_TOOL
#define FILES_TOOL TOOL_NAME
#endif
#ifndef MAX_COUNT
#define MAX_COUNT 2
#endif
#ifndef TOOL_COUNT
#define TOOL_COUNT 1
#endif
#ifndef TOOL_STRIDE
#define TOOL_STRIDE sizeof(prv_tool)
#endif
#ifndef TOOL_FLAGS
#define TOOL_FLAGS 0
#endif

/* A text has no end but its length. */
static int contains(prv_str text, const char *word) {
  size_t length = strlen(word);
  for (uint64_t at = 0; at + length <= text.len; at++) {
    if (memcmp(text.ptr + at, word, length) == 0) return 1;
  }
  return 0;
}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  const prv_host *host = self;
  (void)error;
  *context = NULL;
  if (strncmp(request->body_schema.ptr, "prv.tool-call/1", (size_t)request->body_schema.len) != 0) {
    return PRV_E_UNSUPPORTED;
  }
  if (contains(request->body_json, "\"fail\"")) {
    finish_with(host, call, PRV_E_NETWORK);
    return PRV_OK;
  }
  char text[512];
  int length = snprintf(text, sizeof text, "%u %.*s", request->kind, (int)request->body_json.len,
                        request->body_json.ptr);
  for (uint64_t index = 0; index < request->file_count; index++) {
    const prv_file *file = (const prv_file *)((const char *)request->files + index * request->file_stride);
    length += snprintf(text + length, sizeof text - (size_t)length, " %.*s=%.*s", (int)file->name.len, file->name.ptr,
                       (int)file->content.len, (const char *)file->content.ptr);
  }
  emit_text(host, call, text);
  emit_finish(host, call);
  finish_with(host, call, PRV_OK);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config, prv_provider *instance,
                      prv_sink error) {
  (void)plugin, (void)id, (void)config, (void)error;
  instance->self = (void *)host;
  instance->destroy = destroy;
  instance->call_open = call_open;
  instance->call_cancel = call_cancel;
  instance->call_close = call_close;
  return PRV_OK;
}

static const prv_tool tools[] = {{.size = sizeof(prv_tool), .flags = TOOL_FLAGS,
                                  .provider_id = PRV_LITERAL(TOOL_PROVIDER), .name = PRV_LITERAL(TOOL_NAME),
                                  .description = PRV_LITERAL("Says it \"again\"."),
                                  .input_schema_json = PRV_LITERAL(SCHEMA)},
                                 {.size = sizeof(prv_tool), .provider_id = PRV_LITERAL(TOOL_PROVIDER),
                                  .name = PRV_LITERAL(TOOL_NAME), .input_schema_json = PRV_LITERAL(SCHEMA)}};
static const prv_tools_v1 tools_table = {
    .size = sizeof tools_table, .tools = tools, .tool_count = TOOL_COUNT, .tool_stride = TOOL_STRIDE};

static const prv_file_argument arguments[] = {{.size = sizeof(prv_file_argument), .tool = PRV_LITERAL(FILES_TOOL),
                                               .argument = PRV_LITERAL("files"), .max_count = MAX_COUNT}};
static const prv_files_v1 files_table = {.size = sizeof files_table, .arguments = arguments, .argument_count = 1,
                                         .argument_stride = sizeof arguments[0]};

static const void *get_extension(const prv_plugin *plugin, prv_str id) {
  (void)plugin;
  if (id.len == 11 && memcmp(id.ptr, PRV_EXTENSION_TOOLS, 11) == 0) return &tools_table;
  if (id.len == 11 && memcmp(id.ptr, PRV_EXTENSION_FILES, 11) == 0) return &files_table;
  return NULL;
}

static const prv_provider_desc providers[] = {{.size = sizeof(prv_provider_desc), .id = PRV_LITERAL("parrot"),
                                               .display_name = PRV_LITERAL("Parrot"), .capabilities = PRV_CAN_CHAT,
                                               .models_json = PRV_LITERAL("[{\"id\":\"parrot-1\"}]")}};
static const prv_plugin plugin = {
    .size = sizeof plugin, .id = PRV_LITERAL("org.example.parrot"), .name = PRV_LITERAL("Parrot"),
    .version = PRV_LITERAL("1.0.0"), .providers = providers, .provider_count = 1,
    .provider_stride = sizeof providers[0], .create = create, .get_extension = get_extension};

int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  (void)handshake;
  reply->plugin = &plugin;
  return PRV_OK;
}
