/* deadline PORT CALLS SECONDS - how exactly a call's `timeout` is kept: CALLS calls of the model `faulty`, which leads
   to faults.c and is silent for longer, one begun each millisecond, each with `timeout` SECONDS.

   Prints one line of JSON: the shortest, middle and longest time from before a call was sent until its TIMEOUT was
   there, in milliseconds, and how many ended otherwise. */

#include "websocket.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PER_CONNECTION = 16, PERIOD_NS = 1000000 };

typedef struct connection {
  channel channel;
  uint64_t began_ns[PER_CONNECTION];
} connection;

static double *samples;
static int ended, others;

static void received(void *context, const char *text, size_t length) {
  connection *connection = context;
  uint64_t now = now_ns();
  if (!contains(text, length, "\"op\":\"call_tool_res\"")) return;
  const char *id = memmem(text, length, "\"request_id\":\"", 14);
  int slot = id == NULL ? -1 : atoi(id + 14);
  if (slot < 0 || slot >= PER_CONNECTION || connection->began_ns[slot] == 0 ||
      !contains(text, length, "\"code\":\"TIMEOUT\"")) {
    if (others++ == 0) fprintf(stderr, "load: not a TIMEOUT: %.*s\n", (int)(length < 500 ? length : 500), text);
    ended += 1;
    return;
  }
  samples[ended++ - others] = (double)(now - connection->began_ns[slot]) / 1e6;
  connection->began_ns[slot] = 0;
}

static void send_call(connection *connection, int slot, const char *seconds) {
  char text[256];
  uint8_t frame[256 + FRAME_HEAD_BYTES];
  int length = snprintf(text, sizeof text,
                        "{\"op\":\"call_tool\",\"request_id\":\"%d\",\"name\":\"chat\",\"arguments\":{"
                        "\"model\":\"faulty\",\"prompt\":\"silent\",\"timeout\":%s}}", slot, seconds);
  size_t bytes = frame_text(frame, text, (size_t)length);
  connection->began_ns[slot] = now_ns();
  send_all(connection->channel.fd, frame, bytes);
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "usage: deadline PORT CALLS SECONDS\n");
    return 2;
  }
  int calls = atoi(arguments[2]), connection_count = (calls + PER_CONNECTION - 1) / PER_CONNECTION;
  connection *connections = calloc((size_t)connection_count, sizeof *connections);
  struct pollfd *watched = calloc((size_t)connection_count, sizeof *watched);
  samples = calloc((size_t)calls, sizeof *samples);
  if (connections == NULL || watched == NULL || samples == NULL) fail("memory");
  for (int i = 0; i < connection_count; i++) {
    channel_open(&connections[i].channel, atoi(arguments[1]), 0, 1);
    watched[i] = (struct pollfd){.fd = connections[i].channel.fd, .events = POLLIN};
  }
  uint64_t begin = now_ns(), limit = begin + (uint64_t)(atof(arguments[3]) * 1e10);
  for (int sent = 0; ended < calls;) {
    for (; sent < calls && now_ns() >= begin + (uint64_t)sent * PERIOD_NS; sent++) {
      send_call(&connections[sent % connection_count], sent / connection_count, arguments[3]);
    }
    if (poll(watched, (nfds_t)connection_count, sent < calls ? 1 : 100) < 0) fail("poll");
    for (int i = 0; i < connection_count; i++) {
      if (watched[i].revents != 0) channel_read(&connections[i].channel, received, &connections[i]);
    }
    if (now_ns() > limit) fail("calls did not end within ten times their timeout");
  }
  int kept = calls - others;
  if (kept == 0) fail("no call ended with TIMEOUT");
  qsort(samples, (size_t)kept, sizeof *samples, ascending);
  printf("{\"calls\":%d,\"others\":%d,\"min_ms\":%.3f,\"p50_ms\":%.3f,\"max_ms\":%.3f}\n", calls, others, samples[0],
         samples[kept / 2], samples[kept - 1]);
  return others > 0;
}
