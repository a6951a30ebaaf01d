package convert_test

import (
	"strings"
	"testing"
)

func TestNginxAuthRequest(t *testing.T) {
	f := func(location, auth, said, has string) {
		t.Helper()
		text := "upstream u { server 10.0.0.1; }\nserver { listen 80; location / { " + location + " proxy_pass http://u; proxy_set_header Host $host; }\n" + auth + " }"
		verdict(t, location+"\n"+auth, nginx(t, text), said, has)
	}
	const ask = "auth_request /auth;"
	const said = "noted internal, noted auth_request"
	service := func(more string) string {
		return "location = /auth { internal; proxy_pass http://10.0.0.9:9000/verify; " + more + " }"
	}
	f(ask, service(""), said, `access: {forward: {pool: app-10-0-0-9-9000, path: "/verify"}}`)
	f(ask, "location = /auth { internal; proxy_pass http://10.0.0.9:9000; }", said, `path: "/auth"}}`)
	f(ask, "location ^~ /auth { internal; proxy_pass http://10.0.0.9:9000; }", said, `path: "/auth"}}`)
	f(ask, service("proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method; proxy_set_header Cookie '';"), said,
		`path: "/verify", request_headers: {set: {"X-Original-Method": "{method}", "X-Original-URI": "{uri}"}, remove: ["Cookie"]}}}`)
	f(ask+" auth_request_set $user $upstream_http_x_user; proxy_set_header X-User $user;", service(""), said, `path: "/verify", copy_headers: ["X-User"]}}`)
	f(ask+" auth_request_set $c $upstream_http_set_cookie; add_header Set-Cookie $c;", service(""), said, `path: "/verify", return_headers: ["Set-Cookie"]}}`)
	f(ask+" auth_request_set $user $upstream_http_x_user; proxy_set_header X-Name $user;", service(""), said+", noted proxy_set_header X-Name", `remove: ["X-Name"]`)
	f(ask+" auth_basic x; auth_basic_user_file /f;", service(""), said+", noted auth_basic", `access: {basic: {file: "/f", realm: "x"}, forward: {pool:`)
	f(ask+" satisfy any; allow 10.0.0.0/8; deny all;", service(""), said, `path: "/verify"}, allow: ["10.0.0.0/8"], satisfy: any}`)
	f(ask+" satisfy any; auth_basic x; auth_basic_user_file /f; allow 10.0.0.0/8; deny all;", service(""), said+", noted auth_basic", `path: "/verify"}, allow: ["10.0.0.0/8"], satisfy: any}`)
	f("satisfy any; auth_basic x; auth_basic_user_file /f; allow 10.0.0.1; allow 10.1.0.0/16; deny all;", service(""), "noted internal, noted auth_basic", `access: {basic: {file: "/f", realm: "x"}, allow: ["10.0.0.1", "10.1.0.0/16"], satisfy: any}`)
	f("satisfy any; auth_basic x; auth_basic_user_file /f; deny 10.0.0.1; allow 10.1.0.0/16; deny all;", service(""), "noted internal, refused auth_basic, refused satisfy, refused deny", "pool: u")
	f("auth_request off;", service(""), "noted internal", "- match: {}\n    pool: u\n    host: \"keep\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    limits: {max_body: 1MiB}\npools")
	// refused
	f(ask, "", "refused auth_request", "pool: u")
	f(ask+" satisfy any;", service(""), "noted internal, refused auth_request, refused satisfy", "pool: u")
	f("auth_request $x;", service(""), "noted internal, refused auth_request", "pool: u")
	f(ask, "location = /auth { internal; return 200; }", "noted internal, refused auth_request", "pool: u")
	f(ask, service("if ($http_x) { return 200; }"), "noted internal, refused auth_request", "pool: u")
	f(ask, "location = /auth { internal; proxy_pass http://10.0.0.9/verify?u=$request_uri; }", "noted internal, refused auth_request", "pool: u")
	f(ask, "location /auth { internal; proxy_pass http://10.0.0.9; }\nlocation ~ ^/a { return 404; }", "noted internal, refused auth_request", "pool: u")
	for _, more := range []string{"proxy_set_header Host $host;", "proxy_set_header X-A $msec;", "proxy_set_header X-A $uri;", "proxy_set_header X-A $args;", "proxy_set_header X-A $1;"} {
		f(ask, service(more), "noted internal, refused auth_request", "pool: u")
	}
	f(ask, service("proxy_method POST;"), "noted internal, noted proxy_method, refused auth_request", "pool: u")
	f(ask, service("proxy_pass_request_headers off;"), "noted internal, refused auth_request, refused proxy_pass_request_headers", "pool: u")
}

// If one location can have a list of users and another cannot, the other is refused.
func TestNginxUsersOfOneLocationOnly(t *testing.T) {
	text := "server { listen 80; auth_basic x; auth_basic_user_file /f; location /a { proxy_pass http://10.0.0.1; } location / { auth_basic_user_file users; proxy_pass http://10.0.0.2; } }"
	verdict(t, text, nginx(t, text), "noted auth_basic, refused auth_basic", `access: {basic: {file: "/f", realm: "x"}}`)
}

func TestNginxMirror(t *testing.T) {
	f := func(location, mirror, said, has string) {
		t.Helper()
		text := "upstream u { server 10.0.0.1; } upstream v { server 10.0.0.2; }\nserver { listen 80; location /a { " + location + " proxy_set_header Host $host; }\nlocation = /m { internal; " + mirror + " } }"
		verdict(t, location+"\n"+mirror, nginx(t, text), said, has)
	}
	const to = "proxy_pass http://v$request_uri;"
	const said = "noted internal, noted mirror"
	f("mirror /m; proxy_pass http://u;", to, said, "mirror: {pool: v}")
	f("mirror /m; mirror_request_body off; proxy_pass http://u;", to, said, "mirror: {pool: v}")
	f("mirror off; proxy_pass http://u;", to, "noted internal", "pool: u")
	f("mirror /m; proxy_pass http://u/b;", to, said, "pool: u")
	f("mirror /m; proxy_pass http://u;", "proxy_pass http://v;", said, "pool: u\n    host: \"keep\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    limits")
	f("mirror /m; mirror /n; proxy_pass http://u;", to, said, "pool: u")
	f("mirror /m; proxy_pass http://v;", to, said, "pool: v")
}

func TestNginxIntercept(t *testing.T) {
	f := func(server, said, has string) {
		t.Helper()
		text := "upstream u { server 10.0.0.1; } upstream v { server 10.0.0.2; }\nserver { listen 80; root /srv; " + server + " location / { proxy_pass http://u; } location = /50x.html { } location @v { proxy_pass http://v; } }"
		r := nginx(t, text)
		verdict(t, server, r, said, has)
		if yaml := string(r.YAML("x")); strings.Contains(yaml, "intercept:") != strings.Contains(has, "intercept:") {
			t.Errorf("%s\nbecame\n%s", server, yaml)
		}
	}
	f("proxy_intercept_errors on; error_page 500 502 503 504 /50x.html;", "noted error_page", "intercept: [500, 502, 503, 504]")
	f("proxy_intercept_errors off; error_page 500 502 503 504 /50x.html;", "noted error_page", `errors: {html: "/srv/50x.html"}`)
	f("error_page 500 502 503 504 /50x.html;", "noted error_page", `errors: {html: "/srv/50x.html"}`)
	f("proxy_intercept_errors on; error_page 502 =200 /50x.html;", "noted error_page, noted proxy_intercept_errors", `errors: {html: "/srv/50x.html"}`)
	f("proxy_intercept_errors on; error_page 404 /404.html;", "noted error_page 404, noted location = /50x.html", "intercept: [404]")
	f("proxy_intercept_errors on; error_page 404 /404.html; error_page 500 502 /50x.html;", "noted error_page 404, noted error_page", "intercept: [404, 500, 502]")
	f("proxy_intercept_errors on; error_page 404 /404.html; error_page 500 502 /50x.html;", "noted error_page 404, noted error_page", "errors: {html: \"/srv/50x.html\", dir: \"/srv\"}\nroutes:\n  - match: {path: \"/50x.html\"}\n    respond: {status: 404, body: \"\"}\n  - match: {}\n    pool: u\n    host: \"u\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    intercept: [404, 500, 502]")
	f("error_page 403 404 /4xx.html; error_page 502 /5xx.html;", "noted error_page 403, noted error_page 502, noted location = /50x.html", `errors: {dir: "/srv"}`)
	f("error_page 404 /missing.html;", "noted error_page 404, noted location = /50x.html", "pool: u")
	f("error_page 404 =200 /index.html;", "noted error_page 404, noted location = /50x.html", "pool: u")
	f("location /x { error_page 404 /404.html; proxy_intercept_errors on; proxy_pass http://u; }", "noted error_page 404, noted location = /50x.html", "intercept: [404]")
	f("location /status { stub_status; }", "noted location = /50x.html, noted location /status", "respond: {status: 404")
	f("location /status { stub_status; allow 10.0.0.1; deny all; }", "noted location = /50x.html, noted location /status",
		`- match: {client: ["10.0.0.1"], path: "/status*"}`+"\n    respond: {status: 404, body: \"\"}\n"+`  - match: {path: "/status*"}`+"\n    respond: {status: 403")
	f("proxy_intercept_errors on; error_page 502 @v;", "noted location = /50x.html, noted error_page", "fallback: {pool: v, on: [unavailable, connect, response, status]}")
}
