/* A provider that answers with its version, compiled in: -DVERSION='"1"'. A question "hold" is answered once the file
   that the setting "release" names is there. -DREFUSES: `create` refuses. -DFAILS: every chat fails. -DTRUSTS: the
   entry takes any magic. */

#include <provider_abi.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct instance {
  const prv_host *host;
  const prv_time_v1 *time;
  char release[512];
} instance;

typedef struct chat {
  instance *owner;
  prv_call call;
  int cancelled;
} chat;

static void emit(chat *chat, uint32_t kind, prv_str text, prv_str name) {
  prv_event event = {.size = sizeof event, .kind = kind, .text = text, .name = name};
  chat->owner->host->emit(chat->owner->host->ctx, chat->call, &event);
}

static void done(chat *chat, int32_t status, prv_str message) {
  prv_done done = {.size = sizeof done, .status = status, .message = message};
  chat->owner->host->done(chat->owner->host->ctx, chat->call, &done);
}

#ifdef FAILS
enum { FAILS_ALWAYS = 1 };
#else
enum { FAILS_ALWAYS = 0 };
#endif

#ifdef TRUSTS
enum { BREAKS_MAGIC = 1 };
#else
enum { BREAKS_MAGIC = 0 };
#endif

static void answer(chat *chat) {
  if (FAILS_ALWAYS) return done(chat, PRV_E_BAD_RESPONSE, (prv_str)PRV_LITERAL("this version always fails"));
  emit(chat, PRV_EVENT_TEXT, (prv_str)PRV_LITERAL("version " VERSION), (prv_str){0, 0});
  emit(chat, PRV_EVENT_FINISH, (prv_str){0, 0}, (prv_str)PRV_LITERAL("stop"));
  done(chat, PRV_OK, (prv_str){0, 0});
}

static void look(void *argument) {
  chat *chat = argument;
  prv_timer timer;
  if (chat->cancelled) return;
  if (access(chat->owner->release, F_OK) == 0) return answer(chat);
  chat->owner->time->timer_start(chat->owner->host->ctx, chat->call, 2000000, look, chat, &timer);
}

static int contains(prv_str text, const char *word) {
  return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  (void)error;
  if (request->kind != PRV_CALL_CHAT) return PRV_E_UNSUPPORTED;
  chat *opened = calloc(1, sizeof *opened);
  opened->owner = self;
  opened->call = call;
  *context = opened;
  if (contains(request->body_json, "\"hold\"")) {
    look(opened);
  } else {
    answer(opened);
  }
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) {
  (void)self, (void)reason;
  chat *chat = context;
  chat->cancelled = 1;
  done(chat, PRV_CANCELLED, (prv_str){0, 0});
}

static void call_close(void *self, void *context) {
  (void)self;
  free(context);
}

static void destroy(void *self) { free(self); }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config, prv_provider *made,
                      prv_sink error) {
  (void)plugin, (void)id;
#ifdef REFUSES
  error.write(error.ctx, (prv_str)PRV_LITERAL("this version refuses"));
  return PRV_E_INVALID_ARGUMENT;
#endif
  (void)error;
  instance *self = calloc(1, sizeof *self);
  self->host = host;
  self->time = host->get_service(host->ctx, (prv_str)PRV_LITERAL(PRV_SERVICE_TIME));
  const char key[] = "\"release\":\"";
  const char *found = memmem(config.ptr, config.len, key, sizeof key - 1);
  if (found) {
    found += sizeof key - 1;
    size_t length = strcspn(found, "\"");
    if (length < sizeof self->release) memcpy(self->release, found, length);
  }
  made->self = self;
  made->destroy = destroy;
  made->call_open = call_open;
  made->call_cancel = call_cancel;
  made->call_close = call_close;
  return PRV_OK;
}

static const prv_provider_desc provider = {
    .size = sizeof provider,
    .id = PRV_LITERAL("versioned"),
    .display_name = PRV_LITERAL("Versioned"),
    .capabilities = PRV_CAN_CHAT,
    .models_json = PRV_LITERAL("[{\"id\":\"versioned-1\"}]"),
};

static const prv_plugin plugin = {
    .size = sizeof plugin,
    .abi_minor = PRV_ABI_MINOR,
    .id = PRV_LITERAL("org.patchbay.test.versioned"),
    .name = PRV_LITERAL("Versioned"),
    .vendor = PRV_LITERAL("Patchbay"),
    .version = PRV_LITERAL(VERSION),
    .providers = &provider,
    .provider_count = 1,
    .provider_stride = sizeof provider,
    .create = create,
};

PRV_EXPORT int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  if (BREAKS_MAGIC == 0 && (handshake->magic != PRV_MAGIC || handshake->min_abi_minor > PRV_ABI_MINOR)) {
    reply->error.write(reply->error.ctx, (prv_str)PRV_LITERAL("not a handshake that this plugin knows"));
    return PRV_E_INCOMPATIBLE;
  }
  reply->plugin = &plugin;
  return PRV_OK;
}
