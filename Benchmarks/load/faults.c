/* faults [PORT] - an upstream that speaks the OpenAI chat format, and fails as it is told. Listens on 127.0.0.1, on a
   free port without PORT, and prints `listening PORT`.

   The content of a request's first message says how it is answered:

     say TEXT      a stream of the words of TEXT, usage, [DONE]
     die TEXT      the words of TEXT, then the end of the connection without the stream's end
     begin TEXT    the words of TEXT, then nothing more
     hold          nothing at all, for as long as the connection stands
     silent        nothing for 10 s, then a stream of the word `late`
     reset         the connection is reset before the head
     status CODE   an error in the OpenAI shape

   A line `count` on standard input is answered with a line of JSON: connections and exchanges that are open, and how
   many of each verb there have been. The end of the input ends the program. */

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
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 1 << 18 };
#define SILENCE_NS 10000000000u

typedef enum verb { SAY, DIE, BEGIN, HOLD, SILENT, RESET, STATUS, OTHER, VERBS } verb;
static const char *const verb_names[VERBS] = {"say", "die", "begin", "hold", "silent", "reset", "status", "other"};

/* What is left to do once what waits to be sent is sent. */
typedef enum end { STAY, CLOSE, KEEP_OPEN } end;

typedef struct peer {
  int fd, open; /* open: a request has come and is not answered yet */
  int chunked;  /* how the answer's length is told: by chunks, or by the end of the connection */
  char *request, *answer;
  size_t request_bytes, answer_bytes, answer_capacity, sent, pause_at;
  end end;
  uint64_t due_ns; /* SILENT: when to answer */
  struct peer *next_silent, *previous_silent;
} peer;

static int poll, connections, open_exchanges;
static uint64_t counts[VERBS];
static peer silence = {.next_silent = &silence, .previous_silent = &silence}; /* a ring, the next to answer first */

static void unlink_silent(peer *peer) {
  if (peer->next_silent == NULL) return;
  peer->next_silent->previous_silent = peer->previous_silent;
  peer->previous_silent->next_silent = peer->next_silent;
  peer->next_silent = NULL;
}

static void answered(peer *peer) {
  open_exchanges -= peer->open;
  peer->open = 0;
}

static void dropped(peer *peer, int reset) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (reset) setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  answered(peer);
  unlink_silent(peer);
  close(peer->fd);
  free(peer->request);
  free(peer->answer);
  free(peer);
  connections -= 1;
}

static void add(peer *peer, const char *bytes, size_t length) {
  if (peer->answer_capacity - peer->answer_bytes < length) {
    peer->answer_capacity = (peer->answer_capacity + length) * 2;
    peer->answer = realloc(peer->answer, peer->answer_capacity);
    if (peer->answer == NULL) fail("memory");
  }
  memcpy(peer->answer + peer->answer_bytes, bytes, length);
  peer->answer_bytes += length;
}

static void add_event(peer *peer, const char *before, const char *text, size_t length, const char *after) {
  char size[32];
  size_t whole = strlen(before) + length + strlen(after) + 8;
  if (peer->chunked) add(peer, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", whole));
  add(peer, "data: ", 6);
  add(peer, before, strlen(before));
  add(peer, text, length);
  add(peer, after, strlen(after));
  add(peer, "\n\n", 2);
  if (peer->chunked) add(peer, "\r\n", 2);
}

#define CHUNK "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"faulty\",\"choices\":["

static void add_head(peer *peer) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  static const char chunked[] = "Transfer-Encoding: chunked\r\n\r\n", closing[] = "Connection: close\r\n\r\n";
  add(peer, head, sizeof head - 1);
  if (peer->chunked) add(peer, chunked, sizeof chunked - 1);
  else add(peer, closing, sizeof closing - 1);
}

/* A chunk for each word, with the space before it. `text` is the inside of a JSON string and goes out as it came. */
static void add_words(peer *peer, const char *text, size_t length) {
  size_t begin = 0;
  while (begin < length) {
    const char *space = begin + 1 < length ? memchr(text + begin + 1, ' ', length - begin - 1) : NULL;
    size_t end = space == NULL ? length : (size_t)(space - text);
    add_event(peer, CHUNK "{\"index\":0,\"delta\":{\"content\":\"", text + begin, end - begin,
              "\"},\"finish_reason\":null}]}");
    begin = end;
  }
}

static void add_stream(peer *peer, const char *text, size_t length) {
  add_head(peer);
  add_event(peer, CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}",
            "", 0, "");
  add_words(peer, text, length);
  peer->pause_at = peer->answer_bytes; /* the end leaves in a packet of its own */
  add_event(peer, CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", "", 0, "");
  add_event(peer, CHUNK "],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12}}", "", 0, "");
  add_event(peer, "[DONE]", "", 0, "");
  if (peer->chunked) add(peer, "0\r\n\r\n", 5);
  peer->end = peer->chunked ? KEEP_OPEN : CLOSE;
}

static void add_error(peer *peer, int status) {
  char body[256], head[256];
  int length = snprintf(body, sizeof body, "{\"error\":{\"message\":\"told to\",\"type\":\"t\",\"code\":\"told_%d\"}}",
                        status);
  int head_length = snprintf(head, sizeof head, "HTTP/1.1 %d Told\r\nContent-Type: application/json\r\n"
                             "Content-Length: %d\r\n\r\n", status, length);
  add(peer, head, (size_t)head_length);
  add(peer, body, (size_t)length);
  peer->end = KEEP_OPEN;
}

/* Sends what waits. Returns 0 when the peer is gone. */
static int flush(peer *peer) {
  while (peer->sent < peer->answer_bytes) {
    size_t until = peer->sent < peer->pause_at ? peer->pause_at : peer->answer_bytes;
    ssize_t sent = send(peer->fd, peer->answer + peer->sent, until - peer->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return dropped(peer, 0), 0;
    if (sent > 0) peer->sent += (size_t)sent;
    if (peer->sent < peer->answer_bytes) { /* more at the next turn, when there is room */
      struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT, .data.ptr = peer};
      epoll_ctl(poll, EPOLL_CTL_MOD, peer->fd, &interest);
      return 1;
    }
  }
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = peer};
  epoll_ctl(poll, EPOLL_CTL_MOD, peer->fd, &interest);
  peer->answer_bytes = peer->sent = peer->pause_at = 0;
  if (peer->end != STAY) answered(peer);
  if (peer->end == CLOSE) return dropped(peer, 0), 0;
  return 1;
}

/* The inside of the first `"content":"…"`, its escapes as they came. */
static const char *content(const char *body, size_t *length) {
  static const char name[] = "\"content\":\"";
  const char *at = strstr(body, name);
  if (at == NULL) return NULL;
  at += sizeof name - 1;
  size_t end = 0;
  while (at[end] != 0 && at[end] != '"') end += at[end] == '\\' && at[end + 1] != 0 ? 2 : 1;
  *length = end;
  return at;
}

static verb verb_of(const char **text, size_t *length) {
  for (int verb = 0; verb < OTHER; verb++) {
    size_t count = strlen(verb_names[verb]);
    if (*length < count || memcmp(*text, verb_names[verb], count) != 0) continue;
    if (*length > count && (*text)[count] != ' ') continue;
    size_t taken = *length > count ? count + 1 : count;
    *text += taken;
    *length -= taken;
    return (enum verb)verb;
  }
  return OTHER;
}

/* Returns 0 when the peer is gone. */
static int answer(peer *peer, const char *body) {
  size_t length = 0;
  const char *text = content(body, &length);
  verb verb = text == NULL ? OTHER : verb_of(&text, &length);
  counts[verb] += 1;
  peer->chunked = (int)(counts[verb] & 1);
  peer->open = 1;
  open_exchanges += 1;
  peer->end = STAY;
  switch (verb) {
    case SAY: add_stream(peer, text, length); break;
    case DIE:
      add_head(peer);
      add_words(peer, text, length);
      peer->end = CLOSE;
      break;
    case BEGIN:
      add_head(peer);
      add_words(peer, text, length);
      break;
    case HOLD: break;
    case SILENT:
      peer->due_ns = now_ns() + SILENCE_NS;
      peer->next_silent = &silence;
      peer->previous_silent = silence.previous_silent;
      silence.previous_silent->next_silent = peer;
      silence.previous_silent = peer;
      break;
    case RESET: return dropped(peer, 1), 0;
    case STATUS: add_error(peer, atoi(text)); break;
    default: add_error(peer, 400);
  }
  return flush(peer);
}

/* Reads a request and answers it when it is whole. Returns 0 when the peer is gone. */
static int peer_read(peer *peer) {
  if (peer->request == NULL) peer->request = malloc(REQUEST_BYTES_MAX + 1);
  if (peer->request == NULL) fail("memory");
  size_t room = REQUEST_BYTES_MAX - peer->request_bytes;
  ssize_t got = recv(peer->fd, peer->request + peer->request_bytes, room, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return 1;
  if (got <= 0) return dropped(peer, 0), 0;
  peer->request_bytes += (size_t)got;
  peer->request[peer->request_bytes] = 0;
  char *body = strstr(peer->request, "\r\n\r\n");
  if (body == NULL) return 1;
  char *field = strcasestr(peer->request, "content-length:");
  size_t wanted = field != NULL && field < body ? strtoul(field + 15, NULL, 10) : 0;
  if ((size_t)(peer->request + peer->request_bytes - (body + 4)) < wanted) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (strcasestr(peer->request, "expect: 100-continue") != NULL && body[4] == 0) add(peer, go_on, sizeof go_on - 1);
    return peer->answer_bytes > 0 ? flush(peer) : 1;
  }
  peer->request_bytes = 0;
  if (strstr(peer->request, "/chat/completions ") != NULL) return answer(peer, body + 4);
  static const char models[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 42\r\n\r\n"
                               "{\"object\":\"list\",\"data\":[{\"id\":\"faulty\"}]}";
  add(peer, models, sizeof models - 1);
  return flush(peer);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
    if (fd < 0) fail("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) fail("memory");
    peer->fd = fd;
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &interest) != 0) fail("epoll_ctl");
    connections += 1;
  }
}

static int listen_at(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7f000001u)};
  socklen_t length = sizeof address;
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
    fail("listen");
  }
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void command(void) {
  char line[64];
  ssize_t got = read(STDIN_FILENO, line, sizeof line);
  if (got <= 0) exit(0);
  printf("{\"connections\":%d,\"open\":%d", connections, open_exchanges);
  for (int verb = 0; verb < VERBS; verb++) printf(",\"%s\":%llu", verb_names[verb], (unsigned long long)counts[verb]);
  printf("}\n");
  fflush(stdout);
}

int main(int count, char **arguments) {
  int listener = listen_at(count > 1 ? atoi(arguments[1]) : 0);
  poll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poll, EPOLL_CTL_ADD, listener, &interest) != 0) fail("epoll_ctl");
  interest.data.ptr = &silence;
  if (epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &interest) != 0) fail("epoll_ctl");
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, silence.next_silent == &silence ? -1 : 10);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
      peer *peer = events[i].data.ptr;
      if (peer == NULL) {
        accept_all(listener);
      } else if (peer == &silence) {
        command();
      } else {
        int there = (events[i].events & EPOLLOUT) == 0 || flush(peer);
        if (there && (events[i].events & ~(uint32_t)EPOLLOUT) != 0) peer_read(peer);
      }
    }
    while (silence.next_silent != &silence && silence.next_silent->due_ns <= now_ns()) {
      peer *peer = silence.next_silent;
      unlink_silent(peer);
      add_stream(peer, "late", 4);
      flush(peer);
    }
  }
}
