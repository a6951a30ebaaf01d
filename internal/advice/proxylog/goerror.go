package proxylog

import (
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// goError is an error of Go's libraries, which Caddy and Traefik log unchanged.
type goError struct {
	match, and string
	cause      nginxlog.Cause
	means, do  string
	caddy      string // the text to configure
	traefik    string
}

// goRows returns the rows of a proxy in Go, the most specific texts first.
func goRows(proxy string) []Row {
	var rows []Row
	for _, g := range goErrors() {
		r := Row{Proxy: proxy, Match: g.match, And: g.and, Cause: g.cause, Means: g.means, Do: g.do, Directive: g.caddy}
		text := g.match
		if g.and != "" {
			text = g.and + " " + g.match
		}
		r.Example = `{"level":"error","ts":1772366400.5,"logger":"http.log.error","msg":` + quote(text) + `,"request":{"method":"GET","host":"app.example","uri":"/v1/items"},"duration":0.01,"status":502}`
		if proxy == "Traefik" {
			r.Directive = g.traefik
			r.Example = `{"level":"debug","error":` + quote(text) + `,"time":"2026-03-01T12:00:00Z","message":"502 Bad Gateway"}`
		}
		rows = append(rows, r)
	}
	return rows
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func goErrors() []goError {
	const insecure = "insecureSkipVerify hides this, but also every other mistake"
	return []goError{
		{"context canceled", "", nginxlog.ClientGone, "the client left before the answer", "nothing, unless there are many: then answers take longer than clients wait", "", ""},
		{"client disconnected", "", nginxlog.ClientGone, "the client left in the middle of its request", "nothing, unless there are many", "", ""},
		{"no such host", "lookup", nginxlog.NotResolved, "the name server says that the name does not exist", "correct the name; containers find each other by name only in a network that they share", "", ""},
		{"server misbehaving", "lookup", nginxlog.ResolverFailed, "the name server failed, or refused to answer", "check the name server in /etc/resolv.conf of the container", "", ""},
		{"i/o timeout", "lookup", nginxlog.ResolveTimeout, "the name server did not answer in time", "make the name server reachable, or configure another", transport("resolvers 10.0.0.2"), ""},
		{"connection refused", "lookup", nginxlog.ResolverDown, "nothing listened on the name server's port", "check /etc/resolv.conf of the container", "", ""},
		{"connection refused", "", nginxlog.ConnectRefused, "nothing listened on that port at the time: the application was not running, was restarting, or listens elsewhere (in a container: only on 127.0.0.1)", "make sure that the application runs and listens there", "lb_try_duration 5s", label("server.port=PORT")},
		{"no route to host", "", nginxlog.ConnectUnreachable, "there was no route to the address", "bring the network up, or correct the address", "", ""},
		{"network is unreachable", "", nginxlog.ConnectUnreachable, "there was no route to the network", "bring the network up, or correct the address", "", ""},
		{"no such file or directory", "unix", nginxlog.SocketMissing, "the socket file did not exist", "start the application, or correct the path", "", ""},
		{"permission denied", "unix", nginxlog.SocketForbidden, "the proxy has no permission to write to the socket", "configure the application to create the socket for a group that the proxy's user is in", "", ""},
		{"permission denied", "dial", nginxlog.ConnectForbidden, "SELinux or a firewall rule on this machine forbids the connection", "allow it", "", ""},
		{"cannot assign requested address", "", nginxlog.NoLocalPort, "all local ports for connections to the upstream were in use", "keep connections to the upstream open", transport("keepalive_idle_conns_per_host 128"), servers("maxIdleConnsPerHost: 128")},
		{"too many open files", "", nginxlog.OpenFiles, "the proxy reached its limit of open files", "raise the limit", "LimitNOFILE=65536", "LimitNOFILE=65536"},
		{"i/o timeout", "dial", nginxlog.ConnectTimeout, "no connection in time: packets were dropped on the way, or the application's accept queue was full. In Docker: the container is not in the proxy's network", "allow the port in the firewalls; share a network with the container", transport("dial_timeout 5s"), "traefik.docker.network=NETWORK"},
		{"context deadline exceeded", "dial", nginxlog.ConnectTimeout, "no connection in time", "allow the port in the firewalls", transport("dial_timeout 5s"), servers("forwardingTimeouts.dialTimeout: 5s")},
		{"timeout awaiting response headers", "", nginxlog.ResponseTimeout, "the application did not answer in time", "make the request faster, or wait longer", transport("response_header_timeout 60s"), servers("forwardingTimeouts.responseHeaderTimeout: 60s")},
		{"context deadline exceeded", "", nginxlog.ResponseTimeout, "the application did not answer in time", "make the request faster, or wait longer", transport("response_header_timeout 60s"), servers("forwardingTimeouts.responseHeaderTimeout: 60s")},
		{"i/o timeout", "", nginxlog.ResponseStalled, "the application paused too long in the middle of a response", "find out what the application waits for, or wait longer", transport("read_timeout 60s"), ""},
		{"first record does not look like a TLS handshake", "", nginxlog.TLSPlain, "the proxy spoke TLS to a port without TLS", "use http:// for this upstream", "reverse_proxy http://HOST:PORT", label("server.scheme=http")},
		{"server gave HTTP response to HTTPS client", "", nginxlog.TLSPlain, "the proxy spoke TLS to a port without TLS", "use http:// for this upstream", "reverse_proxy http://HOST:PORT", label("server.scheme=http")},
		{`malformed HTTP response "\x15\x03`, "", nginxlog.InvalidResponse, "the proxy spoke plain HTTP to a TLS port", "use https:// for this upstream", "reverse_proxy https://HOST:PORT", label("server.scheme=https")},
		{"malformed HTTP", "", nginxlog.InvalidResponse, "the upstream does not speak plain HTTP/1.1: the port is wrong, or speaks TLS or HTTP/2", "correct the port or the scheme", "reverse_proxy h2c://HOST:PORT", label("server.scheme=h2c")},
		{"certificate has expired or is not yet valid", "", nginxlog.TLSCertificate, "the upstream's certificate is out of date", "renew it; " + insecure, "", ""},
		{"certificate signed by unknown authority", "", nginxlog.TLSCertificate, "the upstream's certificate comes from an unknown authority", "configure its authority; " + insecure, transport("tls_trust_pool file /etc/ssl/upstream-ca.pem"), servers("rootCAs: [/etc/ssl/upstream-ca.pem]")},
		{"certificate is valid for", "", nginxlog.TLSCertificateName, "the upstream's certificate is for another name", "use the name that is in the certificate", transport("tls_server_name NAME"), servers("serverName: NAME")},
		{"cannot validate certificate for", "", nginxlog.TLSCertificateName, "the upstream's certificate is not for its address", "use the name that is in the certificate", transport("tls_server_name NAME"), servers("serverName: NAME")},
		{"x509:", "", nginxlog.TLSCertificate, "the upstream's certificate is not accepted", "renew it, or configure its authority and name", transport("tls_trust_pool file /etc/ssl/upstream-ca.pem"), servers("rootCAs: [/etc/ssl/upstream-ca.pem]")},
		{"certificate required", "tls:", nginxlog.TLSClientCertificate, "the upstream requires a client certificate", "give the proxy one", transport("tls_client_auth cert.pem key.pem"), servers("certificates: [{certFile: cert.pem, keyFile: key.pem}]")},
		{"bad certificate", "tls:", nginxlog.TLSClientCertificate, "the upstream does not accept the proxy's certificate", "give the proxy one that it accepts", transport("tls_client_auth cert.pem key.pem"), servers("certificates: [{certFile: cert.pem, keyFile: key.pem}]")},
		{"protocol version", "tls:", nginxlog.TLSVersion, "the upstream and the proxy have no TLS version in common", "enable TLS 1.2 or 1.3 on the upstream", "", ""},
		{"unrecognized name", "tls:", nginxlog.TLSName, "the upstream does not know the requested name", "send the name that it knows", transport("tls_server_name NAME"), servers("serverName: NAME")},
		{"handshake failure", "tls:", nginxlog.TLSName, "the upstream refused the handshake, most often because it did not get a name that it knows", "send the name that it knows", transport("tls_server_name NAME"), servers("serverName: NAME")},
		{"tls:", "", nginxlog.TLSHandshake, "the TLS handshake with the upstream failed", "make sure that both sides have a protocol and a name in common", transport("tls_server_name NAME"), servers("serverName: NAME")},
		{"TLS handshake timeout", "", nginxlog.TLSHandshake, "the upstream accepted the connection and did not answer the handshake", "make sure that the port speaks TLS", "", ""},
		{"response headers exceeded", "", nginxlog.HeaderTooBig, "the response header is larger than the proxy accepts", "send fewer and smaller cookies, or raise the limit", transport("max_response_header 64KiB"), ""},
		{"frame too large", "http2", nginxlog.NotHTTP2, "the upstream does not speak HTTP/2", "use http:// for this upstream", "reverse_proxy http://HOST:PORT", label("server.scheme=http")},
		{"REFUSED_STREAM", "", nginxlog.StreamRejected, "the upstream refused the stream: it is shutting down, or reached its limit of streams", "add upstreams, or raise the application's limit of streams", "", ""},
		{"GOAWAY", "", nginxlog.GoAway, "the upstream closed the connection with requests in flight: it is shutting down", "make the application finish its requests when it shuts down", "", ""},
		{"stream error", "", nginxlog.InvalidHTTP2, "the upstream reset the stream", "check the application's log at these times", "", ""},
		{"request body too large", "", nginxlog.BodyTooLarge, "clients send bodies larger than the limit, and get 413", "raise the limit to what your application accepts", "request_body {\n\tmax_size 100MB\n}", "traefik.http.middlewares.limit.buffering.maxRequestBodyBytes=104857600"},
		{"unexpected EOF", "", nginxlog.ClosedInBody, "the connection broke in the middle of a response: the application crashed or was stopped", "check the application's log at these times", "", ""},
		{"server closed idle connection", "", nginxlog.ClosedBeforeAnswer, "the application closed an idle connection just as the proxy reused it", "configure the application to keep idle connections longer than the proxy does", transport("keepalive 2s"), servers("forwardingTimeouts.idleConnTimeout: 4s")},
		{"connection reset by peer", "", nginxlog.ResetBeforeAnswer, "the application reset the connection: it ended, or closed an idle connection just as the proxy reused it", "check the application's log at these times", transport("keepalive 2s"), servers("forwardingTimeouts.idleConnTimeout: 4s")},
		{"broken pipe", "", nginxlog.ClosedWhileSending, "the application closed the connection while the request was still being sent", "check the application's log, and its limit on bodies", "", ""},
		{"EOF", "", nginxlog.ClosedBeforeAnswer, "the application closed the connection instead of answering: it crashed, was stopped, or closed an idle connection just as the proxy reused it", "check the application's log at these times", transport("keepalive 2s"), servers("forwardingTimeouts.idleConnTimeout: 4s")},
	}
}

// transport returns a line in the transport block of reverse_proxy.
func transport(line string) string { return "transport http {\n\t" + line + "\n}" }

// label returns a label of the container.
func label(text string) string { return "traefik.http.services.app.loadbalancer." + text }

// servers returns a key of a transport in Traefik's dynamic configuration, with the
// service that uses it.
func servers(key string) string {
	return "http.serversTransports.app." + key + "\nhttp.services.app.loadBalancer.serversTransport: app"
}

// caddyRows returns the rows that only Caddy has.
func caddyRows() []Row {
	const p = "Caddy"
	line := func(logger, msg string) string {
		return `{"level":"error","ts":1772366400.5,"logger":"` + logger + `","msg":"` + msg + `","upstream":"10.0.0.1:3000","request":{"method":"GET","host":"app.example","uri":"/v1/items"},"status":503}`
	}
	return []Row{
		{p, "no upstreams available", "", nginxlog.NoLiveUpstreams, "no upstream was up: health checks fail, or failed requests took it out (fail_duration)", "fix what takes the upstreams down; until then wait for one", "lb_try_duration 5s", line("http.log.error", "no upstreams available")},
		{p, "aborting with incomplete response", "", nginxlog.ClosedInBody, "the connection broke in the middle of a response", "check the application's log at these times", "", line("http.handlers.reverse_proxy", "aborting with incomplete response")},
		{p, "unexpected status code", "", nginxlog.CheckFailed, "a health check got an unexpected answer", "look at the answer to the check, or correct it", "health_uri /healthz", line("http.handlers.reverse_proxy.health_checker.active", "unexpected status code")},
		{p, "HTTP request failed", "", nginxlog.CheckFailed, "a health check got no answer", "make sure that the application runs", "health_uri /healthz", line("http.handlers.reverse_proxy.health_checker.active", "HTTP request failed")},
		{p, "status code out of tolerances", "", nginxlog.CheckFailed, "a health check got an unexpected answer", "look at the answer to the check, or correct it", "health_uri /healthz", line("http.handlers.reverse_proxy.health_checker.active", "status code out of tolerances")},
		{p, "parsing client IP", "", nginxlog.Other, "", "", "", line("http.handlers.reverse_proxy", "parsing client IP")},
	}
}

// traefikRows returns the rows that only Traefik has.
func traefikRows() []Row {
	const p = "Traefik"
	line := func(msg string) string { return `2026-03-01T12:00:00Z ERR ` + msg }
	return []Row{
		{p, "no available server", "", nginxlog.NoLiveUpstreams, "no server of the service was up: it has none, or health checks fail", "make sure that containers run and are healthy; Traefik leaves out a container that is starting or unhealthy", "", line("no available server")},
		{p, "ealth check failed", "", nginxlog.CheckFailed, "a health check failed, and takes the server out", "look at the answer to the check", label("healthcheck.path=/healthz"), line("Health check failed. error=\"received error status code: 404\" serviceName=app@docker targetURL=http://10.0.0.1:80")},
		{p, "port is missing", "", nginxlog.UpstreamAddress, "the container has no port that Traefik could choose", "name it", "traefik.http.services.app.loadbalancer.server.port=3000", line(`error="service \"app\" error: port is missing" container=app providerName=docker`)},
		{p, "unable to find the IP address", "", nginxlog.UpstreamAddress, "the container is not in a network that Traefik shares", "put both in one network, and name it", "traefik.docker.network=NETWORK", line(`error="service \"app\" error: unable to find the IP address for the container \"/app\"" providerName=docker`)},
		{p, "does not exist", "service", nginxlog.UpstreamAddress, "a router names a service that does not exist", "correct the name, with its provider: NAME@docker", "", line(`error="the service \"app@file\" does not exist" entryPointName=web routerName=app@docker`)},
		{p, "does not exist", "middleware", nginxlog.UpstreamAddress, "a router names a middleware that does not exist, and is not used", "correct the name, with its provider: NAME@docker", "", line(`error="middleware \"auth@docker\" does not exist" routerName=app@docker`)},
		{p, "field not found", "", nginxlog.UpstreamAddress, "a label is misspelt, and the container is left out", "correct the label", "", line(`error="field not found, node: sevice" container=app providerName=docker`)},
	}
}
