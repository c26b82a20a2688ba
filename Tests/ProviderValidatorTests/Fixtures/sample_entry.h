/* The sample's exported function. */

static int32_t refuse(prv_reply *reply, prv_str why) {
#ifndef BREAK_NO_SENTENCE
  say(reply->error, why);
#endif
  return PRV_E_INCOMPATIBLE;
}

/* What some plugin somewhere does when it is asked who it is. */
static void misbehave_in_entry(const prv_handshake *handshake, prv_reply *reply) {
  static atomic_int times;
  int first = atomic_fetch_add(&times, 1) == 0;
  (void)first, (void)handshake, (void)reply;
#ifdef BREAK_ENTRY_FILE
  close(open("/etc/hostname", O_RDONLY | O_CLOEXEC));
#endif
#ifdef BREAK_ENTRY_THREAD
  if (first) start_a_thread();
#endif
#ifdef BREAK_ENTRY_ENVIRONMENT
  setenv("SAMPLE_WAS_ASKED", "1", 1);
#endif
#ifdef BREAK_ENTRY_PRINT
  printf("who asks?\n");
#endif
#ifdef BREAK_ENTRY_TIME
  if (first) spend_milliseconds(30);
#endif
#ifdef BREAK_ENTRY_READS
  /* Not asking whether the handshake is long enough to have it. */
  if (*(const volatile uint64_t *)&handshake->host_name.len > 1000) abort();
#endif
#ifdef BREAK_ENTRY_WRITES
  volatile uint64_t *behind = (uint64_t *)(reply + 1);
  *behind = *behind;
#endif
#ifdef BREAK_ENTRY_CRASH
  *(volatile int *)8 = 1;
#endif
}

#ifdef BREAK_OTHER_MAJOR
PRV_EXPORT int32_t prv_plugin_entry_v2(const prv_handshake *handshake, prv_reply *reply) {
#else
int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
#endif
#ifndef BREAK_MAGIC
  if (handshake->magic != PRV_MAGIC) return refuse(reply, TEXT("the host is no Patchbay"));
#endif
#ifndef BREAK_MINIMUM
  if (handshake->min_abi_minor > PRV_ABI_MINOR) return refuse(reply, TEXT("the host asks for a newer minor"));
#endif
#ifdef BREAK_NEWER_MINOR
  if (handshake->abi_minor > PRV_ABI_MINOR) return refuse(reply, TEXT("the host is too new"));
#endif
#ifdef BREAK_ENTRY_REFUSES
  return refuse(reply, TEXT("not today"));
#endif
#ifdef BREAK_NO_DESCRIPTOR
  return PRV_OK;
#endif
  misbehave_in_entry(handshake, reply);
#ifdef BREAK_IDEMPOTENT
  prv_plugin *fresh = malloc(sizeof *fresh);
  *fresh = plugin;
  reply->plugin = fresh;
  return PRV_OK;
#endif
#ifdef BREAK_CONSISTENCY
  if (handshake->flags & PRV_HANDSHAKE_SCAN) {
    reply->plugin = &other_plugin;
    return PRV_OK;
  }
#endif
  reply->plugin = &plugin;
  return PRV_OK;
}
