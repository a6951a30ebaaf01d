package proxy

import "net/http"

// Reason says why a request did not get an upstream's answer, or got a bad
// one. It is one word everywhere: the log's value, the metric's label, the
// details of the Proxy-Status header and the heading in the documentation.
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
	ShuttingDown
	Internal

	numReasons
)

// Fault says who a failure is to be laid at.
type Fault uint8

const (
	FaultNone Fault = iota
	FaultUpstream
	FaultClient
	FaultProxy
)

// statusClientGone is what the log shows for a client that left; nobody
// receives it. nginx introduced the number.
const statusClientGone = 499

// reasonRow is everything a reason means, in one place.
type reasonRow struct {
	name   string
	fault  Fault
	status int    // answered to the client; 0 = the upstream's own status
	rfc    string // RFC 9209 section 2.3 error type; empty = none
	retry  bool   // the answer carries Retry-After
	text   string // for the error page
}

var reasons = [numReasons]reasonRow{
	None:                   {name: "none"},
	NoRoute:                {"no_route", FaultProxy, http.StatusNotFound, "destination_not_found", false, "Nothing is configured for this address."},
	NoUpstream:             {"no_upstream", FaultUpstream, http.StatusServiceUnavailable, "destination_unavailable", true, "No server is available for this request right now."},
	HoldExpired:            {"hold_expired", FaultUpstream, http.StatusServiceUnavailable, "destination_unavailable", true, "No server became available in time."},
	RateLimited:            {"rate_limited", FaultClient, http.StatusTooManyRequests, "http_request_denied", true, "Too many requests."},
	Overloaded:             {"overloaded", FaultProxy, http.StatusServiceUnavailable, "connection_limit_reached", true, "The service is busy. Please try again shortly."},
	DNSError:               {"dns_error", FaultUpstream, http.StatusBadGateway, "dns_error", false, "The server's name could not be resolved."},
	DNSTimeout:             {"dns_timeout", FaultUpstream, http.StatusGatewayTimeout, "dns_timeout", false, "The server's name could not be resolved in time."},
	ConnectRefused:         {"connect_refused", FaultUpstream, http.StatusBadGateway, "connection_refused", false, "The server refused the connection."},
	ConnectUnreachable:     {"connect_unreachable", FaultUpstream, http.StatusBadGateway, "destination_ip_unroutable", false, "The server could not be reached."},
	ConnectTimeout:         {"connect_timeout", FaultUpstream, http.StatusGatewayTimeout, "connection_timeout", false, "The server did not accept the connection in time."},
	TLSHandshake:           {"tls_handshake", FaultUpstream, http.StatusBadGateway, "tls_protocol_error", false, "The secure connection to the server failed."},
	TLSCertificate:         {"tls_certificate", FaultUpstream, http.StatusBadGateway, "tls_certificate_error", false, "The server's certificate is not valid."},
	ClosedBeforeResponse:   {"closed_before_response", FaultUpstream, http.StatusBadGateway, "connection_terminated", false, "The server closed the connection without an answer."},
	StreamRefused:          {"stream_refused", FaultUpstream, http.StatusServiceUnavailable, "connection_terminated", true, "The server did not take the request."},
	ResponseTimeout:        {"response_timeout", FaultUpstream, http.StatusGatewayTimeout, "http_response_timeout", false, "The server did not answer in time."},
	ResponseMalformed:      {"response_malformed", FaultUpstream, http.StatusBadGateway, "http_protocol_error", false, "The server's answer could not be understood."},
	ResponseHeaderTooLarge: {"response_header_too_large", FaultUpstream, http.StatusBadGateway, "http_response_header_section_size", false, "The server's answer has too large a header."},
	ResponseTruncated:      {"response_truncated", FaultUpstream, http.StatusBadGateway, "http_response_incomplete", false, "The server's answer was cut off."},
	ResponseStalled:        {"response_stalled", FaultUpstream, http.StatusGatewayTimeout, "connection_read_timeout", false, "The server stopped in the middle of its answer."},
	UpstreamStatus:         {"upstream_status", FaultUpstream, 0, "", false, ""},
	ClientGone:             {"client_gone", FaultClient, statusClientGone, "", false, "The client left."},
	RequestMalformed:       {"request_malformed", FaultClient, http.StatusBadRequest, "http_request_error", false, "The request could not be understood."},
	RequestTooLarge:        {"request_too_large", FaultClient, http.StatusRequestEntityTooLarge, "http_request_error", false, "The request is too large."},
	RequestTimeout:         {"request_timeout", FaultClient, http.StatusRequestTimeout, "http_request_error", false, "The request did not arrive in time."},
	UpgradeUnsupported:     {"upgrade_unsupported", FaultProxy, http.StatusNotImplemented, "http_upgrade_failed", false, "The server cannot be reached by WebSocket, or by another protocol that begins with an upgrade."},
	ShuttingDown:           {"shutting_down", FaultProxy, http.StatusServiceUnavailable, "proxy_internal_response", true, "The service is restarting."},
	Internal:               {"internal", FaultProxy, http.StatusInternalServerError, "proxy_internal_error", false, "Something went wrong in the gateway."},
}

// Reasons returns all reasons but [None].
func Reasons() []Reason {
	all := make([]Reason, 0, numReasons-1)
	for r := None + 1; r < numReasons; r++ {
		all = append(all, r)
	}
	return all
}

// String returns the reason's one word.
func (r Reason) String() string { return reasons[r].name }

// Status returns the status the client gets, 0 when it gets the upstream's own.
func (r Reason) Status() int { return reasons[r].status }

// Fault returns who the failure is to be laid at.
func (r Reason) Fault() Fault { return reasons[r].fault }

// ProxyStatus returns the RFC 9209 error type, empty when there is none.
func (r Reason) ProxyStatus() string { return reasons[r].rfc }

// Text returns one sentence for people who see the error page.
func (r Reason) Text() string { return reasons[r].text }

// GatewayError reports whether a client that gets this reason sees a gateway
// error: an answer of 502, 503 or 504, or one that breaks off.
func (r Reason) GatewayError() bool {
	row := reasons[r]
	return row.status >= 502 && row.status <= 504 || r == UpstreamStatus
}
