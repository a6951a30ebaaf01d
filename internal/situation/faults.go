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
		Cause: "The resolver knows no address for {name}.", CausePast: "The resolver knew no address for {name}.",
		Do: "Check the name, its DNS records, and the name server: /etc/resolv.conf on this machine, or dns.resolver of the pool.", DoPast: "If it happens again, check the name's DNS records.",
	}, {
		ID: ResolverSilent, Level: Warning, Reason: reason.DNSTimeout,
		Headline: "The resolver does not answer", Past: "The resolver did not answer",
		Cause: "No name server of this machine answered in time.",
		Do:    "Check that the name servers can be reached: those in /etc/resolv.conf, or dns.resolver of the pool.", DoPast: "If it happens again, check the name servers in /etc/resolv.conf.",
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
		Cause: "So many connections to {upstream} are open, or have just been closed, that this machine has no port for another.", CausePast: "So many connections to {upstream} were open, or had just been closed, that this machine had no port for another.",
		Do: "Let connections be used again (max_idle_conns, timeouts.keepalive), or widen net.ipv4.ip_local_port_range.",
	}, {
		ID: Unreachable, Level: Warning, Reason: reason.ConnectUnreachable,
		Headline: "The upstream cannot be reached over the network", Past: "The upstream could not be reached over the network",
		Cause: "The network has no way to {upstream}.", CausePast: "The network had no way to {upstream}.",
		Do: "Check the address, the routes and the firewalls between this machine and the upstream.", DoPast: "If it happens again, check the routes and firewalls.",
	}, {
		ID: ConnectTimeout, Level: Warning, Reason: reason.ConnectTimeout,
		Headline: "The upstream does not accept connections in time", Past: "The upstream did not accept connections in time",
		Cause: "Connecting to {upstream} got no answer: its machine is off, a firewall drops the packets, or the application no longer accepts.", CausePast: "Connecting to {upstream} got no answer: its machine was off, a firewall dropped the packets, or the application did not accept.",
		Do: "Check that the machine runs and that no firewall is in between; then restart the application.", DoPast: "If it happens again, look for a firewall or an application that stops accepting.",
	}, {
		ID: HandshakeFails, Level: Warning, Reason: reason.TLSHandshake,
		Headline: "TLS with the upstream fails", Past: "TLS with the upstream failed",
		Cause: "{upstream} and goodgate do not agree on a TLS version, a cipher or a client certificate.", CausePast: "{upstream} and goodgate did not agree on a TLS version, a cipher or a client certificate.",
		Do: "Compare the upstream's TLS settings with the pool's tls section; goodgate doctor takes a closer look.",
	}, {
		ID: NotTLS, Level: Warning, Reason: reason.TLSHandshake,
		Headline: "The upstream does not speak TLS", Past: "The upstream did not speak TLS",
		Cause: "The answer of {upstream} to the TLS handshake is not TLS: it most likely speaks plain HTTP on this port.", CausePast: "The answer of {upstream} to the TLS handshake was not TLS: it most likely spoke plain HTTP on this port.",
		Do: "Write http:// instead of https:// in the pool, or use the upstream's TLS port.",
	}, {
		ID: CertificateBad, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is not accepted", Past: "The upstream's certificate was not accepted",
		Cause: "The certificate of {upstream} could not be verified.",
		Do:    "Check the certificate's names, its validity and who signed it, and tls.ca and tls.server_name of the pool.",
	}, {
		ID: CertExpired, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate has expired", Past: "The upstream's certificate had expired",
		Cause: "The certificate that {upstream} shows is past its end.", CausePast: "The certificate that {upstream} showed was past its end.",
		Do: "Renew the certificate on the upstream, and reload the application so that it uses it.",
	}, {
		ID: CertNotYet, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is not valid yet", Past: "The upstream's certificate was not valid yet",
		Cause: "The validity of the certificate that {upstream} shows begins in the future, or a clock is wrong.", CausePast: "The validity of the certificate that {upstream} showed began in the future, or a clock was wrong.",
		Do: "Compare the clocks of both machines; else install a certificate that is valid now.",
	}, {
		ID: CertName, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is for another name", Past: "The upstream's certificate was for another name",
		Cause: "The certificate that {upstream} shows does not list the name that goodgate asks for.", CausePast: "The certificate that {upstream} showed did not list the name that goodgate asks for.",
		Do: "Set tls.server_name of the pool to a name in the certificate, or issue a certificate for the name in use.",
	}, {
		ID: CertUnknownCA, Level: Warning, Reason: reason.TLSCertificate,
		Headline: "The upstream's certificate is from an unknown authority", Past: "The upstream's certificate was from an unknown authority",
		Cause: "Nobody whom goodgate trusts has signed the certificate that {upstream} shows.", CausePast: "Nobody whom goodgate trusts had signed the certificate that {upstream} showed.",
		Do: "Set tls.ca of the pool to the authority's certificate; for a self-signed certificate, to that certificate.",
	}, {
		ID: ClosedEarly, Level: Warning, Reason: reason.ClosedBeforeResponse,
		Headline: "The upstream closes connections without an answer", Past: "The upstream closed connections without an answer",
		Cause: "The application on {upstream} took requests and ended the connection: it crashes, restarts, kills its workers, or does not speak the pool's protocol.", CausePast: "The application on {upstream} took requests and ended the connection: it crashed, restarted, or killed its workers.",
		Do: "Look in the application's log for a crash, a worker timeout or an out-of-memory kill. If it never answers, check the port, the scheme and the pool's protocol.",
	}, {
		ID: ClosesAll, Level: Warning, Reason: reason.ClosedBeforeResponse,
		Headline: "The upstream closes every connection without an answer", Past: "The upstream closed every connection without an answer",
		Cause: "{upstream} accepts connections, and has answered no request: it expects TLS or another protocol on this port, or it crashes at each request.", CausePast: "{upstream} accepted connections, and answered no request: it expected TLS or another protocol on this port, or it crashed at each request.",
		Do: "Check the port, the scheme (http or https) and the pool's protocol. If they are right, look in the application's log for a crash.",
	}, {
		ID: KeepAliveRace, Level: Warning, Reason: reason.ClosedBeforeResponse,
		Headline: "The upstream closes idle connections as they are used", Past: "The upstream closed idle connections as they were used",
		Cause: "{upstream} ended connections that had been idle at the moment a request was sent: its keep-alive timeout is shorter than the pool's.",
		Do:    "Set timeouts.keepalive of the pool below the application's keep-alive timeout, or raise that.",
	}, {
		ID: StreamRefused, Level: Warning, Reason: reason.StreamRefused,
		Headline: "The upstream turns requests away", Past: "The upstream turned requests away",
		Cause: "{upstream} refused HTTP/2 streams: it restarts, or allows fewer at once than it gets.", CausePast: "{upstream} refused HTTP/2 streams: it restarted, or allows fewer at once than it got.",
		Do: "Raise the application's limit of concurrent streams, or set max_in_flight below it.", DoPast: "Nothing, if it was a restart.",
	}, {
		ID: ResponseTimeout, Level: Warning, Reason: reason.ResponseTimeout,
		Headline: "The upstream does not answer in time", Past: "The upstream did not answer in time",
		Cause: "{upstream} took longer than timeouts.response_header or retry.per_try allows.",
		Do:    "Find what the application waits for: its database, a lock, another service. Raise the timeout only if it has to take that long.",
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
		Do:    "Find what the application waits for; raise timeouts.idle if such pauses are normal.",
	}, {
		ID: AnswersError, Level: Warning, Reason: reason.UpstreamStatus,
		Headline: "The upstream answers {status} itself", Past: "The upstream answered {status} itself",
		Cause: "The error comes from the application on {upstream}, or from a proxy in front of it, not from goodgate.", CausePast: "The error came from the application on {upstream}, or from a proxy in front of it, not from goodgate.",
		Do: "Look in the application's log.",
	}, {
		ID: PassedOn, Level: Warning,
		Headline: "The application answers some requests with {status}", Past: "The application answered some requests with {status}",
		Cause: "The application on {upstream} fails at these requests. goodgate passes such an answer on to the client, and counts it neither as a failure nor as an error that clients saw.", CausePast: "The application on {upstream} failed at these requests. goodgate passed the answers on to the clients, and counted them neither as failures nor as errors that clients saw.",
		Do: "Look in the application's log for these requests.",
	}, {
		ID: CheckStatus, Level: Warning, Reason: reason.UpstreamStatus,
		Headline: "The upstream answers its health check with {status}", Past: "The upstream answered its health check with {status}",
		Cause: "The application on {upstream} runs, and says that it is not well, or the check asks for a path that it does not have.", CausePast: "The application on {upstream} ran, and said that it was not well.",
		Do: "Ask for the check's path yourself (curl), and compare with health.path and health.expect.",
	}, {
		ID: CheckWrong, Level: Warning,
		Headline: "The upstream's answer to its health check is not the expected one", Past: "The upstream's answer to its health check was not the expected one",
		Cause: "{upstream} answers the check: {error}.", CausePast: "{upstream} answered the check: {error}.",
		Do: "Compare what it answers with the pool's health section.",
	},
}
