/* Plugins that the host refuses; -DCASE_... chooses what is wrong. */
#include "fixture.h"

#ifndef PLUGIN_ID
#define PLUGIN_ID "org.example.refused"
#endif
#ifndef PROVIDER_ID
#define PROVIDER_ID "refused"
#endif

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config, prv_provider *instance,
                      prv_sink error) {
  (void)plugin, (void)id, (void)host, (void)config, (void)instance;
  error.write(error.ctx, TEXT("the fixture makes no instances"));
  return PRV_E_INVALID_ARGUMENT;
}

#ifdef CASE_UNKNOWN_SERVICE
static const prv_str required[] = {PRV_LITERAL("prv.telepathy/1")};
#endif

static const prv_provider_desc providers[] = {{
#ifdef CASE_SHORT_PROVIDER
    .size = 16,
#else
    .size = sizeof(prv_provider_desc),
#endif
    .id = PRV_LITERAL(PROVIDER_ID),
    .display_name = PRV_LITERAL("Refused"),
    .capabilities = PRV_CAN_CHAT,
#ifdef CASE_UNKNOWN_SERVICE
    .required_services = required,
    .required_service_count = 1,
#endif
}};

static const prv_plugin plugin = {
#ifndef CASE_SIZE_ZERO
    .size = sizeof(prv_plugin),
#endif
    .id = PRV_LITERAL(PLUGIN_ID),
    .name = PRV_LITERAL("Refused"),
    .version = PRV_LITERAL("1.0.0"),
    .providers = providers,
#ifndef CASE_NO_PROVIDERS
    .provider_count = 1,
#endif
#ifdef CASE_BAD_STRIDE
    .provider_stride = 13,
#else
    .provider_stride = sizeof(prv_provider_desc),
#endif
#ifndef CASE_NO_CREATE
    .create = create,
#endif
};

#ifdef CASE_UNDEFINED
extern int nobody_defines_this(void);
#endif

#ifdef CASE_CONSTRUCTOR
/* A library that is no plugin: mapping it would end the process. */
__attribute__((constructor)) static void explode(void) { abort(); }
PRV_EXPORT int unrelated(void) { return plugin.size == 0; }
#elif defined(CASE_OTHER_MAJOR)
__attribute__((constructor)) static void explode(void) { abort(); }
PRV_EXPORT int32_t prv_plugin_entry_v3(const void *handshake, void *reply) {
  (void)handshake, (void)reply;
  return plugin.size == 0;
}
#else
int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  (void)handshake;
#ifdef CASE_ENTRY_FAILS
  reply->error.write(reply->error.ctx, TEXT("needs minor 7, "));
  reply->error.write(reply->error.ctx, TEXT("the host speaks 0"));
  return PRV_E_INCOMPATIBLE;
#elif defined(CASE_NO_DESCRIPTOR)
  (void)plugin;
  return PRV_OK;
#else
#ifdef CASE_UNDEFINED
  if (nobody_defines_this()) return PRV_E_INTERNAL;
#endif
  reply->plugin = &plugin;
  return PRV_OK;
#endif
}
#endif
