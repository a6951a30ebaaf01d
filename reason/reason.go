package reason

import (
	"cmp"
	"net/http"
)

// Reason is why a request got no answer from an upstream, or a bad one. The same word is
// the value in the log, the label of the metric, the details of the Proxy-Status header
// and the heading in the documentation.
type Reason uint8

const (
	None Reason = iota // the request was answered

	NoRoute
	NoUpstream
	HoldExpired
	RateLimited
	Overloaded
	DNSError
	DNSTimeout
	ConnectRefused
	ConnectUnreachable
	ConnectTimeout
	TLSHandshake
	TLSCertificate
	ClosedBeforeResponse
	StreamRefused
	ResponseTimeout
	ResponseMalformed
	ResponseHeaderTooLarge
	ResponseTruncated
	ResponseStalled
	UpstreamStatus
	ClientGone
	RequestMalformed
	RequestTooLarge
	RequestTimeout
	UpgradeUnsupported
	LoopDetected
	Paused
	Maintenance
	ShuttingDown
	AccessDenied
	Unauthorized
	AuthUnavailable
	CrossOrigin
	FaultInjected
	Internal

	numReasons
)

// Fault is the party at fault for a failure.
type Fault uint8

const (
	FaultNone Fault = iota
	FaultUpstream
	FaultClient
	FaultProxy
)

// StatusClientGone is the status in the log for a client that left. No client receives
// it. nginx introduced the number.
const StatusClientGone = 499

// row defines everything about a reason.
type row struct {
	name       string
	fault      Fault
	status     int      // HTTP status for the client; 0 = the upstream's own
	rfc        string   // RFC 9209 section 2.3 error type; empty = none
	failure    Failures // kind of failure for which another upstream could answer; 0 = none
	free       bool     // a failed attempt has cost its upstream nothing
	ordered    bool     // caused by the operator on purpose: no error
	retryAfter bool     // the answer has Retry-After
	grpc       int      // status for a gRPC client; 0 = UNAVAILABLE
	hiddenBy   Means    // means that hides the failure if another attempt is answered; ByNothing = a retry
	text       string   // text of the error page; empty = none
}

// Status codes of gRPC (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const (
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

var rows = [numReasons]row{
	None: {name: "none"},
	NoRoute: {name: "no_route", fault: FaultProxy, status: http.StatusNotFound, rfc: "destination_not_found", grpc: grpcUnimplemented,
		text: "Nothing is configured for this address."},
	NoUpstream: {name: "no_upstream", fault: FaultUpstream, status: http.StatusServiceUnavailable, rfc: "destination_unavailable", failure: Unavailable, retryAfter: true,
		text: "No server is available for this request right now."},
	HoldExpired: {name: "hold_expired", fault: FaultUpstream, status: http.StatusServiceUnavailable, rfc: "destination_unavailable", failure: Unavailable, retryAfter: true,
		text: "No server became available in time."},
	RateLimited: {name: "rate_limited", fault: FaultClient, status: http.StatusTooManyRequests, rfc: "http_request_denied", retryAfter: true,
		text: "Too many requests."},
	Overloaded: {name: "overloaded", fault: FaultProxy, status: http.StatusServiceUnavailable, rfc: "connection_limit_reached", failure: Unavailable, retryAfter: true,
		text: "The service is busy. Please try again shortly."},
	DNSError: {name: "dns_error", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "dns_error", failure: Unavailable,
		text: "The server's name could not be resolved."},
	DNSTimeout: {name: "dns_timeout", fault: FaultUpstream, status: http.StatusGatewayTimeout, rfc: "dns_timeout", failure: Unavailable,
		text: "The server's name could not be resolved in time."},
	ConnectRefused: {name: "connect_refused", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "connection_refused", failure: Unconnected, free: true,
		text: "The server refused the connection."},
	ConnectUnreachable: {name: "connect_unreachable", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "destination_ip_unroutable", failure: Unconnected, free: true,
		text: "The server could not be reached."},
	ConnectTimeout: {name: "connect_timeout", fault: FaultUpstream, status: http.StatusGatewayTimeout, rfc: "connection_timeout", failure: Unconnected, free: true,
		text: "The server did not accept the connection in time."},
	TLSHandshake: {name: "tls_handshake", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "tls_protocol_error", failure: Unconnected,
		text: "The secure connection to the server failed."},
	TLSCertificate: {name: "tls_certificate", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "tls_certificate_error", failure: Unconnected,
		text: "The server's certificate is not valid."},
	ClosedBeforeResponse: {name: "closed_before_response", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "connection_terminated", failure: Unanswered,
		text: "The server closed the connection without an answer."},
	StreamRefused: {name: "stream_refused", fault: FaultUpstream, status: http.StatusServiceUnavailable, rfc: "connection_terminated", failure: Unanswered, free: true, retryAfter: true,
		text: "The server did not accept the request."},
	ResponseTimeout: {name: "response_timeout", fault: FaultUpstream, status: http.StatusGatewayTimeout, rfc: "http_response_timeout", failure: Unanswered,
		text: "The server did not answer in time."},
	ResponseMalformed: {name: "response_malformed", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "http_protocol_error", failure: Unanswered,
		text: "The server's answer was not valid."},
	ResponseHeaderTooLarge: {name: "response_header_too_large", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "http_response_header_section_size", failure: Unanswered,
		text: "The header of the server's answer is too large."},
	ResponseTruncated: {name: "response_truncated", fault: FaultUpstream, status: http.StatusBadGateway, rfc: "http_response_incomplete", failure: Unanswered, hiddenBy: ByCommit,
		text: "The server's answer was cut off."},
	ResponseStalled: {name: "response_stalled", fault: FaultUpstream, status: http.StatusGatewayTimeout, rfc: "connection_read_timeout", failure: Unanswered, hiddenBy: ByCommit,
		text: "The server stopped in the middle of its answer."},
	UpstreamStatus: {name: "upstream_status", fault: FaultUpstream, status: 0, rfc: "", failure: BadStatus,
		text: ""},
	ClientGone: {name: "client_gone", fault: FaultClient, status: StatusClientGone, rfc: "",
		text: "The client left."},
	RequestMalformed: {name: "request_malformed", fault: FaultClient, status: http.StatusBadRequest, rfc: "http_request_error", grpc: grpcInternal,
		text: "The request was not valid."},
	RequestTooLarge: {name: "request_too_large", fault: FaultClient, status: http.StatusRequestEntityTooLarge, rfc: "http_request_error", grpc: grpcResourceExhausted,
		text: "The request is too large."},
	RequestTimeout: {name: "request_timeout", fault: FaultClient, status: http.StatusRequestTimeout, rfc: "http_request_error",
		text: "The request did not arrive in time."},
	UpgradeUnsupported: {name: "upgrade_unsupported", fault: FaultProxy, status: http.StatusNotImplemented, rfc: "http_upgrade_failed",
		text: "The server does not support WebSocket or other protocol upgrades."},
	LoopDetected: {name: "loop_detected", fault: FaultProxy, status: http.StatusLoopDetected, rfc: "proxy_loop_detected", grpc: grpcInternal,
		text: "The request passed this server twice."},
	Paused: {name: "paused", fault: FaultProxy, status: http.StatusServiceUnavailable, rfc: "http_request_denied", ordered: true, retryAfter: true,
		text: "The service is being updated and will be back shortly."},
	Maintenance: {name: "maintenance", fault: FaultProxy, status: http.StatusServiceUnavailable, rfc: "http_request_denied", ordered: true, retryAfter: true,
		text: "The service is down for maintenance and will be back."},
	FaultInjected: {name: "fault_injected", fault: FaultProxy, status: http.StatusServiceUnavailable, rfc: "proxy_internal_response", ordered: true,
		text: "This error is deliberate, for a test."},
	ShuttingDown: {name: "shutting_down", fault: FaultProxy, status: http.StatusServiceUnavailable, rfc: "proxy_internal_response", retryAfter: true,
		text: "The service is restarting."},
	AccessDenied: {name: "access_denied", fault: FaultClient, status: http.StatusForbidden, rfc: "http_request_denied", grpc: grpcPermissionDenied,
		text: "Your network has no access to this address."},
	Unauthorized: {name: "unauthorized", fault: FaultClient, status: http.StatusUnauthorized, rfc: "http_request_denied", grpc: grpcUnauthenticated,
		text: "This address requires you to sign in."},
	AuthUnavailable: {name: "auth_unavailable", fault: FaultProxy, status: http.StatusServiceUnavailable, rfc: "destination_unavailable", failure: Unavailable, retryAfter: true,
		text: "Your access cannot be verified right now. Please try again shortly."},
	CrossOrigin: {name: "cross_origin", fault: FaultClient, status: http.StatusForbidden, rfc: "http_request_denied", grpc: grpcPermissionDenied,
		text: "The request came from another site."},
	Internal: {name: "internal", fault: FaultProxy, status: http.StatusInternalServerError, rfc: "proxy_internal_error", grpc: grpcInternal,
		text: "Something went wrong in the gateway."},
}

// All returns all reasons except [None].
func All() []Reason {
	all := make([]Reason, 0, numReasons-1)
	for r := None + 1; r < numReasons; r++ {
		all = append(all, r)
	}
	return all
}

// String returns the word.
func (r Reason) String() string { return rows[r].name }

// Status returns the HTTP status that the client gets, 0 for the upstream's own.
func (r Reason) Status() int { return rows[r].status }

// Fault returns the party at fault.
func (r Reason) Fault() Fault { return rows[r].fault }

// ProxyStatus returns the error type of RFC 9209, empty without one.
func (r Reason) ProxyStatus() string { return rows[r].rfc }

// Text returns one sentence for the people who see the error page.
func (r Reason) Text() string { return rows[r].text }

// RetryAfter reports whether the answer says when to try again.
func (r Reason) RetryAfter() bool { return rows[r].retryAfter }

// Free reports whether a failed attempt has cost its upstream nothing. Then a retry needs
// no token of the retry budget.
func (r Reason) Free() bool { return rows[r].free }

// Failure returns the kind of the failure, 0 if no other upstream could have answered
// instead.
func (r Reason) Failure() Failures { return rows[r].failure }

// GRPC returns the gRPC status that a client gets. It is the status that the client would
// derive from the HTTP status
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), unless a
// more exact one exists.
func (r Reason) GRPC() int { return cmp.Or(rows[r].grpc, grpcUnavailable) }

// HiddenBy returns the means by which goodgate hid a failed attempt, if another attempt
// got an answer.
func (r Reason) HiddenBy() Means { return cmp.Or(rows[r].hiddenBy, ByRetry) }

// GatewayError reports whether a client that gets this reason sees a gateway error: status
// 502, 503 or 504, or an answer that breaks off. An answer that the operator wants, such
// as the 503 of a pool in maintenance, is not an error.
func (r Reason) GatewayError() bool {
	row := rows[r]
	return !row.ordered && row.status >= 502 && row.status <= 504 || r == UpstreamStatus
}

// Failures is a set of kinds of failure that end in a gateway error.
type Failures uint8

const (
	Unavailable Failures = 1 << iota // no upstream was available
	Unconnected                      // the connection failed
	Unanswered                       // the connection brought no complete answer
	BadStatus                        // the upstream's answer was 502, 503 or 504
)
