/* What the sample says of itself. */

static int32_t create(const prv_plugin *, prv_str, const prv_host *, prv_str, prv_provider *, prv_sink);

#ifdef BREAK_SCHEMA
#define LIMIT_DEFAULT "99"
#else
#define LIMIT_DEFAULT "5"
#endif

#if defined(BREAK_TOOL_SCHEMA) || defined(BREAK_TOOL_FILES) || defined(BREAK_TOOL_NAME)
#define HAS_TOOLS
#ifdef BREAK_TOOL_SCHEMA
#define TOOL_SCHEMA "{\"type\": \"array\"}"
#else
#define TOOL_SCHEMA "{\"type\": \"object\", \"properties\": {\"papers\": {\"type\": \"string\"}}}"
#endif
#ifdef BREAK_TOOL_NAME
#define TOOL_NAME "another_read"
#else
#define TOOL_NAME "sample_read"
#endif
static const prv_tool tools[] = {{.size = sizeof(prv_tool), .provider_id = PRV_LITERAL("sample"),
                                  .name = PRV_LITERAL(TOOL_NAME), .description = PRV_LITERAL("Reads."),
                                  .input_schema_json = PRV_LITERAL(TOOL_SCHEMA)}};
static const prv_tools_v1 tools_table = {
    .size = sizeof tools_table, .tools = tools, .tool_count = 1, .tool_stride = sizeof tools[0]};
static const prv_file_argument files[] = {
    {.size = sizeof files[0], .tool = PRV_LITERAL(TOOL_NAME), .argument = PRV_LITERAL("papers"), .max_count = 1}};
static const prv_files_v1 files_table = {
    .size = sizeof files_table, .arguments = files, .argument_count = 1, .argument_stride = sizeof files[0]};
#endif

#if defined(BREAK_EXTENSION) || defined(HAS_TOOLS)
#define HAS_EXTENSIONS
static int is_extension(prv_str id, const char *name) {
  return id.len == strlen(name) && memcmp(id.ptr, name, id.len) == 0;
}

static const void *get_extension(const prv_plugin *plugin, prv_str id) {
  (void)plugin;
#ifdef HAS_TOOLS
  if (is_extension(id, PRV_EXTENSION_TOOLS)) return &tools_table;
#ifdef BREAK_TOOL_FILES
  if (is_extension(id, PRV_EXTENSION_FILES)) return &files_table;
#endif
#else
  static const uint32_t everything[2] = {sizeof(uint32_t[2]), 0};
  if (!is_extension(id, PRV_EXTENSION_TOOLS) && !is_extension(id, PRV_EXTENSION_FILES)) return everything;
#endif
  return NULL;
}
#endif

static const prv_str required[] = {PRV_LITERAL("prv.thread-check/1")};
static const prv_str optional[] = {PRV_LITERAL("prv.http/1"), PRV_LITERAL("prv.http/1")};
static const prv_str strangers[] = {PRV_LITERAL("prv.telepathy/1")};

static const prv_provider_desc providers[] = {
    {
        .size = sizeof(prv_provider_desc),
        .id = PRV_LITERAL(PROVIDER),
#ifndef BREAK_DISPLAY_NAME
        .display_name = PRV_LITERAL("Sample"),
#endif
#ifdef BREAK_CAPABILITIES
        .capabilities = PRV_CAN_CHAT | 1ull << 40,
#else
        .capabilities = PRV_CAN_CHAT,
#endif
        .config_schema_json = PRV_LITERAL(
            "{\"type\": \"object\", \"properties\": {"
            "\"limit\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 10, \"default\": " LIMIT_DEFAULT "},"
            "\"mode\": {\"type\": \"string\", \"enum\": [\"fast\", \"slow\"]}}}"),
#ifdef BREAK_BASE_URL
        .default_base_url = PRV_LITERAL("ftp://example.org/v1"),
#endif
#ifdef BREAK_REQUIRED_SERVICE
        .required_services = required,
        .required_service_count = 1,
#elif defined(BREAK_STRANGE_SERVICE)
        .required_services = strangers,
        .required_service_count = 1,
#endif
#ifdef BREAK_SERVICE_TWICE
        .optional_services = optional,
        .optional_service_count = 2,
#elif defined(BREAK_OPTIONAL_SERVICE)
        .optional_services = optional,
        .optional_service_count = 1,
#endif
#ifdef BREAK_LIMITS
        .temperature_max = -0.5,
#endif
#ifdef BREAK_MODELS
        .models_json = PRV_LITERAL("[{\"id\": \"sample-1\"}, {\"id\": \"sample-2\", \"aliases\": [\"sample-1\"]}]"),
#else
        .models_json = PRV_LITERAL("[{\"id\": \"sample-1\", \"context_tokens\": 1000}]"),
#endif
    },
#ifdef BREAK_PROVIDER_TWICE
    {.size = sizeof(prv_provider_desc), .id = PRV_LITERAL(PROVIDER), .display_name = PRV_LITERAL("Again"),
     .capabilities = PRV_CAN_CHAT},
#endif
};

#define ABOUT(the_name)                                                                                          \
  {                                                                                                              \
    .size = DESCRIPTOR_SIZE, .abi_minor = PRV_ABI_MINOR, .id = PRV_LITERAL(PLUGIN_ID), .name = PRV_LITERAL(the_name), \
    .vendor = PRV_LITERAL("Example"), .version = PRV_LITERAL(VERSION), .toolchain = PRV_LITERAL("cc"),                \
    .providers = providers, .provider_count = sizeof providers / sizeof providers[0],                            \
    .provider_stride = sizeof providers[0], .create = create, EXTENSION                                          \
  }

#ifdef BREAK_DESCRIPTOR_SIZE
#define DESCRIPTOR_SIZE 0
#else
#define DESCRIPTOR_SIZE sizeof(prv_plugin)
#endif
#ifdef BREAK_PLUGIN_ID
#define PLUGIN_ID "Sample"
#elif !defined(PLUGIN_ID)
#define PLUGIN_ID "org.example.sample"
#endif
#ifdef BREAK_VERSION
#define VERSION "1.0"
#else
#define VERSION "1.0.0"
#endif
#ifdef HAS_EXTENSIONS
#define EXTENSION .get_extension = get_extension
#else
#define EXTENSION .get_extension = NULL
#endif

static prv_plugin plugin = ABOUT("Sample");
static const prv_plugin other_plugin = ABOUT("Another sample");

static void change_table(void) { plugin.abi_minor++; }
