package convert_test

import "testing"

// TestNginxSwitches: a map, geo or split_clients that decides about requests.
func TestNginxSwitches(t *testing.T) {
	t.Parallel()
	f := func(http, location, said, has string) {
		t.Helper()
		text := http + "\nupstream u { server 10.0.0.1; } upstream v { server 10.0.0.2; }\nserver { listen 80; location / { " + location + " proxy_set_header Host $host; } }"
		verdict(t, text, nginx(t, text), said, has)
	}
	const blocked, u = "if ($bad) { return 403; } ", "proxy_pass http://u;"
	f("map $http_user_agent $bad { default 0; ~*(bot|spider) 1; }", blocked+u, "",
		`- match: {header_regexp: {"user-agent": "(?i)(bot|spider)"}}`+"\n    respond: {status: 403, body: \"\"}\n  - match: {}\n    pool: u")
	f("map $http_user_agent $bad { default 1; ~^good 0; }", blocked+u, "", `- match: {header_regexp: {"user-agent": "^good"}}`+"\n    pool: u")
	f("map $http_user_agent $bad { default 0; '' 1; }", blocked+u, "", `- match: {header_regexp: {"user-agent": "(?s)."}}`+"\n    pool: u")
	f("map $request_method $bad { default 0; TRACE 2; }", "if ($bad = 2) { return 405; } "+u, "", `- match: {methods: ["TRACE"]}`+"\n    respond: {status: 405")
	f("map $request_method $bad { default 0; TRACE 2; }", "if ($bad != 0) { return 405; } "+u, "", `- match: {methods: ["TRACE"]}`+"\n    respond: {status: 405")
	f("map $request_method $bad { default 0; TRACE 2; }", "if ($bad ~ ^[23]$) { return 405; } "+u, "", `- match: {methods: ["TRACE"]}`+"\n    respond: {status: 405")
	f("geo $bad { default 0; 10.0.0.0/8 1; 10.1.0.0/16 0; 192.168.0.1 1; }", blocked+u, "",
		`- match: {client: ["192.168.0.1"]}`+"\n    respond: {status: 403, body: \"\"}\n  - match: {client: [\"10.1.0.0/16\"]}\n    pool: u")
	f("geo $remote_addr $bad { 10.0.0.0/8 1; }", blocked+u, "", `- match: {client: ["10.0.0.0/8"]}`+"\n    respond: {status: 403")
	f("geo $bad { default 0; 10.0.0.0/8 1; }", "if ($bad) { proxy_pass http://v; } "+u, "", `- match: {client: ["10.0.0.0/8"]}`+"\n    pool: v")
	// refused
	f("geo $http_x $bad { 10.0.0.0/8 1; }", blocked+u, "noted geo $http_x, refused if", "pool: u")
	f("geo $bad { ranges; 10.0.0.0-10.0.0.255 1; }", blocked+u, "noted geo $bad, refused if", "pool: u")
	f("map $http_x $bad { default 0; ~(?!a) 1; }", blocked+u, "noted map $http_x, refused if", "pool: u")
	f("map $http_x $bad { default 0; a $http_y; }", blocked+u, "noted map $http_x, refused if", "pool: u")
	f("map $http_x $bad { default 0; a 1; }", "if ($bad = $http_y) { return 403; } "+u, "noted map $http_x, refused if", "pool: u")
	f("map $http_x $bad { default 0; a 1; } map $http_y $bad { default 0; b 1; }", blocked+u, "noted map $http_x, noted map $http_y, refused if", "pool: u")
	f("geo $bad { 10.0.0.0/8 1; }", "if ($bad) { return 403; } allow 10.1.0.0/16; deny all; "+u, "", `- match: {client: ["10.0.0.0/8"]}`+"\n    respond: {status: 403, body: \"\"}\n  - match: {client: [\"10.1.0.0/16\"]}\n    pool: u")
	f("geo $ok { 10.0.0.0/8 1; }", "if ($ok != 1) { return 403; } allow 10.1.0.0/16; deny all; "+u, "refused allow", "respond: {status: 403")

	// split_clients
	const to = "proxy_pass http://$to;"
	const said = "noted split_clients"
	f("split_clients $remote_addr $to { 10% v; * u; }", to, said, `split: {pools: [{pool: u, weight: 9}, {pool: v, weight: 1}], by: "client_ip"}`)
	hosts := "split_clients $remote_addr $to { 10% a.example; * b.example; } server { listen 80; location / { proxy_pass http://$to; } }"
	verdict(t, hosts, nginx(t, hosts), said, "by: \"client_ip\"}\n    host: \"upstream\"") // nginx sends each its own name
	f("split_clients ${cookie_id}salt $to { 0.5% v; * u; }", to, said, `split: {pools: [{pool: u, weight: 199}, {pool: v, weight: 1}], by: "cookie:id"}`)
	f("split_clients $request_id $to { 50% v; 50% u; }", to, said, `split: {pools: [{pool: v, weight: 1}, {pool: u, weight: 1}], by: request}`)
	f("split_clients $remote_addr$http_user_agent $to { 10% v; * u; }", to, said+", "+said, "by: client_ip}")
	f("split_clients $arg_user $to { 10% v; * u; } map $cookie_side $side { v v; default $to; }", "proxy_pass http://$side;", said, `- match: {cookies: {"side": "v"}}`+"\n    pool: v")
	f("split_clients $arg_user $to { 10% v; * u; } map $cookie_side $side { v v; default $to; }", "proxy_pass http://$side;", said, `- match: {}`+"\n    split: {pools: [{pool: u, weight: 9}, {pool: v, weight: 1}], by: \"query:user\"}")
	f("split_clients $remote_addr $to { 10% v; }", to, "noted proxy_pass http://$to, noted split_clients", "respond: {status: 404")
	f("split_clients $remote_addr $to { 10% v; * $host; }", to, "noted proxy_pass http://$to, noted split_clients", "respond: {status: 404")

	// limits that spare some
	const limit = "limit_req_zone $key zone=z:1m rate=5r/s; "
	const limited = "limit_req zone=z; " + u
	f(limit+"geo $spared { default 0; 10.0.0.0/8 1; } map $spared $key { 0 $binary_remote_addr; 1 ''; }", limited, "noted limit_req",
		`- match: {client: ["10.0.0.0/8"]}`+"\n    pool: u\n    host: \"keep\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    limits: {max_body: 1MiB}\n  - match: {}\n    pool: u")
	f(limit+"map $http_x_key $key { default $binary_remote_addr; secret ''; }", limited, "noted limit_req", `- match: {headers: {"x-key": "secret"}}`+"\n    pool: u\n    host: \"keep\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    limits: {max_body")
	f(limit+"map $http_x_key $key { default $request_uri; secret ''; }", limited, "noted map $http_x_key, refused limit_req", "pool: u")
	f(limit+"map $msec $key { default $binary_remote_addr; 1 ''; }", limited, "noted map $msec, refused limit_req", "pool: u")
}

func TestNginxConnections(t *testing.T) {
	t.Parallel()
	f := func(server, said, has string) {
		t.Helper()
		text := "server { listen 80; " + server + " location / { proxy_pass http://10.0.0.1; proxy_set_header Host $host; } }"
		verdict(t, text, nginx(t, text), said, has)
	}
	f("keepalive_timeout 5s 5s; client_header_timeout 3; client_body_timeout 1m; send_timeout 20s;", "", "timeouts: {header: 3s, body_idle: 1m0s, write_idle: 20s, keepalive: 5s}")
	f("keepalive_time 10m;", "", "timeouts: {connection_age: 10m0s}")
	f("keepalive_requests 100;", "", "    requests_per_connection: 100\nroutes")
	f("http2 on; http2_max_concurrent_streams 64;", "", "http2: {cleartext: true, max_streams: 64}")
	f("large_client_header_buffers 4 32k;", "", "max_header: 128KiB")
	f("keepalive_timeout 0;", "noted keepalive_timeout", "pools")
	f("large_client_header_buffers x 32k;", "noted large_client_header_buffers", "pools")
	f("send_timeout 20s; } server { listen 80; server_name b;", "noted send_timeout", "timeouts: {write_idle: 20s}")
	f("send_timeout 20s; } server { listen 81; server_name b;", "", "timeouts: {write_idle: 20s}")
}
