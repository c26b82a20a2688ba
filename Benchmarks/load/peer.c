/* peer LIBRARY PORT FIRST_BYTES SECOND_BYTES - the server that Patchbay is compared with: uWebSockets, through the C
   functions of the library inside the `socketify` wheel. It answers each message with two frames of the given sizes,
   filled with the message's own bytes; sizes 0 0 make it a plain echo. Prints `listening PORT`. */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The declarations of socketify 0.0.31; see its native.py. */
typedef struct tls_options {
  const char *key_file, *certificate_file, *passphrase, *dh_params_file, *ca_file, *ciphers;
  int prefer_low_memory;
} tls_options;

typedef struct listen_config {
  int port;
  const char *host;
  int options;
} listen_config;

typedef struct behavior {
  int compression;
  unsigned max_payload_bytes;
  unsigned short idle_seconds;
  unsigned max_backpressure_bytes;
  bool close_on_backpressure, reset_idle_on_send, sends_pings;
  unsigned short lifetime_minutes;
  void *upgrade;
  void (*open)(void *socket, void *user);
  void (*message)(void *socket, const char *text, size_t length, int opcode, void *user);
  void *drain, *ping, *pong, *close, *subscription;
} behavior;

static int (*ws_send)(int tls, void *socket, const char *text, size_t length, int opcode);
static size_t sizes[2];
static char reply[1 << 20];

static void opened(void *socket, void *user) {
  (void)socket;
  (void)user;
}

static void received(void *socket, const char *text, size_t length, int opcode, void *user) {
  (void)user;
  if (sizes[0] == 0) {
    ws_send(0, socket, text, length, opcode);
    return;
  }
  size_t longest = sizes[0] > sizes[1] ? sizes[0] : sizes[1];
  for (size_t at = 0; at < longest && length > 0; at += length) {
    memcpy(reply + at, text, length < longest - at ? length : longest - at);
  }
  ws_send(0, socket, reply, sizes[0], opcode);
  ws_send(0, socket, reply, sizes[1], opcode);
}

static void listening(void *socket, listen_config config, void *user) {
  (void)user;
  if (socket == NULL) exit(1);
  printf("listening %d\n", config.port);
  fflush(stdout);
}

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (found == NULL) {
    fprintf(stderr, "peer: the library has no %s; socketify 0.0.31 does\n", name);
    exit(1);
  }
  return found;
}

int main(int count, char **arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: peer LIBRARY PORT FIRST_BYTES SECOND_BYTES\n");
    return 2;
  }
  sizes[0] = (size_t)atol(arguments[3]);
  sizes[1] = (size_t)atol(arguments[4]);
  if (sizes[0] > sizeof reply || sizes[1] > sizeof reply) return 2;
  void *library = dlopen(arguments[1], RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "peer: %s\n", dlerror());
    return 3;
  }
  void *(*create)(int, tls_options) = symbol(library, "uws_create_app");
  void (*route)(int, void *, const char *, behavior, void *) = symbol(library, "uws_ws");
  void (*listen)(int, void *, int, void (*)(void *, listen_config, void *), void *) =
      symbol(library, "uws_app_listen");
  void (*run)(int, void *) = symbol(library, "uws_app_run");
  ws_send = symbol(library, "uws_ws_send");
  void *app = create(0, (tls_options){0});
  behavior echo = {.max_payload_bytes = 1 << 24, .max_backpressure_bytes = 1 << 26, .open = opened, .message = received};
  route(0, app, "/*", echo, NULL);
  listen(0, app, atoi(arguments[2]), listening, NULL);
  run(0, app);
  return 0;
}
