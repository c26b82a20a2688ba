/* A plugin from a later day: it claims minor 7, its structs are longer than any host's of today, and its words are partly
   unknown here. It writes only as much as this host has room for (provider_abi.h C1). */
#include "../fixture.h"

/* What a later minor may have appended. */
#define LATER(type)     \
  struct later_##type { \
    prv_##type now;     \
    uint64_t more[5];   \
  }
LATER(plugin);
LATER(provider_desc);
LATER(provider);
LATER(event);
LATER(usage);
LATER(done);
LATER(tool);
LATER(tools_v1);

#define FILL 0x5A5A5A5A5A5A5A5Aull
#define MORE {FILL, FILL, FILL, FILL, FILL}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  const prv_host *host = self;
  (void)error;
  *context = NULL;
  struct later_event strange = {{.size = sizeof strange, .kind = 4711, .text = TEXT("nobody knows this kind")}, MORE};
  host->emit(host->ctx, call, &strange.now);
  struct later_event text = {{.size = sizeof text, .flags = 1u << 31, .kind = PRV_EVENT_TEXT}, MORE};
  text.now.text = request->kind == PRV_CALL_TOOL ? request->body_schema : request->body_json;
  host->emit(host->ctx, call, &text.now);
  struct later_usage tokens = {{.size = sizeof tokens, .input_tokens = 3, .output_tokens = 4}, MORE};
  struct later_event usage = {{.size = sizeof usage, .kind = PRV_EVENT_USAGE, .usage = &tokens.now}, MORE};
  host->emit(host->ctx, call, &usage.now);
  struct later_event finish = {{.size = sizeof finish, .kind = PRV_EVENT_FINISH, .name = TEXT("stop")}, MORE};
  host->emit(host->ctx, call, &finish.now);
  struct later_done done = {{.size = sizeof done, .status = PRV_OK}, MORE};
  host->done(host->ctx, call, &done.now);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config, prv_provider *instance,
                      prv_sink error) {
  (void)plugin, (void)id, (void)config, (void)error;
  struct later_provider made = {{.size = sizeof made, .self = (void *)host, .destroy = destroy, .call_open = call_open,
                                 .call_cancel = call_cancel, .call_close = call_close}, MORE};
  if (made.now.size > instance->size) made.now.size = instance->size;
  memcpy(instance, &made, made.now.size);
  return PRV_OK;
}

static const struct later_tool tools[] = {
    {{.size = sizeof tools[0], .flags = 1u << 31, .provider_id = PRV_LITERAL("aged"), .name = PRV_LITERAL("aged_one"),
      .input_schema_json = PRV_LITERAL("{\"type\":\"object\"}")}, MORE},
    {{.size = sizeof tools[0], .provider_id = PRV_LITERAL("aged"), .name = PRV_LITERAL("aged_two"),
      .input_schema_json = PRV_LITERAL("{\"type\":\"object\"}")}, MORE}};
static const struct later_tools_v1 table = {
    {.size = sizeof table, .tools = &tools[0].now, .tool_count = 2, .tool_stride = sizeof tools[0]}, MORE};

static const void *get_extension(const prv_plugin *plugin, prv_str id) {
  (void)plugin;
  return id.len == 11 && memcmp(id.ptr, PRV_EXTENSION_TOOLS, 11) == 0 ? &table : NULL;
}

static const struct later_provider_desc providers[] = {
    {{.size = sizeof providers[0], .flags = 1u << 31, .id = PRV_LITERAL("aged"), .display_name = PRV_LITERAL("Aged"),
      .capabilities = PRV_CAN_CHAT | 1ull << 63}, MORE},
    {{.size = sizeof providers[0], .id = PRV_LITERAL("aged-too"), .display_name = PRV_LITERAL("Aged too"),
      .capabilities = PRV_CAN_CHAT}, MORE}};

static const struct later_plugin plugin = {
    {.size = sizeof plugin, .abi_minor = 7, .id = PRV_LITERAL("org.example.newer"), .name = PRV_LITERAL("Newer"),
     .version = PRV_LITERAL("9.0.0"), .providers = &providers[0].now, .provider_count = 2,
     .provider_stride = sizeof providers[0], .create = create, .get_extension = get_extension}, MORE};

int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  (void)handshake; /* a newer plugin still answers (R003) */
  reply->plugin = &plugin.now;
  return PRV_OK;
}
