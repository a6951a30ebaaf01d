package situation

import "github.com/goodgate/goodgate/reason"

// Faults of an upstream, found by requests and health checks alike.
const (
	NameUnknown     ID = "dns_error"
	ResolverSilent  ID = "dns_timeout"
	Refused         ID = "connect_refused"
	SocketMissing   ID = "socket_missing"
	SocketForbidden ID = "socket_forbidden"
	NoLocalPort     ID = "no_local_port"
	Unreachable     ID = "connect_unreachable"
	ConnectTimeout  ID = "connect_timeout"
	HandshakeFails  ID = "tls_handshake"
	NotTLS          ID = "not_tls"
	CertificateBad  ID = "tls_certificate"
	CertExpired     ID = "certificate_of_upstream_expired"
	CertNotYet      ID = "certificate_of_upstream_not_yet_valid"
	CertName        ID = "certificate_of_upstream_wrong_name"
	CertUnknownCA   ID = "certificate_of_upstream_unknown_authority"
	ClosedEarly     ID = "closed_before_response"
	ClosesAll       ID = "closes_every_connection"
	KeepAliveRace   ID = "keepalive_race"
	StreamRefused   ID = "stream_refused"
	ResponseTimeout ID = "response_timeout"
	Hangs           ID = "hangs"
	NotHTTP         ID = "response_malformed"
	HeaderTooLarge  ID = "response_header_too_large"
	Truncated       ID = "response_truncated"
	Stalled         ID = "response_stalled"
	AnswersError    ID = "upstream_status"
	PassedOn        ID = "error_passed_on"
	CheckStatus     ID = "check_status"
	CheckWrong      ID = "check_wrong"
)

var faults = []Row{
	{
		ID: NameUnknown, Level: Warning, Reason: reason.DNSError,
		Headline: "The name of the upstream does not resolve", Past: "The name of the upstream did not resolve",
		Cause: "The resolver found no address for {name}.", CausePast: "The resolver found no address for {name}.",
		Do: "Check the name, its DNS records, and the name server: /etc/resolv.conf on this machine, or the pool's dns.resolver.", DoPast: "If it happens again, check the name's DNS records.",
	}, {
		ID: ResolverSilent, Level: Warning, Reason: reason.DNSTimeout,
		Headline: "The resolver does not answer", Past: "The resolver did not answer",
		Cause: "No name server of this machine answered in time.",
		Do:    "Check that this machine reaches its name servers: those in /etc/resolv.conf, or the pool's dns.resolver.", DoPast: "If it happens again, check the name servers in /etc/resolv.conf.",
	}, {
		ID: Refused, Level: Warning, Reason: reason.ConnectRefused,
		Headline: "The upstream refuses connections", Past: "The upstream refused connections",
		Cause: "Nothing listens on {upstream}.", CausePast: "Nothing listened on {upstream}: most likely the application restarted.",
		Do:     "Start the application, or correct the address.",
		DoPast: "Nothing, if it was a restart. Otherwise the application's log says why it ended.",
	}, {
		ID: SocketMissing, Level: Warning, Reason: reason.ConnectRefused,
		Headline: "The upstream's socket does not exist", Past: "The upstream's socket did not exist",
		Cause: "There is no file {upstream}.", CausePast: "There was no file {upstream}: most likely the application restarted.",
		Do:     "Start the application, or correct the path.",
		DoPast: "Nothing, if it was a restart. Otherwise the application's log says why it ended.",
	}, {
		ID: SocketForbidden, Level: Warning, Reason: reason.ConnectUnreachable,
		Headline: "goodgate may not open the upstream's socket", Past: "goodgate could not open the upstream's socket",
		Cause: "The user that goodgate runs as has no permission to write to {upstream}, or to enter its folder.", CausePast: "The user that goodgate runs as had no permission to write to {upstream}, or to enter its folder.",
		Do: "Give that user's group access to the socket, or have the application create it with another mode.",
	}, {
		ID: NoLocalPort, Level: Warning, Reason: reason.ConnectUnreachable,
		Headline: "There is no local port left to connect from", Past: "There was no local port left to connect from",
		Cause: "Connections to {upstream} that are open or were closed a moment ago use all local ports.", CausePast: "Connections to {upstream} that were open or had just been closed used all local ports.",
		Do: "Reuse more connections (max_idle_conns, timeouts.keepalive), or widen net.ipv4.ip_local_port_range.",
	}, {
		ID: Unreachable, Level: Warning, Reason: reason.ConnectUnreachable,
		Headline: "The upstream cannot be reached over the network", Past: "The upstream could not be reached over the network",
		Cause: "This machine has no network route to {upstream}.", CausePast: "This machine had no network route to {upstream}.",
		Do: "Check the address, the routes and the firewalls between this machine and the upstream.", DoPast: "If it happens again, check the routes and firewalls.",
	}, {
		ID: ConnectTimeout, Level: Warning, Reason: reason.ConnectTimeout,
		Headline: "The upstream does not accept connections in time", Past: "The upstream did not accept connections in time",
		Cause: "{upstream} does not answer connection attempts: its machine is off, a firewall drops the packets, or the application no longer accepts connections.", CausePast: "{upstream} did not answer connection attempts: its machine was off, a firewall dropped the packets, or the application did not accept connections.",
		Do: "Check that the machine runs and that no firewall blocks the port; then restart the application.", DoPast: "If it happens again, look for a firewall that drops packets, or an application that stops accepting connections.",
	}, {
		ID: HandshakeFails, Level: Warning, Reason: reason.TLSHandshake,
		Headline: "TLS with the upstream fails", Past: "TLS with the upstream failed",
		Cause: "{upstream} and goodgate do not agree on a TLS version, a cipher or a client certificate.", CausePast: "{upstream} and goodgate did not agree on a TLS version, a cipher or a client certificate.",
		Do: "Compare the upstream's TLS settings with the pool's tls section. goodgate doctor examines the handshake.",
	}, {
		ID: NotTLS, Level: Warning, Reason: reason.TLSHandshake,
		Headline: "The upstream does not speak TLS", Past: "The upstream did not speak TLS",
		Cause: "{upstream} does not answer the handshake in TLS: most likely it speaks plain HTTP on this port.", CausePast: "{upstream} did not answer the handshake in TLS: most likely it spoke plain HTTP on this port.",
		Do: "Write http:// instead of https:// in the pool, or use the upstream's TLS port.",
	}, {
		ID: CertificateBad, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is not accepted", Past: "The upstream's certificate was not accepted",
		Cause: "The certificate of {upstream} could not be verified.",
		Do:    "Compare the certificate's names, validity and issuer with the pool's tls.ca and tls.server_name.",
	}, {
		ID: CertExpired, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate has expired", Past: "The upstream's certificate had expired",
		Cause: "The certificate of {upstream} is past its expiry date.", CausePast: "The certificate of {upstream} was past its expiry date.",
		Do: "Renew the certificate on the upstream, and reload the application.",
	}, {
		ID: CertNotYet, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is not valid yet", Past: "The upstream's certificate was not valid yet",
		Cause: "The certificate of {upstream} becomes valid in the future, or a clock is wrong.", CausePast: "The certificate of {upstream} became valid only later, or a clock was wrong.",
		Do: "Compare the clocks of both machines. If they agree, install a certificate that is valid now.",
	}, {
		ID: CertName, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is for another name", Past: "The upstream's certificate was for another name",
		Cause: "The certificate of {upstream} does not list the name that goodgate asks for.", CausePast: "The certificate of {upstream} did not list the name that goodgate asks for.",
		Do: "Set tls.server_name of the pool to a name in the certificate, or issue a certificate for the name in use.",
	}, {
		ID: CertUnknownCA, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is from an unknown authority", Past: "The upstream's certificate was from an unknown authority",
		Cause: "No authority that goodgate trusts has signed the certificate of {upstream}.", CausePast: "No authority that goodgate trusts had signed the certificate of {upstream}.",
		Do: "Set tls.ca of the pool to the authority's certificate; for a self-signed certificate, to that certificate.",
	}, {
		ID: ClosedEarly, Level: Warning, Reason: reason.ClosedBeforeResponse,
		Headline: "The upstream closes connections without an answer", Past: "The upstream closed connections without an answer",
		Cause: "The application on {upstream} accepted requests and closed the connection: it crashes, restarts, kills its workers, or does not speak the pool's protocol.", CausePast: "The application on {upstream} accepted requests and closed the connection: it crashed, restarted, or killed its workers.",
		Do: "Look in the application's log for a crash, a worker timeout or an out-of-memory kill. If it never answers, check the port, the scheme and the pool's protocol.",
	}, {
		ID: ClosesAll, Level: Warning, Reason: reason.ClosedBeforeResponse,
		Headline: "The upstream closes every connection without an answer", Past: "The upstream closed every connection without an answer",
		Cause: "{upstream} accepts connections but has answered no request: it expects TLS or another protocol on this port, or it crashes on every request.", CausePast: "{upstream} accepted connections but answered no request: it expected TLS or another protocol on this port, or it crashed on every request.",
		Do: "Check the port, the scheme (http or https) and the pool's protocol. If they are right, look in the application's log for a crash.",
	}, {
		ID: KeepAliveRace, Level: Warning, Reason: reason.ClosedBeforeResponse,
		Headline: "The upstream closes idle connections just as goodgate reuses them", Past: "The upstream closed idle connections just as goodgate reused them",
		Cause: "{upstream} closed idle connections at the moment goodgate sent a request on them: its keep-alive timeout is shorter than the pool's.",
		Do:    "Set the pool's timeouts.keepalive below the application's keep-alive timeout, or raise the application's.",
	}, {
		ID: StreamRefused, Level: Warning, Reason: reason.StreamRefused,
		Headline: "The upstream refuses requests", Past: "The upstream refused requests",
		Cause: "{upstream} refuses HTTP/2 streams: it is restarting, or allows fewer concurrent streams than goodgate opens.", CausePast: "{upstream} refused HTTP/2 streams: it restarted, or allows fewer concurrent streams than goodgate opened.",
		Do: "Raise the application's limit of concurrent streams, or set max_in_flight below that limit.", DoPast: "Nothing, if it was a restart.",
	}, {
		ID: ResponseTimeout, Level: Warning, Reason: reason.ResponseTimeout,
		Headline: "The upstream does not answer in time", Past: "The upstream did not answer in time",
		Cause: "{upstream} took longer than timeouts.response_header or retry.per_try allows.",
		Do:    "Find out what the application waits for: its database, a lock, another service. Raise the timeout only if the answer has to take that long.",
	}, {
		ID: Hangs, Level: Warning, Reason: reason.ResponseTimeout,
		Headline: "The upstream hangs", Past: "The upstream hung",
		Cause: "{upstream} accepts connections and answers nothing, not even the health check: the process is stopped, deadlocked or out of workers.", CausePast: "{upstream} accepted connections and answered nothing: the process was stopped, deadlocked or out of workers.",
		Do: "Take a stack dump of the application, then restart it.", DoPast: "If it happens again, look for a deadlock, a long garbage collection or too few workers.",
	}, {
		ID: NotHTTP, Level: Warning, Reason: reason.ResponseMalformed,
		Headline: "The upstream's answers are not HTTP", Past: "The upstream's answers were not HTTP",
		Cause: "The data from {upstream} is not in the protocol that the pool speaks: another program listens on the port, or it speaks HTTPS or another HTTP version.", CausePast: "The data from {upstream} was not in the protocol that the pool speaks: another program listened on the port, or it spoke HTTPS or another HTTP version.",
		Do: "Check the port, the scheme (http or https) and the pool's protocol.",
	}, {
		ID: HeaderTooLarge, Level: Warning, Reason: reason.ResponseHeaderTooLarge,
		Headline: "The upstream's response headers are too large", Past: "The upstream's response headers were too large",
		Cause: "A response header of {upstream} exceeded the limit.",
		Do:    "Look for cookies that grow, or for debug headers.",
	}, {
		ID: Truncated, Level: Warning, Reason: reason.ResponseTruncated,
		Headline: "The upstream's responses break off", Past: "The upstream's responses broke off",
		Cause: "{upstream} ended the connection in the middle of a response: it crashed, or was killed.",
		Do:    "Look in the application's log for a crash, a worker timeout or an out-of-memory kill.",
	}, {
		ID: Stalled, Level: Warning, Reason: reason.ResponseStalled,
		Headline: "The upstream's responses stop in the middle", Past: "The upstream's responses stopped in the middle",
		Cause: "{upstream} began to answer and then sent nothing for timeouts.idle.",
		Do:    "Find out what the application waits for. Raise timeouts.idle if such pauses are normal.",
	}, {
		ID: AnswersError, Level: Warning, Reason: reason.UpstreamStatus,
		Headline: "The upstream answers {status} itself", Past: "The upstream answered {status} itself",
		Cause: "The error comes from the application on {upstream}, or from a proxy in front of it, not from goodgate.", CausePast: "The error came from the application on {upstream}, or from a proxy in front of it, not from goodgate.",
		Do: "Look in the application's log.",
	}, {
		ID: PassedOn, Level: Warning,
		Headline: "The application answers some requests with {status}", Past: "The application answered some requests with {status}",
		Cause: "The application on {upstream} fails on these requests. goodgate passes the answer on to the client, and counts it neither as a failure nor as an error seen by clients.", CausePast: "The application on {upstream} failed on these requests. goodgate passed the answers on to the clients, and counted them neither as failures nor as errors seen by clients.",
		Do: "Look in the application's log for these requests.",
	}, {
		ID: CheckStatus, Level: Warning, Reason: reason.UpstreamStatus,
		Headline: "The upstream answers its health check with {status}", Past: "The upstream answered its health check with {status}",
		Cause: "The application on {upstream} reports that it is unhealthy, or the check requests a path that does not exist there.", CausePast: "The application on {upstream} reported that it was unhealthy.",
		Do: "Request the check's path with curl, and compare the answer with health.path and health.expect.",
	}, {
		ID: CheckWrong, Level: Warning,
		Headline: "The upstream's answer to its health check is not as expected", Past: "The upstream's answer to its health check was not as expected",
		Cause: "{upstream} answers the check: {error}.", CausePast: "{upstream} answered the check: {error}.",
		Do: "Compare this answer with the pool's health section.",
	},
}
