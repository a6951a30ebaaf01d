package diagnose

import (
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
	"github.com/goodgate/goodgate/reason"
)

// explanation is what a cause in an error log means by itself.
type explanation struct {
	code      string
	severity  finding.Severity
	reason    reason.Reason
	means, do string
	directive string
}

// explain returns what a cause means; ok is false for one that is no trouble of
// the gateway's.
func explain(c nginxlog.Cause) (e explanation, ok bool) {
	e, ok = explanations()[c]
	return e, ok
}

func explanations() map[nginxlog.Cause]explanation {
	return map[nginxlog.Cause]explanation{
		nginxlog.ConnectRefused: {"connect_refused", finding.Error, reason.ConnectRefused,
			"nothing listened at that port at the time: the application was not running, was restarting, or listens elsewhere",
			"see that the application runs and listens there; a second server, or goodgate's hold, bridges restarts", ""},
		nginxlog.ConnectTimeout: {"connect_timeout", finding.Error, reason.ConnectTimeout,
			"packets were dropped on the way, or the application's accept queue was full",
			"let the port through the firewalls; if the application was overloaded, give it more workers and a larger backlog", "proxy_connect_timeout 2s;"},
		nginxlog.ConnectUnreachable: {"unroutable", finding.Error, reason.ConnectUnreachable,
			"there was no route to the address", "bring the network or the container network up, or correct the address", ""},
		nginxlog.ConnectForbidden: {"connect_forbidden", finding.Error, reason.ConnectUnreachable,
			"this machine forbids nginx the connection: SELinux, or a firewall rule", "allow it", "setsebool -P httpd_can_network_connect 1"},
		nginxlog.NoLocalPort: {"ephemeral_ports", finding.Error, reason.ConnectUnreachable,
			"every local port towards the upstream was in use: each request opens a connection and closes it",
			"keep connections to the upstream", "keepalive 64;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";"},
		nginxlog.SocketMissing: {"socket_missing", finding.Error, reason.ConnectUnreachable,
			"the socket file was not there: the application was not running, or makes it elsewhere", "start the application, or correct the path", ""},
		nginxlog.SocketForbidden: {"socket_permission", finding.Error, reason.ConnectUnreachable,
			"nginx's workers may not write to the socket, or not reach its folder", "let the application make the socket for a group that nginx's user is in", ""},
		nginxlog.SocketBacklog: {"backlog_full", finding.Error, reason.ConnectTimeout,
			"the socket's accept queue was full: the application is overloaded", "give it more workers, or a larger backlog", "backlog of the application: 2048"},
		nginxlog.ResponseTimeout: {"response_timeout", finding.Error, reason.ResponseTimeout,
			"the application did not answer within proxy_read_timeout: a slow query, or all its workers are busy", "make the request faster, or wait longer", ""},
		nginxlog.ResponseStalled: {"response_stalled", finding.Error, reason.ResponseStalled,
			"the application stopped in the middle of a response for longer than proxy_read_timeout", "see what the application waits for, or wait longer", ""},
		nginxlog.SendTimeout: {"send_timeout", finding.Error, reason.ResponseTimeout,
			"the application did not read the request within proxy_send_timeout: all its workers are busy", "give it more workers", ""},
		nginxlog.ClosedBeforeAnswer: {"closed_before_response", finding.Error, reason.ClosedBeforeResponse,
			"the application closed the connection instead of answering: it crashed, was ended, or closed an idle connection as nginx used it again",
			"see the application's log at these times", ""},
		nginxlog.ResetBeforeAnswer: {"closed_before_response", finding.Error, reason.ClosedBeforeResponse,
			"the application's machine reset the connection instead of answering: the application ended, or closed an idle connection as nginx used it again",
			"see the application's log at these times", ""},
		nginxlog.ClosedWhileSending: {"closed_before_response", finding.Error, reason.ClosedBeforeResponse,
			"the application closed the connection while the request was still being sent: it refuses large bodies, or crashed",
			"see the application's log at these times, and its limit on bodies", ""},
		nginxlog.ClosedInBody: {"truncated", finding.Error, reason.ResponseTruncated,
			"the connection broke within a response: the application crashed, or was ended, in the middle", "see the application's log at these times", ""},
		nginxlog.HeaderTooBig: {"header_too_large", finding.Error, reason.ResponseHeaderTooLarge,
			"the response header did not fit proxy_buffer_size", "allow more, or send fewer and smaller cookies; how large the header is, is not known from the log", "proxy_buffer_size 16k;\nproxy_buffers 8 16k;"},
		nginxlog.InvalidResponse: {"malformed", finding.Error, reason.ResponseMalformed,
			"what answered does not speak HTTP/1.1 without TLS: the wrong port, TLS, or HTTP/2", "correct the port or the scheme", ""},
		nginxlog.TLSHandshake: {"tls_handshake", finding.Error, reason.TLSHandshake,
			"the TLS handshake with the upstream failed: the port does not speak TLS, or wants a name (SNI)", "use http:// if it does not speak TLS, or send the name", "proxy_ssl_server_name on;"},
		nginxlog.TLSCertificate: {"tls_certificate", finding.Error, reason.TLSCertificate,
			"nginx refused the upstream's certificate", "renew it, or tell nginx which authority and name to expect", ""},
		nginxlog.NoLiveUpstreams: {"no_live_upstreams", finding.Error, reason.NoUpstream,
			"every server of the group had failed max_fails times and was left out for fail_timeout, so that requests were refused without being tried",
			"cure what made them fail; until then do not leave servers out", "server ADDRESS max_fails=0;"},
		nginxlog.NotResolved: {"dns_not_found", finding.Error, reason.DNSError,
			"the name server said that the name does not exist", "correct the name, or name a resolver that knows it", ""},
		nginxlog.ResolveTimeout: {"dns_timeout", finding.Error, reason.DNSTimeout,
			"the name server did not answer within resolver_timeout", "make the name server reachable, or name another", ""},
		nginxlog.NoResolver: {"resolver_missing", finding.Error, reason.DNSError,
			"proxy_pass has a variable, so that nginx looks the name up for each request, and no resolver is set", "name a resolver", ""},
		nginxlog.WorkerConnections: {"worker_connections", finding.Error, reason.Overloaded,
			"all connections of a worker were in use: clients were refused, or answered 500", "allow more; a proxied request takes two", ""},
		nginxlog.OpenFiles: {"fd_limit", finding.Error, reason.ConnectUnreachable,
			"nginx had as many files open as it may: no connection can be accepted or made", "raise the limit", ""},
		nginxlog.BodyTooLarge: {"body_too_large", finding.Error, reason.RequestTooLarge,
			"clients send larger bodies than client_max_body_size allows, and get 413", "allow as much as your application takes", ""},
		nginxlog.ResponseBuffered: {"response_on_disk", finding.Notice, reason.None,
			"responses larger than proxy_buffers are written to disk on the way", "harmless unless the disk is slow; larger buffers avoid it", "proxy_max_temp_file_size 0;"},
		nginxlog.Limited: {"rate_limited", finding.Notice, reason.RateLimited,
			"limit_req or limit_conn refused requests", "as configured; raise the limit if these were good clients", ""},
		nginxlog.RedirectCycle: {"redirect_cycle", finding.Error, reason.Internal,
			"try_files, error_page or rewrite lead back to themselves, and nginx answers 500", "let the last argument of try_files be =404, or something that exists", ""},
		nginxlog.AddressInUse: {"listener_conflict", finding.Error, reason.None,
			"another process has nginx's address", "end it, or listen elsewhere", ""},
	}
}
