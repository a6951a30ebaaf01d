package proxylog

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// envoyRows returns the response flags of Envoy's access log, with the details that
// distinguish them. If a line has several flags, the first matching row counts.
func envoyRows() []Row {
	const p = "Envoy"
	line := func(status, flags, details string) string {
		return `[2026-03-01T12:00:00.000Z] "GET /v1/items HTTP/1.1" ` + status + ` ` + flags + ` ` + details + ` "-" 0 91 12 - "-" "curl/8.0" "4f0c" "app.example" "10.0.0.1:8080" outbound|80||app.default.svc.cluster.local - 10.0.0.2:80 10.0.0.3:4000 - -`
	}
	return []Row{
		{p, "UF", "_111", nginxlog.ConnectRefused, "nothing listened on the upstream's port at the time", "make sure that the application runs and listens there, on all addresses of its pod", "", line("503", "UF", "upstream_reset_before_response_started{connection_failure,delayed_connect_error:_111} -")},
		{p, "UF", "_113", nginxlog.ConnectUnreachable, "there was no route to the upstream", "bring its network up, or remove the address from the endpoints", "", line("503", "UF", "upstream_reset_before_response_started{connection_failure,delayed_connect_error:_113} -")},
		{p, "UF", "WRONG_VERSION_NUMBER", nginxlog.TLSPlain, "Envoy spoke TLS to a port without TLS", "remove the transport_socket from the cluster (Istio: tls.mode of the DestinationRule)", "tls: {mode: DISABLE}", line("503", "UF", "upstream_reset_before_response_started{connection_failure,TLS_error:_268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER} -")},
		{p, "UF", "CERTIFICATE_VERIFY_FAILED", nginxlog.TLSCertificate, "Envoy does not accept the upstream's certificate", "renew it, or configure its authority and its name", "validation_context: {trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}}", line("503", "UF", "upstream_reset_before_response_started{connection_failure,TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED} -")},
		{p, "UF", "TLS_error", nginxlog.TLSHandshake, "the TLS handshake with the upstream failed", "make sure that both sides have a protocol, a cipher and a name (sni) in common", "", line("503", "UF", "upstream_reset_before_response_started{connection_failure,TLS_error:_268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST} -")},
		{p, "UF", "timeout", nginxlog.ConnectTimeout, "no connection within connect_timeout of the cluster", "allow the port (NetworkPolicy, security group), or give the application more workers", "", line("503", "UF,URX", "upstream_reset_before_response_started{connection_timeout} -")},
		{p, "UF", "", nginxlog.ConnectRefused, "no connection to the upstream could be made", "make sure that the application runs and listens at that port; %UPSTREAM_TRANSPORT_FAILURE_REASON% in the log format says more", "", line("503", "UF", "-")},
		{p, "UH", "", nginxlog.NoLiveUpstreams, "no host of the cluster was healthy, or the cluster has none", "find out why health checks fail, or why outlier detection ejects them; in Kubernetes: kubectl get endpoints", "", line("503", "UH", "no_healthy_upstream -")},
		{p, "UO", "", nginxlog.Overloaded, "the cluster's circuit breaker was open: more connections, pending requests or requests than allowed", "give the application more capacity, then raise the limit", "circuit_breakers: {thresholds: [{max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}]}", line("503", "UO", "overflow -")},
		{p, "UT", "", nginxlog.ResponseTimeout, "the upstream did not answer within the route's timeout (15 s unless set)", "make the request faster, or wait longer; the log does not show how long it would take", "timeout: 60s", line("504", "UT", "response_timeout -")},
		{p, "UC", "", nginxlog.ClosedBeforeAnswer, "the upstream closed the connection: it crashed, was stopped, or closed an idle connection just as Envoy reused it", "check the application's log; let Envoy's idle_timeout be shorter than the application's keep-alive; retry where requests may be sent twice: this resends POSTs, too", "retry_on: reset,connect-failure", line("503", "UC", "upstream_reset_before_response_started{connection_termination} -")},
		{p, "UR", "", nginxlog.ResetBeforeAnswer, "the upstream reset the stream or the connection", "check the application's log at these times; retry where requests may be sent twice: this resends POSTs, too", "retry_on: reset", line("503", "UR", "upstream_reset_before_response_started{remote_reset} -")},
		{p, "UPE", "", nginxlog.InvalidResponse, "the upstream did not answer in the cluster's protocol", "correct the port or the cluster's protocol (HTTP/1.1, or HTTP/2)", "explicit_http_config: {http2_protocol_options: {}}", line("502", "UPE", "upstream_reset_before_response_started{protocol_error} -")},
		{p, "LR", "", nginxlog.ResetBeforeAnswer, "Envoy reset the connection to the upstream itself", "check Envoy's own log at these times", "", line("503", "LR", "upstream_reset_before_response_started{local_reset} -")},
		{p, "UMSDR", "", nginxlog.ResponseTimeout, "the request took longer than max_stream_duration", "wait longer, or make it faster", "max_stream_duration: {max_stream_duration: 300s}", line("504", "UMSDR", "response_timeout -")},
		{p, "URX", "", nginxlog.RetriesSpent, "the limit of retries was reached: every attempt failed", "fix what makes the attempts fail; x-envoy-attempt-count says how many there were", "num_retries: 2", line("503", "URX", "via_upstream -")},
		{p, "NC", "", nginxlog.UpstreamAddress, "the route names a cluster that does not exist", "correct the name, or make sure that the control plane sends the cluster", "", line("503", "NC", "cluster_not_found -")},
		{p, "NR", "", nginxlog.NoRoute, "no route fits the request's host and path", "check the routes (Istio: VirtualService and Gateway hosts)", "", line("404", "NR", "route_not_found -")},
		{p, "NFCF", "", nginxlog.UpstreamAddress, "the filter's configuration did not arrive in time", "check the control plane", "", line("500", "NFCF", "- -")},
		{p, "DF", "", nginxlog.NotResolved, "the upstream's name could not be resolved", "correct the name, or the name server", `typed_dns_resolver_config: {name: envoy.network.dns_resolver.cares, typed_config: {"@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: [{socket_address: {address: ADDRESS, port_value: 53}}]}}`, line("503", "DF", "dns_resolution_failure -")},
		{p, "OM", "", nginxlog.MemoryShort, "the overload manager ended the request", "give Envoy more memory, or fewer connections", "", line("503", "OM", "overload -")},
		{p, "DO", "", nginxlog.Overloaded, "the request was dropped because the upstreams are overloaded", "give the application more capacity", "", line("503", "DO", "drop_overload -")},
		{p, "UDO", "", nginxlog.Overloaded, "the request was dropped because the control plane says so", "give the application more capacity", "", line("503", "UDO", "unconditional_drop_overload -")},
		{p, "LH", "", nginxlog.NoLiveUpstreams, "Envoy's own health check failed the request", "find out what takes this Envoy out", "", line("503", "LH", "health_check_failed -")},
		{p, "IH", "", nginxlog.RequestHeaderTooBig, "a header of the request has a value that is not allowed", "check the client", "", line("400", "IH", "- -")},
		{p, "RL", "", nginxlog.Limited, "the rate limit refused the request", "as configured; raise the limit if these were legitimate clients", "", line("429", "RL", "request_rate_limited -")},
		{p, "RLSE", "", nginxlog.Limited, "the rate limit service failed, and requests are refused without it", "check the rate limit service", "failure_mode_deny: false", line("500", "RLSE", "rate_limiter_error -")},
		{p, "UAEX", "", nginxlog.AuthRequest, "the authorization service refused the request, or failed", "check the authorization service", "", line("403", "UAEX", "ext_authz_denied -")},
		{p, "FI", "", nginxlog.FaultInjected, "a fault was injected", "as configured: remove the fault filter", "", line("503", "FI", "fault_filter_abort -")},
		{p, "DI", "", nginxlog.Other, "a delay was injected", "as configured", "", line("200", "DI", "via_upstream -")},
		{p, "DC", "", nginxlog.ClientGone, "the client left before the answer", "nothing, unless there are many: then answers take longer than clients wait", "", line("0", "DC", "downstream_remote_disconnect -")},
		{p, "DPE", "", nginxlog.ClientGone, "the client broke the protocol", "check the client", "", line("400", "DPE", "- -")},
		{p, "DT", "", nginxlog.ClientGone, "the request took longer than the connection may last", "raise max_connection_duration", "", line("200", "DT", "duration_timeout -")},
		{p, "DR", "", nginxlog.ClientGone, "the client reset the request", "check the client", "", line("0", "DR", "- -")},
		{p, "SI", "", nginxlog.ClientGone, "the stream was silent for longer than its idle timeout", "raise stream_idle_timeout for requests that always take long", "stream_idle_timeout: 3600s", line("408", "SI", "stream_idle_timeout -")},
		{p, "RFCF", "", nginxlog.Other, "it came from a cache", "nothing", "", line("200", "RFCF", "- -")},
		{p, "none", "via_upstream", nginxlog.UpstreamStatus, "the application itself sent this answer", "check the application's log", "", line("503", "-", "via_upstream -")},
	}
}

// readEnvoy parses Envoy's default format and Istio's: [time] "request" status flags
// ...
func readEnvoy(line []byte) (e event, ok bool) {
	e.proxy = "Envoy"
	if level, rest, _ := bytes.Cut(line[:min(len(line), 40)], []byte("\t")); len(level) <= 8 && bytes.HasPrefix(bytes.TrimSpace(rest), []byte("envoy ")) {
		return e, true // Envoy's own log in Istio's form
	}
	if line[0] == '[' {
		stamp := between(line, '[', ']')
		if len(stamp) < 20 || stamp[4] != '-' || stamp[10] != 'T' {
			return e, false
		}
		at, err := time.Parse(time.RFC3339Nano, string(stamp))
		if err != nil {
			return e, false
		}
		e.at, line = at, bytes.TrimLeft(line[len(stamp)+2:], " ")
	}
	request, rest, ok := cutQuoted(line)
	if !ok {
		return e, false
	}
	f := strings.Fields(string(rest[:min(len(rest), 600)]))
	if len(f) < 3 || !isCode(f[0]) || !areFlags(f[1]) {
		return e, false
	}
	e.status, _ = strconv.Atoi(f[0])
	e.text = strings.Join(f[2:min(len(f), 4)], " ")
	e.upstream = lastAddress(string(rest))
	e.method, e.path = splitRequest(string(request))
	e.flags(f[1])
	return e, true
}

// flags evaluates the flags of a request. Without a flag, a gateway error is the
// application's own answer.
func (e *event) flags(flags string) {
	switch {
	case flags != "-" && flags != "":
		e.match, _, _ = strings.Cut(flags, ",")
	case e.status >= 502 && e.status <= 504:
		e.match, e.text = "none", "via_upstream"
	}
}

func isCode(s string) bool {
	return s == "0" || len(s) == 3 && s[0] >= '1' && s[0] <= '5' && s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9'
}

// areFlags reports whether s is "-" or a list such as "UF,URX", and not a number as in
// other formats.
func areFlags(s string) bool {
	if s == "-" {
		return true
	}
	for flag := range strings.SplitSeq(s, ",") {
		if len(flag) < 2 || len(flag) > 5 || strings.ToUpper(flag) != flag || strings.ContainsAny(flag, "0123456789-\"") {
			return false
		}
	}
	return true
}

// cutQuoted cuts a quoted string off the beginning.
func cutQuoted(line []byte) (quoted, rest []byte, ok bool) {
	if len(line) == 0 || line[0] != '"' {
		return nil, nil, false
	}
	return bytes.Cut(line[1:], []byte(`"`))
}

func between(line []byte, open, end byte) []byte {
	if i := bytes.IndexByte(line, open); i >= 0 {
		if j := bytes.IndexByte(line[i:], end); j >= 0 {
			return line[i+1 : i+j]
		}
	}
	return nil
}

// lastAddress returns the last quoted host and port; "" if there is none.
func lastAddress(rest string) string {
	parts := strings.Split(rest, `"`)
	for i := len(parts) - 2; i > 0; i -= 2 {
		host, port, ok := cutPort(strings.TrimPrefix(parts[i], "tcp://"))
		if ok && host != "" && isNumber(port) {
			return "http://" + host + ":" + port
		}
	}
	return ""
}

func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.ContainsAny(s, " /") {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// splitRequest splits "GET /path HTTP/1.1".
func splitRequest(s string) (method, path string) {
	f := strings.Fields(s)
	if len(f) < 2 {
		return "", ""
	}
	return f[0], f[1]
}
