/* Shows ThreadSanitizer what a contended Swift Mutex orders.

   The fast path of Synchronization.Mutex is inlined and so instrumented; its slow path waits in the toolchain's
   libswiftSynchronization, which is not, and every contended lock would look like a race. Loaded before that library,
   these two functions call the real ones and tell the sanitizer: what came before the unlock is seen after the lock.
   `make tsan` builds and preloads it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

/* Synchronization._MutexHandle._lockSlow(_:) and _unlockSlow(); `self` is the address of the futex word. */
SWIFT void lock_slow(uint32_t thread, SELF handle) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void unlock_slow(SELF handle) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

static void tell(const char *name, void *address) {
  void (*edge)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, name);
  if (edge != NULL) edge(address); /* null in a process without the sanitizer */
}

static void *next(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

SWIFT void lock_slow(uint32_t thread, SELF handle) {
  SWIFT void (*real)(uint32_t, SELF) =
      (SWIFT void (*)(uint32_t, SELF))next("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
  real(thread, handle);
  tell("__tsan_acquire", handle);
}

SWIFT void unlock_slow(SELF handle) {
  SWIFT void (*real)(SELF) = (SWIFT void (*)(SELF))next("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
  tell("__tsan_release", handle);
  real(handle);
}
