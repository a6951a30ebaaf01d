package convert

import "slices"

// harmless are directives whose meaning goodgate has by itself, or which are
// about nginx's own process.
func harmless(name string) bool {
	return slices.Contains([]string{
		"#", "user", "worker_processes", "worker_rlimit_nofile", "pid", "error_log", "access_log", "log_format", "events", "load_module",
		"include", "default_type", "types", "sendfile", "tcp_nopush", "tcp_nodelay", "keepalive_timeout", "keepalive_requests",
		"types_hash_max_size", "server_names_hash_bucket_size", "server_names_hash_max_size", "server_tokens", "variables_hash_max_size",
		"proxy_http_version", "proxy_redirect", "proxy_buffering", "proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size",
		"proxy_request_buffering", "proxy_connect_timeout", "proxy_read_timeout", "proxy_send_timeout", "proxy_set_header",
		"proxy_next_upstream", "proxy_next_upstream_tries", "proxy_next_upstream_timeout", "proxy_pass", "proxy_ssl_verify",
		"proxy_ssl_name", "proxy_ssl_server_name", "proxy_ssl_trusted_certificate", "proxy_ssl_session_reuse", "proxy_ssl_protocols",
		"proxy_max_temp_file_size", "proxy_cache_bypass", "client_max_body_size", "client_body_timeout", "client_header_timeout", "send_timeout",
		"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path",
		"client_header_buffer_size", "large_client_header_buffers", "reset_timedout_connection", "map", "set", "rewrite", "return", "if", "add_header",
		"error_page", "root", "index", "resolver", "resolver_timeout", "log_not_found", "internal",
		"ssl_session_cache", "ssl_session_timeout", "ssl_session_tickets", "ssl_prefer_server_ciphers", "ssl_ciphers", "ssl_dhparam", "ssl_protocols",
		"ssl_ecdh_curve", "ssl_certificate", "ssl_certificate_key", "ssl", "http2",
	}, name)
}

func topKnown(name string) bool { return harmless(name) || name == "http" }

func httpKnown(name string) bool {
	return harmless(name) || slices.Contains([]string{"upstream", "server"}, name)
}

func serverKnown(name string) bool {
	return harmless(name) || slices.Contains([]string{"listen", "server_name", "location"}, name)
}

func locationKnown(name string) bool { return harmless(name) || name == "location" }
