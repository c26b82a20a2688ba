// What a process gives up, for good, before it runs code that it does not trust. Plain system calls, in C because their
// structures and numbers are the kernel's. Each returns 0, or the error as a positive number; each only takes away.
#ifndef PATCHBAY_CLINUX_SANDBOX_H
#define PATCHBAY_CLINUX_SANDBOX_H

#include <stdint.h>

// Closes every descriptor from `first` on.
int clinux_close_from(unsigned first);

// Drops every capability: permitted, effective, inheritable, ambient, and bounding as far as the process may.
int clinux_drop_capabilities(void);

// What the kernel's Landlock knows (its ABI); 0: there is none.
int clinux_landlock_version(void);

// From now on files are opened below `paths` only, for reading; no TCP, no signal and no abstract socket reaches another
// domain where the kernel's version knows these. A path that is not there is passed over.
int clinux_landlock_read_only(const char *const *paths, unsigned count);

// From now on the system calls that reach beyond the process fail with EPERM: other processes, programs, sockets,
// changes of files, mounts, kernel settings. Threads may be made, processes not. The header of clinux_sandbox.c's
// table says which.
int clinux_refuse_system_calls(void);

// A descriptor that becomes readable when the child `pid` has ended; negative: the error, negated.
int clinux_pidfd_open(int pid);

#endif
