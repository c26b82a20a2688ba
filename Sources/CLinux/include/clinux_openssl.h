// The part of OpenSSL's binary interface that the host uses, declared here so that building needs no OpenSSL headers.
// Numbers are those of libssl.so.3; each is named as in OpenSSL's manual. The library is opened at run time
// (Sources/Host/TLS/OpenSSL.swift), and its many macros are calls of a few functions with these numbers.
#ifndef PATCHBAY_CLINUX_OPENSSL_H
#define PATCHBAY_CLINUX_OPENSSL_H

#include <stdint.h>

// SSL_CTX_ctrl and SSL_ctrl: what to do.
enum {
  CLINUX_SSL_CTRL_MODE = 33,
  CLINUX_SSL_CTRL_SET_SESS_CACHE_MODE = 44,
  CLINUX_SSL_CTRL_SET_MAX_CERT_LIST = 51,
  CLINUX_SSL_CTRL_SET_TLSEXT_HOSTNAME = 55,
  CLINUX_SSL_CTRL_CLEAR_MODE = 78,
  CLINUX_SSL_CTRL_CHAIN_CERT = 89,
  CLINUX_SSL_CTRL_SET_GROUPS_LIST = 92,
  CLINUX_SSL_CTRL_SET_MIN_PROTO_VERSION = 123,
};

enum {
  CLINUX_SSL_MODE_ENABLE_PARTIAL_WRITE = 0x01,
  CLINUX_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x02,
  CLINUX_SSL_MODE_AUTO_RETRY = 0x04,
  CLINUX_SSL_MODE_NO_AUTO_CHAIN = 0x08,
  CLINUX_SSL_MODE_RELEASE_BUFFERS = 0x10,
};

// SSL_CTX_set_options: bits of 64.
enum {
  CLINUX_SSL_OP_IGNORE_UNEXPECTED_EOF = 1 << 7,
  CLINUX_SSL_OP_NO_TICKET = 1 << 14,
  CLINUX_SSL_OP_NO_COMPRESSION = 1 << 17,
  CLINUX_SSL_OP_NO_RENEGOTIATION = 1 << 30,
};

enum { CLINUX_TLS1_2_VERSION = 0x0303 };
enum { CLINUX_SSL_SESS_CACHE_OFF = 0 };
enum { CLINUX_SSL_VERIFY_NONE = 0, CLINUX_SSL_VERIFY_PEER = 1, CLINUX_SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2 };
enum { CLINUX_SSL_TLSEXT_ERR_OK = 0, CLINUX_SSL_TLSEXT_ERR_ALERT_FATAL = 2 };
enum { CLINUX_X509_V_OK = 0 };

// SSL_get_error.
enum {
  CLINUX_SSL_ERROR_SSL = 1,
  CLINUX_SSL_ERROR_WANT_READ = 2,
  CLINUX_SSL_ERROR_WANT_WRITE = 3,
  CLINUX_SSL_ERROR_SYSCALL = 5,
  CLINUX_SSL_ERROR_ZERO_RETURN = 6,
};

// A packed error is 23 bits of reason below 8 of library.
enum { CLINUX_ERR_LIB_PEM = 9, CLINUX_PEM_R_NO_START_LINE = 108 };

#endif
