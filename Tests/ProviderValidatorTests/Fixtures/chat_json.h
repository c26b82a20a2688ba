/* Just enough JSON and UTF-8 for chat_sample.c: every function stays within [p, end) and answers NULL or 0 for what is
   malformed. */
#ifndef CHAT_JSON_H
#define CHAT_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const char *json_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
  return p;
}

/* The place behind the string at p. */
static const char *json_string_end(const char *p, const char *end) {
  if (p >= end || *p != '"') return NULL;
  for (p++; p < end && *p != '"'; p++)
    if (*p == '\\') p++;
  return p < end ? p + 1 : NULL;
}

/* The place behind the value at p; brackets are counted, not matched. */
static const char *json_end(const char *p, const char *end) {
  int depth = 0;
  while (p < end) {
    if (*p == '"') {
      p = json_string_end(p, end);
      if (!p) return NULL;
      if (depth == 0) return p;
      continue;
    }
    if (*p == '{' || *p == '[') depth++;
    if (*p == '}' || *p == ']') depth--;
    if (depth < 0) return NULL;
    p++;
    if (depth == 0 && (p == end || *p == ',' || *p == '}' || *p == ']' || p[-1] == '}' || p[-1] == ']')) return p;
  }
  return NULL;
}

/* The value of a member of the object at p. */
static const char *json_member(const char *p, const char *end, const char *name) {
  if (!p || (p = json_space(p, end)) >= end || *p != '{') return NULL;
  p = json_space(p + 1, end);
  while (p < end && *p == '"') {
    const char *key = p, *key_end = json_string_end(p, end);
    if (!key_end) return NULL;
    p = json_space(key_end, end);
    if (p >= end || *p != ':') return NULL;
    p = json_space(p + 1, end);
    if ((size_t)(key_end - key) == strlen(name) + 2 && memcmp(key + 1, name, strlen(name)) == 0) return p;
    p = json_end(p, end);
    if (!p) return NULL;
    p = json_space(p, end);
    if (p >= end || *p != ',') return NULL;
    p = json_space(p + 1, end);
  }
  return NULL;
}

/* The first element of the array at p; NULL when it has none. */
static const char *json_first(const char *p, const char *end) {
  if (!p || (p = json_space(p, end)) >= end || *p != '[') return NULL;
  p = json_space(p + 1, end);
  return p < end && *p != ']' ? p : NULL;
}

/* The element after the one at p. */
static const char *json_next(const char *p, const char *end) {
  p = p ? json_end(p, end) : NULL;
  if (!p || (p = json_space(p, end)) >= end || *p != ',') return NULL;
  return json_space(p + 1, end);
}

static uint64_t json_number(const char *p, const char *end) {
  uint64_t number = 0;
  for (; p && p < end && *p >= '0' && *p <= '9' && number < 1000000000; p++) number = number * 10 + (uint64_t)(*p - '0');
  return number;
}

static int json_hex(const char *p, const char *end, uint32_t *value) {
  *value = 0;
  if (end - p < 4) return 0;
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return 0;
    *value = *value << 4 | (uint32_t)digit;
  }
  return 1;
}

static char *json_put(char *out, uint32_t c) {
  if (c < 0x80) {
    *out++ = (char)c;
  } else if (c < 0x800) {
    *out++ = (char)(0xC0 | c >> 6);
    *out++ = (char)(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out++ = (char)(0xE0 | c >> 12);
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    *out++ = (char)(0x80 | (c & 0x3F));
  } else {
    *out++ = (char)(0xF0 | c >> 18);
    *out++ = (char)(0x80 | (c >> 12 & 0x3F));
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    *out++ = (char)(0x80 | (c & 0x3F));
  }
  return out;
}

/* Writes the string at p without its escapes to out, which is as long as the string; returns the bytes, -1 when it is
   malformed. A surrogate without its other half becomes U+FFFD. */
static long json_text(const char *p, const char *end, char *out) {
  const char *string_end = json_string_end(p, end);
  char *start = out;
  if (!string_end) return -1;
  for (p++, end = string_end - 1; p < end; p++) {
    if (*p != '\\') { *out++ = *p; continue; }
    if (++p >= end) return -1;
    uint32_t c, low;
    const char *plain = strchr("b\bf\fn\nr\rt\t\"\"\\\\//", *p);
    if (*p != 'u') {
      if (!plain) return -1;
      *out++ = plain[1];
      continue;
    }
    if (!json_hex(p + 1, end, &c)) return -1;
    p += 4;
    if (c >> 10 == 0x36 && end - p > 6 && p[1] == '\\' && p[2] == 'u' && json_hex(p + 3, end, &low) && low >> 10 == 0x37) {
      c = 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
      p += 6;
    } else if (c >> 11 == 0x1B) {
      c = 0xFFFD;
    }
    out = json_put(out, c);
  }
  return out - start;
}

/* Whether bytes are UTF-8 (RFC 3629). */
static int is_utf8(const char *text, size_t count) {
  const unsigned char *p = (const unsigned char *)text, *end = p + count;
  while (p < end) {
    unsigned char c = *p++;
    int tail = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : -1;
    if (tail < 0 || end - p < tail) return 0;
    if ((c == 0xE0 && *p < 0xA0) || (c == 0xED && *p > 0x9F) || (c == 0xF0 && *p < 0x90) || (c == 0xF4 && *p > 0x8F))
      return 0;
    for (; tail > 0; tail--, p++)
      if (*p >> 6 != 2) return 0;
  }
  return 1;
}

#endif
