package convert_test

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/config"
)

// what lists the names of the directives that were noted and refused.
func what(r *convert.Result) string {
	var all []string
	for _, n := range r.Notes {
		all = append(all, "noted "+n.What)
	}
	for _, n := range r.Refused {
		all = append(all, "refused "+n.What)
	}
	return strings.Join(all, ", ")
}

// verdict checks the result of a conversion: it passes goodgate check, contains a text,
// and has exactly the expected notes and refusals.
func verdict(t *testing.T, from string, r *convert.Result, said, has string) {
	t.Helper()
	text := r.YAML("x")
	if got := what(r); got != said {
		t.Errorf("%s\ngot  %s\nwant %s", from, got, said)
	}
	if !strings.Contains(string(text), has) {
		t.Errorf("%s\nbecame\n%s\nwithout %s", from, text, has)
	}
	if _, _, err := config.Parse("goodgate.yaml", text, noEnv); err != nil {
		t.Errorf("%s\nbecame\n%s\n%v", from, text, err)
	}
}

// noEnv has no variables: Parse with it reads $$ as $, as goodgate check does.
func noEnv(string) (string, bool) { return "", false }

func TestNginxDirectives(t *testing.T) {
	f := func(location, said, has string) {
		t.Helper()
		verdict(t, location, nginx(t, "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/m; limit_req_zone $http_x_key zone=k:1m rate=10r/s; limit_req_zone $request_uri zone=u:1m rate=1r/s; limit_conn_zone $server_name zone=s:1m; limit_conn_zone $binary_remote_addr zone=c:1m;\nupstream u { server 10.0.0.1; }\nserver { listen 80; location / { "+location+" proxy_pass http://u; proxy_set_header Host $host; } }"), said, has)
	}
	// converted
	f("", "", "- match: {}\n    pool: u")
	f("deny all;", "", "- match: {}\n    respond: {status: 403")
	f("allow 10.0.0.0/8; allow 192.168.0.1; deny all;", "", `client: ["10.0.0.0/8", "192.168.0.1"]}`+"\n    pool: u")
	f("deny 10.0.0.0/8; allow 10.0.0.0/7;", "", `client: ["10.0.0.0/8"]}`+"\n    respond: {status: 403")
	f("deny 10.0.0.5/8;", "", `client: ["10.0.0.0/8"]}`)
	f("allow all;", "", "- match: {}\n    pool: u")
	f("internal;", "noted internal", "- match: {}\n    respond: {status: 404")
	f("limit_except GET { deny all; }", "", `methods: ["GET", "HEAD"]}`+"\n    pool: u")
	f("limit_except GET { allow 10.0.0.0/8; deny all; }", "", "    limits: {max_body: 1MiB}\n  - match: {client: [\"10.0.0.0/8\"]}\n    pool: u\n    host: \"keep\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    limits: {max_body: 1MiB}\n  - match: {}\n    respond: {status: 403")
	f("limit_except GET { deny 10.0.0.0/8; } deny all;", "", "- match: {methods: [\"GET\", \"HEAD\"]}\n    respond: {status: 403, body: \"\"}\n  - match: {client: [\"10.0.0.0/8\"]}\n    respond: {status: 403, body: \"\"}\n  - match: {}\n    pool: u")
	f("if ($args ~ (^|&)a=b(&|$)) { return 403; }", "", `- match: {query: {"a": "b"}}`+"\n    respond")
	f("if ($query_string ~ (?:^|&)id=[0-9]+(?:&|$)) { return 403; }", "", `- match: {query_regexp: {"id": "^[0-9]+$"}}`+"\n    respond")
	f("if ($args !~ (^|&)token=x17(&|$)) { return 403; }", "", `- match: {query: {"token": "x17"}}`+"\n    pool")
	f("if ($args ~ (^|&)debug=) { return 403; }", "", `- match: {query: {"debug": "*"}}`+"\n    respond")
	f("if ($request_method = POST) { return 405; }", "", `methods: ["POST"]}`+"\n    respond: {status: 405")
	f("if ($request_method !~ ^(GET|POST)$) { return 444; }", "noted return 444", `methods: ["GET", "POST"]}`+"\n    pool: u")
	f("if ($scheme != https) { return 301 https://$host$request_uri; }", "", `- match: {scheme: http}`)
	f("if ($uri ~* ^/(a|b)) { return 403; }", "", `path_regexp: "(?i)^/(a|b)"}`+"\n    respond: {status: 403")
	f("if ($remote_addr = 10.1.1.1) { return 403; }", "", `client: ["10.1.1.1"]}`)
	f("if ($http_x_canary = always) { proxy_pass http://10.0.0.9; }", "", `- match: {headers: {"x-canary": "always"}}`+"\n    pool: app-10-0-0-9")
	f("if ($http_x_canary = always) { proxy_pass http://10.0.0.9; } deny 10.0.0.0/8;", "", `- match: {client: ["10.0.0.0/8"], headers: {"x-canary": "always"}}`+"\n    respond: {status: 403")
	f("if ($arg_x = 1) { proxy_pass http://10.0.0.9; }", "", `- match: {query: {"x": "1"}}`+"\n    pool: app-10-0-0-9")
	f("if ($arg_x) { return 403; }", "", `- match: {query_regexp: {"x": "(?s)^(?:[^0]|0.)"}}`+"\n    respond: {status: 403")
	f("if ($cookie_beta ~ ^v2) { proxy_pass http://10.0.0.9; }", "", `- match: {cookie_regexp: {"beta": "^v2"}}`+"\n    pool: app-10-0-0-9")
	f("if ($http_user_agent ~* (bot|spider)) { return 403; }", "", `- match: {header_regexp: {"user-agent": "(?i)(bot|spider)"}}`+"\n    respond: {status: 403")
	f("if ($http_user_agent !~ Mozilla) { return 403; }", "", `- match: {header_regexp: {"user-agent": "Mozilla"}}`+"\n    pool: u")
	f("if ($cookie_session = \"\") { return 302 /login; }", "", `- match: {cookie_regexp: {"session": "(?s)."}}`+"\n    pool: u")
	f("if ($http_x_key = \"\") { return 401; }", "", `- match: {header_regexp: {"x-key": "(?s)."}}`+"\n    pool: u")
	f("if ($arg_key != \"a b\") { return 403; }", "", `- match: {query: {"key": "a b"}}`+"\n    pool: u")
	f("if ($uri ~ ^/old/([a-z]+)$) { return 301 /new/$1; }", "", `- match: {path_regexp: "^/old/([a-z]+)$"}`+"\n    redirect: {to: \"/new/{1}\", status: 301}")
	f("if ($host ~* ^www\\.(.+)$) { return 301 https://$1$request_uri; }", "", `redirect: {to: "https://{1}{path}{query}", status: 301}`)
	f("if ($host ~ ^www[.](?<rest>.+)$) { return 301 https://$rest$request_uri; }", "", `- match: {host_regexp: "^www[.](?<rest>.+)$"}`+"\n    redirect: {to: \"https://{1}{path}{query}\", status: 301}")
	f("return 200 \"$remote_addr {ok} {\\\"a\\\": 1}\";", "", `body: "{client_ip} {ok} {\"a\": 1}"`)
	f("return 200 $msec;", "noted return 200", `respond: {status: 200, body: ""`)
	f("if ($http_x ~ (a)) { return 301 /new/$1; }", "refused if", "pool: u")
	f("add_header X-By $upstream_addr; add_header Access-Control-Allow-Origin $http_origin always;", "noted add_header X-By", `add: {"Access-Control-Allow-Origin": "{header:origin}", "X-By": "{upstreams}"}`)
	f("add_header Link a; add_header link b always; add_header ETag c; add_header Set-Cookie d=e; add_header Set-Cookie f=g;", "noted add_header Link, noted add_header ETag, noted add_header Set-Cookie, noted add_header Set-Cookie", `response_headers: {set: {"ETag": "c"}, add: {"Link": "a, b", "Set-Cookie": "d=e"}}`+"\n    error_headers: {set: {\"link\": \"b\"}}")
	f("add_header X-A b always; deny 10.0.0.1;", "", "respond: {status: 403, body: \"\"}\n    response_headers: {set: {\"X-A\": \"b\"}}")
	f("add_header X-T \"$msec\";", "noted add_header X-T", "pool: u")
	f("add_header X-T \"{host}\";", "noted add_header X-T", "pool: u")
	f("proxy_set_header X-A \"$cookie_a-$arg_b$is_args$args\"; proxy_set_header Host $host;", "", `set: {"X-A": "{cookie:a}-{query:b}{query}"}`)
	f("proxy_set_header X-A $upstream_addr; proxy_set_header Host $host;", "noted proxy_set_header X-A", `remove: ["X-A"]`)
	f("limit_req zone=a burst=4 nodelay;", "noted limit_req", `rates: [{name: "a", on: "client_ip", requests: 5, per: 1m, burst: 5, ipv6_prefix: 128}]`)
	f("limit_req zone=k;", "noted limit_req", `on: "header:x-key", requests: 10, per: 1s, burst: 1,`)
	f("limit_req zone=a; limit_req_dry_run on;", "noted limit_req", `dry_run: true`)
	f("limit_conn s 7;", "", "max_requests: 7")
	f("client_max_body_size 5m;", "", "max_body: 5MiB")
	f("proxy_hide_header X-Powered-By;", "", `response_headers: {remove: ["X-Powered-By"]}`)
	f("proxy_redirect http://a/ /b/;", "", `location: [{from: "http://a/", to: "/b/"}]`)
	f("proxy_redirect off;", "", `host: "keep"`+"\n    limits")
	f("proxy_cookie_path /a /b; proxy_cookie_domain a.b c.d;", "", `cookie_domain: [{from: "a.b", to: "c.d"}], cookie_path: [{from: "/a", to: "/b"}]`)
	f("proxy_cookie_path / \"/; HTTPOnly; Secure; SameSite=Strict\";", "", `cookie_flags: [{name: "*", http_only: set, secure: set, same_site: strict}]`)
	f("proxy_cookie_path /a \"/b; Secure\";", "", `cookie_path: [{from: "/a", to: "/b; Secure"}]`)
	f("proxy_cookie_path / \"/; Max-Age=5\";", "", `cookie_path: [{from: "/", to: "/; Max-Age=5"}]`)
	f("proxy_cookie_path ~^/x/(.*)$ /y/$1z;", "", `cookie_path: [{regexp: "^/x/(.*)$", to: "/y/$${1}z"}]`)
	f("proxy_cookie_path ~^/x /$host;", "noted proxy_cookie_path ~^/x", "pool: u")
	f("proxy_cookie_path ~(.*) \"$1; Secure\";", "", `cookie_flags: [{name: "*", secure: set}]`)
	f("proxy_cookie_path ~^/(?!a) \"/; Secure\";", "refused proxy_cookie_path", "pool: u")
	f("proxy_cookie_domain a.b $host;", "", `cookie_domain: [{from: "a.b", to: "{hostname}"}]`)
	f("proxy_cookie_domain ~^(.+)\\.internal$ $1.example.com;", "", `cookie_domain: [{regexp: "(?i)^(.+)\\.internal$", to: "$${1}.example.com"}]`)
	f("proxy_redirect ~*^http://app[0-9]+/(.*)$ /$1;", "", `location: [{regexp: "(?i)^http://app[0-9]+/(.*)$", to: "/$${1}"}]`)
	f("proxy_redirect ~^(?!x) /y;", "noted proxy_redirect ~^(?!x)", "pool: u")
	f("proxy_cookie_flags ~ secure httponly; proxy_cookie_flags one nosecure samesite=lax;", "", `cookie_flags: [{name: "*", secure: set, http_only: set}, {name: "one", secure: remove, same_site: lax}]`)
	f("proxy_cookie_flags ~^se secure;", "", `cookie_flags: [{regexp: "(?i)^se", secure: set}]`)
	f("proxy_cookie_flags $x secure;", "refused proxy_cookie_flags", "pool: u")
	f("proxy_cookie_flags one $x;", "refused proxy_cookie_flags", "pool: u")
	f("proxy_next_upstream error non_idempotent;", "", "retry_safe: true")
	f("proxy_cookie_flags off;", "", "pool: u")
	f("proxy_request_buffering off;", "", "retry: {max_body: 0B}")
	f("proxy_next_upstream error http_503 http_429;", "", "retry: {statuses: [503, 429]}")
	f("proxy_next_upstream off;", "", "retry: {attempts: 1}")
	f("proxy_set_header X-Real-IP $remote_addr; proxy_set_header Host $host;", "", `set: {"X-Real-IP": "{client_ip}"}`)
	f("proxy_set_header X-A \"${scheme}://$host$request_uri\"; proxy_set_header Host $host;", "", `set: {"X-A": "{scheme}://{hostname}{uri}"}`)
	f("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-ID $request_id; proxy_set_header Host $host;", "", `host: "keep"`)
	f("proxy_set_header X-User $remote_user; proxy_set_header Host $host;", "noted proxy_set_header X-User", `remove: ["X-User"]`)
	f("proxy_ssl_certificate /c.pem; proxy_ssl_certificate_key /k.pem;", "", "pool: u")
	// harmless
	f("gzip off; auth_basic off; types_hash_bucket_size 64; client_body_buffer_size 8k; access_log off; proxy_buffering off; satisfy all; limit_rate 0;", "", "- match: {}\n    pool: u")
	// noted
	f("gzip on;", "", `compress: {encodings: gzip, types: ["text/html"], min_size: 20B}`)
	f("gzip on; gzip_types text/css application/json; gzip_min_length 1000;", "", `compress: {encodings: gzip, types: ["text/html", "text/css", "application/json"], min_size: 1000B}`)
	f("gzip on; gzip_vary on; gzip_proxied any; gzip_comp_level 6;", "", `compress: {encodings: gzip`)
	f("gzip on; gzip_types *;", "", `types: ["text/*", "application/*", "image/svg+xml"]`)
	f("gzip on; gzip_types strange;", "noted gzip, noted gzip_types", "pool: u")
	f("proxy_cache z; sub_filter a b; proxy_next_upstream_timeout 3s;", "noted proxy_cache, noted sub_filter, noted proxy_next_upstream_timeout", "pool: u")
	f("if ($arg_x = 1) { set $y 2; }", "noted if ($arg_x = 1)", "pool: u")
	f("rewrite ^/a(.*)$ /b$1?x=1 break;", "noted rewrite ^/a(.*)$ /b$1?x=1 break", "pool: u")
	// refused
	f("satisfy any; allow 10.0.0.0/8; deny all;", "refused satisfy, refused deny", "pool: u")
	f("deny unix:;", "refused deny", "pool: u")
	f("auth_basic x; auth_basic_user_file /f;", "noted auth_basic", `access: {basic: {file: "/f", realm: "x"}}`)
	f("auth_basic x; auth_basic_user_file /f; satisfy any;", "refused auth_basic, refused satisfy", "pool: u")
	f("auth_basic x; auth_basic_user_file f;", "refused auth_basic", "pool: u")
	f("auth_basic x; auth_basic_user_file /$host;", "refused auth_basic", "pool: u")
	f("auth_basic $x; auth_basic_user_file /f;", "refused auth_basic", "pool: u")
	f("auth_basic x;", "refused auth_basic", "pool: u")
	f("auth_request /auth;", "refused auth_request", "pool: u")
	f("limit_req zone=u;", "refused limit_req", "pool: u")
	f("limit_req zone=unknown;", "refused limit_req", "pool: u")
	f("limit_conn c 5;", "refused limit_conn", "pool: u")
	f("limit_rate 10k;", "refused limit_rate", "pool: u")
	f("valid_referers none; if ($invalid_referer) { return 403; }", "refused valid_referers, refused if", "pool: u")
	f("secure_link $arg_md5,$arg_e; secure_link_md5 x;", "refused secure_link", "pool: u")
	f("if ($http_user_agent ~* ^((?!bot).)*$) { return 403; }", "refused if", "pool: u")
	f("if ($http_user_agent ~ .*) { return 403; }", "refused if", "pool: u")
	f("if ($ssl_client_verify != SUCCESS) { return 403; }", "refused if", "pool: u")
	f("if ($http_x_key != secret) { return 401; }", "", `headers: {"x-key": "secret"}`)
	f("if ($request_uri ~ \\?admin) { return 403; }", "refused if", "pool: u")
	f("limit_except GET { allow 10.0.0.0/8; deny all; auth_basic x; }", "refused limit_except", "pool: u")
	f("satisfy any; limit_except GET { allow 10.0.0.0/8; deny all; }", "refused satisfy, refused limit_except", "pool: u")
	f("if ($args ~* (^|&)a=b(&|$)) { return 403; }", "refused if", "pool: u")
	f("if ($args ~ a=b) { return 403; }", "refused if", "pool: u")
	f("if ($args ~ ^a=b$) { return 403; }", "refused if", "pool: u")
	f("if ($args !~ (^|&)a=) { return 403; }", "refused if", "pool: u")
	f("if ($args) { return 403; }", "refused if", "pool: u")
	f("limit_except GET { auth_basic x; }", "refused limit_except", "pool: u")
	f("proxy_pass_request_headers off;", "refused proxy_pass_request_headers", "pool: u")
	f("location ~ ^/(?!public)x { return 403; }", "noted location ~ ^/(?!public)x, refused return", "pool: u")
	f("location ~ /\\.(?!a-b\\.) { deny all; }", "", `path_regexp: "/\\.(?:$|[^a]|a(?:$|[^\\-]|-(?:$|[^b]|b(?:$|[^\\.]))))"}`+"\n    respond: {status: 403")
}

func TestNginxServers(t *testing.T) {
	f := func(http, said, has string) {
		t.Helper()
		verdict(t, http, nginx(t, http), said, has)
	}
	pass := " location / { proxy_pass http://10.0.0.1; } "
	f("server { listen 80;"+pass+"} server { listen 127.0.0.1:9000; location / { proxy_pass http://10.0.0.2; } }", "",
		`- match: {listener: ["127.0.0.1:9000"]}`+"\n    pool: app-10-0-0-2")
	f("server { listen 80; listen 8080;"+pass+"} server { listen 9000; location / { proxy_pass http://10.0.0.2; } }", "", `- match: {listener: [":80", ":8080"]}`)
	f("server { listen 80; server_name a.com;"+pass+"} server { listen 80; listen 81; server_name b.com; location / { proxy_pass http://10.0.0.2; } }", "",
		`- match: {host: ["b.com"], listener: [":80"]}`)
	f("server { listen 80; listen 127.0.0.1:80;"+pass+"}", "refused listen", "pool: ")
	f("server { listen 80; server_name ~^a; "+pass+"}", "", "- match: {}")
	f("server { listen 80; server_name ~^(?!a); "+pass+"}", "noted server_name ~^(?!a)", "- match: {}")
	const other = "server { listen 80; server_name x.com *.y.com; location / { proxy_pass http://10.0.0.2; } }"
	f(other+"server { listen 80; server_name ~^a; "+pass+"}", "", `- match: {host_regexp: "(?i)^a"}`+"\n    pool: app-10-0-0-1")
	f(other+"server { listen 80; server_name ~^a; "+pass+"}", "", `- match: {host: ["x.com"]}`+"\n    pool: app-10-0-0-2")
	f(other+"server { listen 80; server_name www.z.*; "+pass+"}", "", `- match: {host_regexp: "^www\\.z\\."}`+"\n    pool: app-10-0-0-1")
	f(other+"server { listen 80; server_name ~^(.+)\\.old$; return 301 https://$1.new$request_uri; }", "", `redirect: {to: "https://{1}.new{path}{query}", status: 301}`)
	f("server { listen 80; location /a/ { deny all; proxy_pass http://10.0.0.1; } location / { proxy_pass http://10.0.0.1; } }", "", "- match: {path: \"/a\"}\n    redirect: {to: \"/a/{query}\", status: 301}")
	f("server { listen 80; location /a/ { root /x; } location / { proxy_pass http://10.0.0.1; } }", "noted location /a/", "routes:\n  - match: {path: \"/a/*\"}")
	f("server { listen 80; location /a/ { proxy_pass http://10.0.0.1; } location = /a { proxy_pass http://10.0.0.2; } }", "", "routes:\n  - match: {path: \"/a\"}\n    pool: app-10-0-0-2")
	f("server { listen 80; location /a*b/ { proxy_pass http://10.0.0.1; location ~ x$ { return 403; } } location ~ \\.php$ { deny all; } }", "refused location, refused location, refused return", "pool: ")
	f("server { listen 80; location / { proxy_pass http://10.0.0.1; add_header X-A $request_id always; } }", "", "error_headers: {set: {\"X-A\": \"{request_id}\"}}")
	f("server { listen 80; server_name a.com;"+pass+"} server { listen 80; server_name *.b.com;"+pass+"} server { listen 80; server_name x.b.com; location / { proxy_pass http://10.0.0.2; } }", "",
		`- match: {host: ["x.b.com"]}`+"\n    pool: app-10-0-0-2")
	tls := "server { listen 443 ssl; ssl_certificate /c; ssl_certificate_key /k; "
	f(tls+"ssl_client_certificate /ca; ssl_verify_client on;"+pass+"}", "noted ssl_verify_client", `client_ca: "/ca"}`)
	f(tls+"ssl_client_certificate /ca; ssl_verify_client optional;"+pass+"}", "noted ssl_verify_client", `client_ca: "/ca", client_auth: optional}`)
	f(tls+"ssl_client_certificate /ca; ssl_verify_client optional; if ($ssl_client_verify != SUCCESS) { return 403; }"+pass+"}", "noted ssl_verify_client", `client_ca: "/ca"}`)
	f(tls+"ssl_client_certificate /ca; ssl_verify_client optional; if ($ssl_client_verify != SUCCESS) { return 403; }"+pass+"}"+tls+"server_name b; ssl_client_certificate /ca; ssl_verify_client optional;"+pass+"}", "noted ssl_verify_client, refused if", "client_auth: optional")
	f(tls+"ssl_client_certificate /ca; ssl_verify_client optional; listen 80; if ($ssl_client_verify != SUCCESS) { return 403; }"+pass+"}", "noted ssl_verify_client, refused if", "client_auth: optional")
	f(tls+"ssl_client_certificate /ca; ssl_verify_client optional; if ($uri = /up) { return 204; } if ($ssl_client_verify != SUCCESS) { return 403; }"+pass+"}", "noted ssl_verify_client, refused if", "client_auth: optional")
	f(tls+"ssl_client_certificate /ca; ssl_verify_client optional_no_ca;"+pass+"}", "refused ssl_client_certificate, refused ssl_verify_client", "")
	f(tls+"ssl_client_certificate /ca; ssl_verify_client on; server_name a;"+pass+"}"+tls+"server_name b;"+pass+"}", "refused ssl_client_certificate, refused ssl_verify_client", "")
	f(tls+"ssl_client_certificate /ca; ssl_verify_client on; ssl_crl /crl;"+pass+"}", "noted ssl_verify_client", `client_ca: "/ca", client_crl: ["/crl"]`)
	f(tls+"ssl_client_certificate /ca; ssl_verify_client on; ssl_crl /crl; server_name a;"+pass+"}"+tls+"ssl_client_certificate /ca; ssl_verify_client on; server_name b;"+pass+"}", "refused ssl_client_certificate, refused ssl_verify_client, refused ssl_crl", "")
	f(tls+"ssl_client_certificate /ca; ssl_crl /crl;"+pass+"}", "", "certificates")
	f(tls+"ssl_protocols TLSv1.3;"+pass+"}", "", `min_version: "1.3"`)
	f("server { listen 443 ssl;"+pass+"}", "refused listen", "")
	f("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; server { listen 80;"+pass+"}", "", `trusted_proxies: ["10.0.0.0/8"]`+"\nroutes")
	f("set_real_ip_from 10.0.0.0/8; server { listen 80;"+pass+"}", "", `trusted_headers: ["X-Real-IP", "X-Forwarded-Proto", "X-Request-Id"]`)
	f("set_real_ip_from 10.0.0.1; real_ip_header proxy_protocol; server { listen 80 proxy_protocol;"+pass+"}", "", `proxy_protocol: ["10.0.0.1"]`)
	f("server { listen 80 proxy_protocol;"+pass+"}", "refused listen", "")
	f("server { listen 80; server_name .a.com; if ($host = b.a.com) { return 403; } if ($host = c.com) { return 410; }"+pass+"}", "", `- match: {host: ["c.com"]}`+"\n    respond: {status: 410")
	f("server { listen 80; server_name x.com;"+pass+"} server { listen 80; server_name .a.com; if ($host = b.a.com) { return 403; } if ($host = c.com) { return 410; }"+pass+"}", "",
		`- match: {host: ["b.a.com"]}`+"\n    respond: {status: 403, body: \"\"}\n  - match: {host: [\"a.com\", \"*.a.com\"]}")
	f("upstream u { server 10.0.0.1 weight=4000; server 10.0.0.2 weight=2000; } server { listen 80; location / { proxy_pass http://u; } }", "", `- {url: "http://10.0.0.1:80", weight: 2}`)
	f("upstream u { server 10.0.0.1 weight=3; server 10.0.0.1; } server { listen 80; location / { proxy_pass http://u; } }", "", `- {url: "http://10.0.0.1:80", weight: 4}`)
	f("server { listen 80; location / { proxy_pass https://10.0.0.1; proxy_ssl_certificate /c.pem; proxy_ssl_certificate_key /k.pem; proxy_ssl_password_file /p; } }", "noted proxy_ssl_certificate", "tls: {insecure: true}\n")
	f("upstream Big_Name { server 10.0.0.1; } server { listen 80; location / { proxy_pass http://Big_Name; } }", "", "pool: big_name\n    host: \"Big_Name\"")
	f("upstream u { server 10.0.0.1 down; } server { listen 80; location / { proxy_pass http://u; } }", "noted server 10.0.0.1 down, noted proxy_pass http://u", "respond: {status: 503")
	f("server { listen 443; location / { proxy_pass http://127.0.0.1:80; } } server { listen 80;"+pass+"}", "", `- match: {listener: [":443"]}`+"\n    pool: app-127-0-0-1-80")
	f("server { listen 80; location / { proxy_pass http://127.0.0.1:80; } }", "noted http://127.0.0.1:80, noted proxy_pass http://127.0.0.1:80", "respond: {status: 503")
	const two = " upstream one { server 10.0.0.1; } upstream two { server 10.0.0.2; } server { listen 80; location / { proxy_pass http://$to; proxy_set_header Host $host; } }"
	f("map $host $to { a.com one; default two; }"+two, "", `- match: {host: ["a.com"]}`+"\n    pool: one\n    host: \"keep\"\n    limits: {max_body: 1MiB}\n  - match: {}\n    pool: two")
	f("map $http_x_canary $to { always one; default two; }"+two, "", `- match: {headers: {"x-canary": "always"}}`+"\n    pool: one")
	f("map $host $to { a.com one; }"+two, "", "respond: {status: 502")
	f("map $http_x $to { ~^a one; a two; default two; }"+two, "", `- match: {headers: {"x": "a"}}`+"\n    pool: two")
	f("map $http_x $to { ~*^a one; default two; }"+two, "", `- match: {header_regexp: {"x": "(?i)^a"}}`+"\n    pool: one")
	f("map $http_x $to { '' one; default two; }"+two, "", `- match: {header_regexp: {"x": "(?s)."}}`+"\n    pool: two")
	f("map $host $to { ~^a one; default two; }"+two, "", `- match: {host_regexp: "^a"}`+"\n    pool: one")
	f("map $cookie_c $to { a one; default two; }"+two, "", `- match: {cookies: {"c": "a"}}`+"\n    pool: one")
	f("map $host $to { hostnames; .a.com one; default two; }"+two, "noted proxy_pass http://$to, noted map $host", "respond: {status: 404")
	f("auth_basic x; server { listen 80; return 301 https://$host$request_uri; }", "refused auth_basic", "")
	f("include /nowhere/allowed.conf; server { listen 80;"+pass+"}", "refused include", "")
	f("include mime.types; server { listen 80;"+pass+"}", "noted include", "")
	f("server { listen 80; if ($request_method = TRACE) { return 405; } location /a { proxy_pass http://10.0.0.1; } location /b { return 204; } }", "",
		`- match: {methods: ["TRACE"]}`+"\n    respond: {status: 405")
	f("server { listen 80; rewrite ^/old/(.*)$ https://new.com/$1 permanent;"+pass+"}", "", `- match: {path_regexp: "^/old/(.*)$"}`+"\n    redirect: {to: \"https://new.com/{1}{query}\", status: 301}")
	f("server { listen 80; rewrite ^/u/(\\d+)/(\\w+)$ /$2?id=$1 permanent;"+pass+"}", "", `redirect: {to: "/{2}?id={1}&{args}", status: 301}`)
	f("server { listen 80; rewrite ^/x(.*)$ /y$1? redirect;"+pass+"}", "", `redirect: {to: "/y{1}", status: 302}`)
	f("server { listen 80; location ~ ^/p/(.+)$ { return 301 https://$host/q/$1; } }", "", `- match: {path_regexp: "^/p/(.+)$"}`+"\n    redirect: {to: \"https://{hostname}/q/{1}\", status: 301}")
	f("server { listen 80; location ~ ^/api/(.*)$ { proxy_pass http://10.0.0.1/v2/$1$is_args$args; } }", "", `rewrite_path: {regexp: "^/api/(.*)$", to: "/v2/$${1}"}`)
	f("server { listen 80; location /api { proxy_pass http://10.0.0.1/pre$request_uri; } }", "", `add_prefix: "/pre"`)
	f("server { listen 80; location / { proxy_pass http://10.0.0.1/x/$host; } }", "noted proxy_pass http://10.0.0.1/x/$host", "pool: app")
	f("server { listen 80; rewrite ^/a$ /b redirect;"+pass+"}", "",
		`- match: {path: "/a"}`+"\n    redirect: {to: \"/b{query}\", status: 302}")
	f("server { listen 80; return 301 $scheme://www.a.com$request_uri; }", "", `- match: {scheme: https}`+"\n    redirect: {to: \"https://www.a.com{path}{query}\", status: 301}")
	const spare = " location @spare { proxy_pass http://10.0.0.9; } location @files { root /x; } }"
	f("server { listen 80; error_page 502 504 = @spare;"+pass+spare, "noted error_page", "fallback: {pool: app-10-0-0-9, on: [unavailable, connect, response]}")
	f("server { listen 80; location / { proxy_pass http://10.0.0.1; proxy_intercept_errors on; error_page 502 @spare; }"+spare, "noted error_page", "fallback: {pool: app-10-0-0-9, on: [unavailable, connect, response, status]}")
	f("server { listen 80; location / { proxy_pass http://10.0.0.1; error_page 502 @files; }"+spare, "noted error_page", "pool: app")
	f("server { listen 80; location / { proxy_pass http://10.0.0.9; error_page 502 @spare; }"+spare, "noted error_page", "pool: app-10-0-0-9\n")
	f("server { listen 80; location /a/ { proxy_pass http://u/a/; } } upstream u { server 10.0.0.1; }", "", "pool: u\n    host: \"u\"\n    response_rewrites")
	f("server { listen 80; location /a { proxy_pass http://u/b/; } } upstream u { server 10.0.0.1; }", "", `rewrite_path: {regexp: "^/a(.*)$", to: "/b/$${1}"}`)
}

func TestNginxGRPC(t *testing.T) {
	f := func(server, said, has string) {
		t.Helper()
		verdict(t, server, nginx(t, "upstream g { server 10.0.0.1:50051; server 10.0.0.2:50051; } server { "+server+" }"), said, has)
	}
	f("listen 80 http2; location / { grpc_pass grpc://g; grpc_read_timeout 9s; }", "", "  g:\n    policy: round_robin\n    protocol: h2c\n")
	f("listen 80 http2; location / { grpc_pass g; grpc_read_timeout 9s; }", "", "response_header: 9s")
	f("listen 80; http2 on; location / { grpc_pass g; grpc_set_header X-A $remote_addr; }", "", `set: {"X-A": "{client_ip}"}`)
	f("listen 80 http2; location / { grpc_pass g; }", "", "http2: {cleartext: true}")
	f("listen 443 ssl http2; ssl_certificate /c; ssl_certificate_key /k; location / { grpc_pass grpcs://g; grpc_ssl_verify on; grpc_ssl_trusted_certificate /ca; }", "",
		"protocol: h2\n    upstreams:\n      - {url: \"https://10.0.0.1:50051\"}\n      - {url: \"https://10.0.0.2:50051\"}\n    tls: {ca: \"/ca\", server_name: \"g\"}")
	f("listen 80 http2; location / { grpc_pass grpc://$x; }", "noted grpc_pass grpc://$x", "respond: {status: 404")
}

func TestHAProxyRules(t *testing.T) {
	f := func(frontend, said, has string) {
		t.Helper()
		text := "defaults\n mode http\nfrontend f\n bind :80\n" + frontend + "\n default_backend b\nbackend b\n server a 10.0.0.1:80 check\n"
		c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
		if err != nil {
			t.Fatal(err)
		}
		verdict(t, frontend, convert.HAProxy(c), said, has)
	}
	// converted
	f("http-request deny if { path_beg /x } !{ src 10.0.0.0/8 }", "", `- match: {client: ["10.0.0.0/8"], path: "/x*"}`+"\n    pool: b")
	f("http-request deny unless { src 10.0.0.0/8 }", "", `- match: {client: ["10.0.0.0/8"]}`+"\n    pool: b\n  - match: {}\n    respond: {status: 403")
	f("http-request deny deny_status 429", "noted backend b", "- match: {}\n    respond: {status: 429")
	f("acl a path /x\nacl a path /y\nhttp-request deny if a", "", `- match: {path: "/y"}`+"\n    respond")
	f("http-request deny if { path /x } or { method TRACE }", "", `- match: {methods: ["TRACE"]}`+"\n    respond")
	f("http-request deny if METH_TRACE", "", `- match: {methods: ["TRACE"]}`+"\n    respond")
	f(`http-request deny if { path_reg \.php$ }`, "", `path_regexp: "\\.php$"}`+"\n    respond")
	f("http-request deny if { path_end -i .PHP }", "", `path_regexp: "(?i)\\.PHP$"}`+"\n    respond")
	f("http-request deny if { hdr(x-bad) yes }", "", `header_regexp: {"x-bad": "(?:^|,)[ \\t]*yes[ \\t]*(?:,|$)"}}`+"\n    respond")
	f("http-request deny if { hdr(x-bad) yes } { hdr(X-Bad) no }", "refused http-request deny", "pool: b")
	f("http-request deny if { req.fhdr(x-bad) yes } { req.fhdr(X-Bad) no }", "refused http-request deny", "pool: b")
	f("http-request deny if { req.fhdr(x-bad) yes }", "", `headers: {"x-bad": "yes"}}`+"\n    respond")
	f("use_backend b if { hdr(x-a) yes }", "", `headers: {"x-a": "yes"}}`+"\n    pool: b")
	f("http-request deny if { hdr(user-agent) -i bot }", "", `header_regexp: {"user-agent": "(?i)(?:^|,)[ \\t]*bot[ \\t]*(?:,|$)"}`)
	f("http-request deny if { hdr_sub(user-agent) -i bot }", "", `header_regexp: {"user-agent": "(?i)bot"}`)
	f("http-request deny if { hdr_beg(user-agent) curl/ }", "", `header_regexp: {"user-agent": "(?:^|,)[ \\t]*curl/"}`)
	f("http-request deny if { req.hdr(user-agent) -m reg -i ^(curl|wget)/ }", "", `header_regexp: {"user-agent": "(?i)(?:^|,)[ \\t]*(curl|wget)/"}`)
	f("http-request deny if { fhdr(x-a) -m reg ^a|b$ }", "", `header_regexp: {"x-a": "^a|b$"}`)
	f("http-request deny if { hdr_reg(x-a) a+b }", "", `header_regexp: {"x-a": "a+b"}`)
	f("http-request deny if { hdr(Upgrade) -i websocket }", "", `header_regexp: {"Upgrade": "(?i)`)
	f("http-request deny if { hdr_reg(host) ^(a|B)\\\\.example }", "", `host_regexp: "(?i)^(a|B)\\.example"`)
	f("http-request deny if { hdr_beg(host) -i WWW. }", "", `host_regexp: "^www\\."`)
	f("http-request deny if { hdr(host),lower,field(1,:) -m dom a.example }", "", `host_regexp: "(?:^|\\.)a\\.example(?:\\.|$)"`)
	f("http-request deny if { hdr_end(host) .a.example }", "", `host: ["*.a.example"]`)
	f("http-request deny if { url_param(debug) 1 yes }", "", `- match: {query: {"debug": "yes"}}`+"\n    respond")
	f("http-request deny if { urlp(debug) -m found }", "", `query: {"debug": "*"}}`+"\n    respond")
	f("http-request deny if { urlp(n) -m reg ^[0-9]+$ }", "", `query_regexp: {"n": "^[0-9]+$"}}`+"\n    respond")
	f("http-request deny if { urlp_sub(n),url_dec -i Ab }", "", `query_regexp: {"n": "(?i)Ab"}}`+"\n    respond")
	f("http-request deny unless { cook(session) -m found }", "", `- match: {cookie_regexp: {"session": "(?s)."}}`+"\n    pool: b")
	f("http-request deny if { cook_beg(session) a }", "", `cookie_regexp: {"session": "^a"}}`+"\n    respond")
	f("redirect location /login if { cook(session) x }", "", `- match: {cookies: {"session": "x"}}`+"\n    redirect: {to: \"/login\", status: 302}")
	f("http-request redirect location https://%[hdr(host),field(1,:)]%[capture.req.uri] code 301", "noted backend b", `redirect: {to: "https://{hostname}{path}{query}", status: 301}`)
	f("http-request redirect location https://b.example/?x=%[urlp(x)]", "noted backend b", `to: "https://b.example/?x={query:x}"`)
	f("http-request redirect prefix https://%[req.hdr(host)]/new drop-query", "noted backend b", `to: "https://{host}/new{path}"`)
	f("http-request set-header X-A %[req.hdr(x-b)]-%[path]-%[query]-%[urlp(c)]-%[req.cook(d)]-%ci-%HM", "", `"X-A": "{header:x-b}-{path}-{args}-{query:c}-{cookie:d}-{client_ip}-{method}"`)
	f("http-response set-header X-A %[src]", "", `response_headers: {set: {"X-A": "{client_ip}"}}`)
	f("http-request set-header X-A 100%%", "", `"X-A": "100%"`)
	f("http-request set-header X-A b if { path /x }", "", `- match: {path: "/x"}`+"\n    pool: b\n    request_headers: {set: {\"X-A\": \"b\"}}\n  - match: {}\n    pool: b\npools")
	f("http-request set-header X-A b unless { urlp(a) -m found }", "", `- match: {query: {"a": "*"}}`+"\n    pool: b\n  - match: {}\n    pool: b\n    request_headers")
	f("http-request del-header X-User unless { src 10.0.0.0/8 }", "", `- match: {client: ["10.0.0.0/8"]}`+"\n    pool: b\n  - match: {}\n    pool: b\n    request_headers: {remove: [\"X-User\"]}")
	f("http-request set-header X-A b\nhttp-request del-header X-A if { path /x }", "", `- match: {path: "/x"}`+"\n    pool: b\n    request_headers: {remove: [\"X-A\"]}\n  - match: {}\n    pool: b\n    request_headers: {set: {\"X-A\": \"b\"}}")
	f("http-request set-header X-A b if { path /x }\nhttp-request deny if { path /x }", "", `- match: {path: "/x"}`+"\n    respond: {status: 403")
	f(`http-request replace-path /api/(.*) /\1 if { hdr(host) a.example }`, "", `- match: {host: ["a.example"]}`+"\n    pool: b\n    rewrite_path")
	f("http-request add-header X-A b", "", `request_headers: {add: {"X-A": "b"}}`)
	f(`http-request set-path "%[path,regsub(^/api/,/v1/)]"`, "", `rewrite_path: {regexp: "(?s)^/api/(.*)$", to: "/v1/$${1}"}`)
	f("http-request deny if { req.hdr(x-bad) -m found }", "", `headers: {"x-bad": "*"}}`+"\n    respond")
	f("http-request silent-drop if { src 10.0.0.1 }", "noted http-request silent-drop", `client: ["10.0.0.1"]}`+"\n    respond: {status: 403")
	f("tcp-request connection reject if { src 10.0.0.1 }", "noted tcp-request connection reject", `client: ["10.0.0.1"]}`+"\n    respond: {status: 403")
	f("http-request tarpit if { path /x }", "", "respond: {status: 500")
	f("http-request return status 200 content-type text/plain string ok if { path /health }", "", `respond: {status: 200, body: "ok", headers: {Content-Type: "text/plain"}}`)
	f("http-request allow if { path /free }\nhttp-request deny", "", `- match: {path: "/free"}`+"\n    pool: b\n  - match: {}\n    respond: {status: 403")
	f("redirect scheme https code 301 unless { ssl_fc }", "", `- match: {scheme: http}`+"\n    redirect: {to: \"https://{host}{path}{query}\", status: 301}")
	f("http-request del-header X-User", "", `request_headers: {remove: ["X-User"]}`)
	f("http-response del-header Server", "", `response_headers: {remove: ["Server"]}`)
	f("http-request set-header X-Client %[src]", "", `set: {"X-Client": "{client_ip}"}`)
	f(`http-request replace-path /api/(.*) /\1`, "", `rewrite_path: {regexp: "/api/(.*)", to: "/$${1}"}`)
	f("http-request replace-path /a /b\nhttp-request replace-path /b /c", "noted http-request replace-path", `rewrite_path: {regexp: "/a", to: "/b"}`)
	f("http-request set-path /pre%[path]", "", `add_prefix: "/pre"`)
	f("monitor-uri /up", "", `- match: {path: "/up"}`+"\n    respond: {status: 200")
	f("maxconn 50", "", "max_connections: 50")
	f("stick-table type ip size 1m expire 10s store http_req_rate(10s)\nhttp-request track-sc0 src\nhttp-request deny deny_status 429 if { sc_http_req_rate(0) gt 20 }", "noted http-request deny", "rates: [{on: client_ip, requests: 20, per: 10s, ipv6_prefix: 128}]")
	// noted, and never turned into something else
	f("http-request track-sc0 src", "noted http-request track-sc0", "- match: {}\n    pool: b\npools")
	f(`http-request set-path "%[path,regsub(/api/,/)]"`, "noted http-request set-path", "- match: {}\n    pool: b\npools")
	f("http-request set-header X-A {path}", "noted http-request set-header X-A", `remove: ["X-A"]`)
	f("http-request set-header X-A %[ssl_c_s_dn]", "noted http-request set-header X-A", `remove: ["X-A"]`)
	f("http-request set-path /pre%[path]\nhttp-request set-header X-A %[path]", "noted http-request set-header X-A", `remove: ["X-A"]`)
	f("http-response set-header X-A %[req.hdr(x-b)]", "noted http-response set-header X-A", "pool")
	f("http-request set-var(txn.a) src", "noted http-request set-var", "- match: {}\n    pool: b\npools")
	f("http-request capture req.hdr(a) len 9", "noted http-request capture", "- match: {}\n    pool: b\npools")
	f("http-request set-log-level silent if { path /x }", "noted http-request set-log-level", "- match: {}\n    pool: b\npools")
	f("http-request set-header X-SSL-DN %{+Q}[ssl_c_s_dn]", "noted http-request set-header X-SSL-DN", `remove: ["X-SSL-DN"]`)
	f("compression algo gzip", "", "compress: {encodings: gzip, min_size: 0B}")
	f("compression algo deflate gzip\ncompression type text/html application/json\ncompression offload", "", `compress: {encodings: gzip, types: ["text/html", "application/json"], min_size: 0B}`)
	f("compression algo deflate", "noted compression", "pool: b\npools")
	f("compression algo gzip\ncompression type text/*", "noted compression, noted compression", "pool: b\npools")
	f("use_backend c if { path /x }\n", "noted use_backend c", "pool: b")
	f("use_backend b if { hdr(Upgrade) -i WebSocket }", "", `headers: {"Upgrade": "*"}`)
	f("bind :81 tcp-ut 5s", "noted bind :81", `- address: ":81"`)
	f("use_backend b if { src_is_local }", "refused use_backend", "pool: b")
	f("bind :81 interface eth1", "refused bind interface", "pool: b")
	// refused
	f("http-request auth if { path_beg /x }", "refused http-request auth", "pool: b")
	f("http-request deny if { src -f /blocked }", "refused http-request deny", "pool: b")
	f("http-request deny if { hdr(x-a) -m reg ^a|b$ }", "refused http-request deny", "pool: b")
	f("http-request deny if { hdr_ip(x-a) 10.0.0.0/8 }", "refused http-request deny", "pool: b")
	f("http-request deny if { hdr(x-a),base64 b }", "refused http-request deny", "pool: b")
	f("http-request deny if { hdr(x-a),lower B }", "refused http-request deny", "pool: b")
	f("http-request deny if { hdr_cnt(x-a) gt 1 }", "refused http-request deny", "pool: b")
	f("http-request deny if { urlp(a,;) b }", "refused http-request deny", "pool: b")
	f("http-request deny if { cook(a) -m len 3 }", "refused http-request deny", "pool: b")
	f("http-request deny if { var(txn.a) b }", "refused http-request deny", "pool: b")
	f("http-request redirect location %[urlp(to)]", "refused http-request redirect", "pool: b")
	f("http-request set-path /pre%[path]\nhttp-request deny if { path /pre/x }", "refused http-request deny", "pool: b")
	f("http-request deny if { path /x }\nhttp-request set-path /pre%[path]\nuse_backend b if { path_beg /pre }", "refused use_backend", `path: "/x"`)
	f("http-request set-header X-A b if { src_is_local }", "noted http-request set-header X-A", "pool: b")
	f("http-request del-header X-A if { src_is_local }", "refused http-request del-header", "pool: b")
	f("http-request del-header X-A if { path /x }\nhttp-request set-header X-A b", "refused http-request del-header", "pool: b")
	f("http-request deny if unknown", "refused http-request deny", "pool: b")
	f("http-request deny if { path /x } { path_end .php } { path_sub y }", "refused http-request deny", "pool: b")
	f("http-request deny if { sc_http_req_rate(0) gt 20 }", "refused http-request deny", "pool: b")
	f("http-request reject if { ssl_c_used 0 }", "refused http-request reject", "pool: b")
	f("http-request del-header x- -m beg", "refused http-request del-header", "pool: b")
	f("http-request lua.check", "refused http-request lua.check", "pool: b")
	f("http-response deny if { status 500 }", "refused http-response deny", "pool: b")
	f("tcp-request content reject if { req.len 0 }", "refused tcp-request content reject", "pool: b")
	f("http-request set-src hdr(x-forwarded-for)", "refused http-request set-src", "pool: b")
	f("rate-limit sessions 10", "refused rate-limit sessions", "pool: b")
	f("bind :443 ssl crt /x verify required", "refused bind verify", "pool: b")
	f("bind :443 ssl crt /x verify required ca-file /ca crl-file @store", "refused bind crl-file", "pool: b")
	f("filter spoe engine x config /y", "refused filter spoe", "pool: b")
}

// A backend that two rules use requires the same both times.
func TestHAProxyBackendTwice(t *testing.T) {
	text := "defaults\n mode http\nfrontend f\n bind :80\n use_backend b if { path /x }\n default_backend b\nbackend b\n http-request deny if !{ src 10.0.0.0/8 }\n server a 10.0.0.1:80 check\n"
	c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	verdict(t, text, convert.HAProxy(c), "", `  - match: {client: ["10.0.0.0/8"], path: "/x"}
    pool: b
  - match: {path: "/x"}
    respond: {status: 403, body: ""}
  - match: {client: ["10.0.0.0/8"]}
    pool: b
  - match: {}
    respond: {status: 403, body: ""}
`)
}

// TestNginxPassWithURI: a proxy_pass with the request's URI in a variable forwards the
// request as one without it does.
func TestNginxPassWithURI(t *testing.T) {
	t.Parallel()
	for pass, has := range map[string]string{
		"http://u$request_uri":             "- match: {}\n    pool: u\n    host: \"keep\"\n    limits",
		"http://u${request_uri}":           "- match: {}\n    pool: u\n    host: \"keep\"\n    limits",
		"http://u$uri$is_args$args":        "- match: {}\n    pool: u\n    host: \"keep\"\n    limits",
		"http://u/new$request_uri":         "add_prefix: \"/new\"",
		"http://10.0.0.2:9000$request_uri": "- {url: \"http://10.0.0.2:9000\"}",
		"https://10.0.0.2$request_uri":     "- {url: \"https://10.0.0.2:443\"",
	} {
		verdict(t, pass, nginx(t, "upstream u { server 10.0.0.1; }\nserver { listen 80; location / { proxy_set_header Host $host; proxy_redirect off; proxy_pass "+pass+"; } }"), "", has)
	}
	for _, pass := range []string{"http://$host", "http://u$uri_of_another", "http://$host$request_uri", "http://u$request_urix"} {
		verdict(t, pass, nginx(t, "upstream u { server 10.0.0.1; }\nserver { listen 80; location / { proxy_pass "+pass+"; } }"), "noted proxy_pass "+pass, "respond: {status: 404")
	}
}
