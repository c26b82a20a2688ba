/* A plugin that was compiled from a shorter header. */
#include "older_abi.h"

#include <string.h>

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  const prv_host *host = self;
  (void)error;
  *context = NULL;
  if (request->kind != PRV_CALL_CHAT) return PRV_E_UNSUPPORTED;
  prv_short_event text = {.size = sizeof text, .kind = PRV_EVENT_TEXT, .text = request->body_json};
  prv_usage tokens = {.size = sizeof tokens, .input_tokens = 3, .output_tokens = 4};
  prv_event usage = {.size = sizeof usage, .kind = PRV_EVENT_USAGE, .usage = &tokens};
  prv_event finish = {.size = sizeof finish, .kind = PRV_EVENT_FINISH, .name = PRV_LITERAL("stop")};
  prv_done done = {.size = sizeof done, .status = PRV_OK};
  host->emit(host->ctx, call, (const prv_event *)&text);
  host->emit(host->ctx, call, &usage);
  host->emit(host->ctx, call, &finish);
  host->done(host->ctx, call, &done);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config,
                      prv_provider *instance, prv_sink error) {
  (void)plugin, (void)id, (void)config, (void)error;
  prv_provider made = {.size = sizeof made, .self = (void *)host, .destroy = destroy, .call_open = call_open,
                       .call_cancel = call_cancel, .call_close = call_close};
  memcpy(instance, &made, sizeof made);
  return PRV_OK;
}

static const prv_provider_desc providers[] = {{.size = sizeof(prv_provider_desc), .id = PRV_LITERAL("aged"),
                                               .display_name = PRV_LITERAL("Aged"), .capabilities = PRV_CAN_CHAT}};

static const prv_plugin plugin = {
    .size = sizeof plugin, .id = PRV_LITERAL("org.example.older"), .name = PRV_LITERAL("Older"),
    .version = PRV_LITERAL("1.0.0"), .providers = providers, .provider_count = 1,
    .provider_stride = sizeof providers[0], .create = create};

__attribute__((visibility("default"))) int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  if (handshake->magic != PRV_MAGIC) return -3;
  reply->plugin = &plugin;
  return PRV_OK;
}
