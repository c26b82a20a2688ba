// A plugin whose constructor does to the process that looks at it what CASE_... says.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "provider_abi.h"

__attribute__((constructor)) static void misbehave(void) {
#if defined(CASE_ABORT)
  abort();
#elif defined(CASE_EXIT)
  _exit(7);
#elif defined(CASE_HANG)
  for (;;) pause();
#elif defined(CASE_CLOSE_AND_HANG)
  for (int descriptor = 0; descriptor < 64; descriptor++) close(descriptor);
  for (;;) pause();
#elif defined(CASE_FORGE)
  const char *answer = CASE_FORGE;
  if (write(3, answer, strlen(answer)) < 0) abort();
  _exit(0);
#elif defined(CASE_FLOOD)
  static char junk[65536];
  for (;;)
    if (write(3, junk, sizeof junk) < 0) _exit(0);
#elif defined(CASE_PRINT)
  if (write(1, "hello\n", 6) < 0 || write(2, "hello\n", 6) < 0) abort();
#elif defined(CASE_SOCKET)
  if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0) abort();
#endif
}

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config,
                      struct prv_provider *instance, prv_sink error) {
  return PRV_E_NOT_FOUND;
}

static const prv_provider_desc providers[] = {
  {.size = sizeof(prv_provider_desc), .id = PRV_LITERAL("scanned"), .capabilities = 1ull << 63,
   .display_name = PRV_LITERAL("Scanned"), .max_concurrency = 3, .flags = PRV_PROVIDER_BLOCKING}};
static const prv_plugin plugin = {
  .size = sizeof(prv_plugin), .id = PRV_LITERAL("org.example.scanned"), .version = PRV_LITERAL("1.2.3"),
  .providers = providers, .provider_count = 1, .provider_stride = sizeof(prv_provider_desc), .create = create};

PRV_EXPORT int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  if (!(handshake->flags & PRV_HANDSHAKE_SCAN)) return PRV_E_INCOMPATIBLE;
  reply->plugin = &plugin;
  return PRV_OK;
}
