// The layout of every boundary struct on the platforms Patchbay supports: 64-bit, little-endian (provider_abi.h C1).
// A new field gets its line here; an old line never changes. provider_abi.lock holds the same for the tests.
#include "provider_abi.h"

_Static_assert(sizeof(void *) == 8, "the provider ABI is 64-bit");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the provider ABI is little-endian");

#define BYTES(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has another size than released")
#define AT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " stands elsewhere than released")

BYTES(prv_str, 16);
AT(prv_str, ptr, 0);
AT(prv_str, len, 8);

BYTES(prv_bytes, 16);
AT(prv_bytes, ptr, 0);
AT(prv_bytes, len, 8);

BYTES(prv_sink, 16);
AT(prv_sink, ctx, 0);
AT(prv_sink, write, 8);

BYTES(prv_handshake, 56);
AT(prv_handshake, size, 0);
AT(prv_handshake, flags, 4);
AT(prv_handshake, magic, 8);
AT(prv_handshake, abi_minor, 16);
AT(prv_handshake, min_abi_minor, 20);
AT(prv_handshake, host_name, 24);
AT(prv_handshake, host_version, 40);

BYTES(prv_reply, 32);
AT(prv_reply, size, 0);
AT(prv_reply, flags, 4);
AT(prv_reply, plugin, 8);
AT(prv_reply, error, 16);

BYTES(prv_provider_desc, 144);
AT(prv_provider_desc, size, 0);
AT(prv_provider_desc, flags, 4);
AT(prv_provider_desc, id, 8);
AT(prv_provider_desc, display_name, 24);
AT(prv_provider_desc, capabilities, 40);
AT(prv_provider_desc, config_schema_json, 48);
AT(prv_provider_desc, default_base_url, 64);
AT(prv_provider_desc, required_services, 80);
AT(prv_provider_desc, required_service_count, 88);
AT(prv_provider_desc, optional_services, 96);
AT(prv_provider_desc, optional_service_count, 104);
AT(prv_provider_desc, temperature_max, 112);
AT(prv_provider_desc, max_concurrency, 120);
AT(prv_provider_desc, reserved, 124);
AT(prv_provider_desc, models_json, 128);

BYTES(prv_plugin, 200);
AT(prv_plugin, size, 0);
AT(prv_plugin, flags, 4);
AT(prv_plugin, abi_minor, 8);
AT(prv_plugin, reserved, 12);
AT(prv_plugin, id, 16);
AT(prv_plugin, name, 32);
AT(prv_plugin, vendor, 48);
AT(prv_plugin, version, 64);
AT(prv_plugin, description, 80);
AT(prv_plugin, url, 96);
AT(prv_plugin, license, 112);
AT(prv_plugin, sdk, 128);
AT(prv_plugin, toolchain, 144);
AT(prv_plugin, providers, 160);
AT(prv_plugin, provider_count, 168);
AT(prv_plugin, provider_stride, 176);
AT(prv_plugin, create, 184);
AT(prv_plugin, get_extension, 192);

BYTES(prv_call_request, 112);
AT(prv_call_request, size, 0);
AT(prv_call_request, flags, 4);
AT(prv_call_request, kind, 8);
AT(prv_call_request, attempt, 12);
AT(prv_call_request, deadline_mono_ns, 16);
AT(prv_call_request, request_id, 24);
AT(prv_call_request, model, 40);
AT(prv_call_request, body_schema, 56);
AT(prv_call_request, body_json, 72);
AT(prv_call_request, files, 88);
AT(prv_call_request, file_count, 96);
AT(prv_call_request, file_stride, 104);

BYTES(prv_usage, 40);
AT(prv_usage, size, 0);
AT(prv_usage, flags, 4);
AT(prv_usage, input_tokens, 8);
AT(prv_usage, output_tokens, 16);
AT(prv_usage, cached_input_tokens, 24);
AT(prv_usage, reasoning_tokens, 32);

BYTES(prv_event, 72);
AT(prv_event, size, 0);
AT(prv_event, flags, 4);
AT(prv_event, kind, 8);
AT(prv_event, index, 12);
AT(prv_event, text, 16);
AT(prv_event, id, 32);
AT(prv_event, name, 48);
AT(prv_event, usage, 64);

BYTES(prv_done, 80);
AT(prv_done, size, 0);
AT(prv_done, flags, 4);
AT(prv_done, status, 8);
AT(prv_done, http_status, 12);
AT(prv_done, retryable, 16);
AT(prv_done, reserved, 20);
AT(prv_done, retry_after_ns, 24);
AT(prv_done, provider_code, 32);
AT(prv_done, message, 48);
AT(prv_done, upstream_request_id, 64);

BYTES(prv_provider, 72);
AT(prv_provider, size, 0);
AT(prv_provider, flags, 4);
AT(prv_provider, self, 8);
AT(prv_provider, start, 16);
AT(prv_provider, stop, 24);
AT(prv_provider, destroy, 32);
AT(prv_provider, call_open, 40);
AT(prv_provider, call_cancel, 48);
AT(prv_provider, call_resume, 56);
AT(prv_provider, call_close, 64);

BYTES(prv_host, 72);
AT(prv_host, size, 0);
AT(prv_host, flags, 4);
AT(prv_host, ctx, 8);
AT(prv_host, name, 16);
AT(prv_host, version, 32);
AT(prv_host, get_service, 48);
AT(prv_host, emit, 56);
AT(prv_host, done, 64);

BYTES(prv_field, 32);
AT(prv_field, name, 0);
AT(prv_field, value, 16);

BYTES(prv_log_v1, 24);
AT(prv_log_v1, size, 0);
AT(prv_log_v1, flags, 4);
AT(prv_log_v1, enabled, 8);
AT(prv_log_v1, write, 16);

BYTES(prv_time_v1, 40);
AT(prv_time_v1, size, 0);
AT(prv_time_v1, flags, 4);
AT(prv_time_v1, now_mono_ns, 8);
AT(prv_time_v1, now_unix_ns, 16);
AT(prv_time_v1, timer_start, 24);
AT(prv_time_v1, timer_cancel, 32);

BYTES(prv_header, 32);
AT(prv_header, name, 0);
AT(prv_header, value, 16);

BYTES(prv_http_request, 152);
AT(prv_http_request, size, 0);
AT(prv_http_request, flags, 4);
AT(prv_http_request, method, 8);
AT(prv_http_request, url, 24);
AT(prv_http_request, headers, 40);
AT(prv_http_request, header_count, 48);
AT(prv_http_request, body, 56);
AT(prv_http_request, auth_ref, 72);
AT(prv_http_request, auth_scheme, 88);
AT(prv_http_request, response_mode, 104);
AT(prv_http_request, reserved, 108);
AT(prv_http_request, max_response_bytes, 112);
AT(prv_http_request, connect_timeout_ns, 120);
AT(prv_http_request, first_byte_timeout_ns, 128);
AT(prv_http_request, idle_timeout_ns, 136);
AT(prv_http_request, total_timeout_ns, 144);

BYTES(prv_http_result, 72);
AT(prv_http_result, size, 0);
AT(prv_http_result, flags, 4);
AT(prv_http_result, status, 8);
AT(prv_http_result, http_status, 12);
AT(prv_http_result, clock, 16);
AT(prv_http_result, reserved, 20);
AT(prv_http_result, message, 24);
AT(prv_http_result, bytes_received, 40);
AT(prv_http_result, connect_ns, 48);
AT(prv_http_result, first_byte_ns, 56);
AT(prv_http_result, total_ns, 64);

BYTES(prv_http_callbacks, 40);
AT(prv_http_callbacks, size, 0);
AT(prv_http_callbacks, flags, 4);
AT(prv_http_callbacks, on_headers, 8);
AT(prv_http_callbacks, on_body, 16);
AT(prv_http_callbacks, on_sse, 24);
AT(prv_http_callbacks, on_complete, 32);

BYTES(prv_http_v1, 24);
AT(prv_http_v1, size, 0);
AT(prv_http_v1, flags, 4);
AT(prv_http_v1, request, 8);
AT(prv_http_v1, cancel, 16);

BYTES(prv_config_v1, 16);
AT(prv_config_v1, size, 0);
AT(prv_config_v1, flags, 4);
AT(prv_config_v1, get, 8);

BYTES(prv_exec_v1, 24);
AT(prv_exec_v1, size, 0);
AT(prv_exec_v1, flags, 4);
AT(prv_exec_v1, post, 8);
AT(prv_exec_v1, post_call, 16);

BYTES(prv_thread_check_v1, 24);
AT(prv_thread_check_v1, size, 0);
AT(prv_thread_check_v1, flags, 4);
AT(prv_thread_check_v1, is_loop, 8);
AT(prv_thread_check_v1, is_call_loop, 16);

BYTES(prv_file, 56);
AT(prv_file, size, 0);
AT(prv_file, flags, 4);
AT(prv_file, name, 8);
AT(prv_file, media_type, 24);
AT(prv_file, content, 40);

BYTES(prv_tool, 72);
AT(prv_tool, size, 0);
AT(prv_tool, flags, 4);
AT(prv_tool, provider_id, 8);
AT(prv_tool, name, 24);
AT(prv_tool, description, 40);
AT(prv_tool, input_schema_json, 56);

BYTES(prv_tools_v1, 32);
AT(prv_tools_v1, size, 0);
AT(prv_tools_v1, flags, 4);
AT(prv_tools_v1, tools, 8);
AT(prv_tools_v1, tool_count, 16);
AT(prv_tools_v1, tool_stride, 24);

BYTES(prv_file_argument, 56);
AT(prv_file_argument, size, 0);
AT(prv_file_argument, flags, 4);
AT(prv_file_argument, tool, 8);
AT(prv_file_argument, argument, 24);
AT(prv_file_argument, max_count, 40);
AT(prv_file_argument, max_bytes, 48);

BYTES(prv_files_v1, 32);
AT(prv_files_v1, size, 0);
AT(prv_files_v1, flags, 4);
AT(prv_files_v1, arguments, 8);
AT(prv_files_v1, argument_count, 16);
AT(prv_files_v1, argument_stride, 24);
