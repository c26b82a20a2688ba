/* The client's half of RFC 6455 that the load programs need: connect, upgrade, hello, masked text frames out,
   unfragmented frames in. Whatever goes wrong ends the program with a sentence. */

#ifndef PATCHBAY_LOAD_WEBSOCKET_H
#define PATCHBAY_LOAD_WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD_BYTES 14

/* The mask of every frame. A fixed one is as much work to remove as a random one. */
static const uint8_t frame_mask[4] = {0x5a, 0xc3, 0x17, 0x8e};

/* One connection and what was received of its unfinished frame. */
typedef struct channel {
  int fd;
  int upgrading; /* the answer to the upgrade is still to come */
  uint8_t *input;
  size_t length, capacity;
} channel;

typedef void (*message_handler)(void *context, const char *text, size_t length);

uint64_t now_ns(void);
_Noreturn void fail(const char *what);
int tcp_connect(int port, int source); /* blocking; 127.0.0.x by `source`, TCP_NODELAY */
void channel_open(channel *channel, int port, int source, int hello);
void channel_nonblocking(channel *channel);
/* Opens without waiting for answers: channel_read says hello when it may, and the first message is the hello_ack. */
void channel_begin(channel *channel, int port);
/* Leaves without a close frame, by a FIN or a RST, and forgets what was received. */
void channel_leave(channel *channel, int reset);
/* Writes a text frame into `frame`, which holds FRAME_HEAD_BYTES more than the text; returns its length. */
size_t frame_text(uint8_t *frame, const char *text, size_t length);
/* Overwrites `length` bytes at `offset` of the text in a frame made by frame_text. */
void frame_patch(uint8_t *frame, size_t text_offset, size_t offset, const char *text, size_t length);
size_t frame_text_offset(size_t length);
void send_all(int fd, const void *bytes, size_t length);
/* Reads what there is and hands over each whole message; returns the bytes read. */
size_t channel_read(channel *channel, message_handler handler, void *context);
/* Blocks until one message came and copies its start. */
void channel_wait(channel *channel, char *text, size_t capacity);
int contains(const char *text, size_t length, const char *word);

#endif
