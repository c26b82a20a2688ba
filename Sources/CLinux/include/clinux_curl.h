// The part of libcurl's binary interface that the host uses, declared here so that building needs no curl headers.
// Numbers and layouts are those libcurl.so.4 has kept since they were introduced; each is named as in curl's manual.
// libcurl is opened at run time: functions arrive as `void *` from dlsym, and its variadic ones are called through the
// typed wrappers below, since Swift cannot call variadic C functions.
#ifndef PATCHBAY_CLINUX_CURL_H
#define PATCHBAY_CLINUX_CURL_H

#include <stddef.h>
#include <stdint.h>

// Options of an easy handle. The ten-thousands say the type: 0 long, 1 pointer, 2 function, 3 64-bit offset.
enum {
  CLINUX_CURLOPT_WRITEDATA = 10001,
  CLINUX_CURLOPT_URL = 10002,
  CLINUX_CURLOPT_ERRORBUFFER = 10010,
  CLINUX_CURLOPT_HTTPHEADER = 10023,
  CLINUX_CURLOPT_HEADERDATA = 10029,
  CLINUX_CURLOPT_CUSTOMREQUEST = 10036,
  CLINUX_CURLOPT_PRIVATE = 10103,
  CLINUX_CURLOPT_COPYPOSTFIELDS = 10165,
  CLINUX_CURLOPT_PREREQDATA = 10313,
  CLINUX_CURLOPT_NOBODY = 44,
  CLINUX_CURLOPT_POST = 47,
  CLINUX_CURLOPT_FOLLOWLOCATION = 52,
  CLINUX_CURLOPT_HTTPGET = 80,
  CLINUX_CURLOPT_HTTP_VERSION = 84,
  CLINUX_CURLOPT_BUFFERSIZE = 98,
  CLINUX_CURLOPT_NOSIGNAL = 99,
  CLINUX_CURLOPT_TCP_NODELAY = 121,
  CLINUX_CURLOPT_CONNECTTIMEOUT_MS = 156,
  CLINUX_CURLOPT_PROTOCOLS = 181,
  CLINUX_CURLOPT_TCP_KEEPALIVE = 213,
  CLINUX_CURLOPT_TCP_KEEPIDLE = 214,
  CLINUX_CURLOPT_TCP_KEEPINTVL = 215,
  CLINUX_CURLOPT_SUPPRESS_CONNECT_HEADERS = 265,
  CLINUX_CURLOPT_QUICK_EXIT = 322,
  CLINUX_CURLOPT_WRITEFUNCTION = 20011,
  CLINUX_CURLOPT_HEADERFUNCTION = 20079,
  CLINUX_CURLOPT_PREREQFUNCTION = 20312,
  CLINUX_CURLOPT_POSTFIELDSIZE_LARGE = 30120,
};

enum {
  CLINUX_CURLMOPT_SOCKETFUNCTION = 20001,
  CLINUX_CURLMOPT_SOCKETDATA = 10002,
  CLINUX_CURLMOPT_PIPELINING = 3,
  CLINUX_CURLMOPT_TIMERFUNCTION = 20004,
  CLINUX_CURLMOPT_TIMERDATA = 10005,
  CLINUX_CURLMOPT_MAXCONNECTS = 6,
};

enum {
  CLINUX_CURLINFO_PRIVATE = 0x100015,
  CLINUX_CURLINFO_NUM_CONNECTS = 0x20001A,
};

enum {
  CLINUX_CURLE_OK = 0,
  CLINUX_CURLE_UNSUPPORTED_PROTOCOL = 1,
  CLINUX_CURLE_URL_MALFORMAT = 3,
  CLINUX_CURLE_WEIRD_SERVER_REPLY = 8,
  CLINUX_CURLE_OUT_OF_MEMORY = 27,
  CLINUX_CURLE_OPERATION_TIMEDOUT = 28,
  CLINUX_CURLE_BAD_CONTENT_ENCODING = 61,
  CLINUX_CURLE_TOO_LARGE = 100,
};

enum { CLINUX_CURL_GLOBAL_DEFAULT = 3 };
enum { CLINUX_CURL_HTTP_VERSION_1_1 = 2 };
enum { CLINUX_CURLPROTO_HTTP = 1, CLINUX_CURLPROTO_HTTPS = 2 };
enum { CLINUX_CURLPAUSE_CONT = 0, CLINUX_CURLPAUSE_RECV = 1 };
enum { CLINUX_CURL_WRITEFUNC_PAUSE = 0x10000001 };
enum { CLINUX_CURL_SOCKET_TIMEOUT = -1 };
enum { CLINUX_CURL_CSELECT_IN = 1, CLINUX_CURL_CSELECT_OUT = 2, CLINUX_CURL_CSELECT_ERR = 4 };
enum { CLINUX_CURL_POLL_IN = 1, CLINUX_CURL_POLL_OUT = 2, CLINUX_CURL_POLL_INOUT = 3, CLINUX_CURL_POLL_REMOVE = 4 };
enum { CLINUX_CURLMSG_DONE = 1 };
enum { CLINUX_CURL_ERROR_SIZE = 256 };

// CURLMsg.
typedef struct clinux_curl_message {
  int kind;
  void *easy;
  union {
    void *whatever;
    int result;
  } data;
} clinux_curl_message;

// The head of curl_version_info_data.
typedef struct clinux_curl_version {
  int age;
  const char *version;
  unsigned number; // 0x075801 is 7.88.1
} clinux_curl_version;

typedef size_t (*clinux_curl_data_function)(char *bytes, size_t size, size_t count, void *user);
typedef int (*clinux_curl_prereq_function)(void *user, char *remote_ip, char *local_ip, int remote_port, int local_port);
typedef int (*clinux_curl_socket_function)(void *easy, int descriptor, int what, void *user, void *socket_user);
typedef int (*clinux_curl_timer_function)(void *multi, long milliseconds, void *user);

typedef int (*clinux_curl_setter)(void *handle, int option, ...);

// Each sets one option of an easy or a multi handle; `setter` is curl_easy_setopt or curl_multi_setopt.
static inline int clinux_curl_set_long(clinux_curl_setter setter, void *handle, int option, long value) {
  return setter(handle, option, value);
}

static inline int clinux_curl_set_offset(clinux_curl_setter setter, void *handle, int option, int64_t value) {
  return setter(handle, option, value);
}

static inline int clinux_curl_set_pointer(clinux_curl_setter setter, void *handle, int option, const void *value) {
  return setter(handle, option, value);
}

static inline int clinux_curl_set_data_function(clinux_curl_setter setter, void *handle, int option,
                                                clinux_curl_data_function value) {
  return setter(handle, option, value);
}

static inline int clinux_curl_set_prereq_function(clinux_curl_setter setter, void *handle, int option,
                                                  clinux_curl_prereq_function value) {
  return setter(handle, option, value);
}

static inline int clinux_curl_set_socket_function(clinux_curl_setter setter, void *handle, int option,
                                                  clinux_curl_socket_function value) {
  return setter(handle, option, value);
}

static inline int clinux_curl_set_timer_function(clinux_curl_setter setter, void *handle, int option,
                                                 clinux_curl_timer_function value) {
  return setter(handle, option, value);
}

// Read one fact of an easy handle; `getter` is curl_easy_getinfo.
static inline int clinux_curl_get_long(clinux_curl_setter getter, void *easy, int info, long *value) {
  return getter(easy, info, value);
}

static inline int clinux_curl_get_pointer(clinux_curl_setter getter, void *easy, int info, void **value) {
  return getter(easy, info, value);
}

// A setter out of dlsym: Swift cannot name the type of a variadic function.
static inline clinux_curl_setter clinux_curl_setter_from(void *symbol) { return (clinux_curl_setter)symbol; }

#endif
