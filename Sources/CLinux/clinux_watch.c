#define _GNU_SOURCE
#include "clinux_watch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// `path`: which argument is a path, or -1.
typedef struct watched {
  int number;
  uint32_t group;
  int path;
  const char *name;
} watched;

static const watched table[] = {
    {SYS_openat, CLINUX_WATCH_FILES, 1, "openat"},
    {SYS_openat2, CLINUX_WATCH_FILES, 1, "openat2"},
    {SYS_mkdirat, CLINUX_WATCH_FILES, 1, "mkdirat"},
    {SYS_unlinkat, CLINUX_WATCH_FILES, 1, "unlinkat"},
    {SYS_renameat2, CLINUX_WATCH_FILES, 1, "renameat2"},
    {SYS_memfd_create, CLINUX_WATCH_FILES, 0, "memfd_create"},
#ifdef SYS_open
    {SYS_open, CLINUX_WATCH_FILES, 0, "open"},
    {SYS_creat, CLINUX_WATCH_FILES, 0, "creat"},
    {SYS_mkdir, CLINUX_WATCH_FILES, 0, "mkdir"},
    {SYS_unlink, CLINUX_WATCH_FILES, 0, "unlink"},
    {SYS_rename, CLINUX_WATCH_FILES, 0, "rename"},
#endif
    {SYS_socket, CLINUX_WATCH_NETWORK, -1, "socket"},
    {SYS_connect, CLINUX_WATCH_NETWORK, -1, "connect"},
    {SYS_clone, CLINUX_WATCH_TASKS | CLINUX_WATCH_PROCESSES, -1, "clone"},
    {SYS_clone3, CLINUX_WATCH_TASKS | CLINUX_WATCH_PROCESSES, -1, "clone3"},
    {SYS_execve, CLINUX_WATCH_TASKS | CLINUX_WATCH_PROCESSES, 0, "execve"},
    {SYS_execveat, CLINUX_WATCH_TASKS | CLINUX_WATCH_PROCESSES, 1, "execveat"},
#ifdef SYS_fork
    {SYS_fork, CLINUX_WATCH_TASKS | CLINUX_WATCH_PROCESSES, -1, "fork"},
    {SYS_vfork, CLINUX_WATCH_TASKS | CLINUX_WATCH_PROCESSES, -1, "vfork"},
#endif
    {SYS_rt_sigaction, CLINUX_WATCH_SIGNALS, -1, "rt_sigaction"},
    {SYS_write, CLINUX_WATCH_OUTPUT, -1, "write"},
    {SYS_writev, CLINUX_WATCH_OUTPUT, -1, "writev"},
    {SYS_chdir, CLINUX_WATCH_PLACE, 0, "chdir"},
    {SYS_fchdir, CLINUX_WATCH_PLACE, -1, "fchdir"},
    {SYS_umask, CLINUX_WATCH_PLACE, -1, "umask"},
};

enum { TABLE = sizeof table / sizeof table[0], NOTES = 64, TEXT = 128 };

static char notes[NOTES][TEXT];
static _Atomic uint32_t count;
static _Atomic int listener = -1;
static _Atomic int was_begun;
static uint32_t watched_groups;

static const watched *find(int number) {
  for (int i = 0; i < TABLE; i++)
    if (table[i].number == number) return &table[i];
  return NULL;
}

// A text of our own process that may not be there: the kernel copies it, or not.
static void read_text(uint64_t address, char *text, size_t capacity) {
  text[0] = 0;
  struct iovec to = {text, capacity - 1}, from = {(void *)(uintptr_t)address, capacity - 1};
  ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
  if (got < 0) {  // it may end at a page that is not ours
    from.iov_len = to.iov_len = 4096 - (address & 4095) < capacity ? 4096 - (address & 4095) : capacity - 1;
    got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
  }
  text[got > 0 ? got : 0] = 0;
}

// Whether the call makes a thread; only clone and clone3 can.
static int makes_thread(const struct seccomp_notif *call) {
  uint64_t flags = call->data.args[0];
  if (call->data.nr == SYS_clone3) {
    // Its first member. Only libraries of the system call clone3, with memory that is there.
    memcpy(&flags, (const void *)(uintptr_t)call->data.args[0], sizeof flags);
  } else if (call->data.nr != SYS_clone) {
    return 0;
  }
  return (flags & CLONE_THREAD) != 0;
}

static void note(const struct seccomp_notif *call) {
  const watched *watched = find(call->data.nr);
  if (!(watched_groups & CLINUX_WATCH_TASKS) && makes_thread(call)) return;
  uint32_t index = atomic_load(&count);
  if (watched && index < NOTES) {
    char argument[96];
    if (watched->path >= 0) read_text(call->data.args[watched->path], argument, sizeof argument);
    else snprintf(argument, sizeof argument, "%d", (int)call->data.args[0]);
    snprintf(notes[index], TEXT, "%s(%s)", watched->name, argument);
  }
  atomic_store(&count, index + 1);
}

static void *serve(void *argument) {
  (void)argument;
  while (atomic_load(&listener) == -1) sched_yield();
  int descriptor = atomic_load(&listener);
  while (descriptor >= 0) {
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(descriptor, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
      if (errno == EINTR || errno == ENOENT) continue;
      break;
    }
    note(&call);
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(descriptor, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  return NULL;
}

static int write_filter(struct sock_filter *filter, uint32_t groups) {
  int length = 0;
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < TABLE; i++) {
    if (!(table[i].group & groups)) continue;
    if (table[i].group == CLINUX_WATCH_OUTPUT) {
      filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)table[i].number, 0, 5);
      filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
      filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0);
      filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1);
      filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
      filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    } else {
      filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)table[i].number, 0, 1);
      filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  return length;
}

int clinux_watch_begin(uint32_t groups) {
  if (atomic_exchange(&was_begun, 1)) return EBUSY;
  watched_groups = groups;
  // The thread that serves comes first: nobody would let its own start go on.
  pthread_t server;
  int code = pthread_create(&server, NULL, serve, NULL);
  if (code != 0) return code;
  struct sock_filter filter[TABLE * 6 + 2];
  struct sock_fprog program = {.len = (unsigned short)write_filter(filter, groups), .filter = filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int descriptor =
      (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  code = errno;
  atomic_store(&listener, descriptor >= 0 ? descriptor : -2);
  pthread_detach(server);
  return descriptor >= 0 ? 0 : code;
}

uint32_t clinux_watch_count(void) { return atomic_load(&count); }

size_t clinux_watch_text(uint32_t index, char *text, size_t capacity) {
  if (index >= NOTES || index >= atomic_load(&count) || capacity == 0) return 0;
  int length = snprintf(text, capacity, "%s", notes[index]);
  return length < 0 ? 0 : (size_t)length < capacity ? (size_t)length : capacity - 1;
}
