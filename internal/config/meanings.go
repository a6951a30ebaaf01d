package config

import (
	"strings"
	"unicode"
)

// meaning maps another program's word for a key, or a common word, to goodgate's key.
type meaning struct {
	words string // lower case, _ for -, separated by spaces
	in    string // pattern of the paths where it applies: * is anything without a dot; empty is everywhere
	is    string // our key: a path with * for names and indices, or an advice in words, which begins with a space
}

// The places of words.
const (
	inPool     = "pools.*"
	inRoute    = "routes[*]"
	inListener = "listeners[*]"
	inUpstream = "pools.*.upstreams[*]"
)

// meanings is ordered: the first entry that fits a word and its place applies. It mixes the words of nginx, HAProxy,
// Caddy, Traefik and Envoy, because readers only need the answer.
var meanings = []meaning{
	// The top level.
	{"limits rate_limit ratelimit rates", "", " set limits in a listener, a route or a pool"},
	{"server", "", " a server is listeners and routes here"},
	{"virtual_hosts virtualhosts vhosts hosts", "", "routes[*].match.host"},
	{"listen bind frontend frontends entrypoints entry_points port ports address", "", "listeners"},
	{"upstream backend backends clusters services", "", "pools"},
	{"location locations routers rules handle handlers route_config", "", "routes"},
	{"timeouts timeout", "", " set timeouts in a listener or a pool"},
	{"tls ssl certificates certificate certs cert ssl_certificate", "", "listeners[*].tls.certificates"},
	{"acme letsencrypt certificatesresolvers certificates_resolvers", "", "listeners[*].tls.acme"},
	{"health healthcheck health_check health_checks healthchecks probe probes", "", "pools.*.health"},
	{"interval", "", "pools.*.health.interval"},
	{"gzip compression", "", "routes[*].compress"},
	{"upstreams servers targets", "", "pools.*.upstreams"},
	{"retry retries", "", "pools.*.retry"},
	{"balance policy lb_policy algorithm", "", "pools.*.policy"},
	{"logging logs accesslog access_log error_log log_format", "", "log"},
	{"api dashboard stats prometheus", "", "admin"},
	{"trace opentelemetry otel", "", "tracing"},
	{"webhook webhooks alerts notifications", "", "events.webhook"},
	{"set_real_ip_from realip trusted_ips", "", "trusted_proxies"},
	{"real_ip_header", "", "trusted_headers"},
	{"error_page errorfile errorfiles error_pages", "", "errors"},
	{"http static_resources apps", "", " this looks like another proxy's file: try goodgate convert FILE"},
	{"timeout_connect proxy_connect_timeout connect_timeout", "", "pools.*.timeouts.dial"},
	{"timeout_server proxy_read_timeout read_timeout", "", "pools.*.timeouts.response_header"},
	{"timeout_client client_body_timeout", "", "listeners[*].timeouts.body_idle"},
	{"client_max_body_size max_body_size max_body", "", " set limits.max_body in a listener, a route or a pool"},
	{"worker_connections maxconn", "", "listeners[*].max_connections"},
	{"keepalive_timeout", "", "listeners[*].timeouts.keepalive"},
	{"proxy_set_header add_header", "", " set request_headers and response_headers in a route"},
	{"proxy_pass reverse_proxy", "", "pools.*.upstreams"},
	{"watch reload auto_reload autoreload hot_reload", "", " goodgate run --watch reloads when the file changes; goodgate reload and SIGHUP do so once"},
	{"global", "", " there is none: each listener, route and pool has its own settings, and defaults has those of all pools"},

	// A pool.
	{"retries", inPool, "pools.*.retry.attempts"},
	{"proxy_next_upstream retry_on", inPool, "pools.*.retry.statuses"},
	{"proxy_next_upstream_tries max_retries num_retries lb_retries attempts", inPool, "pools.*.retry.attempts"},
	{"lb_try_duration", inPool, "pools.*.hold.for"},
	{"retry_policy", inPool, "pools.*.retry"},
	{"per_try_timeout", inPool, "pools.*.retry.per_try"},
	{"server servers backend backends endpoints hosts targets nodes members load_assignment to proxy_pass url urls", inPool, "pools.*.upstreams"},
	{"balance lb_policy load_balancing loadbalancing load_balancer loadbalancer algorithm strategy lb_algorithm", inPool, "pools.*.policy"},
	{"ip_hash least_conn least_time", inPool, "pools.*.policy"},
	{"cookie sticky_cookie session_affinity", inPool, "pools.*.sticky.cookie"},
	{"stick_table", inPool, "pools.*.limits.rates"},
	{"max_fails unhealthy_request_count", inPool, "pools.*.breaker.consecutive"},
	{"fail_timeout fail_duration base_ejection_time", inPool, "pools.*.breaker.open_for"},
	{"unhealthy_status", inPool, "pools.*.breaker.statuses"},
	{"circuit_breaker circuitbreaker circuit_breakers outlier_detection", inPool, "pools.*.breaker"},
	{"keepalive max_conns_per_host keepalive_idle_conns max_idle_conns_per_host", inPool, "pools.*.max_idle_conns"},
	{"keepalive_requests max_requests_per_connection", inPool, "pools.*.requests_per_connection"},
	{"keepalive_timeout", inPool, "pools.*.timeouts.keepalive"},
	{"healthcheck health_check health_checks check httpchk option_httpchk probe probes liveness readiness", inPool, "pools.*.health"},
	{"health_uri health_path", inPool, "pools.*.health.path"},
	{"health_interval inter", inPool, "pools.*.health.interval"},
	{"health_timeout timeout_check", inPool, "pools.*.health.timeout"},
	{"health_status", inPool, "pools.*.health.expect.status"},
	{"slowstart", inPool, "pools.*.slow_start"},
	{"proxy_connect_timeout connect_timeout dial_timeout timeout_connect", inPool, "pools.*.timeouts.dial"},
	{"proxy_read_timeout response_header_timeout read_timeout server_timeout timeout_server", inPool, "pools.*.timeouts.response_header"},
	{"idle_timeout", inPool, "pools.*.timeouts.idle"},
	{"timeout request_timeout", inPool, "pools.*.timeouts.request"},
	{"timeout_tunnel tunnel_timeout", inPool, "pools.*.timeouts.tunnel_idle"},
	{"queue_timeout timeout_queue", inPool, "pools.*.queue.max_wait"},
	{"max_pending_requests", inPool, "pools.*.queue.max_requests"},
	{"maxconn max_conns max_connections max_in_flight", inPool, "pools.*.upstreams[*].max_in_flight"},
	{"max_requests", inPool, "pools.*.limits.max_requests"},
	{"rate_limit ratelimit limit_req", inPool, "pools.*.limits.rates"},
	{"client_max_body_size max_body max_body_size", inPool, "pools.*.limits.max_body"},
	{"proxy_http_version http_version http2 h2 h2c", inPool, "pools.*.protocol"},
	{"proxy_ssl_verify insecure_skip_verify tls_insecure_skip_verify verify", inPool, "pools.*.tls.insecure"},
	{"proxy_ssl_name sni", inPool, "pools.*.tls.server_name"},
	{"proxy_ssl_trusted_certificate ca_file", inPool, "pools.*.tls.ca"},
	{"transport_socket serverstransport", inPool, "pools.*.tls"},
	{"send_proxy send_proxy_v2 proxy_protocol_version", inPool, "pools.*.proxy_protocol"},
	{"resolver resolvers", inPool, "pools.*.dns.resolver"},
	{"proxy_cache_use_stale stale_if_error", inPool, "pools.*.stale"},
	{"host passhostheader proxy_set_header headers header_up request_headers", inPool, " set host or request_headers.set in a route"},
	{"path match location", inPool, "routes[*].match.path"},
	{"backup", inPool, "pools.*.upstreams[*].tier"},
	{"weight", inPool, "pools.*.upstreams[*].weight"},

	// Parts of a pool.
	{"max_fails", inUpstream, "pools.*.breaker.consecutive"},
	{"fail_timeout", inUpstream, "pools.*.breaker.open_for"},
	{"maxconn max_conns max_requests", inUpstream, "pools.*.upstreams[*].max_in_flight"},
	{"backup priority", inUpstream, "pools.*.upstreams[*].tier"},
	{"address host hostname server target addr port ip", inUpstream, "pools.*.upstreams[*].url"},
	{"down disabled", inUpstream, " goodgate drain UPSTREAM, and goodgate off UPSTREAM, take one out"},
	{"check healthcheck health health_check", inUpstream, "pools.*.health"},
	{"inter", inUpstream, "pools.*.health.interval"},
	{"slowstart slow_start", inUpstream, "pools.*.slow_start"},
	{"ssl tls", inUpstream, " write https:// in url; pools.NAME.tls configures the trusted authorities"},
	{"connect connection proxy_connect_timeout connect_timeout", "pools.*.timeouts", "pools.*.timeouts.dial"},
	{"read server response proxy_read_timeout header first_byte", "pools.*.timeouts", "pools.*.timeouts.response_header"},
	{"total overall route", "pools.*.timeouts", "pools.*.timeouts.request"},
	{"queue", "pools.*.timeouts", "pools.*.queue.max_wait"},
	{"check health", "pools.*.timeouts", "pools.*.health.timeout"},
	{"tunnel websocket", "pools.*.timeouts", "pools.*.timeouts.tunnel_idle"},
	{"client", "pools.*.timeouts", "listeners[*].timeouts.body_idle"},
	{"http_request", "pools.*.timeouts", "listeners[*].timeouts.header"},
	{"max count tries retries num_retries limit max_attempts max_retries", "pools.*.retry", "pools.*.retry.attempts"},
	{"on retry_on status conditions", "pools.*.retry", "pools.*.retry.statuses"},
	{"timeout per_try_timeout try_timeout", "pools.*.retry", "pools.*.retry.per_try"},
	{"interval delay wait initial_interval", "pools.*.retry", "pools.*.retry.backoff"},
	{"uri url endpoint", "pools.*.health", "pools.*.health.path"},
	{"unhealthy_threshold fails max_fails failure_threshold", "pools.*.health", "pools.*.health.fall"},
	{"healthy_threshold passes success_threshold", "pools.*.health", "pools.*.health.rise"},
	{"status expect_status statuses expected_statuses match", "pools.*.health", "pools.*.health.expect.status"},
	{"fastinter downinter no_traffic_interval unhealthy_interval", "pools.*.health", "pools.*.health.fast_interval"},
	{"enabled disabled", "pools.*.health", " type: none turns checks off"},
	{"period every", "pools.*.health", "pools.*.health.interval"},
	{"protocol kind", "pools.*.health", "pools.*.health.type"},
	{"agent_check agent_port", "pools.*.health", "pools.*.health.agent"},
	{"send tcp tcp_check tcp_checks", "pools.*.health", "pools.*.health.steps"},
	{"max_fails failures threshold", "pools.*.breaker", "pools.*.breaker.consecutive"},
	{"timeout duration fail_timeout recovery_timeout sleep_window", "pools.*.breaker", "pools.*.breaker.open_for"},
	{"error_rate error_ratio ratio", "pools.*.breaker", "pools.*.breaker.failure_ratio"},

	// A route.
	{"proxy_pass reverse_proxy backend use_backend default_backend service cluster upstream upstreams to target", inRoute, "routes[*].pool"},
	{"location path prefix uri rule handle", inRoute, "routes[*].match.path"},
	{"server_name domains hostname", inRoute, "routes[*].match.host"},
	{"method methods", inRoute, "routes[*].match.methods"},
	{"entrypoints listener listeners", inRoute, "routes[*].match.listener"},
	{"acl conditions", inRoute, "routes[*].match"},
	{"proxy_set_header header_up set_header headers", inRoute, "routes[*].request_headers.set"},
	{"add_header header_down", inRoute, "routes[*].response_headers.add"},
	{"proxy_hide_header hide_headers", inRoute, "routes[*].response_headers.remove"},
	{"return status", inRoute, "routes[*].respond"},
	{"errors error_page error_pages errorfile", inRoute, " set errors at the top level for goodgate's error pages, and intercept in the route to replace those of the application"},
	{"rewrite replacepath path_rewrite url_rewrite", inRoute, "routes[*].rewrite_path"},
	{"proxy_redirect", inRoute, "routes[*].response_rewrites.location"},
	{"proxy_read_timeout request_timeout timeouts", inRoute, "routes[*].timeout"},
	{"rate_limit ratelimit limit_req", inRoute, "routes[*].limits.rates"},
	{"client_max_body_size max_body max_body_size buffering", inRoute, "routes[*].limits.max_body"},
	{"retry retries retry_policy", inRoute, " set retry in the pool"},
	{"passhostheader preserve_host", inRoute, "routes[*].host"},
	{"gzip compression", inRoute, "routes[*].compress"},
	{"tls ssl", inRoute, " set tls in a listener for clients, and in a pool for upstreams"},
	{"middlewares filters", inRoute, " strip_prefix, rewrite_path, request_headers and limits stand in the route itself"},
	{"server_name domains hostname hosts", "routes[*].match", "routes[*].match.host"},
	{"prefix uri location path_prefix pathprefix url", "routes[*].match", "routes[*].match.path"},
	{"regex path_regex safe_regex regexp", "routes[*].match", "routes[*].match.path_regexp"},
	{"src source remote_ip ip client_ip clientip", "routes[*].match", "routes[*].match.client"},
	{"protocol", "routes[*].match", "routes[*].match.scheme"},

	// A listener.
	{"listen bind port socket_address", inListener, "listeners[*].address"},
	{"ssl_certificate crt cert certificate certificates ssl key", inListener, "listeners[*].tls.certificates"},
	{"ssl_client_certificate client_ca ca_file", inListener, "listeners[*].tls.client_ca"},
	{"ssl_crl crl crl_file", inListener, "listeners[*].tls.client_crl"},
	{"ssl_protocols min_version", inListener, "listeners[*].tls.min_version"},
	{"client_header_timeout header_timeout read_header_timeout timeout_http_request", inListener, "listeners[*].timeouts.header"},
	{"client_body_timeout read_timeout timeout_client", inListener, "listeners[*].timeouts.body_idle"},
	{"send_timeout write_timeout", inListener, "listeners[*].timeouts.write_idle"},
	{"keepalive_requests max_requests_per_connection max_keepalive_requests", inListener, "listeners[*].requests_per_connection"},
	{"keepalive_timeout idle_timeout", inListener, "listeners[*].timeouts.keepalive"},
	{"client_max_body_size max_body max_body_size", inListener, "listeners[*].limits.max_body"},
	{"maxconn worker_connections max_conns", inListener, "listeners[*].max_connections"},
	{"limit_conn", inListener, "listeners[*].connections_per_client"},
	{"limit_req rate_limit ratelimit", inListener, "listeners[*].limits.rates"},
	{"accept_proxy", inListener, "listeners[*].proxy_protocol"},
	{"quic", inListener, "listeners[*].http3"},
	{"routes route location server_name default_backend", inListener, "routes"},
	{"client read body", "listeners[*].timeouts", "listeners[*].timeouts.body_idle"},
	{"write send", "listeners[*].timeouts", "listeners[*].timeouts.write_idle"},
	{"idle", "listeners[*].timeouts", "listeners[*].timeouts.keepalive"},
	{"http_request", "listeners[*].timeouts", "listeners[*].timeouts.header"},
	{"cert crt certificate", "listeners[*].tls", "listeners[*].tls.certificates[*].cert"},
	{"key", "listeners[*].tls", "listeners[*].tls.certificates[*].key"},
	{"verify tls_verify insecure_skip_verify skip_verify", "pools.*.tls", "pools.*.tls.insecure"},
	{"ca client_cas", "listeners[*].tls", "listeners[*].tls.client_ca"},
	{"crl ssl_crl crl_file", "listeners[*].tls", "listeners[*].tls.client_crl"},
	{"certresolver letsencrypt", "listeners[*].tls", "listeners[*].tls.acme"},
	{"domains host", "listeners[*].tls.acme", "listeners[*].tls.acme.hosts"},
	{"dnschallenge dns_challenge dns01 dns_01 provider", "listeners[*].tls.acme", "listeners[*].tls.acme.dns"},

	// Rates and the like, which several sections have.
	{"rate limit count max rps average requests_per_second", "listeners[*].limits.rates[*]", "listeners[*].limits.rates[*].requests"},
	{"rate limit count max rps average requests_per_second", "routes[*].limits.rates[*]", "routes[*].limits.rates[*].requests"},
	{"rate limit count max rps average requests_per_second", "pools.*.limits.rates[*]", "pools.*.limits.rates[*].requests"},
	{"key by zone source", "listeners[*].limits.rates[*]", "listeners[*].limits.rates[*].on"},
	{"key by zone source", "routes[*].limits.rates[*]", "routes[*].limits.rates[*].on"},
	{"key by zone source", "pools.*.limits.rates[*]", "pools.*.limits.rates[*].on"},
	{"period interval window time unit", "listeners[*].limits.rates[*]", "listeners[*].limits.rates[*].per"},
	{"period interval window time unit", "routes[*].limits.rates[*]", "routes[*].limits.rates[*].per"},
	{"period interval window time unit", "pools.*.limits.rates[*]", "pools.*.limits.rates[*].per"},
	{"percent percentage ratio weight sample", "routes[*].mirror", "routes[*].mirror.share"},
	{"name cookie_name", "pools.*.sticky", "pools.*.sticky.cookie"},

	// The log.
	{"file path filepath access_log destination", "log", "log.output"},
}

// values maps other programs' values to ours, by the key of the field.
var values = map[string]map[string]string{
	"policy": {
		"roundrobin": "round_robin", "rr": "round_robin", "wrr": "round_robin", "static_rr": "round_robin", "leastconn": "least_conn", "least_request": "least_conn",
		"least_connections": "least_conn", "source": "hash", "ip_hash": "hash", "uri": "hash", "url_hash": "hash", "uri_hash": "hash", "maglev": "hash",
		"ring_hash": "hash", "consistent_hash": "hash", "chash": "hash", "cookie": "sticky", "least_time": "peak_ewma", "ewma": "peak_ewma", "random_choose": "p2c", "power_of_two": "p2c",
	},
	"protocol":    {"http2": "h2", "grpc": "h2", "http/2": "h2", "http": "http1", "http/1.1": "http1", "https": "http1", "tcp": "http1"},
	"level":       {"warning": "warn", "notice": "info", "crit": "error", "critical": "error", "fatal": "error", "trace": "debug", "verbose": "debug"},
	"format":      {"logfmt": "text", "console": "text", "plain": "text", "clf": "common", "ncsa": "common", "apache": "combined"},
	"type":        {"https": "http", "httpchk": "http", "http2": "http", "off": "none", "disabled": "none", "connect": "tcp"},
	"min_version": {"tlsv1.2": "1.2", "tls1.2": "1.2", "tls12": "1.2", "tlsv1.3": "1.3", "tls1.3": "1.3", "tls13": "1.3", "versiontls12": "1.2", "versiontls13": "1.3"},
}

// meant returns the meaning of a word in a mapping at path; ok is false if the word is unknown.
func meant(word, path string) (is string, ok bool) {
	if rest, isDefaults := strings.CutPrefix(path, "defaults"); isDefaults {
		path = "pools.NAME" + rest
	}
	for _, form := range []string{fold(word), fold(snake(word))} {
		for _, m := range meanings {
			if strings.Contains(" "+m.words+" ", " "+form+" ") && within(path, m.in) {
				return m.is, true
			}
		}
	}
	return "", false
}

// snake separates the words of a name by _: connectTimeout, timeout connect.
func snake(word string) string {
	var b strings.Builder
	for i, r := range word {
		switch {
		case unicode.IsUpper(r) && i > 0:
			b.WriteByte('_')
		case r == ' ':
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// within reports whether a path fits a pattern.
func within(path, pattern string) bool {
	want := strings.Split(pattern, ".")
	got := strings.Split(path, ".")
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		g := got[i]
		if list, isList := strings.CutSuffix(w, "[*]"); isList {
			if !strings.HasPrefix(g, list+"[") {
				return false
			}
		} else if w != "*" && w != g {
			return false
		}
	}
	return true
}
