package convert_test

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// TestHAProxyDefaults: what a frontend and a backend inherit from named defaults.
func TestHAProxyDefaults(t *testing.T) {
	t.Parallel()
	const text = `defaults front
 mode http
 monitor-uri /up
 acl inside src 10.0.0.0/8
 http-request deny if { path_beg /admin } !inside
defaults back
 mode http
 monitor-uri /never
 default-server check
defaults other
 mode tcp
frontend f from front
 bind :80
 acl inside path /
 default_backend b
backend b from back
 server a 10.0.0.1:80 weight 5
`
	c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	r := convert.HAProxy(c)
	verdict(t, text, r, "", `routes:
  - match: {path: "/up"}
    respond: {status: 200, body: "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n", headers: {Content-Type: "text/html"}}
  - match: {client: ["10.0.0.0/8"], path: "/admin*"}
    pool: b
  - match: {path: "/admin*"}
    respond: {status: 403, body: ""}
  - match: {}
    pool: b
`)
}

// TestHAProxyLines: lines of a frontend and of its backend.
func TestHAProxyLines(t *testing.T) {
	t.Parallel()
	const server = "server a 10.0.0.1:80 check"
	f := func(frontend, backend, said, has string) {
		t.Helper()
		indent := func(s string) string { return strings.ReplaceAll(s, "\n", "\n ") }
		text := "global\n ssl-default-bind-options ssl-min-ver TLSv1.3\nresolvers dns\n nameserver one 10.0.0.53:53\ndefaults\n mode http\nfrontend f\n bind :80\n " + indent(frontend) + "\n default_backend b\nbackend b\n " + indent(backend) + "\nbackend table\n stick-table type string size 1k store http_req_rate(1m)\n"
		c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(frontend, "table table") {
			said = strings.TrimPrefix(said+", noted backend table", ", ")
			if r := strings.Index(said, "refused"); r >= 0 {
				said = said[:r] + "noted backend table, " + strings.TrimSuffix(said[r:], ", noted backend table")
			}
		}
		verdict(t, frontend+"\n"+backend, convert.HAProxy(c), said, has)
	}
	// TLS
	f("bind :443 ssl crt /x verify required ca-file /ca crl-file /crl", server, "", `min_version: "1.3", client_ca: "/ca", client_crl: ["/crl"]}`)
	f("bind :81 proto h2", server, "", "http2: {cleartext: true}")
	// servers
	f("", "default-server maxconn 7 weight 3\nserver a 10.0.0.1:80 check", "", `- {url: "http://10.0.0.1:80", weight: 3, max_in_flight: 7}`)
	f("", "default-server maxconn 7 check ssl verify none\nserver a 10.0.0.1:80 no-check maxconn 8", "noted backend b", `- {url: "https://10.0.0.1:80", max_in_flight: 8}`)
	f("", "server a 10.0.0.1:80 check max-reuse 99", "", "requests_per_connection: 100")
	f("", "server a 10.0.0.1:80 check slowstart 30s", "", "slow_start: 30s")
	f("", "server a 10.0.0.1:80 check proto h2", "", "protocol: h2c")
	f("", "server a 10.0.0.1:443 check ssl verify none alpn h2,http/1.1", "", "protocol: auto")
	f("", "server a app.test:80 check resolvers dns", "", `dns: {resolver: "10.0.0.53:53"}`)
	f("", "server-template a 3 app.test:80 check", "noted server-template a", `- {url: "http://app.test:80"}`)
	f("", "server-template a 3 _http._tcp.app.test check resolvers dns", "noted server-template a", `- {srv: "_http._tcp.app.test"}`)
	f("", "cookie SRV insert indirect nocache\nserver a 10.0.0.1:80 check cookie a", "noted cookie SRV", "policy: sticky\n    sticky: {cookie: \"SRV\"}")
	f("", "cookie SRV insert domain x.test\nserver a 10.0.0.1:80 check cookie a", "noted cookie SRV, noted cookie SRV domain", "policy: sticky")
	f("", "cookie JSESSIONID prefix\nserver a 10.0.0.1:80 check cookie a", "noted cookie JSESSIONID", "policy: round_robin")
	f("", "balance url_param user\n"+server, "", `hash: {on: "query:user"}`)
	f("", "balance uri whole\nhash-type consistent\n"+server, "", `hash: {on: "uri"}`)
	f("", "balance hash req.cook(id)\n"+server, "", `hash: {on: "cookie:id"}`)
	f("", "balance hash var(txn.a)\n"+server, "noted balance hash", "policy: round_robin")
	f("", "balance rdp-cookie\n"+server, "noted balance rdp-cookie", "policy: round_robin")
	f("", "retry-on conn-failure 503\nretries 2\n"+server, "", "retry: {attempts: 3, statuses: [503]}")
	f("", "retry-on none\n"+server, "", "retry: {attempts: 1}")
	f("use_backend c if { path /c }", "server a 10.0.0.1:80 track c/a\n server b 10.0.0.2:80 track c/b\nbackend c\n server a 10.0.0.1:80 check\n server b 10.0.0.2:80 check", "", "health: {from: c}")
	f("", "server a 10.0.0.1:80 track c/a\nbackend c\n server a 10.0.0.1:80 check", "", "health: {from: c}")
	f("", "server a 10.0.0.1:80 track nowhere/a", "noted backend b track nowhere/, noted backend b", "pool: b")
	f("", "server a 10.0.0.1:80 track c/a\nbackend c\n server a 10.0.0.1:80 track b/a", "noted backend c track b/, noted backend c", "health: {from: c}")
	// timeouts
	f("timeout http-request 5s\ntimeout client 20s\ntimeout http-keep-alive 3s", server, "", "timeouts: {header: 5s, body_idle: 20s, write_idle: 20s, keepalive: 3s}")
	f("", "timeout tunnel 2h\ntimeout queue 3s\n"+server, "", "timeouts: {tunnel_idle: 2h0m0s}")
	f("", "timeout tunnel 2h\ntimeout queue 3s\n"+server, "", "queue: {max_wait: 3s}")
	// checks
	f("", "option httpchk GET /up\nhttp-check disable-on-404\n"+server, "", "drain_status: 404")
	f("", "option httpchk\nhttp-check connect port 9000 ssl sni x.test\nhttp-check send meth GET uri /up\n"+server, "noted http-check connect sni", "port: 9000, scheme: https")
	f("", "option httpchk\nhttp-check send meth GET uri /a\nhttp-check expect status 200\nhttp-check send meth GET uri /b\nhttp-check expect status 204\n"+server, "noted http-check send, noted http-check expect", `path: "/b", expect: {status: "204"}`)
	f("", "option httpchk\nhttp-check send meth POST uri /a body x\n"+server, "noted http-check send", `path: "/a"`)
	// fields
	f("http-after-response set-header X-A b", server, "", "response_headers: {set: {\"X-A\": \"b\"}}\n    error_headers: {set: {\"X-A\": \"b\"}}")
	f("http-after-response set-header X-A b\nhttp-request deny if { path /x }", server, "", "respond: {status: 403, body: \"\"}\n    response_headers: {set: {\"X-A\": \"b\"}}")
	f(`http-response replace-header Location ^http://in/(.*)$ https://out/\1`, server, "", `location: [{regexp: "^http://in/(.*)$", to: "https://out/$${1}"}]`)
	f(`http-response replace-header Set-Cookie ^(.*)$ "\1; Secure; HttpOnly"`, server, "", `cookie_flags: [{name: "*", secure: set, http_only: set}]`)
	f(`http-response replace-header Set-Cookie (.*);\s*Domain=.* \1`, server, "refused http-response replace-header", "pool: b")
	f(`http-response replace-header X-A a b`, server, "noted http-response replace-header", "pool: b")
	f("option forwardfor header X-Client-IP", server, "", `request_headers: {set: {"X-Client-IP": "{client_ip}"}}`)
	f("", "option forwardfor except 127.0.0.1\n"+server, "noted option forwardfor except", "pool: b")
	f("http-request set-header X-A %[src_port]-%[dst_port]-%HV", server, "", `"X-A": "{client_port}-{server_port}-{protocol}"`)
	f("http-request return status 200 content-type text/plain lf-string \"to %[src]\" hdr X-A %HM if { path /x }", server, "", `respond: {status: 200, body: "to {client_ip}", headers: {Content-Type: "text/plain"}}`+"\n    response_headers: {set: {\"X-A\": \"{method}\"}}")
	f("http-request use-service prometheus-exporter if { path /metrics }", server, "noted http-request use-service", `- match: {path: "/metrics"}`+"\n    respond: {status: 404")
	f("http-request set-src hdr(cf-connecting-ip) if { src 10.0.0.0/8 }", server, "noted http-request set-src", `trusted_proxies: ["10.0.0.0/8"]`+"\ntrusted_headers: [\"cf-connecting-ip\"")
	f("http-request set-src hdr(cf-connecting-ip) if { src 10.0.0.0/8 } { path /x }", server, "refused http-request set-src", "pool: b")
	// limits
	const key = "stick-table type string size 1k store http_req_rate(10s)\nhttp-request track-sc0 req.hdr(X-Key)\n"
	f(key+"http-request deny deny_status 429 if { sc_http_req_rate(0) gt 20 }", server, "noted http-request deny", `rates: [{on: "header:X-Key", requests: 20, per: 10s}]`)
	f(key+"http-request deny if { sc_http_req_rate(0) ge 20 }", server, "noted http-request deny", `requests: 19`)
	f("http-request track-sc0 req.cook(id) table table\nhttp-request deny if { sc_http_req_rate(0) gt 20 }", server, "noted http-request deny", `rates: [{on: "cookie:id", requests: 20, per: 1m0s}]`)
	f("http-request track-sc0 path table table\nhttp-request deny if { sc_http_req_rate(0) gt 20 }", server, "noted http-request track-sc0, noted backend table, refused http-request deny", "pool: b")
	const connections = "stick-table type ip size 1k store conn_cur\n"
	f(connections+"tcp-request connection reject if { src_conn_cur ge 10 }\ntcp-request connection track-sc0 src", server, "", "connections_per_client: 10")
	f(connections+"tcp-request connection track-sc0 src\ntcp-request connection reject if { sc0_conn_cur gt 10 }", server, "", "connections_per_client: 10")
	f(connections+"tcp-request connection reject if { src_conn_cur ge 10 }", server, "noted stick-table, refused tcp-request connection reject", "pool: b")
	// logs
	f("log 10.0.0.9:514 local3", server, "", "log:\n  output: \"syslog+udp://10.0.0.9:514\"\n  syslog: {facility: \"local3\", app_name: \"haproxy\"}")
	f("log 10.0.0.9 local3\nlog-tag shop", server, "", `syslog: {facility: "local3", app_name: "shop"}`)
	f("log /dev/log len 2000 format rfc5424 local1 notice", server, "", "output: \"syslog+unix:///dev/log\"\n  syslog: {facility: \"local1\"")
	f("log stdout format raw local0", server, "", "log:\n  output: \"stdout\"\nroutes")
	f("log 10.0.0.8 local0\nlog 10.0.0.9 local0", server, "noted log 10.0.0.9", "syslog+udp://10.0.0.8:514")
	f(`log-format "%ci %{+Q}r %ST %B %[req.hdr(User-Agent)] %b/%s"`, server, "", `format: "$remote_addr \"$request\" $status $bytes_sent $http_user_agent $pool/$upstream"`)
	f(`log-format "%ci %Tq"`, server, "noted log-format", "routes")
	f("http-request add-header X-A a\nhttp-request add-header x-a b", server, "", `request_headers: {add: {"X-A": "a, b"}}`)
	f("http-request add-header X-A a\nhttp-request set-header x-a b", server, "", `request_headers: {set: {"x-a": "b"}}`)
	f("http-response add-header Set-Cookie a=b\nhttp-response add-header Set-Cookie c=d", server, "noted http-response add-header Set-Cookie", `add: {"Set-Cookie": "a=b"}`)
	// what earlier rules change
	f("http-request del-header X-In\nhttp-request deny if { hdr(X-In) yes }", server, "refused http-request deny", "pool: b")
	f("http-request del-header X-In\nuse_backend c if { hdr(x-in) yes }", server+"\nbackend c\n server a 10.0.0.2:80", "noted backend c, refused use_backend", "pool: b")
	f("http-request set-header X-In a", "http-request deny if { hdr(X-In) yes }\n"+server, "refused http-request deny", "pool: b")
	f("tcp-request connection accept if { src 10.0.0.0/8 }\nhttp-request deny if { path /x }", server, "", "- match: {path: \"/x\"}\n    respond: {status: 403")
	f("http-request allow if { path_beg /open }\nhttp-request set-header X-A b\nredirect location /new if { path /open/old }", server, "", "- match: {path: \"/open/old\"}\n    redirect: {to: \"/new\", status: 302}\n  - match: {path: \"/open*\"}\n    pool: b\n  - match: {}")
	f("use_backend b if { path_beg /v1 }\nhttp-request set-path /in%[path]", "http-request deny if { path_beg /x }\n"+server, "refused use_backend, refused http-request deny", "pool: b")
	f("use_backend c if { path_beg /v1 }\nuse_backend b if { path_beg /v2 }", server+"\n http-request deny if { path_beg /v2/x }\nbackend c\n http-request set-path /in%[path]\n server a 10.0.0.2:80 check", "", "- match: {path: \"/v2/x*\"}\n    respond: {status: 403")
	f("", "http-request deny if { path_beg /x }\n"+server+"\nfrontend g\n bind :81\n http-request set-path /in%[path]\n default_backend b", "refused http-request deny", "pool: b")
	const behind = "http-request set-src hdr(cf-connecting-ip) if { src 10.0.0.0/8 }"
	f("tcp-request connection reject unless { src 10.0.0.0/8 }\n"+behind, server, "noted http-request set-src, refused tcp-request connection reject", "pool: b")
	f("http-request deny unless { src 10.0.0.0/8 }\n"+behind, server, "noted http-request set-src, refused http-request deny", "pool: b")
	f(behind+"\nhttp-request deny if { src 192.0.2.0/24 }", server, "noted http-request set-src", `client: ["192.0.2.0/24"]`)
	f("bind :81 accept-proxy\ntcp-request connection reject unless { src 10.0.0.0/8 }", server, "refused tcp-request connection reject", "pool: b")
	// conditions
	f("http-request deny if METH_GET", server, "", `methods: ["GET", "HEAD"]`)
	f("http-request deny if { path,lower -m beg /secret }", server, "", `path_regexp: "(?i)^/secret"`)
	f("http-request deny if { path,url_dec,lower -m beg /secret }", server, "", `path_regexp: "(?i)^/secret"`)
	f("http-request deny if { path,field(2,/) -m str admin }", server, "refused http-request deny", "pool: b")
	f("http-request deny if { url -m reg select }", server, "refused http-request deny", "pool: b")
	f("http-request deny if { url_beg /x }", server, "", `path: "/x*"`)
	f("http-request deny if { url_beg /x?y }", server, "refused http-request deny", "pool: b")
	// servers and files
	f("", "default-server check ssl verify required ca-file /ca.pem\ndefault-server weight 7\nserver a 10.0.0.1:443 verifyhost x.test", "", `- {url: "https://10.0.0.1:443", weight: 7}`+"\n    tls: {ca: \"/ca.pem\", server_name: \"x.test\"}")
	f("", "server a 10.0.0.1:443 check ssl verify none sni str(x.test)", "", `tls: {insecure: true, server_name: "x.test"}`)
	f("", "server a 10.0.0.1:443 check ssl verify none sni req.hdr(host)", "noted server a sni", "tls: {insecure: true}")
	f("", "server a 10.0.0.1:443 check ssl ca-file /ca.pem", "noted server a verify", `tls: {ca: "/ca.pem"}`)
	f("", "server a 10.0.0.1:443 check ssl verifyhost x.test ca-file /ca.pem\nserver b 10.0.0.2:443 check ssl verify none", "refused server ssl", "server_name: \"x.test\"")
	f("", "server a 10.0.0.1:80 check weight 0\nserver b 10.0.0.2:80 check", "noted server a weight 0", "upstreams:\n      - {url: \"http://10.0.0.2:80\"}")
	f("", "server a 10.0.0.1:443 check ssl verify none\nglobal\n ca-base /cas/\n crt-base /certs\nfrontend g\n bind :444 ssl crt g.pem ca-file ca.pem verify required\n default_backend b", "", `{cert: "/certs/g.pem", key: "/certs/g.pem"}], min_version: "1.3", client_ca: "/cas/ca.pem"`)
	f("", "server a 10.0.0.1:443 check ssl\nglobal\n ssl-server-verify none", "", "tls: {insecure: true}")
	f("", server+"\nfrontend g\n bind 127.0.0.1:80\n default_backend b", "refused bind", "- match: {}\n    pool: b")
	f("bind :445 ssl crt /certs/", server, "noted bind crt /certs/", `cert: "/certs/"`)
	f("http-request deny if { path_beg \"${GOODGATE_UNSET}\" }", server, "refused ${GOODGATE_UNSET}", "pool: b")
	f(".if defined(X)\nhttp-request deny if { path /x }\n.endif", server, "refused .if", "pool: b")
	f("monitor-uri /up\nuse_backend c if { path /up }", server+"\nbackend c\n server a 10.0.0.2:80 check", "", "- match: {path: \"/up\"}\n    respond: {status: 200")
	// elsewhere
	f("use_backend %[req.hdr(host),map(/x)]", server, "refused use_backend", "pool: b")
}
