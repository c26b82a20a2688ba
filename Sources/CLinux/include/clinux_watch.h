// Watches what system calls a thread makes, and the threads it starts, without changing what they do: a seccomp filter
// tells a thread of ours, which notes the call and lets it go on (seccomp_unotify(2); Linux 5.5).
#ifndef PATCHBAY_CLINUX_WATCH_H
#define PATCHBAY_CLINUX_WATCH_H

#include <stddef.h>
#include <stdint.h>

// Groups of system calls.
enum {
  CLINUX_WATCH_FILES = 1,       // opening, making, removing
  CLINUX_WATCH_NETWORK = 2,     // sockets that are no pair
  CLINUX_WATCH_TASKS = 4,       // threads, processes, programs
  CLINUX_WATCH_SIGNALS = 8,     // signal handlers
  CLINUX_WATCH_OUTPUT = 16,     // writing to descriptors 1 and 2
  CLINUX_WATCH_PLACE = 32,      // the working directory, umask
  CLINUX_WATCH_PROCESSES = 64,  // processes and programs, without threads
};

// Watches the calling thread from now on, and those it starts. Once per process, for good. 0, or an errno.
int clinux_watch_begin(uint32_t groups);

// How many calls were noted so far.
uint32_t clinux_watch_count(void);

// Writes call number `index` as text, "openat(/etc/hosts)", NUL-terminated; the length, or 0 when it is no longer known:
// the first 64 are.
size_t clinux_watch_text(uint32_t index, char *text, size_t capacity);

#endif
