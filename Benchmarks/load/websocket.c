#include "websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void fail(const char *what) {
  fprintf(stderr, "load: %s (%s)\n", what, strerror(errno));
  exit(1);
}

int contains(const char *text, size_t length, const char *word) {
  size_t count = strlen(word);
  const char *at = text;
  while (count <= length && (at = memchr(at, word[0], length - (size_t)(at - text) - count + 1)) != NULL) {
    if (memcmp(at, word, count) == 0) return 1;
    at += 1;
    if ((size_t)(at - text) + count > length) return 0;
  }
  return 0;
}

int tcp_connect(int port, int source) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  if (fd < 0) fail("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)source)};
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7f000001u)};
  if (source != 0 && bind(fd, (struct sockaddr *)&from, sizeof from) != 0) fail("bind");
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
  return fd;
}

void send_all(int fd, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  while (length > 0) {
    ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue; /* one request in flight: the buffer empties */
    if (sent <= 0) fail("send");
    at += sent;
    length -= (size_t)sent;
  }
}

static void ask_upgrade(int fd, int port) {
  char text[1024];
  int length = snprintf(text, sizeof text,
                        "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        port);
  send_all(fd, text, (size_t)length);
}

static void upgrade(int fd, int port) {
  char text[1024];
  ask_upgrade(fd, port);
  size_t have = 0;
  while (have < 4 || memcmp(text + have - 4, "\r\n\r\n", 4) != 0) {
    /* Byte by byte, so that nothing of a first frame is taken along. */
    if (have == sizeof text || recv(fd, text + have, 1, 0) != 1) fail("no answer to the upgrade");
    have += 1;
  }
  if (strncmp(text, "HTTP/1.1 101", 12) != 0) fail("the upgrade was refused");
}

static void say_hello(int fd) {
  static const char text[] = "{\"op\":\"hello\",\"client_name\":\"load\"}";
  uint8_t frame[sizeof text + FRAME_HEAD_BYTES];
  send_all(fd, frame, frame_text(frame, text, sizeof text - 1));
}

void channel_open(channel *channel, int port, int source, int hello) {
  *channel = (struct channel){.fd = tcp_connect(port, source)};
  upgrade(channel->fd, port);
  if (!hello) return;
  char answer[256];
  say_hello(channel->fd);
  channel_wait(channel, answer, sizeof answer);
  if (!contains(answer, strlen(answer), "\"ok\":true")) {
    fprintf(stderr, "load: hello was answered with %s\n", answer);
    exit(1);
  }
}

void channel_nonblocking(channel *channel) { fcntl(channel->fd, F_SETFL, O_NONBLOCK); }

void channel_begin(channel *channel, int port) {
  channel->fd = tcp_connect(port, 0);
  channel->upgrading = 1;
  channel->length = 0;
  ask_upgrade(channel->fd, port);
  channel_nonblocking(channel);
}

void channel_leave(channel *channel, int reset) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (reset) setsockopt(channel->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(channel->fd);
  channel->fd = -1;
  channel->length = 0;
}

/* The length of the answer to the upgrade once it has come, and then says hello; 0 before. */
static size_t take_upgrade(channel *channel) {
  const char *text = (const char *)channel->input;
  for (size_t end = 4; end <= channel->length; end++) {
    if (memcmp(text + end - 4, "\r\n\r\n", 4) != 0) continue;
    if (strncmp(text, "HTTP/1.1 101", 12) != 0) fail("the upgrade was refused");
    channel->upgrading = 0;
    say_hello(channel->fd);
    return end;
  }
  return 0;
}

size_t frame_text_offset(size_t length) { return length < 126 ? 6 : length < 65536 ? 8 : 14; }

size_t frame_text(uint8_t *frame, const char *text, size_t length) {
  size_t at = 0;
  frame[at++] = 0x81;
  if (length < 126) {
    frame[at++] = (uint8_t)(0x80 | length);
  } else if (length < 65536) {
    frame[at++] = 0x80 | 126;
    frame[at++] = (uint8_t)(length >> 8);
    frame[at++] = (uint8_t)length;
  } else {
    frame[at++] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) frame[at++] = (uint8_t)((uint64_t)length >> shift);
  }
  memcpy(frame + at, frame_mask, 4);
  at += 4;
  for (size_t i = 0; i < length; i++) frame[at + i] = (uint8_t)text[i] ^ frame_mask[i & 3];
  return at + length;
}

void frame_patch(uint8_t *frame, size_t text_offset, size_t offset, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    frame[text_offset + offset + i] = (uint8_t)text[i] ^ frame_mask[(offset + i) & 3];
  }
}

/* Hands over the whole frames at the start of the input; returns how many bytes they took. */
static size_t take_frames(channel *channel, message_handler handler, void *context) {
  size_t taken = 0;
  for (;;) {
    const uint8_t *at = channel->input + taken;
    size_t have = channel->length - taken;
    if (have < 2) return taken;
    size_t length = at[1] & 127, head = 2;
    if (length == 126) {
      if (have < 4) return taken;
      length = (size_t)at[2] << 8 | at[3];
      head = 4;
    } else if (length == 127) {
      if (have < 10) return taken;
      length = 0;
      for (int i = 2; i < 10; i++) length = length << 8 | at[i];
      head = 10;
    }
    if (have < head + length) return taken;
    if ((at[0] & 15) == 8) {
      fprintf(stderr, "load: the server closed: %.*s\n", (int)(length > 2 ? length - 2 : 0), at + head + 2);
      exit(1);
    }
    if ((at[0] & 15) == 1) handler(context, (const char *)at + head, length);
    taken += head + length;
  }
}

size_t channel_read(channel *channel, message_handler handler, void *context) {
  size_t total = 0;
  for (;;) {
    if (channel->capacity - channel->length < 4096) {
      channel->capacity = channel->capacity == 0 ? 16384 : channel->capacity * 2;
      channel->input = realloc(channel->input, channel->capacity);
      if (channel->input == NULL) fail("memory");
    }
    size_t room = channel->capacity - channel->length;
    ssize_t got = recv(channel->fd, channel->input + channel->length, room, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) fail("the server ended a connection");
    total += (size_t)got;
    channel->length += (size_t)got;
    size_t taken = channel->upgrading ? take_upgrade(channel) : take_frames(channel, handler, context);
    if (taken > 0) memmove(channel->input, channel->input + taken, channel->length - taken);
    channel->length -= taken;
    if ((size_t)got < room) break;
  }
  return total;
}

void channel_wait(channel *channel, char *text, size_t capacity) {
  uint8_t head[4];
  if (recv(channel->fd, head, 2, MSG_WAITALL) != 2) fail("no message");
  size_t length = head[1] & 127;
  if (length == 126) {
    if (recv(channel->fd, head + 2, 2, MSG_WAITALL) != 2) fail("no message");
    length = (size_t)head[2] << 8 | head[3];
  }
  char body[65536];
  if (length > sizeof body || recv(channel->fd, body, length, MSG_WAITALL) != (ssize_t)length) fail("half a message");
  if ((head[0] & 15) != 1) fail("closed instead of answered");
  size_t kept = length < capacity - 1 ? length : capacity - 1;
  memcpy(text, body, kept);
  text[kept] = 0;
}
