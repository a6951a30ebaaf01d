package nginxlog

// Cause is why a request failed, as far as one line of an error log tells.
type Cause uint8

const (
	Other Cause = iota // nothing about upstreams or limits

	ConnectRefused
	ConnectTimeout
	ConnectUnreachable // no route to host, network is unreachable
	ConnectForbidden   // permission denied, for TCP
	NoLocalPort        // cannot assign requested address
	SocketMissing      // no such file, for a unix socket
	SocketForbidden    // permission denied, for a unix socket
	SocketBacklog      // try again, for a unix socket
	ResponseTimeout    // reading the response header
	ResponseStalled    // reading the response body
	SendTimeout        // sending the request
	ClosedBeforeAnswer // the upstream closed in order
	ResetBeforeAnswer  // the upstream reset
	ClosedInBody       // the response was cut off
	ClosedWhileSending // the upstream closed while the request was sent
	HeaderTooBig       //
	InvalidResponse    //
	TLSHandshake       //
	TLSCertificate     //
	NoLiveUpstreams    //
	NotResolved        // the name server says no
	ResolveTimeout     //
	NoResolver         // a name at run time, and no resolver
	WorkerConnections  //
	OpenFiles          //
	BodyTooLarge       // of the client's request
	ResponseBuffered   // a response went to disk
	RequestBuffered    // a request went to disk
	Limited            // limit_req, limit_conn
	RedirectCycle      // rewrite or internal redirection cycle
	ClientGone         //
	AddressInUse       //
	numCauses
)

// String returns the cause's one word.
func (c Cause) String() string {
	return [numCauses]string{
		"other", "connect_refused", "connect_timeout", "connect_unreachable", "connect_forbidden", "no_local_port",
		"socket_missing", "socket_forbidden", "socket_backlog", "response_timeout", "response_stalled", "send_timeout",
		"closed_before_answer", "reset_before_answer", "closed_in_body", "closed_while_sending", "header_too_big",
		"invalid_response", "tls_handshake", "tls_certificate", "no_live_upstreams", "not_resolved", "resolve_timeout",
		"no_resolver", "worker_connections", "open_files", "body_too_large", "response_buffered", "request_buffered",
		"limited", "redirect_cycle", "client_gone", "address_in_use",
	}[c]
}
