/* A plugin that breaks the rule which the model's name says, and answers "ok" for the model "good". */
#define _DEFAULT_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "provider_abi.h"

static const prv_host *host;
/* Seen from outside, so that the compiler keeps what is allocated. */
PRV_EXPORT void *volatile hoard;

static int32_t emit(prv_call call, uint32_t kind, const char *bytes, uint64_t length) {
  prv_event event = {.size = sizeof event, .kind = kind};
  if (kind == PRV_EVENT_FINISH) event.name = (prv_str){bytes, length};
  else event.text = (prv_str){bytes, length};
  return host->emit(host->ctx, call, &event);
}

static int32_t done(prv_call call, int32_t status) {
  prv_done end = {.size = sizeof end, .status = status};
  return host->done(host->ctx, call, &end);
}

static void answer(prv_call call, const char *text) {
  emit(call, PRV_EVENT_TEXT, text, strlen(text));
  emit(call, PRV_EVENT_FINISH, "stop", 4);
  done(call, PRV_OK);
}

static int recurse(volatile int depth) {
  if (depth < 0) return 0;
  volatile char room[4096];
  room[depth % sizeof room] = 1;
  return recurse(depth + 1) + room[0];
}

static void *idle(void *argument) {
  for (;;) pause();
  return argument;
}

static int is(prv_str model, const char *name) {
  return model.len == strlen(name) && memcmp(model.ptr, name, model.len) == 0;
}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  (void)self, (void)error;
  *context = NULL;
  prv_str model = request->model;
  if (is(model, "abort")) abort();
  if (is(model, "exit")) exit(3);
#if defined(__x86_64__)
  /* getpid by the way of 32-bit programs, whose numbers mean other calls. */
  if (is(model, "other-gate")) __asm__ volatile("int $0x80" : : "a"(20) : "memory");
#endif
  if (is(model, "null")) *(volatile int *)NULL = 1;
  if (is(model, "recurse")) return recurse(0);
  if (is(model, "allocate"))
    for (;;) *(volatile char *)(hoard = malloc(16 << 20)) = 1;
  if (is(model, "leak")) {  // one MiB a call
    if ((hoard = malloc(1 << 20)) == NULL) abort();
    for (int byte = 0; byte < 1 << 20; byte += 1024) ((volatile char *)hoard)[byte] = 1;
    answer(call, "ok");
    return PRV_OK;
  }
  if (is(model, "block"))
    for (;;) pause();
  if (is(model, "never-done")) {
    emit(call, PRV_EVENT_TEXT, "ok", 2);
    return PRV_OK;
  }
  if (is(model, "done-twice")) {
    answer(call, "ok");
    done(call, PRV_OK);
    return PRV_OK;
  }
  if (is(model, "emit-after-done")) {
    answer(call, "ok");
    emit(call, PRV_EVENT_TEXT, "more", 4);
    return PRV_OK;
  }
  if (is(model, "bad-utf8")) {
    emit(call, PRV_EVENT_TEXT, "\xC3", 1);
    return PRV_OK;
  }
  if (is(model, "stale")) {
    emit(call ^ 1ull << 40, PRV_EVENT_TEXT, "lost", 4);
    answer(call, "ok");
    return PRV_OK;
  }
  if (is(model, "threads")) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN + 16384);
    for (int count = 0; count < 32; count++) {
      pthread_t thread;
      if (pthread_create(&thread, &small, idle, NULL) != 0) abort();
    }
    answer(call, "ok");
    return PRV_OK;
  }
  if (is(model, "stdout")) {
    printf("a line on standard output\n");
    fflush(stdout);
    fprintf(stderr, "a line on standard error\n");
    answer(call, "ok");
    return PRV_OK;
  }
  if (is(model, "close-fds")) {
    for (int descriptor = 3; descriptor < 256; descriptor++) close(descriptor);
    return PRV_OK;
  }
  const prv_log_v1 *log = host->get_service(host->ctx, (prv_str){PRV_SERVICE_LOG, strlen(PRV_SERVICE_LOG)});
  const char *word = "a word for who looks closely";
  if (log != NULL) log->write(host->ctx, call, PRV_LOG_DEBUG, (prv_str){word, strlen(word)}, NULL, 0);
  answer(call, "ok");
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *given, prv_str config,
                      prv_provider *instance, prv_sink error) {
  (void)plugin, (void)id, (void)config, (void)error;
  host = given;
  instance->call_open = call_open;
  instance->call_cancel = call_cancel;
  instance->call_close = call_close;
  instance->destroy = destroy;
  return PRV_OK;
}

#ifndef FLAGS
#define FLAGS 0
#endif
#define MODEL(name) "{\"id\":\"" name "\"},"
#define MODELS                                                                                                         \
  "[" MODEL("abort") MODEL("other-gate") MODEL("exit") MODEL("null") MODEL("recurse") MODEL("allocate") MODEL("leak") MODEL("block") MODEL("never-done") \
    MODEL("done-twice") MODEL("emit-after-done") MODEL("bad-utf8") MODEL("stale") MODEL("threads") MODEL("stdout")     \
      MODEL("close-fds") "{\"id\":\"good\"}]"

static const prv_provider_desc providers[] = {
  {.size = sizeof(prv_provider_desc), .id = PRV_LITERAL("misbehave"), .capabilities = PRV_CAN_CHAT, .flags = FLAGS,
   .display_name = PRV_LITERAL("Misbehave"), .models_json = PRV_LITERAL(MODELS)}};
static const prv_plugin plugin = {
  .size = sizeof(prv_plugin), .id = PRV_LITERAL("org.example.misbehave"), .version = PRV_LITERAL("1.0.0"),
  .providers = providers, .provider_count = 1, .provider_stride = sizeof(prv_provider_desc), .create = create};

PRV_EXPORT int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  (void)handshake;
  reply->plugin = &plugin;
  return PRV_OK;
}
