/* A plugin that does what the model's name says, and lets the test do the rest through fixture_host. */
#include "fixture.h"

struct instance {
  const prv_host *host;
};

struct context {
  prv_call call;
};

/* What happened, for the test to read. */
PRV_EXPORT atomic_int fixture_creates, fixture_starts, fixture_stops, fixture_destroys;
PRV_EXPORT atomic_int fixture_opens, fixture_cancels, fixture_resumes, fixture_closes, fixture_cancel_reason;
/* What emit and done answered inside call_open, and whether the host called the plugin inside one of them. */
PRV_EXPORT atomic_int fixture_emit_answer, fixture_done_answer, fixture_reentered;
/* 1: a cancelled call is not ended. */
PRV_EXPORT atomic_int fixture_is_deaf;
PRV_EXPORT _Atomic(const prv_host *) fixture_host;

static _Thread_local int inside_host;

static void note_entry(void) {
  if (inside_host) atomic_store(&fixture_reentered, 1);
}

static int is_model(const prv_call_request *request, const char *name) {
  return request->model.len == strlen(name) && memcmp(request->model.ptr, name, request->model.len) == 0;
}

static void answer_at_once(const prv_host *host, prv_call call) {
  inside_host = 1;
  emit_text(host, call, "a");
  emit_text(host, call, "b");
  atomic_store(&fixture_emit_answer, emit_text(host, call, "c"));
  emit_finish(host, call);
  atomic_store(&fixture_done_answer, finish_with(host, call, PRV_OK));
  inside_host = 0;
}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  struct instance *instance = self;
  note_entry();
  atomic_fetch_add(&fixture_opens, 1);
  if (is_model(request, "refuse")) {
    error.write(error.ctx, TEXT("there is no such model"));
    return PRV_E_MODEL_NOT_FOUND;
  }
  if (is_model(request, "refuse-after-done")) {
    answer_at_once(instance->host, call);
    return PRV_E_INTERNAL;
  }
  struct context *made = malloc(sizeof *made);
  made->call = call;
  *context = made;
  if (is_model(request, "at-once")) answer_at_once(instance->host, call);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) {
  struct instance *instance = self;
  struct context *cancelled = context;
  note_entry();
  atomic_store(&fixture_cancel_reason, (int)reason);
  atomic_fetch_add(&fixture_cancels, 1);
  if (!atomic_load(&fixture_is_deaf)) finish_with(instance->host, cancelled->call, PRV_CANCELLED);
}

static void call_resume(void *self, void *context) {
  (void)self, (void)context;
  note_entry();
  atomic_fetch_add(&fixture_resumes, 1);
}

static void call_close(void *self, void *context) {
  (void)self;
  note_entry();
  atomic_fetch_add(&fixture_closes, 1);
  free(context);
}

static int32_t start(void *self, prv_sink error) {
  (void)self, (void)error;
  atomic_fetch_add(&fixture_starts, 1);
  return PRV_OK;
}

static void stop(void *self) {
  (void)self;
  atomic_fetch_add(&fixture_stops, 1);
}

static void destroy(void *self) {
  atomic_fetch_add(&fixture_destroys, 1);
  free(self);
}

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config, prv_provider *instance,
                      prv_sink error) {
  (void)plugin, (void)id, (void)config, (void)error;
  struct instance *made = malloc(sizeof *made);
  made->host = host;
  atomic_store(&fixture_host, host);
  atomic_fetch_add(&fixture_creates, 1);
  prv_provider table = {
      .size = instance->size,
      .self = made,
      .start = start,
      .stop = stop,
      .destroy = destroy,
      .call_open = call_open,
      .call_cancel = call_cancel,
      .call_resume = call_resume,
      .call_close = call_close,
  };
#ifdef OLD_INSTANCE
  /* As if prv_provider had ended with call_open's neighbours in the minor this was built for. */
  table.start = NULL;
  table.stop = NULL;
#endif
  *instance = table;
  return PRV_OK;
}

static const prv_str required[] = {PRV_LITERAL(PRV_SERVICE_LOG), PRV_LITERAL(PRV_SERVICE_EXEC)};

#ifdef LONGER_PROVIDER
/* A later minor's descriptor: longer than the host knows. */
struct later_desc {
  prv_provider_desc known;
  uint64_t later[4];
};
static const struct later_desc providers[] = {
    {.known = {.size = sizeof(struct later_desc), .id = PRV_LITERAL("calls"), .capabilities = PRV_CAN_CHAT},
     .later = {~0ull, ~0ull, ~0ull, ~0ull}},
    {.known = {.size = sizeof(struct later_desc), .id = PRV_LITERAL("more-calls"), .capabilities = PRV_CAN_STREAM}},
};
#elif defined(SHORTER_PROVIDER)
/* An earlier draft's descriptor: it ends after the capabilities. */
struct earlier_desc {
  uint32_t size, flags;
  prv_str id, display_name;
  uint64_t capabilities;
};
static const struct earlier_desc providers[] = {
    {.size = sizeof(struct earlier_desc), .id = PRV_LITERAL("calls"), .capabilities = PRV_CAN_CHAT},
    {.size = sizeof(struct earlier_desc), .id = PRV_LITERAL("more-calls"), .capabilities = PRV_CAN_STREAM},
};
#else
static const prv_provider_desc providers[] = {
    {.size = sizeof(prv_provider_desc),
     .id = PRV_LITERAL("calls"),
     .display_name = PRV_LITERAL("Calls"),
     .capabilities = PRV_CAN_CHAT | PRV_CAN_STREAM,
     .default_base_url = PRV_LITERAL("https://api.example.org/v1"),
     .required_services = required,
     .required_service_count = 2,
     .max_concurrency = 7},
    {.size = sizeof(prv_provider_desc), .id = PRV_LITERAL("more-calls"), .flags = PRV_PROVIDER_NEEDS_KEY},
};
#endif

static const prv_plugin plugin = {
    .size = sizeof(prv_plugin),
#ifdef LONGER_PROVIDER
    .abi_minor = 99,
#endif
    .id = PRV_LITERAL("org.example.calls"),
    .name = PRV_LITERAL("Calls"),
    .version = PRV_LITERAL("1.0.0"),
    .providers = (const prv_provider_desc *)providers,
    .provider_count = 2,
    .provider_stride = sizeof providers[0],
    .create = create,
};

int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  (void)handshake;
  reply->plugin = &plugin;
  return PRV_OK;
}
