package convert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// No text of a Caddyfile or of a configuration of Traefik becomes a key of the result.
func TestNothingOfOthersBecomesConfiguration(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\u0085", "\u2028", "\x00", "\x1b", "\t", "}, ", ": ", "# ", "- ", "&a ", "'", "${HOME}", "{$HOME}", "\\"} {
		what := "evil" + end + "evil: {a: b}" + end + "admin: {address: \":1\"}"
		word := "`" + strings.ReplaceAll(what, "`", "") + "`"
		for _, line := range []string{"%s x", "respond %s", "respond %s 403", "redir %s", "redir /x %s", "header %s %s", "header -%s", "request_header %s %s", "rewrite %s", "uri strip_prefix %s",
			"reverse_proxy %s", "reverse_proxy a:1 {\nheader_up %s %s\n}", "reverse_proxy a:1 {\nhealth_uri %s\nhealth_status %s\nhealth_body %s\nhealth_headers {\n%s %s\n}\n}",
			"reverse_proxy a:1 {\nlb_policy cookie %s\n}", "reverse_proxy a:1 {\nlb_policy header %s\n}", "reverse_proxy a:1 {\ntransport http {\ntls_server_name %s\ntls_trusted_ca_certs %s\nresolvers %s\n}\n}",
			"reverse_proxy {\ndynamic srv %s\n}", "@m path %s\nrespond @m 403", "@m host %s\nrespond @m 403", "@m header %s %s\nrespond @m 403", "@m path_regexp %s\nrespond @m 403", "@m method %s\nrespond @m 403",
			"@m remote_ip %s\nrespond @m 403", "handle_path /%s/* {\nrespond x\n}", "request_body {\nmax_size %s\n}", "tls %s %s", "bind %s", "import %s", "basic_auth %s", "basic_auth bcrypt %s {\n%s %s\n}",
			"forward_auth a:1 {\nuri %s\nheader_up Host {upstream_hostport}\n}", "forward_auth a:1 {\nuri /x\ncopy_headers %s\nheader_up %s %s\n}", "encode %s {\nminimum_length %s\n}"} {
			text := "http://:8080, https://x.example:8443 {\n" + strings.ReplaceAll(line, "%s", word) + "\n}\n"
			c, err := caddyfile.Parse(text, "Caddyfile", os.LookupEnv)
			if err != nil {
				continue
			}
			r := convert.Caddyfile(c)
			onlyKnown(t, r.YAML(what), what)
			passesOthers(t, text, r)
		}
		quoted := fmt.Sprintf("%q", what)
		text := strings.ReplaceAll(`{"http": {"routers": {"r": {"rule": "Host(`+"`a`"+`)", "service": "s", "middlewares": ["m", "h", "b", "u", "f", "c", Q]}, Q: {"rule": Q, "service": Q, "entryPoints": [Q]}},
			"middlewares": {"m": {"stripPrefix": {"prefixes": [Q]}}, "h": {"headers": {"customRequestHeaders": {Q: Q, "X-A": Q}, "customResponseHeaders": {Q: Q, "X-B": Q}, "referrerPolicy": Q, "allowedHosts": [Q]}}, Q: {Q: Q},
				"b": {"basicAuth": {"usersFile": Q, "realm": Q, "headerField": Q}}, "u": {"basicAuth": {"users": ["a:b"], "realm": Q}}, "c": {"compress": {"encodings": [Q, "gzip"]}},
				"f": {"forwardAuth": {"address": Q, "authResponseHeaders": [Q], "tls": {"ca": Q, "cert": Q, "key": Q}}}},
			"services": {"s": {"loadBalancer": {"servers": [{"url": "http://a:1"}, {"url": Q}], "sticky": {"cookie": {"name": Q}}, "healthCheck": {"path": Q, "hostname": Q, "method": Q, "headers": {Q: Q}}, "serversTransport": Q}}, Q: Q}},
			"tls": {"certificates": [{"certFile": Q, "keyFile": Q}]}, "entryPoints": {Q: {"address": Q}, "web": {"address": ":80"}}, Q: Q}`, "Q", quoted)
		r, err := convert.Traefik([]byte(text), "t.yml", nil, "")
		if err != nil {
			continue
		}
		onlyKnown(t, r.YAML(what), what)
		passesOthers(t, text, r)
	}
}

// ofOthers converts a file of Caddy or Traefik. It returns nil for other files.
func ofOthers(t *testing.T, file, text string) (r *convert.Result) {
	t.Helper()
	var err error
	switch filepath.Ext(file) {
	case ".caddyfile":
		var c *caddyfile.Config
		if c, err = caddyfile.Parse(text, file, os.LookupEnv); err == nil {
			r = convert.Caddyfile(c)
		}
	case ".json":
		r, err = convert.Caddy([]byte(text), file)
	case ".yaml":
		r, err = convert.Traefik([]byte(text), file, []byte(oneEntry), "static.yaml")
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// passesOthers is passes, where nothing was refused for want of a certificate.
func passesOthers(t *testing.T, from string, r *convert.Result) {
	t.Helper()
	if !strings.Contains(what(r), "refused tls") {
		passes(t, from, r)
	}
}

// Each directive without its arguments, within each other one, causes no panic.
func TestConvertsNonsenseOfOthers(t *testing.T) {
	words := strings.Split("tls,bind,log,root,fs,header,redir,method,rewrite,uri,try_files,basic_auth,forward_auth,request_header,encode,intercept,invoke,handle,handle_path,route,abort,error,respond,reverse_proxy,"+
		"php_fastcgi,file_server,import,@m,@m not,@m header,@m path_regexp,@m remote_ip,lb_policy,health_uri,header_up,transport,transport http,dynamic,to,request_body,vars,map,*,/,{block},uri strip_prefix,client_auth", ",")
	for i, a := range words {
		for j, b := range words {
			if leftOut(i, j) {
				continue
			}
			for _, form := range []string{":80 {\n%s\n%s\n}", ":80 {\n%s {\n%s\n}\n}"} {
				text := fmt.Sprintf(form, a, b)
				c, err := caddyfile.Parse(text, filepath.Join(t.TempDir(), "Caddyfile"), os.LookupEnv)
				if err != nil {
					continue
				}
				passesOthers(t, text, convert.Caddyfile(c))
			}
		}
	}
}

// A configuration whose result would grow without bound is refused soon.
func TestOthersAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 40 { // each header with a condition doubles the routes
		fmt.Fprintf(&b, "@m%d header X-%d yes\nheader @m%d X-A%d b\n", i, i, i, i)
	}
	if got := what(caddy(t, ":80 {\n"+b.String()+"reverse_proxy a:1\n}")); !strings.Contains(got, "refused routes") {
		t.Errorf("of 2^40 routes: %s", got)
	}
	if _, err := caddyfile.Parse(":80 {\nimport Caddyfile\n}", filepath.Join(t.TempDir(), "Caddyfile"), os.LookupEnv); err != nil {
		t.Errorf("of a file that is not there: %v", err)
	}
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(":80 {\nimport Caddyfile\n}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := caddyfile.Load(file, os.LookupEnv); err == nil {
		t.Error("a file that imports itself was read")
	}
	b.Reset()
	for i := range 60 {
		fmt.Fprintf(&b, "(s%d) {\nimport s%d\nimport s%d\n}\n", i, i+1, i+1)
	}
	if _, err := caddyfile.Parse(b.String()+"(s60) {\nrespond x\n}\n:80 {\nimport s0\n}", "Caddyfile", os.LookupEnv); err == nil {
		t.Error("2^60 directives were read")
	}
	if _, err := caddyfile.Parse(strings.Repeat("a {\n", 100_000), "Caddyfile", os.LookupEnv); err == nil {
		t.Error("100,000 nested blocks were read")
	}
	if _, err := convert.Traefik([]byte("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"), "t.yml", nil, ""); err == nil {
		t.Error("a bomb of anchors was read")
	}
	rule := strings.Repeat("(Host(`a`) || Host(`b`)) && ", 300) + "Path(`/x`)"
	if got := what(traefik(t, "http: {routers: {r: {rule: '"+rule+"', service: s}}, services: {s: {loadBalancer: {servers: [{url: 'http://a:1'}]}}}}", oneEntry)); got != "" && !strings.Contains(got, "refused rule") {
		t.Errorf("of a long rule: %s", got)
	}
	rule = strings.Repeat("(", 100_000)
	if got := what(traefik(t, "http: {routers: {r: {rule: '"+rule+"', service: s}}}", oneEntry)); !strings.Contains(got, "refused rule") {
		t.Errorf("of a deep rule: %s", got)
	}
}

func FuzzCaddyfile(f *testing.F) {
	files, _ := filepath.Glob("../../../e2e/testdata/convert/*.caddyfile")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		f.Add(string(b))
	}
	f.Add("(s) {\nheader {args[0]} {args[1:]}\n{block}\n}\n&(r) {\ninvoke r\n}\nexample.com, *.x.example:8443 {\nimport s a b {\nabort\n}\n@m {\nnot path *.php\nheader !X\n}\nrespond @m <<END\n  a\n  END 403\n}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") {
			return // of the machine's own files
		}
		c, err := caddyfile.Parse(text, "Caddyfile", func(string) (string, bool) { return "", false })
		if err != nil {
			return
		}
		passesOthers(t, text, convert.Caddyfile(c))
	})
}

func FuzzHAProxy(f *testing.F) {
	files, _ := filepath.Glob("../../../e2e/testdata/convert/*.cfg")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg"); err == nil {
			passesOthers(t, text, convert.HAProxy(c))
		}
	})
}

func FuzzCaddyJSON(f *testing.F) {
	b, _ := os.ReadFile("../../../e2e/testdata/convert/routes.json")
	f.Add(b)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := convert.Caddy(text, "caddy.json"); err == nil {
			passesOthers(t, string(text), r)
		}
	})
}

func FuzzTraefik(f *testing.F) {
	f.Add([]byte("http: {services: {a.b: {c: d}}, routers: {x.y: {rule: z}}}"))
	f.Add([]byte("http:\n  routers: {r: {rule: 'Host(`a`) && !PathPrefix(`/x`)', service: s, middlewares: [m]}}\n  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n  middlewares: {m: {stripPrefix: {prefixes: [/x]}}}\nentryPoints: {web: {address: ':80'}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := convert.Traefik(text, "t.yml", nil, ""); err == nil {
			passesOthers(t, string(text), r)
		}
	})
}
