package convert_test

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
	"github.com/goodgate/goodgate/internal/advice/convert"
)

func caddy(t *testing.T, text string) *convert.Result {
	t.Helper()
	env := func(name string) (string, bool) { return "from-env", name == "SET" }
	c, err := caddyfile.Parse(text, t.TempDir()+"/Caddyfile", env)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return convert.Caddyfile(c)
}

func TestCaddyfileDirectives(t *testing.T) {
	f := func(directives, said, has string) {
		t.Helper()
		verdict(t, directives, caddy(t, "http://:8080 {\n"+directives+"\nreverse_proxy 10.0.0.1:80\n}"), said, has)
	}
	// converted
	f("", "", "- match: {}\n    pool: app-10-0-0-1")
	f("redir /a https://b.example{uri} permanent", "noted path", `path: "/a"}`+"\n    redirect: {to: \"https://b.example{path}{query}\", status: 301}")
	f("redir https://b.example{path}", "noted reverse_proxy", `redirect: {to: "https://b.example{path}", status: 302}`)
	f("redir /a /b html", "noted redir, noted path", `to: "/b", status: 302`)
	f("redir /a https://{labels.1}.x", "noted path, noted redir https://{http.request.host.labels.1}.x", "respond: {status: 404")
	f("respond /a hello 201", "noted path", `respond: {status: 201, body: "hello", headers: {Content-Type: "text/plain; charset=utf-8"}}`)
	f("respond /a `{\"a\": 1}`", "noted path", `Content-Type: "application/json"`)
	f("respond /a 403", "", `path_regexp: "(?i)^/a$"}`+"\n    respond: {status: 403")
	f("error /a/* 410", "", `path_regexp: "(?i)^/a/"}`+"\n    respond: {status: 410")
	f("abort /a", "noted abort", "respond: {status: 403")
	f("@m method post put\nrespond @m 405", "", `methods: ["POST", "PUT"]}`+"\n    respond: {status: 405")
	f("@h host a.example *.b.example\nrespond @h 403", "", `host: ["*.b.example"]}`+"\n    respond: {status: 403")
	f("@c remote_ip private_ranges\nrespond @c ok", "", `client: ["192.168.0.0/16", "172.16.0.0/12"`)
	f("@c not client_ip 10.0.0.0/8\nrespond @c 403", "", `client: ["10.0.0.0/8"]}`+"\n    pool")
	f("@s protocol https\nrespond @s 403", "", "scheme: https}\n    respond")
	f("@s not protocol https\nredir @s https://{host}{uri}", "", `scheme: http}`+"\n    redirect: {to: \"https://{hostname}{path}{query}\", status: 302}")
	f("redir /a https://{hostport}/b?{query} 308", "noted path", `redirect: {to: "https://{host}/b?{args}", status: 308}`)
	f("redir /a https://b.example/{query.x}?h={header.X-A}", "noted path, noted redir https://b.example/{http.request.uri.query.x}?h={http.request.header.X-A}", "respond: {status: 404")
	f("redir /a https://b.example/?x={query.x}", "noted path", `redirect: {to: "https://b.example/?x={query:x}", status: 302}`)
	f("@o path_regexp old ^/old/([0-9]+)/(?P<rest>.*)$\nredir @o /new/{re.old.rest}?id={re.old.1}", "", `path_regexp: "^/old/([0-9]+)/(?P<rest>.*)$"}`+"\n    redirect: {to: \"/new/{2}?id={1}\", status: 302}")
	f("@o path_regexp ^/old/(.*)$\nredir @o /new/{re.1}", "", `redirect: {to: "/new/{1}", status: 302}`)
	f("@o {\npath_regexp p ^/old/(.*)$\nheader_regexp h X-A (b)\n}\nredir @o /new/{re.h.1}", "noted redir /new/{http.regexp.h.1}", "respond: {status: 404")
	f("@h {\nheader x-a b\nheader X-A c\n}\nrespond @h 403", "", "- match: {headers: {\"X-A\": \"b\"}}\n    respond: {status: 403")
	f("@h {\nheader_regexp x-a b\nheader_regexp X-A c\n}\nrespond @h 403", "refused respond", "pool")
	f("@q query a=b\nrespond @q 403", "", `- match: {query: {"a": "b"}}`+"\n    respond: {status: 403")
	f("@q query a=b a=c d=*\nrespond @q 403", "", `- match: {query: {"a": "c", "d": "*"}}`+"\n    respond: {status: 403")
	f("@q query a=\nrespond @q 403", "", `- match: {query_regexp: {"a": "^$"}}`)
	f("@q not query a=b\nrespond @q 403", "", `- match: {query: {"a": "b"}}`+"\n    pool")
	f("@x header X-A *b*\nrespond @x 403", "", `header_regexp: {"X-A": "(?s)b"}`)
	f("@x header X-A b.c*\nrespond @x 403", "", `header_regexp: {"X-A": "^b\\.c"}`)
	f("@x header X-A *b\nrespond @x 403", "", `header_regexp: {"X-A": "b$"}`)
	f("@x header_regexp X-A a+\nrespond @x 403", "", `header_regexp: {"X-A": "a+"}`)
	f("@x header_regexp X-A ^a$\n@y header_regexp y X-B ^a$\nrespond @x 403\nrespond @y 402", "", `header_regexp: {"X-B": "^a$"}`)
	f("header X-A {path}-{query.x}-{cookie.c}-{header.X-B}-{method}", "", `response_headers: {set: {"X-A": "{path}-{query:x}-{cookie:c}-{header:X-B}-{method}"}}`)
	f("respond /a \"{host} {scheme} {\\\"a\\\": 1}\"", "noted path", `body: "{hostname} {scheme} {\"a\": 1}"`)
	f("respond /a {system.hostname}", "noted path, noted respond", `status: 200, body: ""`)
	f("handle_path /a/* {\nreverse_proxy 10.0.0.2:80 {\nheader_up X-A {uri}\nheader_up X-B {http.request.orig_uri}\n}\n}", "noted path, noted reverse_proxy X-A", `request_headers: {set: {"X-B": "{uri}"}, remove: ["X-A"]}`)
	f("@x header X-A yes\nrespond @x 403", "", `headers: {"X-A": "yes"}}`+"\n    respond")
	f("@x header !X-A\nrespond @x 403", "", `headers: {"X-A": "*"}}`+"\n    pool")
	f("@x {\nheader X-A yes\nnot path /open/*\n}\nrespond @x 403", "", `headers: {"X-A": "yes"}}`+"\n    pool")
	f("@x path_regexp ^/a/[0-9]+$\nrespond @x 403", "", `path_regexp: "^/a/[0-9]+$"}`+"\n    respond")
	f("@x path_regexp id ^/a/([0-9]+)$\nrewrite @x /b/{re.id.1}", "", `rewrite_path: {regexp: "^/a/([0-9]+)$", to: "/b/$${1}"}`)
	f("@x path_regexp ^/a/([0-9]+)$\nrewrite @x /b/{re.x.1}", "", `to: "/b/$${1}"}`)
	f("rewrite * /x{uri}", "", `add_prefix: "/x"`)
	f("rewrite /a /b", "noted path", `rewrite_path: {regexp: "^.*$", to: "/b"}`)
	f("uri strip_prefix /a", "", `strip_prefix: "/a"`)
	f("uri strip_suffix .html", "", `rewrite_path: {regexp: "^/(.*)\\.html$", to: "/$${1}"}`)
	f("header X-A b", "", `response_headers: {set: {"X-A": "b"}}`)
	f("header {\n-Server\n+X-B c\nX-A d\n}", "", `response_headers: {set: {"X-A": "d"}, add: {"X-B": "c"}, remove: ["Server"]}`)
	f("request_header X-A {remote_host}", "", `request_headers: {set: {"X-A": "{client_ip}"}}`)
	f("request_header -X-A", "", `request_headers: {remove: ["X-A"]}`)
	f("request_body {\nmax_size 10MB\n}", "", "limits: {max_body: 10000000B}")
	f("handle_path /a/* {\nreverse_proxy 10.0.0.2:80\n}", "noted path", `strip_prefix: "/a"`)
	f("handle /a/* {\nrespond 204\n}", "noted path", "respond: {status: 204")
	f("route {\nrespond /a 403\n}", "", "respond: {status: 403")
	f("log\nbind 127.0.0.1", "", `address: "127.0.0.1:8080"`)
	f("log {\noutput file /var/log/access.log\nformat json\n}", "noted log", "pool: app-10-0-0-1")
	f("log {\noutput discard\n}", "", "pool: app-10-0-0-1")
	f("log_skip /x", "noted path", "- match: {path: \"/x\"}\n    pool: app-10-0-0-1\n    log: off\n  - match: {}\n    pool: app-10-0-0-1\n")
	f("root * /srv\nhandle_errors {\nrewrite * /pages/{err.status_code}.html\nfile_server\n}", "noted handle_errors", `errors: {dir: "/srv/pages"}`)
	f("handle_errors {\nroot * /srv\nrewrite * /{http.error.status_code}.html\nfile_server\n}", "noted handle_errors", `errors: {dir: "/srv"}`)
	f("root * /srv\nhandle_errors {\nrewrite * /error.html\nfile_server\n}", "noted handle_errors", "listeners:\n  - address: \":8080\"\nroutes")
	f("header X-A {$SET}\nheader X-B {$NOT:standard}", "", `"X-A": "from-env", "X-B": "standard"`)
	// noted
	f("encode gzip", "", "compress: {encodings: [gzip], min_size: 512B}")
	f("encode", "", "compress: {encodings: [zstd, gzip], min_size: 512B}")
	f("encode zstd gzip {\nminimum_length 100\nmatch {\nheader Content-Type text/*\n}\n}", "noted encode match", "compress: {encodings: [zstd, gzip], min_size: 100B}")
	f("encode br", "noted encode", "pool")
	f("templates\nmap {host} {x} {\nexample.com y\n}\nvars a b", "noted map, noted vars, noted templates", "pool")
	f("file_server /static/*", "noted path, noted file_server", "pool") // reverse_proxy stands before it
	f("try_files {path} /index.html", "noted try_files", "pool")
	f("handle_errors {\nrespond oops\n}", "noted handle_errors", "pool")
	f("header X-A {uuid}", "", `"X-A": "{request_id}"`)
	f("header X-A {tls_version}", "noted header X-A", "pool")
	f("header ?X-A b", "noted header X-A", "pool")
	f("request_header X-User {http.auth.user.id}", "noted request_header X-User", `remove: ["X-User"]`)
	f("uri replace a b", "noted uri replace a", "pool")
	f("header X-A {$NOT}", "noted {$NOT}", "pool")
	f("@q expression `true`\nheader @q X-A b", "noted header", "pool")
	// refused
	f("rate_limit {\nzone x\n}", "refused rate_limit", "pool")
	f("authorize with policy", "refused authorize", "pool")
	f("@q query \"\"\nrespond @q 403", "refused respond", "pool")
	f("@v vars_regexp x ^a\nrespond @v 403", "refused respond", "pool")
	f("@x header Host a.example\nrespond @x 403", "refused respond", "pool")
	f("@e expression {path}.startsWith(\"/a\")\nrespond @e 403", "refused respond", "pool")
	f("@e `path('/a')`\nrespond @e 403", "refused respond", "pool")
	f("@x header_regexp X-A (?!a)\nrespond @x 403", "refused respond", "pool")
	f("respond @nowhere 403", "refused respond", "pool")
	f("header ?X-Frame-Options DENY", "refused header", "pool")
	f("header -X-*", "refused header", "pool")
	f("@q expression `true`\nheader @q X-Frame-Options DENY", "refused header", "pool")
	f("import nowhere.conf", "refused import", "pool")
	f("invoke nowhere", "refused invoke", "pool")
}

func TestCaddyAccess(t *testing.T) {
	f := func(directives, said, has string) {
		t.Helper()
		verdict(t, directives, caddy(t, "http://:8080 {\n"+directives+"\nreverse_proxy 10.0.0.1:80\n}"), said, has)
	}
	const users, notes = "{\nbob $2a$14$x\n}", "noted basic_auth, noted basic_auth"
	f("basic_auth "+users, notes, `- match: {}`+"\n    pool: app-10-0-0-1\n    access: {basic: {file: \"/etc/goodgate/users\", realm: \"restricted\"}}")
	f("basicauth /x "+users, "noted basicauth, noted basicauth", `path_regexp: "(?i)^/x$"}`+"\n    pool: app-10-0-0-1\n    access: {basic: {file: \"/etc/goodgate/users\", realm: \"restricted\"}}\n  - match: {}\n    pool: app-10-0-0-1\npools")
	f("basic_auth argon2id Staging {\nbob $argon2id$v=19$x\n}", notes, `realm: "Staging"}`)
	f("basic_auth /a "+users+"\nbasic_auth /b {\namy $2a$14$y\n}", notes+", "+notes, `file: "/etc/goodgate/users-2"`)
	f("basic_auth "+users+"\nrespond secret", notes+", noted reverse_proxy", `respond: {status: 200, body: "secret", headers: {Content-Type: "text/plain; charset=utf-8"}}`+"\n    access: {basic:")
	f("basic_auth {\nbob plain\n}", "noted basic_auth, noted basic_auth, noted basic_auth", "access: {basic:")
	f("basic_auth "+users+"\nrequest_header X-User {http.auth.user.id}", notes, `user_header: "X-User"}}`)
	f("basic_auth "+users+"\nreverse_proxy 10.0.0.2:80 {\nheader_up X-User {http.auth.user.id}\n}", notes+", noted reverse_proxy", `user_header: "X-User"}}`)
	f("basic_auth", "refused basic_auth", "pool: app-10-0-0-1\npools")
	f("basic_auth {\nbob\n}", "refused basic_auth", "pool: app-10-0-0-1\npools")
	f("basic_auth scrypt "+users, "refused basic_auth", "pool: app-10-0-0-1\npools")
	f("basic_auth bcrypt {host} "+users, "refused basic_auth", "pool: app-10-0-0-1\npools")
	f("basic_auth {\nbob $2a$14$x salt\n}", "refused basic_auth", "pool: app-10-0-0-1\npools")
	f("basic_auth "+users+"\nbasic_auth {\namy $2a$14$y\n}", notes+", noted basic_auth, refused basic_auth", `file: "/etc/goodgate/users"`)

	const own = "header_up Host {upstream_hostport}\n"
	f("forward_auth auth:9000 {\nuri /verify?x=1\ncopy_headers Remote-User Remote-Groups\n"+own+"}", "", `access: {forward: {pool: auth, path: "/verify?x=1", copy_headers: ["Remote-User", "Remote-Groups"]}}`)
	f("forward_auth auth:9000 {\nuri /verify\n}", "refused forward_auth Host", `access: {forward: {pool: auth, path: "/verify"}}`)
	f("forward_auth https://auth:9443 {\nuri /verify\ncopy_headers {\nX-A\n}\n}", "", `access: {forward: {pool: auth, path: "/verify", copy_headers: ["X-A"]}}`)
	f("forward_auth auth:9000 {\nuri /verify\nheader_up X-Key abc\n"+own+"}", "", `path: "/verify", request_headers: {set: {"X-Key": "abc"}}}}`)
	f("forward_auth /a/* auth:9000 {\nuri /verify\n"+own+"}", "", `path_regexp: "(?i)^/a/"}`+"\n    pool: app-10-0-0-1\n    access: {forward:")
	f("forward_auth auth:9000 {\nuri /verify\ncopy_headers A>B\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
	f("forward_auth auth:9000 {\nuri /verify\ncopy_headers {\nA B\n}\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
	f("forward_auth auth:9000 {\nuri /verify\ncopy_headers Connection\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
	f("forward_auth auth:9000 {\nuri /verify/{host}\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
	f("forward_auth auth:9000 {\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
	f("forward_auth auth:9000 {\nuri /verify\nheader_up X-Key {tls_version}\n"+own+"}", "noted forward_auth X-Key, refused forward_auth", "pool: app-10-0-0-1\npools")
	f("forward_auth auth:9000 {\nuri /verify\nmethod POST\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
	f("uri strip_prefix /a\nforward_auth auth:9000 {\nuri /verify\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\n    strip_prefix: \"/a\"\npools")
	f("forward_auth auth:9000 {\nuri /verify\n"+own+"}\nforward_auth b:9000 {\nuri /verify\n"+own+"}", "refused forward_auth", "access: {forward: {pool: auth,")
	f("forward_auth {\nuri /verify\n"+own+"}", "refused forward_auth", "pool: app-10-0-0-1\npools")
}

func TestCaddyReverseProxy(t *testing.T) {
	f := func(lines, said, has string) {
		t.Helper()
		verdict(t, lines, caddy(t, "http://:8080 {\nreverse_proxy 10.0.0.1:80 {\n"+lines+"\n}\n}"), said, has)
	}
	f("to 10.0.0.2:80 unix//run/a.sock :3000", "", `- {url: "unix:/run/a.sock"}`)
	f("to 10.0.0.3:8001-8003", "", `- {url: "http://10.0.0.3:8003"}`)
	f("lb_policy round_robin", "", "policy: round_robin")
	f("lb_policy ip_hash", "", `hash: {on: "client_ip"}`)
	f("lb_policy header X-Key", "", `hash: {on: "header:X-Key"}`)
	f("lb_policy cookie lb secret", "noted lb_policy cookie", `sticky: {cookie: "lb"}`)
	f("lb_policy query k", "", `hash: {on: "query:k"}`)
	f("to 10.0.0.2:80\nlb_policy weighted_round_robin 3 1", "", `- {url: "http://10.0.0.1:80", weight: 3}`)
	f("to 10.0.0.2:80 10.0.0.3:80\nlb_policy weighted_round_robin 3 0 1", "noted reverse_proxy 10.0.0.2:80", "upstreams:\n      - {url: \"http://10.0.0.1:80\", weight: 3}\n      - {url: \"http://10.0.0.3:80\"}")
	f("to {x}:80 10.0.0.3:80\nlb_policy weighted_round_robin 3 2 5", "noted reverse_proxy {x}:80", `- {url: "http://10.0.0.3:80", weight: 5}`)
	f("lb_policy uri_hash", "", `hash: {on: "uri"}`)
	f("lb_retries 2", "", "retry: {attempts: 3}")
	f("lb_try_duration 5s\nlb_try_interval 1s", "noted lb_try_interval", "hold: {for: 5s}")
	f("health_uri /up\nhealth_status 2xx\nhealth_interval 5s\nhealth_timeout 1s\nhealth_headers {\nHost a.example\nX-A b\n}", "", `health: {method: GET, path: "/up", expect: {status: "2xx"}, interval: 5s, timeout: 1s, headers: {"X-A": "b"}, host: "a.example"}`)
	f("health_uri /up\nhealth_body ok.*\nhealth_port 9000", "", `body_regexp: "ok.*"}, interval: 30s, timeout: 5s, port: 9000}`)
	f("health_uri /up\nhealth_body (", "noted health_body", "health")
	f("max_fails 3\nfail_duration 10s", "noted passive health checks", "breaker: {consecutive: 3, open_for: 10s, max_open_for: 1m0s}")
	f("fail_duration 10s\nunhealthy_status 5xx", "noted passive health checks", `breaker: {consecutive: 1, open_for: 10s, max_open_for: 1m0s, statuses: ["5xx"]}`)
	f("fail_duration 10s\nunhealthy_latency 1s", "noted passive health checks, noted unhealthy_latency", "consecutive: 1")
	f("unhealthy_request_count 9", "", "max_in_flight: 9")
	f("header_up X-A {tls_client_subject}-{http.request.remote.port}-{http.request.proto}", "", `"X-A": "{tls.client.subject}-{client_port}-{protocol}"`)
	f("header_up Host {upstream_hostport}", "", `host: "upstream"`)
	f("header_up Host example.com", "", `host: "example.com"`)
	f("header_up X-Real-IP {remote_host}\nheader_up X-Forwarded-Proto {scheme}", "", `set: {"X-Real-IP": "{client_ip}"}`)
	f("header_down -Server", "", `response_headers: {remove: ["Server"]}`)
	f("transport http {\ntls\ntls_insecure_skip_verify\ntls_server_name a.example\ndial_timeout 3s\nresponse_header_timeout 1m\nproxy_protocol v2\n}", "", `tls: {insecure: true, server_name: "a.example"}`)
	f("transport http {\ntls_trust_pool file /ca.pem\ntls_client_auth /c.pem /k.pem\n}", "", `tls: {ca: "/ca.pem", cert: "/c.pem", key: "/k.pem"}`)
	f("transport http {\nversions h2c 2\n}", "", "protocol: h2c")
	f("transport fastcgi", "noted reverse_proxy", "respond: {status: 404")
	f("flush_interval -1\nstream_timeout 1h\nrequest_buffers 1KB", "", "pool")
	f("transport http {\nread_timeout 1s\n}", "noted read_timeout", "pool")
	f("unknown_line x", "noted reverse_proxy unknown_line", "pool")
	f("@bad status 401\nhandle_response @bad {\nrespond x\n}", "refused handle_response", "pool")
	f("to {args[0]}:80", "noted reverse_proxy {args[0]}:80", "pool")
}

func TestCaddySites(t *testing.T) {
	f := func(text, said, has string) {
		t.Helper()
		verdict(t, text, caddy(t, text), said, has)
	}
	f("example.com\nreverse_proxy 10.0.0.1:80", "noted automatic HTTPS", `tls: {acme: {hosts: ["example.com"], accept_terms: true}}`)
	f("{\nemail a@b.example\nacme_ca https://ca.example/dir\n}\nexample.com {\nrespond x\n}", "noted automatic HTTPS", `email: "a@b.example", directory: "https://ca.example/dir"`)
	f("a.example, b.example {\ntls /c.pem /k.pem\nrespond x\n}", "", `tls: {certificates: [{cert: "/c.pem", key: "/k.pem"}]}`)
	f("a.example {\ntls /c.pem /k.pem\nrespond x\n}", "", `redirect: {to: "https://{host}{path}{query}", status: 308}`)
	f("a.example:8443 {\ntls /c.pem /k.pem\nrespond x\n}", "", `redirect: {to: "https://{host}:8443{path}{query}", status: 308}`)
	f("{\nauto_https disable_redirects\n}\na.example {\ntls /c.pem /k.pem\nrespond x\n}", "", "listeners:\n  - address: \":443\"")
	f("{\nauto_https off\n}\na.example {\nrespond x\n}", "", `- match: {host: ["a.example"]}`)
	f("http://a.example, http://b.example:80 {\nrespond x\n}", "", `- match: {host: ["a.example", "b.example"]}`)
	f("http://*.a.example {\nrespond wild\n}\nhttp://x.a.example {\nrespond exact\n}", "", "- match: {host: [\"x.a.example\"]}\n    respond: {status: 200, body: \"exact\"")
	f("http://a.example/sub* {\nrespond x\n}", "noted path", `path: "/sub*"`)
	f("{\nservers {\ntrusted_proxies static 10.0.0.0/8\nclient_ip_headers X-Real-IP\n}\n}\nhttp://:80 {\nrespond x\n}", "", `trusted_headers: ["X-Real-IP"`)
	f("{\nservers {\nlistener_wrappers {\nproxy_protocol {\nallow 10.0.0.0/8\n}\n}\n}\n}\nhttp://:80 {\nrespond x\n}", "", `proxy_protocol: ["10.0.0.0/8"]`)
	f("a.example {\ntls /c.pem /k.pem {\nprotocols tls1.3\nclient_auth {\ntrust_pool file /ca.pem\n}\n}\nrespond x\n}", "", `min_version: "1.3", client_ca: "/ca.pem"`)
	f("(s) {\nheader X-{args[0]} {args[1]}\n}\nhttp://:80 {\nimport s A b\nrespond x\n}", "", `"X-A": "b"`)
	f("{\norder respond before redir\n}\nhttp://:80 {\nredir https://x.example\nrespond first\n}", "noted redir", `body: "first"`)
	// refused
	f("localhost {\nrespond x\n}", "refused tls internal, refused tls", "respond")
	f("a.example {\ntls internal\nrespond x\n}", "refused tls internal, refused tls", "respond")
	f("*.a.example {\ntls {\ndns x\n}\nrespond x\n}", "noted dns, refused tls dns, refused tls", "respond")
	const update = "dns rfc2136 {\nkey_name k\nkey_alg hmac-sha512\nkey bWFrZSBvbmU=\nserver 10.0.0.53:53\n}\n"
	const updated = `dns: {rfc2136: {server: "10.0.0.53", key_name: "k", key_secret: "bWFrZSBvbmU=", algorithm: "hmac-sha512"}`
	f("*.a.example {\ntls {\n"+update+"resolvers 9.9.9.9\npropagation_timeout -1\n}\nrespond x\n}", "noted automatic HTTPS", `hosts: ["*.a.example"], accept_terms: true, `+updated+`, propagation: 0s, resolvers: ["9.9.9.9"]}}}`)
	f("{\nacme_"+update+"}\na.example {\nrespond x\n}", "noted automatic HTTPS", updated)
	f("a.example {\ntls {\nissuer acme {\n"+update+"}\n}\nrespond x\n}", "noted automatic HTTPS", updated)
	f("a.example {\ntls {\n"+strings.Replace(update, "sha512", "sha1", 1)+"}\nrespond x\n}", "noted automatic HTTPS, noted dns", `acme: {hosts: ["a.example"], accept_terms: true}`)
	f("a.example {\ntls /c.pem /k.pem {\nclient_auth {\nmode require_and_verify\n}\n}\nrespond x\n}", "refused client_auth", "respond")
	f("a.example {\ntls /c.pem /k.pem {\nclient_auth {\ntrust_pool file /ca.pem\n}\n}\nrespond x\n}\nb.example {\ntls /c.pem /k.pem\nrespond y\n}", "refused client_auth", "respond")
	f("{\nservers {\ntrusted_proxies static 10.0.0.0/8\n}\n}\nhttp://:80 {\n@x remote_ip 10.0.0.1\nrespond @x 403\nrespond y\n}", "refused respond", "respond")
}

// A path that a Caddyfile restricts is restricted in upper and lower case.
func TestCaddyPathsInAnyCase(t *testing.T) {
	text := string(caddy(t, "http://:80 {\nhandle_path /Admin/* {\n@out not remote_ip 10.0.0.0/8\nrespond @out 403\nreverse_proxy 10.0.0.1:80\n}\nhandle /api/* {\n@b path *.bak\nrespond @b 403\nreverse_proxy 10.0.0.1:80\n}\n}").YAML("x"))
	for _, want := range []string{
		`client: ["10.0.0.0/8"], path_regexp: "(?i)^/admin/"}`, `rewrite_path: {regexp: "(?i)^/admin/?(.*)$", to: "/$${1}"}`, `path_regexp: "(?i)^/api/.*\\.bak$"}` + "\n    respond: {status: 403",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nis not in\n%s", want, text)
		}
	}
}

func TestCaddyJSON(t *testing.T) {
	f := func(route, said, has string) {
		t.Helper()
		text := `{"apps": {"http": {"servers": {"s": {"listen": [":80"], "routes": [` + route + `]}}}}}`
		r, err := convert.Caddy([]byte(text), "caddy.json")
		if err != nil {
			t.Fatal(err)
		}
		verdict(t, text, r, said, has)
	}
	proxy := `{"handler": "reverse_proxy", "upstreams": [{"dial": "10.0.0.1:80"}]}`
	f(`{"handle": [`+proxy+`]}`, "", "- match: {}\n    pool")
	f(`{"match": [{"host": ["a.example"]}, {"path": ["/x"]}], "handle": [`+proxy+`]}`, "noted path", `path: "/x"}`)
	f(`{"handle": [{"handler": "authentication", "providers": {"http_basic": {}}}, `+proxy+`]}`, "refused authentication", "pool")
	f(`{"handle": [{"handler": "waf"}, `+proxy+`]}`, "refused waf", "pool")
	f(`{"handle": [{"handler": "headers", "request": {"set": {"X-A": ["{http.request.host}"]}}}, `+proxy+`]}`, "", `set: {"X-A": "{hostname}"}`)
	f(`{"match": [{"header": {"X-A": []}}], "handle": [`+proxy+`]}`, "", `- match: {headers: {"X-A": "*"}}`)
	f(`{"match": [{"header": {"X-A": null}}], "handle": [`+proxy+`]}`, "", "- match: {}\n    pool")
	f(`{"match": [{"header_regexp": {"X-A": {"pattern": "b+"}}, "query": {"q": ["1", "2"]}}], "handle": [`+proxy+`]}`, "", `header_regexp: {"X-A": "b+"}, query: {"q": "2"}}`)
	f(`{"match": [{"query": {}}], "handle": [`+proxy+`]}`, "refused reverse_proxy", "listeners")
	f(`{"handle": [{"handler": "headers", "response": {"set": {"X-A": ["{path} {\"a\": 1}"]}}}, `+proxy+`]}`, "noted headers X-A", "pool")
	f(`{"match": [{"expression": "true"}], "handle": [`+proxy+`]}`, "refused reverse_proxy", "listeners")
	f(`{"match": [{"not": [{"method": ["GET"]}]}], "handle": [{"handler": "static_response", "status_code": 405}]}, {"handle": [`+proxy+`]}`, "", `methods: ["GET"]}`+"\n    pool")
	f(`{"handle": [{"handler": "static_response", "abort": true}]}`, "noted static_response", "status: 403")
	f(`{"handle": [`+proxy+`], "strange": 1}`, "noted strange", "pool")
}
