/* calls PORT CONNECTIONS SECONDS PROMPT_BYTES [peer] - as many calls as the server takes, one after the other on each
   connection. Against Patchbay a call is `call_tool chat`, answered by an ack and a result. Against the peer (see
   peer.c) the same request goes out and two frames of the same sizes come back.

   Prints `begin` when the warm-up of a second is over, `end` when the measured time is, then one line of JSON. The
   caller reads the server's CPU time at both. */

#include "websocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { FRAMES_PER_CALL = 2, ID_DIGITS = 12, SAMPLES_MAX = 8 << 20 };

typedef struct caller {
  channel channel;
  uint64_t sent_ns;
  int frames;
} caller;

static uint8_t *request;
static size_t request_bytes, text_offset, id_offset;
static int is_peer, measuring;
static uint64_t calls, failures, number, bytes_in;
static size_t reply_bytes[FRAMES_PER_CALL];
static uint32_t *samples;

static void send_call(caller *caller) {
  char digits[ID_DIGITS + 1];
  snprintf(digits, sizeof digits, "%0*llx", ID_DIGITS, (unsigned long long)++number);
  frame_patch(request, text_offset, id_offset, digits, ID_DIGITS);
  caller->frames = 0;
  caller->sent_ns = now_ns();
  send_all(caller->channel.fd, request, request_bytes);
}

static void received(void *context, const char *text, size_t length) {
  caller *caller = context;
  int last;
  if (is_peer) {
    last = caller->frames + 1 == FRAMES_PER_CALL;
  } else {
    last = contains(text, length, "\"call_tool_res\"");
    if (last && !contains(text, length, "\"ok\":true")) {
      if (failures++ == 0) fprintf(stderr, "load: a call failed: %.*s\n", (int)(length < 500 ? length : 500), text);
    }
  }
  if (caller->frames < FRAMES_PER_CALL) reply_bytes[caller->frames] = length;
  caller->frames += 1;
  if (!last) return;
  if (measuring) {
    uint64_t took = (now_ns() - caller->sent_ns) / 100;
    if (calls < SAMPLES_MAX) samples[calls] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    calls += 1;
  }
  send_call(caller);
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static double percentile(size_t count, double part) {
  return count == 0 ? 0 : (double)samples[(size_t)(part * (double)(count - 1))] / 10.0;
}

static void make_request(size_t prompt_bytes) {
  char *text = malloc(prompt_bytes + 256);
  int head = snprintf(text, 256, "{\"op\":\"call_tool\",\"request_id\":\"%0*d\",\"name\":\"chat\",\"arguments\":{\"prompt\":\"",
                      ID_DIGITS, 0);
  id_offset = (size_t)(strstr(text, "\"request_id\":\"") - text) + strlen("\"request_id\":\"");
  size_t length = (size_t)head;
  for (size_t i = 0; i < prompt_bytes; i++) text[length++] = (char)(i % 8 == 7 ? ' ' : 'a' + i % 26);
  if (text[length - 1] == ' ') text[length - 1] = '.'; /* prompts are trimmed */
  memcpy(text + length, "\"}}", 3);
  length += 3;
  request = malloc(length + FRAME_HEAD_BYTES);
  request_bytes = frame_text(request, text, length);
  text_offset = frame_text_offset(length);
  free(text);
}

int main(int count, char **arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: calls PORT CONNECTIONS SECONDS PROMPT_BYTES [peer]\n");
    return 2;
  }
  int port = atoi(arguments[1]), connections = atoi(arguments[2]);
  double seconds = atof(arguments[3]);
  is_peer = count > 5;
  make_request((size_t)atol(arguments[4]));
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  caller *callers = calloc((size_t)connections, sizeof *callers);
  int poll = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    channel_open(&callers[i].channel, port, 0, !is_peer);
    channel_nonblocking(&callers[i].channel);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &callers[i]};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, callers[i].channel.fd, &interest) != 0) fail("epoll_ctl");
  }
  for (int i = 0; i < connections; i++) send_call(&callers[i]);
  uint64_t begin = now_ns() + 1000000000u, end = UINT64_MAX;
  for (;;) {
    uint64_t now = now_ns();
    if (!measuring && now >= begin) {
      printf("begin\n");
      fflush(stdout);
      measuring = 1;
      begin = now_ns();
      end = begin + (uint64_t)(seconds * 1e9);
    } else if (now >= end) {
      end = now;
      break;
    }
    struct epoll_event events[64];
    int ready = epoll_wait(poll, events, 64, 50);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
      caller *caller = events[i].data.ptr;
      size_t got = channel_read(&caller->channel, received, caller);
      if (measuring) bytes_in += got;
    }
  }
  printf("end\n");
  size_t kept = calls < SAMPLES_MAX ? calls : SAMPLES_MAX;
  qsort(samples, kept, sizeof *samples, ascending);
  double took = (double)(end - begin) / 1e9;
  printf("{\"calls\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
         "\"failures\":%llu,\"request_bytes\":%zu,\"reply_bytes\":[%zu,%zu],\"bytes_in\":%llu}\n",
         (unsigned long long)calls, took, (double)calls / took, percentile(kept, 0.5), percentile(kept, 0.99),
         percentile(kept, 0.999), (unsigned long long)failures, request_bytes, reply_bytes[0], reply_bytes[1],
         (unsigned long long)bytes_in);
  return failures > 0;
}
