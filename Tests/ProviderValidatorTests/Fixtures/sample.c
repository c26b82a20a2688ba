/* A plugin that keeps every rule. -DBREAK_... breaks one; what breaks it stands where a real plugin would have it. */
#define _GNU_SOURCE
#include "provider_abi.h"

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT(literal) ((prv_str){(literal), sizeof(literal) - 1})

#ifndef PROVIDER
#define PROVIDER "sample"
#endif

typedef struct sample {
  const prv_host *host;
  const prv_exec_v1 *exec;
  int *started;
  int *thread_mark;
#ifdef WITH_THREAD
  pthread_t thread;
  int ending[2];
#endif
} sample;

static void say(prv_sink sink, prv_str text) { sink.write(sink.ctx, text); }

static void spend_milliseconds(long milliseconds) {
  struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&rest, &rest) != 0) {}
}

static void *wait_for_ever(void *nothing) {
  for (;;) pause();
  return nothing;
}

static void start_a_thread(void) {
  /* A small one: hundreds of them are not to end in the limit of memory, which would be another finding. */
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  pthread_t thread;
  pthread_create(&thread, &small, wait_for_ever, NULL);
  pthread_attr_destroy(&small);
}

#ifdef WITH_THREAD
/* Not broken: a thread of the instance, which ends when the pipe does. */
static void *work(void *end) {
  char byte;
  while (read(*(int *)end, &byte, 1) > 0) {}
  return NULL;
}
#endif

#include "sample_load.h"

/* ---- Calls -------------------------------------------------------------------------------------------------- */

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  const sample *this = self;
  const prv_host *host = this->host;
  if (request->kind != PRV_CALL_CHAT) {
    say(error, TEXT("this provider only chats"));
    return PRV_E_UNSUPPORTED;
  }
  *context = NULL;
  prv_event text = {.size = sizeof text, .kind = PRV_EVENT_TEXT, .text = TEXT("hello")};
  prv_event finish = {.size = sizeof finish, .kind = PRV_EVENT_FINISH, .name = TEXT("stop")};
  prv_done done = {.size = sizeof done};
  if (host->emit(host->ctx, call, &text) == PRV_CANCELLED) done.status = PRV_CANCELLED;
  else host->emit(host->ctx, call, &finish);
  host->done(host->ctx, call, &done);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }

static int32_t start(void *self, prv_sink error) {
  (void)error;
  sample *this = self;
  this->started = malloc(sizeof *this->started);
  *this->started = 1;
  return PRV_OK;
}

static void stop(void *self) { (void)self; }

#include "sample_create.h"
#include "sample_descriptor.h"
#include "sample_entry.h"
