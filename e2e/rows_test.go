package e2e_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// rows check rows of docs/features.md with curl, through goodgate, against an application
// in Node. row is the beginning of the row, curl has the arguments, and want has the texts
// that the answer contains, or with a ! lacks. V is 1 over HTTP/1.1, which the plain relay
// carries, and 2 over HTTP/2.
var rows = []struct {
	row, curl string
	want      []string
}{
	{"Scheme", "http://a.example.com:PLAIN/scheme", []string{"got x-row: http"}},
	{"Scheme", "https://a.example.com:PORT/scheme", []string{"!x-row"}},
	{"HTTP to HTTPS", "http://a.example.com:PLAIN/secure?x=1", []string{" 308", "location: https://a.example.com:PORT/secure?x=1"}},
	{"Listener, port, SNI", "http://a.example.com:PLAIN/port", []string{"got x-row: port"}},
	{"Listener, port, SNI", "https://b.example.com:PORT/sni", []string{"got x-row: sni"}},
	{"Listener, port, SNI", "https://a.example.com:PORT/sni", []string{"got GET /sni", "!x-row"}},
	{"Host by regular expression", "https://a.example.com:PORT/ -H Host:shop12.example.com", []string{"got x-row: shop 12"}},
	{"Path by suffix, pattern, regular expression", "https://a.example.com:PORT/users/7/photo", []string{"got x-row: pattern"}},
	{"Path by suffix, pattern, regular expression", "https://a.example.com:PORT/users/7/8/photo", []string{"!x-row"}},
	{"Path by suffix, pattern, regular expression", "https://a.example.com:PORT/x/y.png", []string{"got x-row: suffix"}},
	{"Path by suffix, pattern, regular expression", "https://a.example.com:PORT/v12/x", []string{"got x-row: regexp"}},
	{"Header by regular expression, prefix, absence", "https://a.example.com:PORT/agent -A robot/1 -H X-Key:1", []string{"got x-row: start"}},
	{"Header by regular expression, prefix, absence", "https://a.example.com:PORT/agent -A browser", []string{"got x-row: absent"}},
	{"Header by regular expression, prefix, absence", "https://a.example.com:PORT/agent -A browser -H X-Key:1", []string{"!x-row"}},
	{"Header by regular expression, prefix, absence", "https://a.example.com:PORT/begin?lang=en-GB -A curl/9 -b session=v2-1", []string{"got x-row: begin"}},
	{"Header by regular expression, prefix, absence", "https://a.example.com:PORT/begin?lang=en-GB&preview= -A curl/9 -b session=v2-1", []string{"!x-row"}},
	{"Header by regular expression, prefix, absence", "https://a.example.com:PORT/begin?lang=en-GB -A curl/9 -b session=v1-1", []string{"!x-row"}},
	{"Query parameter, cookie", "https://a.example.com:PORT/query?page=12", []string{"got x-row: page"}},
	{"Query parameter, cookie", "https://a.example.com:PORT/query?page=x -b side=two", []string{"got x-row: cookie"}},
	{"Client network", "https://a.example.com:PORT/network", []string{"!x-row"}},
	{"Client's address from a CDN's header", "https://a.example.com:PORT/network -H CF-Connecting-IP:192.0.2.7", []string{"got x-row: cdn 192.0.2.7"}},
	{"Combinations: and, or, not", "https://a.example.com:PORT/either", []string{"got x-row: combined"}},
	{"Combinations: and, or, not", "https://b.example.com:PORT/or", []string{"got x-row: combined"}},
	{"Combinations: and, or, not", "https://b.example.com:PORT/or -X DELETE", []string{"!x-row"}},
	{"Combinations: and, or, not", "https://a.example.com:PORT/nested?a=1&c=1", []string{"got x-row: nested"}},
	{"Combinations: and, or, not", "https://a.example.com:PORT/nested?a=1", []string{"!x-row"}},
	{"Combinations: and, or, not", "https://a.example.com:PORT/nested?a=1&d=1 -H X-Old:1", []string{"!x-row"}},
	{"Redirect by regular expression, trailing slash", "https://a.example.com:PORT/old/7/a/b", []string{" 301", "location: /new/a/b?id=7"}},
	{"Redirect by regular expression, trailing slash", "https://a.example.com:PORT/x/slash/", []string{" 301", "location: /x/slash\n"}},
	{"Rewrite of path and query", "https://a.example.com:PORT/user/7?x=1", []string{"got GET /profile/7?x=1"}},
	{"Rewrite of path and query", "https://a.example.com:PORT/find/blue%20shoes?page=2 -H X-Key:a/b", []string{"got GET /search/a%2Fb/blue%20shoes?of=a%2Fb&page=2"}},
	{"Rewrite of path and query", "https://a.example.com:PORT/find/x -H X-Key:..", []string{"status=400", "!got GET"}},
	{"Rewrite of path and query", "https://a.example.com:PORT/query/edit?utm=1&b=%26&lang=de", []string{"got GET /query/edit?b=%26&lang=en&tag=new"}},
	{"Headers replaced by regular expression, by status", "https://a.example.com:PORT/ruled?status=404 -A robot/7", []string{"got user-agent: bot 7", "x-row: missing", "content-type: text/html"}},
	{"Headers replaced by regular expression, by status", "https://a.example.com:PORT/ruled", []string{"status=200", "!x-row", "content-type: text/html"}},
	{"Change of the upstream's status", "https://a.example.com:PORT/ruled?status=410", []string{"status=404", "got GET"}},
	{"Sticky sessions: attributes of the cookie", "https://a.example.com:PORT/sticky", []string{"set-cookie: side=", "Path=/sticky", "Domain=example.com", "Partitioned"}},
	{"Rewrite of Location, cookie domain and path", "https://a.example.com:PORT/out/moved", []string{"location: /out/x", "set-cookie: id=1; Path=/out; Domain=example.com; Secure; SameSite=Lax"}},
	{"Header values with variables", "https://a.example.com:PORT/variables?a=b%20c -b c=d -H X-Key:k", []string{"got x-row: 127.0.0.1 https a.example.com GET b%20c d k TLSv1.3 a.example.com variables"}},
	{"Secrets from files, in the configuration", "https://a.example.com:PORT/variables", []string{"got x-secret: open sesame\n"}},
	{"X-Real-IP, X-Forwarded-Port, X-Forwarded-Prefix", "https://a.example.com:PORT/variables -H CF-Connecting-IP:192.0.2.7", []string{"got x-real-ip: 192.0.2.7"}},
	{"X-Real-IP, X-Forwarded-Port, X-Forwarded-Prefix", "https://a.example.com:PORT/prefix/x -H X-Forwarded-Prefix:/evil", []string{"got GET /x", "got x-forwarded-prefix: /prefix\n", "!evil"}},
	{"Client certificate sent to the upstream", "https://a.example.com:MUTUAL/ --cert DIR/good.pem --key DIR/good.key", []string{"got client-cert: :GOOD:", "got x-row: CN=good"}},
	{"Client certificate sent to the upstream", "https://a.example.com:MUTUAL/ -H Client-Cert:evil", []string{"got GET /", "!client-cert"}},
	{"Revocation lists for client certificates (CRL)", "https://a.example.com:MUTUAL/ --cert DIR/bad.pem --key DIR/bad.key", []string{"status=000", "!got GET"}},
	{"Compression by gzip", "https://a.example.com:PORT/long --compressed -H Accept-Encoding:gzip", []string{"content-encoding: gzip", "vary: Accept-Encoding", "etag: W/", "text text"}},
	{"Compression by zstd, brotli", "https://a.example.com:PORT/long --compressed -H Accept-Encoding:zstd", []string{"content-encoding: zstd", "text text"}},
	{"Compression by gzip", "https://a.example.com:PORT/events --compressed", []string{"data: one", "!content-encoding"}},
	{"Response cache (RFC 9111)", "https://a.example.com:PORT/kept?v=V", []string{"!; hit", "count="}},
	{"Response cache (RFC 9111)", "https://a.example.com:PORT/kept?v=V", []string{"cache-status: goodgate; hit", "count="}},
	{"Error pages by status from a folder", "https://a.example.com:PORT/dead -H Accept:text/html", []string{"<h1>Sorry, 50"}},
	{"Error pages in place of the application's", "https://a.example.com:PORT/replaced?status=404 -H Accept:text/html", []string{"status=404", "<h1>Not here: 404", "!got GET"}},
	{"Error pages in place of the application's", "https://a.example.com:PORT/replaced?status=403 -H Accept:text/html", []string{"status=403", "got GET"}},
	{"Basic authentication", "https://a.example.com:PORT/password -u alice:secret", []string{"status=200", "got x-user: alice"}},
	{"Basic authentication", "https://a.example.com:PORT/password -u alice:wrong", []string{"status=401", `www-authenticate: Basic realm="Staging"`}},
	{"Allowed and denied networks", "https://a.example.com:PORT/denied", []string{"status=403"}},
	{"Allowed and denied networks", "https://a.example.com:PORT/denied -H CF-Connecting-IP:192.0.2.7", []string{"status=200"}},
	{"Forward auth", "https://a.example.com:PORT/asked -b s=in -H Remote-User:root", []string{"status=200", "got remote-user: alice", "!root"}},
	{"Forward auth", "https://a.example.com:PORT/asked -H Remote-User:root", []string{"status=401"}},
	{"Forward auth", "https://a.example.com:PORT/asked/url -b s=in -H Remote-User:root", []string{"status=200", "got remote-user: alice", "!root"}},
	{"Forward auth", "https://a.example.com:PORT/asked/url", []string{"status=401", "!got GET"}},
	{"CORS", "https://a.example.com:PORT/cors -X OPTIONS -H Origin:https://app.example.com -H Access-Control-Request-Method:PUT", []string{"access-control-allow-origin: https://app.example.com", "!got OPTIONS"}},
	{"CORS", "https://a.example.com:PORT/cors -H Origin:https://evil.example.com", []string{"got GET", "!access-control"}},
	{"CSRF (Origin check)", "https://a.example.com:PORT/csrf -d a=b -H Sec-Fetch-Site:cross-site", []string{"status=403"}},
	{"CSRF (Origin check)", "https://a.example.com:PORT/csrf -d a=b -H Sec-Fetch-Site:same-origin", []string{"status=200"}},
	{"Security headers with one key", "https://a.example.com:PORT/headers", []string{"strict-transport-security: max-age=", "x-content-type-options: nosniff", "x-frame-options: SAMEORIGIN"}},
	{"Rate limit by any part of the request", "https://a.example.com:PORT/limited -H X-Key:V", []string{"status=200"}},
	{"Rate limit by any part of the request", "https://a.example.com:PORT/limited -H X-Key:V", []string{"status=200"}},
	{"Rate limit by any part of the request", "https://a.example.com:PORT/limited -H X-Key:V", []string{"status=429"}},
	{"Rate limit by any part of the request", "https://a.example.com:PORT/limited -H X-Key:other-V", []string{"status=200"}},
	{"Fault injection", "https://a.example.com:PORT/fault -H X-Fault:1", []string{"status=507", "!got GET"}},
	{"Fault injection", "https://a.example.com:PORT/fault", []string{"status=200"}},
	{"Several log outputs, by route", "https://a.example.com:PORT/logged?token=swordfish&status=404 -H X-Key:k-V -H X-Agent:me", []string{"status=404"}},
	{"Checks by regular expression, header, JSON value", "https://a.example.com:PORT/ready", []string{"status=200"}},
	{"Another port, scheme or Host for the check", "https://a.example.com:PORT/late", []string{"status=200"}}, // the last upstream gets requests all the same
	{"Agent check: weight, drain", "https://a.example.com:PORT/agents?V", []string{"at 127.0.0.2"}},
	{"Agent check: weight, drain", "https://a.example.com:PORT/agents?V", []string{"at 127.0.0.2"}},
	{"TLS with upstreams: CA, server name, client certificate", "https://a.example.com:PORT/secured", []string{"nginx a.example.com CN=good"}},
	{"TLS session resumption with upstreams", "https://a.example.com:PORT/secured", []string{"nginx a.example.com CN=good resumed=r"}},
}

// TestFeatures: each row holds for clients of both protocols.
func TestFeatures(t *testing.T) {
	t.Parallel()
	f := startFeatures(t)
	features := readFile(t, filepath.Join("..", "docs", "features.md"))
	for _, r := range rows {
		if !strings.Contains(features, "\n| "+r.row) {
			t.Errorf("docs/features.md has no row that begins with %q", r.row)
		}
	}
	for version, flag := range map[string]string{"1": "--http1.1", "2": "--http2"} {
		for i, answer := range f.ask(version, flag) {
			for _, want := range rows[i].want {
				lacked, lacks := strings.CutPrefix(f.words.Replace(want), "!")
				if has := strings.Contains(lowerNames(answer), lacked); has == lacks {
					t.Errorf("%s over HTTP/%s: curl %s: want %q in\n%s", rows[i].row, version, rows[i].curl, want, answer)
				}
			}
		}
	}
	f.logs()
	wantCommand(t, 0, "", "purge", "--admin", "unix:"+filepath.Join(f.dir, "admin.sock"), "--all")
	c := exec.CommandContext(t.Context(), f.curl, append(f.common(), f.words.Replace("https://a.example.com:PORT/kept?v=1"))...)
	if again, err := c.CombinedOutput(); err != nil || !strings.Contains(string(again), "count=") || strings.Contains(string(again), "; hit") {
		t.Errorf("after a purge: %v\n%s", err, again)
	}
}

// featured is a goodgate with all rows, in front of Node and nginx.
type featured struct {
	t         *testing.T
	dir, curl string
	env       map[string]string // ports
	words     *strings.Replacer // of what is asked and wanted
}

func startFeatures(t *testing.T) *featured {
	t.Helper()
	f := &featured{t: t, dir: t.TempDir(), curl: need(t, "curl"), env: map[string]string{}}
	ca := certtest.NewAuthority(t, "authority")
	good, bad, site := ca.Issue("good"), ca.Issue("bad"), ca.Issue("a.example.com", "b.example.com")
	for name, c := range map[string]tls.Certificate{"good": good, "bad": bad, "site": site} {
		ca.Files(f.dir, name, c)
	}
	ca.File(f.dir)
	ca.Revoke(f.dir, time.Hour, bad)
	for name, text := range map[string]string{
		"goodgate.yaml": readFile(t, filepath.Join("testdata", "rows.yaml")), "more.yaml": readFile(t, filepath.Join("testdata", "rows-more.yaml")),
		"secret": "open sesame\n", "users": "alice:$2y$05$gaMh/hP06Hmxd2lZ99gwWut0E8WgKqR9Ley.BYIeDe/CUKTAFiL4O\n",
		"5xx.html": "<h1>Sorry, {status}</h1>\n", "404.html": "<h1>Not here: {status}</h1>\n",
	} {
		writeFile(t, f.dir, name, text)
	}
	for _, name := range []string{"APP", "CHECKS", "AGENTS", "SECURED", "PLAINPORT", "PORT", "MUTUALPORT"} {
		f.env[name] = strconv.Itoa(freePort(t))
	}
	f.upstreams()
	pin := sha256.Sum256(site.Leaf.RawSubjectPublicKeyInfo)
	vars := []string{"DIR=" + f.dir, "PIN=sha256/" + base64.StdEncoding.EncodeToString(pin[:]), "LISTEN=" + f.at("PORT"), "PLAIN=" + f.at("PLAINPORT"), "MUTUAL=" + f.at("MUTUALPORT")}
	for name, value := range f.env {
		vars = append(vars, name+"="+value)
	}
	g := startProcess(t, "goodgate", vars, built.goodgate, "run", "--config", filepath.Join(f.dir, "goodgate.yaml"))
	g.ready("tcp", f.at("PORT"))
	waitFor(t, "the words of both agents", func() bool {
		return strings.Contains(g.out.String(), `"word":"drain`) && strings.Contains(g.out.String(), "50%")
	})
	f.words = strings.NewReplacer("PORT", f.env["PORT"], "PLAIN", f.env["PLAINPORT"], "MUTUAL", f.env["MUTUALPORT"], "DIR", f.dir, "GOOD", base64.StdEncoding.EncodeToString(good.Certificate[0]))
	return f
}

func (f *featured) at(port string) string { return "127.0.0.1:" + f.env[port] }

// upstreams runs the application, and nginx with TLS for those that have a certificate.
func (f *featured) upstreams() {
	f.t.Helper()
	node := startProcess(f.t, "node", nil, need(f.t, "node"), "testdata/rows.js", f.env["APP"], f.env["CHECKS"], f.env["AGENTS"])
	for _, name := range []string{"APP", "CHECKS", "AGENTS"} {
		node.ready("tcp", f.at(name))
	}
	writeFile(f.t, f.dir, "nginx.conf", strings.NewReplacer("$AT", f.at("SECURED"), "$DIR", f.dir).Replace(`
events {}
http {
  server {
    listen $AT ssl;
    ssl_certificate $DIR/site.pem;
    ssl_certificate_key $DIR/site.key;
    ssl_client_certificate $DIR/ca.pem;
    ssl_verify_client on;
    ssl_session_cache shared:s:1m;
    location / { return 200 "nginx $ssl_server_name $ssl_client_s_dn resumed=$ssl_session_reused"; }
  }
}
`))
	startNginxFile(f.t, f.dir, "nginx.conf", f.at("SECURED"))
}

// common are the arguments of curl for each request.
func (f *featured) common() []string {
	args := []string{"-sS", "-m", "10", "--cacert", filepath.Join(f.dir, "ca.pem"), "-D", "-", "-w", "\nstatus=%{http_code}\n-- end --\n"}
	for _, name := range []string{"a.example.com", "b.example.com"} {
		for _, p := range []string{"PORT", "PLAINPORT", "MUTUALPORT"} {
			args = append(args, "--resolve", name+":"+f.env[p]+":127.0.0.1")
		}
	}
	return args
}

// ask lets one curl send the requests of all rows, and returns the answers.
func (f *featured) ask(version, flag string) []string {
	f.t.Helper()
	var args []string
	for _, r := range rows {
		how := flag
		if strings.Contains(r.curl, "http://") {
			how = "--http1.1" // curl fails at a second request over HTTP/2 without TLS
		}
		args = append(append(args, how), f.common()...)
		for word := range strings.FieldsSeq(strings.ReplaceAll(f.words.Replace(r.curl), "=V", "="+version)) {
			if key, ends := strings.CutSuffix(word, "V"); ends && strings.ContainsAny(key[len(key)-1:], ":-") {
				word = key + version
			}
			args = append(args, word)
		}
		args = append(args, "--next")
	}
	out, _ := exec.CommandContext(f.t.Context(), f.curl, args[:len(args)-1]...).CombinedOutput() // the last status says how it went
	answers := strings.Split(strings.ReplaceAll(string(out), "\r\n", "\n"), "-- end --\n")
	if len(answers) != len(rows)+1 {
		f.t.Fatalf("%d answers of %d over HTTP/%s:\n%s", len(answers)-1, len(rows), version, out)
	}
	return answers[:len(rows)]
}

// logs checks the log, in three formats.
func (f *featured) logs() {
	f.t.Helper()
	log := func(name string) string { return readFile(f.t, filepath.Join(f.dir, name)) }
	waitFor(f.t, "records of all logs", func() bool {
		return strings.Count(log("all.log"), "/secured") > 3 && strings.Count(log("fields.log"), "\n") > 1 && strings.Count(log("failures.log"), "/logged") > 1
	})
	all, fields, failures := log("all.log"), log("fields.log"), log("failures.log")
	for _, version := range []string{"1.1", "2.0"} {
		wantIn(f.t, "the log in nginx's format", all, `127.0.0.1 "GET /kept?v=`+version[:1]+` HTTP/`+version+`" 200 -`)
		wantIn(f.t, "the log of failures", failures, `"GET /logged?token=[redacted]&status=404 HTTP/`+version+`" 404`)
	}
	wantIn(f.t, "the log with other fields", fields, `"agent":"me"`)
	wantIn(f.t, "the log with other fields", fields, `"tls":"TLSv1.3"`)
	if strings.Count(fields, "\n") != 2 || strings.Contains(fields, `"host"`) || strings.Contains(all+fields+failures, "swordfish") || strings.Contains(all, "/logged") {
		f.t.Errorf("the route's log:\n%s\nthe log of failures:\n%s\nthe main log:\n%s", fields, failures, all)
	}
}

// lowerNames writes the names of an answer's fields in lower case, as HTTP/2 has them.
func lowerNames(answer string) string {
	var b strings.Builder
	for line := range strings.Lines(answer) {
		if name, value, ok := strings.Cut(line, ": "); ok && !strings.ContainsAny(name, " {<") {
			line = strings.ToLower(name) + ": " + value
		}
		b.WriteString(line)
	}
	return b.String()
}
