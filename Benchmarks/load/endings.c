/* endings PORT CALLS CONNECTIONS SEED - calls of Patchbay that end in every way there is, in an order that SEED
   decides, and each judged. The model `echo-1` is Echo, `faulty` leads to faults.c.

   Each connection has up to SLOTS calls at once, and comes again after it has left. A call has exactly one terminal
   frame, with its own id, of an outcome that its ending allows; an answer is what was asked for; deltas are numbered
   and make up the result's text; no TIMEOUT is early. What is wrong goes to standard error.

   Prints `at N` each hundredth of the calls, and `over` when every call has ended and every connection has answered
   once more. Reads lines from standard input:

     crash     answered with `crash`: from now on the upstream may be gone; `broken` when the first call has met that
     whole     the upstream is back
     end       after `over`: prints one line of JSON, leaves with every connection and ends */

#include "websocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  SLOTS = 4,
  UNIT_BYTES = 4, /* a prompt is cut from the pool at multiples of it */
  POOL_BYTES = 1 << 16,
  PROMPT_BYTES_MAX = 32000,
  FRAME_BYTES_MAX = PROMPT_BYTES_MAX + 1024,
  CALLS_IN_A_CRASH = 200, /* stays far under the failures that open a breaker */
  FAULTS_SHOWN = 20,
  PER_MYRIAD = 10000,
};
#define STUCK_NS 30000000000u

typedef enum result {
  COMPLETE, TRUNCATED, CANCELLED, TIMED_OUT, PROVIDER_FAILED, INVALID, NOT_FOUND, OVER_CAPACITY, UNKNOWN, RESULTS
} result;
static const char *const result_names[RESULTS] = {"complete", "truncated", "cancelled", "timed out", "provider failed",
                                                  "invalid", "not found", "over capacity", "unknown"};
#define IS(result) (1u << (result))

typedef enum act { WAIT, CANCEL, LEAVE } act;
typedef enum when { AT_ONCE, AFTER_ACK, AFTER_DELTA } when;

/* One way to end: what is asked, what the client then does, and which results are right. */
typedef struct ending {
  const char *name, *model, *verb;
  int share; /* of PER_MYRIAD calls */
  int words; /* the prompt has words behind the verb */
  int streams, times_out;
  act act;
  when when;
  unsigned allowed;
} ending;

#define ECHO "echo-1", ""
#define FAULTY "faulty"
#define PLAIN WAIT, AT_ONCE

static const ending endings[] = {
    /* name, model, verb, share, words, streams, times out, act, when, allowed */
    {"echo", ECHO, 4360, 1, 0, 0, PLAIN, IS(COMPLETE)},
    {"echo stream", ECHO, 2400, 1, 1, 0, PLAIN, IS(COMPLETE)},
    {"bad argument", ECHO, 500, 1, 0, 0, PLAIN, IS(INVALID)},
    {"unknown model", "none-such", "", 300, 1, 0, 0, PLAIN, IS(NOT_FOUND)},
    {"echo, cancel at once", ECHO, 700, 1, 1, 0, CANCEL, AT_ONCE, IS(COMPLETE) | IS(CANCELLED)},
    {"echo, cancel after ack", ECHO, 600, 1, 0, 0, CANCEL, AFTER_ACK, IS(COMPLETE) | IS(CANCELLED)},
    {"echo, leave at once", ECHO, 70, 1, 1, 0, LEAVE, AT_ONCE, 0},
    {"echo, leave after ack", ECHO, 70, 1, 0, 0, LEAVE, AFTER_ACK, 0},
    {"say", FAULTY, "say ", 250, 1, 0, 0, PLAIN, IS(COMPLETE)},
    {"say stream", FAULTY, "say ", 250, 1, 1, 0, PLAIN, IS(COMPLETE)},
    {"status 500", FAULTY, "status 500", 60, 0, 0, 0, PLAIN, IS(PROVIDER_FAILED)},
    {"status 401", FAULTY, "status 401", 60, 0, 0, 0, PLAIN, IS(PROVIDER_FAILED)},
    {"reset", FAULTY, "reset", 60, 0, 0, 0, PLAIN, IS(PROVIDER_FAILED)},
    {"die", FAULTY, "die ", 60, 1, 1, 0, PLAIN, IS(TRUNCATED)},
    {"silent timeout", FAULTY, "silent", 60, 0, 0, 1, PLAIN, IS(TIMED_OUT)},
    {"timeout midway", FAULTY, "begin ", 40, 1, 1, 1, PLAIN, IS(TIMED_OUT)},
    {"cancel at once", FAULTY, "say ", 40, 1, 0, 0, CANCEL, AT_ONCE, IS(COMPLETE) | IS(CANCELLED)},
    {"cancel after ack", FAULTY, "silent", 40, 0, 0, 0, CANCEL, AFTER_ACK, IS(CANCELLED)},
    {"cancel midway", FAULTY, "begin ", 40, 1, 1, 0, CANCEL, AFTER_DELTA, IS(CANCELLED)},
    {"leave at once", FAULTY, "silent", 10, 0, 0, 0, LEAVE, AT_ONCE, 0},
    {"leave after ack", FAULTY, "silent", 15, 0, 0, 0, LEAVE, AFTER_ACK, 0},
    {"leave midway", FAULTY, "begin ", 15, 1, 1, 0, LEAVE, AFTER_DELTA, 0},
};
enum { ENDINGS = sizeof endings / sizeof *endings };

typedef enum phase { FREE, ASKED, RUNNING, ENDED } phase; /* ENDED: its cancel is not answered yet */
typedef enum asking { NOT_ASKED, UNANSWERED, TAKEN, TOO_LATE } asking;

typedef struct call {
  phase phase;
  asking cancel;
  const ending *ending;
  uint64_t number, began_ns, timeout_ns;
  int crashes; /* of the upstream, when it began */
  unsigned deltas;
  result result;
  char text[PROMPT_BYTES_MAX], joined[FRAME_BYTES_MAX]; /* what is asked for; what the deltas brought */
  size_t text_bytes, joined_bytes;
} call;

typedef struct connection {
  channel channel;
  int greeted, leaving, answered; /* answered: the question after the last call */
  call calls[SLOTS];
} connection;

static int poll, port, connection_count, crash_calls, crash_seen, is_over;
static connection *connections;
static char pool[POOL_BYTES];
static int crashes; /* odd while the upstream may be gone */
static uint64_t seed, total, begun, ended, abandoned, broken, faults, slowest_ns;
static uint64_t ways[ENDINGS], results[ENDINGS][RESULTS];

static void fault(const call *call, const char *what, const char *text, size_t length) {
  if (++faults > FAULTS_SHOWN) return;
  fprintf(stderr, "endings: %s", what);
  if (call != NULL) fprintf(stderr, "; %s, call %llx", call->ending->name, (unsigned long long)call->number);
  fprintf(stderr, ": %.*s\n", (int)(length < 600 ? length : 600), text);
}

/* splitmix64: the same number comes out for the same seed and call, whatever else happens. */
static uint64_t chance(uint64_t number) {
  uint64_t z = seed * 0x632be59bd9b4e019u + number * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Letters, spaces, characters of two and four bytes, and escapes, in units that may follow each other anyhow. */
static void make_pool(void) {
  static const char *const others[] = {
      "\xc3\xa9\xc3\xbc", "\xf0\x9f\xa7\xad", "\\n\\\"", "1, 2", "\xe2\x82\xac ", "a b ",
  };
  for (size_t at = 0; at < POOL_BYTES; at += UNIT_BYTES) {
    uint64_t draw = chance(at);
    char letters[UNIT_BYTES + 1];
    for (int i = 0; i < UNIT_BYTES; i++) letters[i] = (char)('a' + (draw >> (8 * i)) % 26);
    if (draw >> 60 < 6) letters[3] = ' ';
    memcpy(pool + at, draw >> 60 < 10 ? letters : others[(draw >> 60) - 10], UNIT_BYTES);
  }
}

static size_t prompt_bytes(uint64_t draw, int streams) {
  unsigned kind = draw % 1000, size = draw >> 32 & 0xffff;
  if (kind == 0 && !streams) return PROMPT_BYTES_MAX - 64 - size % 8192;
  return kind < 100 ? 512 + size % 3584 : 16 + size % 256;
}

static const ending *choose(uint64_t number) {
  int draw = (int)(chance(number) % PER_MYRIAD);
  const ending *chosen = endings;
  while (draw >= chosen->share) draw -= chosen++->share;
  if ((crashes & 1) && strcmp(chosen->model, FAULTY) == 0 && crash_calls++ >= CALLS_IN_A_CRASH) return endings;
  return chosen;
}

static size_t add_cancel(uint8_t *frames, const call *call, int slot) {
  char text[128];
  int length = snprintf(text, sizeof text, "{\"op\":\"cancel\",\"request_id\":\"%012llx-%d\"}",
                        (unsigned long long)call->number, slot);
  return frame_text(frames, text, (size_t)length);
}

static void ask_cancel(connection *connection, call *call) {
  uint8_t frame[128 + FRAME_HEAD_BYTES];
  call->cancel = UNANSWERED;
  send_all(connection->channel.fd, frame, add_cancel(frame, call, (int)(call - connection->calls)));
}

static void begin_call(connection *connection, int slot) {
  static char text[FRAME_BYTES_MAX];
  static uint8_t frames[FRAME_BYTES_MAX + 256];
  call *call = &connection->calls[slot];
  call->number = ++begun;
  const ending *ending = choose(call->number);
  uint64_t draw = chance(~call->number);
  call->ending = ending;
  call->phase = ASKED;
  call->cancel = NOT_ASKED;
  call->crashes = crashes;
  call->deltas = 0;
  call->text_bytes = call->joined_bytes = 0;
  call->timeout_ns = 0;
  if (ending->words) {
    size_t units = prompt_bytes(draw, ending->streams) / UNIT_BYTES;
    size_t offset = (draw >> 16) % (POOL_BYTES / UNIT_BYTES - units) * UNIT_BYTES;
    call->text_bytes = (size_t)snprintf(call->text, 32, "%llx ", (unsigned long long)call->number);
    memcpy(call->text + call->text_bytes, pool + offset, units * UNIT_BYTES);
    call->text_bytes += units * UNIT_BYTES;
    call->text[call->text_bytes++] = '.'; /* prompts are trimmed */
  }
  char more[64] = "";
  if (ending->times_out) {
    unsigned milliseconds = 100 + draw % 101;
    call->timeout_ns = milliseconds * 1000000u;
    snprintf(more, sizeof more, ",\"timeout\":0.%03u", milliseconds);
  } else if (strcmp(ending->name, "bad argument") == 0) {
    snprintf(more, sizeof more, ",\"temperature\":-1");
  }
  int length = snprintf(text, sizeof text,
                        "{\"op\":\"call_tool\",\"request_id\":\"%012llx-%d\",\"name\":\"chat\",\"arguments\":{"
                        "\"model\":\"%s\",\"stream\":%s%s,\"prompt\":\"%s%.*s\"}}",
                        (unsigned long long)call->number, slot, ending->model, ending->streams ? "true" : "false", more,
                        ending->verb, (int)call->text_bytes, call->text);
  size_t bytes = frame_text(frames, text, (size_t)length);
  if (ending->act == CANCEL && ending->when == AT_ONCE) {
    call->cancel = UNANSWERED;
    bytes += add_cancel(frames + bytes, call, slot);
  }
  if (ending->act == LEAVE && ending->when == AT_ONCE) connection->leaving = 1;
  ways[ending - endings] += 1;
  call->began_ns = now_ns();
  send_all(connection->channel.fd, frames, bytes);
  if (begun % (total < 100 ? 1 : total / 100) == 0) {
    printf("at %llu\n", (unsigned long long)begun);
    fflush(stdout);
  }
}

/* The inside of the string that is member `name`, its escapes as they came; its length, or -1 without it. */
static long string_member(const char *text, size_t length, const char *name, const char **value) {
  size_t count = strlen(name);
  const char *at = memmem(text, length, name, count);
  if (at == NULL) return -1;
  const char *begin = at + count, *end = begin, *limit = text + length;
  while (end < limit && *end != '"') end += *end == '\\' ? 2 : 1;
  *value = begin;
  return end < limit ? end - begin : -1;
}

static result result_of(const char *text, size_t length) {
  static const struct {
    const char *mark;
    result result;
  } marks[] = {
      {"\"code\":\"TIMEOUT\"", TIMED_OUT},           {"\"code\":\"OVER_CAPACITY\"", OVER_CAPACITY},
      {"\"code\":\"VALIDATION_ERROR\"", INVALID},    {"\"code\":\"NOT_FOUND\"", NOT_FOUND},
      {"\"outcome\":\"complete\"", COMPLETE},        {"\"outcome\":\"cancelled\"", CANCELLED},
      {"\"outcome\":\"truncated\"", TRUNCATED},      {"\"code\":\"PROVIDER_ERROR\"", PROVIDER_FAILED},
  };
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    if (memmem(text, length, marks[i].mark, strlen(marks[i].mark)) != NULL) return marks[i].result;
  }
  return UNKNOWN;
}

/* The call that the frame names and that is under way. */
static call *call_of(connection *connection, const char *text, size_t length) {
  const char *id;
  if (string_member(text, length, "\"request_id\":\"", &id) != 14) return NULL;
  uint64_t number = strtoull(id, NULL, 16);
  int slot = id[13] - '0';
  if (slot < 0 || slot >= SLOTS) return NULL;
  call *call = &connection->calls[slot];
  return call->phase != FREE && call->number == number ? call : NULL;
}

static void finish(call *call) {
  call->phase = FREE;
  ended += 1;
  if (call->cancel == TAKEN && call->result != CANCELLED) fault(call, "a cancel was taken and did nothing", "", 0);
  if (call->cancel == TOO_LATE && call->result == CANCELLED) fault(call, "a cancel came too late and was done", "", 0);
}

static void take_delta(call *call, const char *text, size_t length) {
  const char *value;
  char expected[32];
  snprintf(expected, sizeof expected, "\"seq\":%u,", call->deltas++);
  if (call->phase != RUNNING) return fault(call, "a delta outside of its call", text, length);
  if (memmem(text, length, expected, strlen(expected)) == NULL) fault(call, "a delta out of order", text, length);
  long count = string_member(text, length, "\"text\":\"", &value);
  if (count < 0 || call->joined_bytes + (size_t)count > sizeof call->joined) {
    return fault(call, "a bad delta", text, length);
  }
  memcpy(call->joined + call->joined_bytes, value, (size_t)count);
  call->joined_bytes += (size_t)count;
}

/* The text of a result: the member after `outputs`, which holds the same. */
static long result_text(const char *text, size_t length, const char **value) {
  static const char mark[] = "],\"text\":\"";
  return string_member(text, length, mark, value);
}

static void judge(call *call, const char *text, size_t length) {
  unsigned allowed = call->ending->allowed;
  const char *value = "";
  int is_broken = call->crashes != crashes || (crashes & 1);
  uint64_t took = now_ns() - call->began_ns;
  if (strcmp(call->ending->model, FAULTY) == 0) {
    allowed |= IS(OVER_CAPACITY); /* more are asked for than it has room for, and its queue is full */
    if (is_broken) allowed |= IS(PROVIDER_FAILED) | IS(TRUNCATED);
  }
  if ((allowed & IS(call->result)) == 0) return fault(call, "a wrong result", text, length);
  if ((call->ending->allowed & IS(PROVIDER_FAILED)) == 0 && is_broken &&
      (call->result == PROVIDER_FAILED || call->result == TRUNCATED)) {
    broken += 1;
    if (!crash_seen && (crashes & 1)) {
      crash_seen = 1;
      printf("broken\n");
      fflush(stdout);
    }
  }
  int was_refused = call->result == OVER_CAPACITY || call->result == INVALID || call->result == NOT_FOUND;
  int may_end_queued = call->result == CANCELLED || call->result == TIMED_OUT;
  if (was_refused && call->phase != ASKED) fault(call, "an ack before a refusal", text, length);
  if (!was_refused && !may_end_queued && call->phase != RUNNING) fault(call, "a result without an ack", text, length);
  if (was_refused || call->phase == ASKED) return;
  long count = result_text(text, length, &value);
  if (call->result == COMPLETE &&
      (count != (long)call->text_bytes || memcmp(value, call->text, call->text_bytes) != 0)) {
    fault(call, "another answer than was asked for", text, length);
  }
  if (call->ending->streams && (count != (long)call->joined_bytes || memcmp(value, call->joined, (size_t)count) != 0)) {
    fault(call, "deltas that are not the text", text, length);
  }
  if (call->result == TIMED_OUT && took < call->timeout_ns) fault(call, "an early TIMEOUT", text, length);
  if (call->result == TIMED_OUT && took - call->timeout_ns > slowest_ns) slowest_ns = took - call->timeout_ns;
}

static int begins(const char *text, size_t length, const char *start) {
  return length >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

static void received(void *context, const char *text, size_t length) {
  connection *connection = context;
  if (connection->leaving) return;
  if (begins(text, length, "{\"op\":\"hello_ack\"")) {
    if (connection->greeted++ || !contains(text, length, "\"ok\":true")) fault(NULL, "an odd hello_ack", text, length);
    return;
  }
  if (begins(text, length, "{\"op\":\"health_res\"")) {
    connection->answered = 1;
    return;
  }
  call *call = call_of(connection, text, length);
  if (call == NULL) return fault(NULL, "a frame of no call that is under way", text, length);
  const ending *ending = call->ending;
  if (begins(text, length, "{\"op\":\"cancel_res\"")) {
    if (call->cancel != UNANSWERED) fault(call, "an answer to no cancel", text, length);
    call->cancel = contains(text, length, "\"ok\":true") ? TAKEN : TOO_LATE;
    if (call->phase == ENDED) finish(call);
  } else if (call->phase == ENDED) {
    fault(call, "a frame after the terminal one", text, length);
  } else if (begins(text, length, "{\"op\":\"call_tool_ack\"")) {
    if (call->phase != ASKED) fault(call, "a second ack", text, length);
    call->phase = RUNNING;
    if (ending->act == CANCEL && ending->when == AFTER_ACK) ask_cancel(connection, call);
    if (ending->act == LEAVE && ending->when == AFTER_ACK) connection->leaving = 1;
  } else if (begins(text, length, "{\"op\":\"delta\"")) {
    take_delta(call, text, length);
    if (ending->act == CANCEL && ending->when == AFTER_DELTA && call->deltas == 1) ask_cancel(connection, call);
    if (ending->act == LEAVE && ending->when == AFTER_DELTA) connection->leaving = 1;
  } else if (begins(text, length, "{\"op\":\"call_tool_res\"")) {
    call->result = result_of(text, length);
    results[ending - endings][call->result] += 1;
    judge(call, text, length);
    call->phase = ENDED;
    if (call->cancel != UNANSWERED) finish(call);
  } else if (!begins(text, length, "{\"op\":\"progress\"")) {
    fault(call, "an odd frame", text, length);
  }
}

static void watch(connection *connection) {
  connection->greeted = connection->leaving = 0;
  channel_begin(&connection->channel, port);
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(poll, EPOLL_CTL_ADD, connection->channel.fd, &interest) != 0) fail("epoll_ctl");
}

/* Leaves with all that is under way, and comes again. */
static void leave(connection *connection) {
  for (int slot = 0; slot < SLOTS; slot++) {
    call *call = &connection->calls[slot];
    if (call->phase == FREE) continue;
    if (call->ending->act != LEAVE) abandoned += 1;
    call->phase = FREE;
    ended += 1;
  }
  channel_leave(&connection->channel, (int)(begun & 1));
  watch(connection);
}

/* Gives every free slot its next call. */
static void fill(connection *connection) {
  for (int slot = 0; slot < SLOTS && connection->greeted && begun < total && !connection->leaving; slot++) {
    if (connection->calls[slot].phase == FREE) begin_call(connection, slot);
  }
  if (connection->leaving) leave(connection);
}

static void print_report(void) {
  printf("{\"calls\":%llu,\"abandoned\":%llu,\"broken\":%llu,\"faults\":%llu,\"timeout_late_ms\":%.1f,\"endings\":{",
         (unsigned long long)ended, (unsigned long long)abandoned, (unsigned long long)broken,
         (unsigned long long)faults, (double)slowest_ns / 1e6);
  for (int i = 0; i < ENDINGS; i++) {
    printf("%s\"%s\":{\"asked\":%llu", i > 0 ? "," : "", endings[i].name, (unsigned long long)ways[i]);
    for (int j = 0; j < RESULTS; j++) {
      if (results[i][j] > 0) printf(",\"%s\":%llu", result_names[j], (unsigned long long)results[i][j]);
    }
    printf("}");
  }
  printf("}}\n");
}

static void commands(void) {
  char lines[64];
  ssize_t got = read(STDIN_FILENO, lines, sizeof lines - 1);
  if (got <= 0) exit(1);
  if (begins(lines, (size_t)got, "crash")) {
    crashes += 1;
    crash_calls = crash_seen = 0;
    printf("crash\n");
    fflush(stdout);
  } else if (begins(lines, (size_t)got, "whole")) {
    crashes += 1;
  } else if (begins(lines, (size_t)got, "end")) {
    print_report();
    exit(faults > 0);
  }
}

/* Whether every call has ended, and whether then every connection has answered once more; says so the first time. */
static void look_for_the_end(void) {
  static int asked;
  static const char text[] = "{\"op\":\"health\"}";
  uint8_t frame[sizeof text + FRAME_HEAD_BYTES];
  if (is_over || begun < total || ended < total) return;
  int answered = 1;
  for (int i = 0; i < connection_count; i++) {
    if (!connections[i].greeted) return;
    answered &= connections[i].answered;
  }
  for (int i = 0; i < connection_count && !asked; i++) {
    send_all(connections[i].channel.fd, frame, frame_text(frame, text, sizeof text - 1));
  }
  asked = 1;
  if (!answered) return;
  is_over = 1;
  printf("over\n");
  fflush(stdout);
}

static void look_for_stuck_calls(void) {
  uint64_t now = now_ns();
  for (int i = 0; i < connection_count; i++) {
    for (int slot = 0; slot < SLOTS; slot++) {
      call *call = &connections[i].calls[slot];
      if (call->phase == FREE || now - call->began_ns < STUCK_NS) continue;
      fault(call, "a call without an end", call->text, call->text_bytes);
      exit(1);
    }
  }
}

int main(int count, char **arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: endings PORT CALLS CONNECTIONS SEED\n");
    return 2;
  }
  port = atoi(arguments[1]);
  total = strtoull(arguments[2], NULL, 10);
  connection_count = atoi(arguments[3]);
  seed = strtoull(arguments[4], NULL, 10);
  make_pool();
  poll = epoll_create1(EPOLL_CLOEXEC);
  connections = calloc((size_t)connection_count, sizeof *connections);
  if (connections == NULL) fail("memory");
  for (int i = 0; i < connection_count; i++) watch(&connections[i]);
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &interest) != 0) fail("epoll_ctl");
  uint64_t looked_ns = now_ns();
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, 1000);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
      connection *connection = events[i].data.ptr;
      if (connection == NULL) {
        commands();
        continue;
      }
      channel_read(&connection->channel, received, connection);
      fill(connection);
    }
    look_for_the_end();
    if (now_ns() - looked_ns < 1000000000u) continue;
    look_for_stuck_calls();
    looked_ns = now_ns();
  }
}
