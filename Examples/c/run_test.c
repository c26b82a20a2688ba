/* Plays the host for echo-c.so: shakes hands, makes an instance, asks, and compares what comes. No network, no time. */
#include "provider_abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char said[256];      /* the texts of the answer, joined */
static int finishes, dones; /* how often each came */
static int32_t done_status, emit_answer;

static int32_t emit(void *ctx, prv_call call, const prv_event *event) {
  (void)ctx, (void)call;
  if (event->kind == PRV_EVENT_TEXT) strncat(said, event->text.ptr, (size_t)event->text.len);
  if (event->kind == PRV_EVENT_FINISH) finishes++;
  return event->kind == PRV_EVENT_TEXT ? emit_answer : PRV_OK;
}

static int32_t done(void *ctx, prv_call call, const prv_done *end) {
  (void)ctx, (void)call;
  dones++;
  done_status = end->status;
  return PRV_OK;
}

static const void *get_service(void *ctx, prv_str id) {
  (void)ctx, (void)id;
  return NULL; /* this provider needs no service */
}

static void print(void *ctx, prv_str text) {
  (void)ctx;
  printf("  it says: %.*s\n", (int)text.len, text.ptr);
}

static void expect(int holds, const char *what) {
  printf("%s %s\n", holds ? "ok  " : "FAIL", what);
  if (!holds) exit(1);
}

static prv_str text_of(const char *text) { return (prv_str){text, strlen(text)}; }

/* Opens a chat whose first event is answered with `answer`. */
static void *ask(const prv_provider *provider, const char *body, int32_t answer) {
  prv_call_request request = {.size = sizeof request, .flags = PRV_CALL_STREAM, .kind = PRV_CALL_CHAT, .attempt = 1,
                              .request_id = PRV_LITERAL("r1"), .model = PRV_LITERAL("echo-c-1"),
                              .body_schema = PRV_LITERAL("prv.chat/1"), .body_json = text_of(body)};
  void *context = NULL;
  said[0] = 0, finishes = dones = 0, emit_answer = answer;
  expect(provider->call_open(provider->self, &request, 1, &context, (prv_sink){NULL, print}) == PRV_OK, "a chat opens");
  return context;
}

int main(int count, char **arguments) {
  static const prv_host host = {.size = sizeof host, .name = PRV_LITERAL("test"), .version = PRV_LITERAL("1"),
                                .get_service = get_service, .emit = emit, .done = done};
  void *library = dlopen(count > 1 ? arguments[1] : "./echo-c.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) printf("  %s\n", dlerror());
  expect(library != NULL, "the library loads");
  int32_t (*entry)(const prv_handshake *, prv_reply *);
  *(void **)&entry = dlsym(library, "prv_plugin_entry_v1");
  expect(entry != NULL, "it exports its entry");

  prv_handshake handshake = {.size = sizeof handshake, .magic = PRV_MAGIC, .abi_minor = PRV_ABI_MINOR};
  prv_reply reply = {.size = sizeof reply, .error = {NULL, print}};
  expect(entry(&handshake, &reply) == PRV_OK && reply.plugin, "it shakes hands");
  const prv_plugin *plugin = reply.plugin;
  handshake.magic = 1;
  expect(entry(&handshake, &reply) == PRV_E_INCOMPATIBLE, "it refuses a host that is none");

  prv_provider provider = {.size = sizeof provider};
  expect(plugin->create(plugin, text_of("echo-c2"), &host, text_of("{}"), &provider, (prv_sink){NULL, print}) ==
             PRV_E_NOT_FOUND, "it knows no other provider");
  expect(plugin->create(plugin, plugin->providers->id, &host, text_of("{}"), &provider, (prv_sink){NULL, print}) ==
             PRV_OK, "it makes an instance");

  const char *body = "{\"messages\":[{\"role\":\"user\",\"content\":\"gr\\u00fc\\u00df dich\"}]}";
  void *context = ask(&provider, body, PRV_OK);
  expect(strcmp(said, "gr\xc3\xbc\xc3\x9f dich") == 0, "the answer is the last user message");
  expect(finishes == 1 && dones == 1 && done_status == PRV_OK, "it ends once");
  provider.call_close(provider.self, context);

  context = ask(&provider, body, PRV_PAUSE);
  expect(finishes == 0 && dones == 0, "it waits while the client is slow");
  provider.call_resume(provider.self, context);
  expect(finishes == 1 && dones == 1 && done_status == PRV_OK, "and goes on after it");
  provider.call_close(provider.self, context);

  context = ask(&provider, body, PRV_PAUSE);
  provider.call_cancel(provider.self, context, PRV_CANCEL_CLIENT);
  expect(finishes == 0 && dones == 1 && done_status == PRV_CANCELLED, "a cancelled call ends once, without a finish");
  provider.call_close(provider.self, context);

  provider.destroy(provider.self);
  puts("passed");
  return 0;
}
