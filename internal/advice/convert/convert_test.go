package convert_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

func nginx(t *testing.T, http string) *convert.Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nginx.conf")
	if err := os.WriteFile(file, []byte("events {}\nhttp {\n"+http+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := nginxconf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return convert.Nginx(c)
}

// TestNginx checks single directives. End-to-end tests compare whole configurations
// with nginx.
func TestNginx(t *testing.T) {
	f := func(http, want string) {
		t.Helper()
		if got := string(nginx(t, http).YAML("x")); !strings.Contains(got, want) {
			t.Errorf("of\n%s\nwas made\n%s\nwithout %q", http, got, want)
		}
	}
	server := func(s string) string { return "server { listen 8080; " + s + " }" }
	group := func(s string) string {
		return "upstream a_b { " + s + " }" + server("location / { proxy_pass http://a_b; }")
	}
	f(server(`location / { proxy_pass http://10.0.0.1; }`), `- address: ":8080"`)
	f(server(`location / { proxy_pass https://10.0.0.1; }`), `- {url: "https://10.0.0.1:443"}`)
	f(server(`location / { proxy_pass https://10.0.0.1; }`), `tls: {insecure: true}`)
	f(server(`location / { proxy_pass http://unix:/run/a.sock; }`), `- {url: "unix:/run/a.sock"}`)
	f(server(`location = /a { proxy_pass http://10.0.0.1; }`), `- match: {path: "/a"}`)
	f(server(`location / { proxy_pass http://10.0.0.1; client_max_body_size 0; }`), "response_rewrites: {location: [{from: \"http://10.0.0.1/\", to: \"/\"}]}\npools")
	f(server(`location / { proxy_pass http://10.0.0.1; proxy_set_header X-A ${x}; }`), "proxy_set_header X-A: left out: its value has a variable")
	f(server(`location / { proxy_pass http://10.0.0.1; proxy_set_header X-A b; }`), `set: {"X-A": "b"}`)
	f(server(`location / { root /var/www; }`), "it serves no files")
	f(server(`location ~ \.php$ { fastcgi_pass x; }`), "location ~ \\.php$: goodgate answers 404")
	f(server(`brotli on; location / { proxy_pass http://10.0.0.1; }`), "brotli: left out")
	f(server(`location / { proxy_pass http://$host; }`), "depends on a variable")
	f(group("server 10.0.0.1 weight=3 max_conns=7; server 10.0.0.2 backup;"), `weight: 3, max_in_flight: 7}`)
	f(group("server 10.0.0.1; server 10.0.0.2 backup;"), `- {url: "http://10.0.0.2:80", tier: 1}`)
	f(group("server 10.0.0.1; keepalive 8; keepalive_requests 50;"), "requests_per_connection: 50")
	f(group("ip_hash; server 10.0.0.1;"), "policy: hash\n    hash: {on: \"client_ip\"}")
	f(group("hash $cookie_sid; server 10.0.0.1;"), `hash: {on: "cookie:sid"}`)
	f(group("random two least_conn; server 10.0.0.1;"), "policy: p2c")
	f(group("server 10.0.0.1 max_fails=0;"), "max_fails: goodgate's circuit breaker")
	f(group("server 10.0.0.1 slow_start=30s;"), "slow_start: 30s")
	f(group("server 10.0.0.1; sticky cookie id;"), "sticky: left out: set the pool's policy to sticky")
	f("include mime.types;"+server("return 404;"), "nginx.conf:3: include: the file could not be read: stat")
	f(server("location / { rewrite ^/(.*)$ /a/$1 last; }"), "location /: goodgate answers 404 there: convert cannot convert its rewrite")
	f(server("location / { content_by_lua_block { } }"), "location /: goodgate answers 404 there: it runs no scripts")
}

// TestRefusals checks the errors about single directives of nginx.
func TestRefusals(t *testing.T) {
	f := func(location, want string) {
		t.Helper()
		var got []string
		for _, n := range nginx(t, "server { listen 8080; location / { proxy_pass http://10.0.0.1; "+location+" } }").Refused {
			got = append(got, n.What+": "+n.Text)
		}
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("of %s: got %q, want %q", location, text, want)
		}
	}
	f(`if ($secure_link = "") { return 403; }`, `if: requests with ($secure_link = "") would get access instead of status 403`)
	f(`if ($x ~ "a b") { rewrite ^ /login redirect; }`, `if: requests with ($x ~ "a b") would get access instead of a redirect`)
	f(`if ($x) { return 204; }`, `if: requests with ($x) would get access instead of this answer`)
	f(`if ($x) { limit_rate 10k; }`, `if: for requests with ($x), the bandwidth of responses would be unlimited`)
	f(`auth_basic staff; auth_basic_user_file htpasswd;`, `auth_basic: password-protected pages would be open to everybody. goodgate needs an absolute path in auth_basic_user_file`)
}

// TestNotes: every directive of a block is converted, harmless, noted or refused, with
// its place.
func TestNotes(t *testing.T) {
	r := nginx(t, "proxy_cache_path /c keys_zone=z:1m;\nserver { listen 80; auth_basic x;\nlocation / { proxy_pass http://10.0.0.1;\nproxy_cache z;\nlimit_req zone=a; } }")
	names := func(list []convert.Note) string {
		var all []string
		for _, n := range list {
			all = append(all, n.Where+" "+n.What)
		}
		return strings.Join(all, ", ")
	}
	if got, want := names(r.Notes), "nginx.conf:6 proxy_cache"; got != want {
		t.Errorf("noted %s, want %s", got, want)
	}
	if got, want := names(r.Refused), "nginx.conf:4 auth_basic, nginx.conf:7 limit_req"; got != want {
		t.Errorf("refused %s, want %s", got, want)
	}
	r.Accept([]string{"limit_req", "nonsense"})
	if got, want := names(r.Refused), "nginx.conf:4 auth_basic"; got != want {
		t.Errorf("still refused %s, want %s", got, want)
	}
	if got := names(r.Notes); !strings.Contains(got, "nginx.conf:7 limit_req") {
		t.Errorf("what was accepted is no note: %s", got)
	}
}

func TestHAProxy(t *testing.T) {
	f := func(frontend, backend, want string) {
		t.Helper()
		text := "defaults\n mode http\nfrontend f\n bind *:80\n" + frontend + "\n default_backend b\nbackend b\n" + backend + "\n"
		c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(convert.HAProxy(c).YAML("x")); !strings.Contains(got, want) {
			t.Errorf("of\n%s\nwas made\n%s\nwithout %q", text, got, want)
		}
	}
	f("", "server a 10.0.0.1:80", `- address: ":80"`)
	f("", "server a 10.0.0.1:80 weight 5 maxconn 3 backup", `- {url: "http://10.0.0.1:80", weight: 5, tier: 1, max_in_flight: 3}`)
	f("", "server a /run/a.sock", `- {url: "unix:/run/a.sock"}`)
	f("", "server a 10.0.0.1:443 ssl verify none", `tls: {insecure: true}`)
	f("", "option httpchk GET /up\nserver a 10.0.0.1:80 check inter 3s", `health: {method: GET, path: "/up", expect: {status: "200-399"}, interval: 3s, timeout: 3s}`)
	f("", "option httpchk\nhttp-check send meth GET uri /up hdr Host app.test hdr X-A 1\nhttp-check expect status 200,204\nserver a 10.0.0.1:80 check port 9000 rise 3 fall 5",
		`health: {method: GET, path: "/up", expect: {status: ["200", "204"]}, host: "app.test", headers: {"X-A": "1"}, rise: 3, fall: 5, port: 9000}`)
	f("", "option httpchk GET /up\nhttp-check expect string ready\nserver a 10.0.0.1:80 check", `expect: {status: "100-599", body: "ready"}`)
	f("", "option httpchk GET /up\nhttp-check expect rstring ok|fine\nserver a 10.0.0.1:80 check", `expect: {status: "100-599", body_regexp: "ok|fine"}`)
	f("", "option httpchk GET /up\nhttp-check expect hdr name X-Up value 1\nserver a 10.0.0.1:80 check", `headers: {"X-Up": "1"}}`)
	f("", "option httpchk GET /up\nhttp-check expect ! string error\nserver a 10.0.0.1:80 check", "option httpchk: goodgate has no equivalent")
	f("", "server a 10.0.0.1:80 check on-marked-down shutdown-sessions weight 5", "server a: on-marked-down is left out: goodgate has no equivalent\n\nlisteners")
	f("", "server a 10.0.0.1:80 check inter 2000 rise 2 fall 3\nserver b 10.0.0.2:80 check", "# Carried over: 1 listener, 1 route, 1 pool.\n\nlisteners")
	f("", "server a 10.0.0.1:80\nserver b fd@3", "server b: left out: goodgate cannot use its address fd@3")
	f("", "server a ipv6@[2001:db8::1]:81", `- {url: "http://[2001:db8::1]:81"}`)
	f("errorfile 503 /e/503.http", "server a 10.0.0.1:80", "errorfile: left out: put the page, without its HTTP header, into the folder of errors.dir")
	f("", "option httpchk GET /up\nserver a 10.0.0.1:80 check port 9000\nserver b 10.0.0.2:80 check port 9001", "differs between servers")
	f("", "option tcp-check\ntcp-check connect\ntcp-check send PING\\r\\n\ntcp-check expect string +PONG\ntcp-check send-binary 0a0b\ntcp-check expect rstring ^ok\ntcp-check expect binary ff\nserver a 10.0.0.1:80 check",
		`health: {type: tcp, steps: [{send: "PING\r\n", expect: "+PONG"}, {send: "hex:0a0b", expect_regexp: "^ok"}, {expect: "hex:ff"}]}`)
	f("", "option tcp-check\ntcp-check expect ! string error\nserver a 10.0.0.1:80 check", "only connects to")
	f("", "option tcp-check\nserver a 10.0.0.1:80 check check-ssl", "health: {type: tcp, scheme: https}")
	f("", "server a 10.0.0.1:80 check agent-check agent-port 9999 agent-inter 5s agent-send x", `health: {agent: {port: 9999, interval: 5s, send: "x"}}`)
	f("", "default-server check inter 3s agent-check agent-port 9999\nserver a 10.0.0.1:80\nserver b 10.0.0.2:80", `health: {interval: 3s, timeout: 3s, agent: {port: 9999}}`)
	f("", "server a 10.0.0.1:80 check agent-check", "has no agent-port")
	f("", "balance source\nserver a 10.0.0.1:80", `hash: {on: "client_ip"}`)
	f("use_backend b if { path_beg /x } { hdr(x-env) canary }", "server a 10.0.0.1:80", `- match: {path: "/x*", headers: {"x-env": "canary"}}`)
	f("redirect scheme https if !{ ssl_fc }", "server a 10.0.0.1:80", `- match: {scheme: http}`)
	f("use_backend b if { src 10.0.0.0/8 }", "server a 10.0.0.1:80", `- match: {client: ["10.0.0.0/8"]}`)
	f("use_backend b if { path_beg /x", "server a 10.0.0.1:80", "has a condition that a route cannot have")
	f("use_backend b if { ssl_c_used }", "server a 10.0.0.1:80", "has a condition that a route cannot have")
	f("http-request deny if { path /x }", "server a 10.0.0.1:80", "- match: {path: \"/x\"}\n    respond: {status: 403, body: \"\"}")
}

// TestNothingEndsAComment: YAML ends a line, and so a comment, at more characters
// than nginx does.
func TestNothingEndsAComment(t *testing.T) {
	for _, end := range []string{"\r", "\u0085", "\u2028", "\u2029"} {
		yaml := string(nginx(t, "server { listen 80; \"x"+end+"admin:y\" 1; location / { proxy_pass http://10.0.0.1; proxy_set_header X-A \"a"+end+"b\"; } }").YAML("a" + end + "admin: x"))
		if strings.Contains(yaml, end) || strings.Contains(yaml, "\nadmin") {
			t.Errorf("%+q is in\n%+q", end, yaml)
		}
	}
}
