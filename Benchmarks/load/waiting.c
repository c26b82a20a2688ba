/* waiting PORT CALLS SECONDS - what others notice while CALLS calls wait for a silent upstream. The model `faulty`
   leads to faults.c, `echo-1` is Echo; the listener serves `health` too.

   Reads lines from standard input and answers each with a line:

     hold      begins the calls; `held` once all are admitted
     release   cancels them; `released` once all have ended
     measure   for SECONDS asks /livez over a fresh connection and Echo over one that stands, in turn, one at a time;
               a line of JSON

   The end of the input ends it. */

#include "websocket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PER_CONNECTION = 20, SAMPLES_MAX = 1 << 20, WARM = 50, SOURCES = 8 };

static int port, calls, connection_count, admitted, ended, answered, number;
static channel *connections, asker;
static double live_ms[SAMPLES_MAX], chat_ms[SAMPLES_MAX];

static void received(void *context, const char *text, size_t length) {
  (void)context;
  admitted += contains(text, length, "\"op\":\"call_tool_ack\"");
  ended += contains(text, length, "\"op\":\"call_tool_res\"");
}

static void send_text(channel *channel, const char *text) {
  uint8_t frame[512 + FRAME_HEAD_BYTES];
  send_all(channel->fd, frame, frame_text(frame, text, strlen(text)));
}

/* Reads what comes to the calls that wait until `*count` is `wanted`. */
static void read_until(const int *count, int wanted) {
  struct pollfd watched[connection_count];
  for (int i = 0; i < connection_count; i++) watched[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
  uint64_t limit = now_ns() + 20000000000u;
  while (*count < wanted) {
    if (poll(watched, (nfds_t)connection_count, 1000) < 0 && errno != EINTR) fail("poll");
    for (int i = 0; i < connection_count; i++) {
      if (watched[i].revents != 0) channel_read(&connections[i], received, NULL);
    }
    if (now_ns() > limit) fail("the calls were not all admitted, or not all ended, within 20 s");
  }
}

static void hold(void) {
  char text[256];
  admitted = ended = 0;
  for (int i = 0; i < calls; i++) {
    snprintf(text, sizeof text,
             "{\"op\":\"call_tool\",\"request_id\":\"%d.%d\",\"name\":\"chat\",\"arguments\":{\"model\":\"faulty\","
             "\"prompt\":\"hold\",\"timeout\":3600}}", number, i);
    send_text(&connections[i % connection_count], text);
  }
  read_until(&admitted, calls);
  if (ended > 0) fail("a call ended that should wait");
}

static void release(void) {
  char text[256];
  for (int i = 0; i < calls; i++) {
    snprintf(text, sizeof text, "{\"op\":\"cancel\",\"request_id\":\"%d.%d\"}", number, i);
    send_text(&connections[i % connection_count], text);
  }
  read_until(&ended, calls);
  number += 1;
}

static void ask_live(void) {
  static const char request[] = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  static int source;
  char answer[1024];
  size_t have = 0;
  ssize_t got;
  int fd = tcp_connect(port, ++source % SOURCES); /* a port of an address is not free again at once */
  send_all(fd, request, sizeof request - 1);
  while ((got = recv(fd, answer + have, sizeof answer - have, 0)) > 0) have += (size_t)got;
  if (got < 0 || have < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0) fail("/livez was not answered with 200");
  close(fd);
}

static void echoed(void *context, const char *text, size_t length) {
  (void)context;
  if (!contains(text, length, "\"op\":\"call_tool_res\"")) return;
  if (!contains(text, length, "\"text\":\"ping\"")) fail("Echo answered something else");
  answered = 1;
}

static void ask_echo(void) {
  static uint64_t asked;
  char text[256];
  snprintf(text, sizeof text,
           "{\"op\":\"call_tool\",\"request_id\":\"e%llu\",\"name\":\"chat\",\"arguments\":{\"model\":\"echo-1\","
           "\"prompt\":\"ping\"}}", (unsigned long long)++asked);
  struct pollfd watched = {.fd = asker.fd, .events = POLLIN};
  answered = 0;
  send_text(&asker, text);
  while (!answered) {
    if (poll(&watched, 1, 20000) != 1) fail("Echo did not answer within 20 s");
    channel_read(&asker, echoed, NULL);
  }
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void measure(double seconds) {
  int count = -WARM;
  uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
  for (; count < SAMPLES_MAX && (count < 1 || now_ns() < end); count++) {
    uint64_t begin = now_ns();
    ask_live();
    uint64_t middle = now_ns();
    ask_echo();
    if (count < 0) continue;
    live_ms[count] = (double)(middle - begin) / 1e6;
    chat_ms[count] = (double)(now_ns() - middle) / 1e6;
  }
  qsort(live_ms, (size_t)count, sizeof *live_ms, ascending);
  qsort(chat_ms, (size_t)count, sizeof *chat_ms, ascending);
  printf("{\"asked\":%d,\"live_p50_ms\":%.4f,\"live_p99_ms\":%.4f,\"chat_p50_ms\":%.4f,\"chat_p99_ms\":%.4f}\n", count,
         live_ms[count / 2], live_ms[count * 99 / 100], chat_ms[count / 2], chat_ms[count * 99 / 100]);
}

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "usage: waiting PORT CALLS SECONDS\n");
    return 2;
  }
  port = atoi(arguments[1]);
  calls = atoi(arguments[2]);
  connection_count = (calls + PER_CONNECTION - 1) / PER_CONNECTION;
  connections = calloc((size_t)connection_count, sizeof *connections);
  if (connections == NULL) fail("memory");
  for (int i = 0; i < connection_count; i++) channel_open(&connections[i], port, 0, 1);
  channel_open(&asker, port, 0, 1);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "hold\n") == 0) {
      hold();
      printf("held\n");
    } else if (strcmp(line, "release\n") == 0) {
      release();
      printf("released\n");
    } else {
      measure(atof(arguments[3]));
    }
    fflush(stdout);
  }
  return 0;
}
