package convert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/config"
)

// No text of a configuration becomes a key of the result: it stays a value or a
// comment.
func TestNothingBecomesConfiguration(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029", "\x00", "\x1b", "\t", "}, ", ": ", "# ", "- ", "&a ", "\"", "'", "${HOME}", "\\"} {
		for _, what := range []string{"evil: 1" + end, "evil" + end + "evil: {a: b}" + end, "evil" + end + "admin: {address: \":1\"}" + end + "#"} {
			word := "'" + strings.NewReplacer(`\`, "", "'", "").Replace(what) + "'"
			text := fmt.Sprintf(`server { listen 80; %[1]s x; server_name %[1]s; location / { proxy_pass http://10.0.0.1;
				add_header %[1]s %[1]s; proxy_set_header %[1]s %[1]s; proxy_set_header Host %[1]s; rewrite %[1]s %[1]s; }
				location %[1]s { proxy_pass http://u; %[1]s y; } location = /r { return 302 %[1]s; } location = /t { return 200 %[1]s; } }
				upstream u { server %[1]s %[1]s; hash %[1]s; %[1]s z; } map %[1]s $x { a b; }`, word)
			onlyKnown(t, nginx(t, text).YAML(what), what)
			passes(t, text, nginx(t, text))
			if strings.ContainsAny(what, "\r\n") {
				continue // no line of HAProxy's can have them
			}
			word = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(what) + `"`
			text = fmt.Sprintf(`defaults %[1]s
 mode http
frontend f
 bind %[1]s
 bind :80 ssl crt %[1]s
 %[1]s x
 acl %[1]s %[1]s
 use_backend b if { path_beg %[1]s } { hdr(%[1]s) %[1]s }
 redirect prefix %[1]s
 http-request set-header %[1]s %[1]s
 http-request del-header %[1]s
 http-response set-header %[1]s %[1]s
 default_backend b
backend b
 balance hdr(%[1]s)
 option httpchk %[1]s %[1]s
 http-check expect status %[1]s
 server %[1]s %[1]s weight %[1]s check inter %[1]s ssl ca-file %[1]s verifyhost %[1]s
 server d 10.0.0.1:80 %[1]s
ring %[1]s
`, word)
			c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
			if err != nil {
				t.Fatal(err)
			}
			onlyKnown(t, convert.HAProxy(c).YAML(what), what)
			passes(t, text, convert.HAProxy(c))
		}
	}
}

// onlyKnown fails when a file has a key that no conversion writes.
func onlyKnown(t *testing.T, file []byte, what string) {
	t.Helper()
	var root map[string]yaml.Node
	if err := yaml.Unmarshal(file, &root); err != nil {
		t.Errorf("of %q no YAML was made: %v\n%s", what, err, file)
		return
	}
	known := []string{"listeners", "trusted_proxies", "errors", "routes", "pools"}
	for key := range root {
		if !slices.Contains(known, key) {
			t.Errorf("%q became the key %q:\n%s", what, key, file)
		}
	}
	var pools struct {
		Pools map[string]struct {
			Health map[string]any
			TLS    map[string]any
			Hash   map[string]any
		}
	}
	if err := yaml.Unmarshal(file, &pools); err != nil {
		t.Errorf("%q: %v", what, err)
	}
	for _, p := range pools.Pools {
		for _, m := range []map[string]any{p.Health, p.TLS, p.Hash} {
			for key := range m {
				if strings.Contains(key, "evil") {
					t.Errorf("%q became the key %q:\n%s", what, key, file)
				}
			}
		}
	}
}

// Directives without their arguments cause no panic.
func TestConvertsNonsense(t *testing.T) {
	words := []string{"server", "location", "listen", "server_name", "proxy_pass", "upstream u", "upstream", "server 10.0.0.1", "return", "return 301", "rewrite", "if", "error_page",
		"error_page 502 /x", "root", "ssl_certificate", "add_header", "proxy_set_header", "map", "hash", "keepalive", "log_format", "log_format x escape=none", "access_log", "resolver", "limit_except", "location =", "location ^~", "location ~", "proxy_next_upstream",
		"auth_request", "auth_request /x", "auth_request_set", "mirror /x", "proxy_cache z", "proxy_cache_valid", "location = /x"}
	for i, a := range words {
		for j, b := range words {
			if leftOut(i, j) {
				continue
			}
			for _, form := range []string{"%s; %s;", "%s { %s; }", "server { %s { %s; } }", "server { location / { %s; %s; proxy_pass http://u; } } upstream u { server 10.0.0.1; }", "server { location / { %s { %s; } } }", "upstream u { %s; %s; } server { location / { proxy_pass http://u; } }"} {
				passes(t, fmt.Sprintf(form, a, b), nginx(t, fmt.Sprintf(form, a, b)))
			}
		}
	}
	lines := []string{"bind", "server", "server a", "server a unix@", "balance", "balance hdr(", "acl", "acl x", "use_backend", "use_backend b if", "default_backend", "redirect", "redirect scheme",
		"redirect prefix", "http-request", "http-request set-header", "option httpchk", "http-check expect status", "http-check send uri", "timeout connect", "timeout", "retries", "mode", "cookie", "server a 10.0.0.1 check inter", "use_backend b if {", "use_backend b if { hdr(",
		"http-request auth", "http-request auth unless { http_auth(", "http-request auth if ! { http_auth(l) }", "compression algo gzip", "compression type"}
	for _, a := range lines {
		for _, b := range lines {
			c, err := haproxy.Parse(strings.NewReader("frontend f\nmode http\n"+a+"\n"+b+"\ndefault_backend b\nbackend b\n"+a+"\n"+b+"\nlisten l\nmode http\n"+a+"\n"+b+"\nbackend\ndefaults\n"), "x")
			if err != nil {
				t.Fatal(err)
			}
			passes(t, a+" / "+b, convert.HAProxy(c))
		}
	}
}

// leftOut selects three quarters of all pairs, which run only with GOODGATE_LONG=1.
func leftOut(i, j int) bool { return (i+j)%4 != 0 && os.Getenv("GOODGATE_LONG") == "" }

// passes fails if the result has a mistake other than an empty configuration.
func passes(t *testing.T, from string, r *convert.Result) {
	t.Helper()
	text := r.YAML("x")
	_, _, err := config.Parse("goodgate.yaml", text, noEnv)
	if err != nil && !strings.Contains(err.Error(), "pools is missing") && !strings.Contains(err.Error(), "listeners is missing") && !strings.Contains(err.Error(), "listeners: empty") {
		t.Errorf("%s\nbecame\n%s\n%v", from, text, err)
	}
}

// The result of each of these configurations passes goodgate check.
func TestConversionsPassCheck(t *testing.T) {
	files, _ := filepath.Glob("../../../e2e/testdata/convert/*")
	if len(files) < 16 {
		t.Fatalf("only %d files", len(files))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("FRONTPORT", "8080", "SECUREPORT", "8443", "INSIDEPORT", "9090", "FRONTHOST", "127.0.0.1", "APP1", "10.0.0.1:80", "APP2", "10.0.0.2:80", "FRONT", "127.0.0.1:8080", "SECURE", "127.0.0.1:8443", "INSIDE", "127.0.0.1:9090", "DIR", t.TempDir()).Replace(string(b))
		var r *convert.Result
		if strings.HasSuffix(file, ".static.yaml") {
			continue
		} else if other := ofOthers(t, file, text); other != nil {
			r = other
		} else if strings.HasSuffix(file, ".cfg") {
			c, err := haproxy.Parse(strings.NewReader(text), file)
			if err != nil {
				t.Fatal(err)
			}
			r = convert.HAProxy(c)
		} else {
			_, body, _ := strings.Cut(text, "http {")
			r = nginx(t, strings.TrimSuffix(strings.TrimSpace(body), "}"))
		}
		if len(r.Refused) > 0 {
			t.Errorf("%s: refused %v", file, r.Refused)
		}
		if _, _, err := config.Parse("goodgate.yaml", r.YAML("x"), noEnv); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
