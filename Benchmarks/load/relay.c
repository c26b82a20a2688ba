/* relay STREAMS SECONDS - what a gateway adds to a paced stream, in one process and by one clock.

   It is the upstream, a streaming chat server that sends each stream a chunk every 20 ms with the time of sending in
   it, and it is the clients. Prints `upstream PORT`, then reads lines from standard input: `direct` measures with
   clients that speak to the upstream themselves, `PORT` with clients of the Patchbay that listens there. For each it
   prints one line of JSON. The end of the input ends it. */

#include "websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { PERIOD_NS = 20000000, REQUEST_BYTES_MAX = 65536, SAMPLES_MAX = 4 << 20 };

typedef enum kind { LISTENER, TIMER, UPSTREAM, DIRECT, CLIENT } kind;

/* Whatever the one epoll watches. */
typedef struct endpoint {
  kind kind;
  channel channel;
  char *request; /* UPSTREAM: what came of the request so far */
  size_t request_bytes;
  int streaming; /* UPSTREAM: it has been asked, and answers */
  int answered;  /* DIRECT, CLIENT: a chunk has come */
} endpoint;

static int poll, streams, open_streams, measuring, upstream_port;
static endpoint **answering;
static uint32_t *samples;
static size_t sample_count, odd;

static void watch(endpoint *endpoint, int fd) {
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = endpoint};
  endpoint->channel.fd = fd;
  if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &interest) != 0) fail("epoll_ctl");
}

static endpoint *made(kind kind) {
  endpoint *endpoint = calloc(1, sizeof *endpoint);
  if (endpoint == NULL) fail("memory");
  endpoint->kind = kind;
  return endpoint;
}

static void dropped(endpoint *endpoint) {
  close(endpoint->channel.fd);
  free(endpoint->channel.input);
  free(endpoint->request);
  free(endpoint);
}

static int listen_anywhere(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u)};
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
    fail("listen");
  }
  upstream_port = ntohs(address.sin_port);
  printf("upstream %d\n", upstream_port);
  fflush(stdout);
  return fd;
}

/* One chunk of HTTP that holds one event of the stream. */
static void send_event(endpoint *endpoint, const char *data) {
  char text[1024];
  size_t length = strlen(data) + 8;
  int written = snprintf(text, sizeof text, "%zx\r\ndata: %s\n\n\r\n", length, data);
  send_all(endpoint->channel.fd, text, (size_t)written);
}

static void send_chunk(endpoint *endpoint) {
  char data[512];
  snprintf(data, sizeof data,
           "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"paced\",\"choices\":[{\"index\":0,"
           "\"delta\":{\"content\":\"<%020llu>\"},\"finish_reason\":null}]}",
           (unsigned long long)now_ns());
  send_event(endpoint, data);
}

static void finish(endpoint *endpoint) {
  send_event(endpoint, "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"paced\",\"choices\":"
                       "[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
  send_event(endpoint, "[DONE]");
  send_all(endpoint->channel.fd, "0\r\n\r\n", 5);
  endpoint->streaming = 0;
}

/* Reads a request; starts its stream when it is whole. Returns 0 at the end of the connection. */
static int upstream_read(endpoint *endpoint) {
  if (endpoint->request == NULL) endpoint->request = malloc(REQUEST_BYTES_MAX + 1);
  ssize_t got = recv(endpoint->channel.fd, endpoint->request + endpoint->request_bytes,
                     REQUEST_BYTES_MAX - endpoint->request_bytes, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return 1;
  if (got <= 0) return 0;
  endpoint->request_bytes += (size_t)got;
  endpoint->request[endpoint->request_bytes] = 0;
  char *body = strstr(endpoint->request, "\r\n\r\n");
  if (body == NULL) return 1;
  char *field = strcasestr(endpoint->request, "content-length:");
  size_t wanted = field != NULL && field < body ? strtoul(field + 15, NULL, 10) : 0;
  if ((size_t)(endpoint->request + endpoint->request_bytes - (body + 4)) < wanted) return 1;
  endpoint->request_bytes = 0;
  if (strstr(endpoint->request, "/chat/completions") == NULL) {
    static const char models[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"
                                 "{\"object\":\"list\",\"data\":[{\"id\":\"paced\"}]}";
    send_all(endpoint->channel.fd, models, sizeof models - 1);
    return 1;
  }
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  send_all(endpoint->channel.fd, head, sizeof head - 1);
  endpoint->streaming = 1;
  if (open_streams < streams) answering[open_streams++] = endpoint;
  send_chunk(endpoint);
  return 1;
}

/* Finds `<time>` in what a client received and keeps how long it took. */
static void arrived(void *context, const char *text, size_t length) {
  endpoint *endpoint = context;
  uint64_t now = now_ns();
  const char *at = text, *end = text + length;
  while ((at = memchr(at, '<', (size_t)(end - at))) != NULL && end - at >= 22) {
    if (at[21] == '>') {
      endpoint->answered = 1;
      uint64_t sent = strtoull(at + 1, NULL, 10);
      if (measuring && sample_count < SAMPLES_MAX) samples[sample_count++] = (uint32_t)((now - sent) / 10);
    }
    at += 1;
  }
  if (contains(text, length, "\"error\"")) {
    if (odd++ == 0) fprintf(stderr, "load: %.*s\n", (int)(length < 400 ? length : 400), text);
  }
}

static void direct_read(endpoint *endpoint) {
  char text[16384];
  ssize_t got = recv(endpoint->channel.fd, text, sizeof text, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("the upstream ended a direct connection");
  arrived(endpoint, text, (size_t)got); /* chunks are small and come alone, so none is split */
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static void client_opened(endpoint *endpoint, int port) {
  if (port == 0) {
    static const char ask[] = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    watch(endpoint, tcp_connect(upstream_port, 0));
    send_all(endpoint->channel.fd, ask, sizeof ask - 1);
    return;
  }
  static const char call[] = "{\"op\":\"call_tool\",\"request_id\":\"relay\",\"name\":\"chat\",\"arguments\":{\"prompt\":"
                             "\"pace\",\"stream\":true,\"timeout\":3600}}";
  uint8_t frame[sizeof call + FRAME_HEAD_BYTES];
  channel_open(&endpoint->channel, port, 0, 1);
  watch(endpoint, endpoint->channel.fd);
  send_all(endpoint->channel.fd, frame, frame_text(frame, call, sizeof call - 1));
}

/* Handles what is ready; on a tick of the timer the next stream in turn gets its chunk. */
static void turn(int *next, int pacing) {
  struct epoll_event events[256];
  int ready = epoll_wait(poll, events, 256, 100);
  if (ready < 0 && errno != EINTR) fail("epoll_wait");
  for (int i = 0; i < ready; i++) {
    endpoint *endpoint = events[i].data.ptr;
    switch (endpoint->kind) {
      case LISTENER: {
        int fd = accept4(endpoint->channel.fd, NULL, NULL, SOCK_CLOEXEC);
        int one = 1;
        if (fd < 0) break;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(made(UPSTREAM), fd);
        break;
      }
      case TIMER: {
        uint64_t ticks = 0;
        if (read(endpoint->channel.fd, &ticks, sizeof ticks) != sizeof ticks) break;
        for (; pacing && ticks > 0; ticks--) {
          send_chunk(answering[*next]);
          *next = (*next + 1) % streams;
        }
        break;
      }
      case UPSTREAM:
        if (upstream_read(endpoint)) break;
        if (endpoint->streaming) fail("the gateway ended a stream");
        dropped(endpoint);
        break;
      case DIRECT:
        direct_read(endpoint);
        break;
      case CLIENT:
        channel_read(&endpoint->channel, arrived, endpoint);
        break;
    }
  }
}

static void measure(int port, double seconds) {
  endpoint **clients = calloc((size_t)streams, sizeof *clients);
  int next = 0;
  open_streams = 0;
  sample_count = 0;
  for (int i = 0; i < streams; i++) {
    clients[i] = made(port == 0 ? DIRECT : CLIENT);
    client_opened(clients[i], port);
  }
  uint64_t limit = now_ns() + 10000000000u;
  for (int waiting = 1; waiting;) {
    turn(&next, 0);
    waiting = open_streams < streams;
    for (int i = 0; i < streams && !waiting; i++) waiting = !clients[i]->answered;
    if (now_ns() > limit) fail("not every stream was opened within 10 s");
  }
  uint64_t begin = now_ns() + 1000000000u, end = begin + (uint64_t)(seconds * 1e9);
  while (now_ns() < end) {
    measuring = now_ns() >= begin;
    turn(&next, 1);
  }
  measuring = 0;
  for (int i = 0; i < streams; i++) finish(answering[i]);
  for (int i = 0; i < 20; i++) turn(&next, 0); /* let the results come, so that no call is cut off */
  for (int i = 0; i < streams; i++) dropped(clients[i]);
  free(clients);
  if (sample_count == 0) fail("no chunk came");
  qsort(samples, sample_count, sizeof *samples, ascending);
  printf("{\"chunks\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"errors\":%zu}\n", sample_count,
         samples[sample_count / 2] / 100.0, samples[(size_t)((double)sample_count * 0.99)] / 100.0, odd);
  fflush(stdout);
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "usage: relay STREAMS SECONDS\n");
    return 2;
  }
  streams = atoi(arguments[1]);
  if (streams < 1 || streams > 10000) return 2;
  poll = epoll_create1(EPOLL_CLOEXEC);
  answering = calloc((size_t)streams, sizeof *answering);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  watch(made(LISTENER), listen_anywhere());
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct itimerspec every = {.it_interval.tv_nsec = PERIOD_NS / streams, .it_value.tv_nsec = PERIOD_NS / streams};
  if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0) fail("timerfd");
  watch(made(TIMER), timer);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) measure(atoi(line), atof(arguments[2]));
  return odd > 0;
}
