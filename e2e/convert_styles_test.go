package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// styles are configurations in the forms in which people publish them, with requests
// for both proxies: "PORT METHOD HOST PATH [Name: value]".
var styles = []style{
	{"wordpress.conf", `
		front GET www.example.com /
		front GET www.example.com /a%20b/?p=1&q=%2F
		front GET example.com /page?x=1
		front GET www.example.com /favicon.ico
		front GET www.example.com /xmlrpc.php
		front POST www.example.com /xmlrpc.php
		front GET www.example.com /.git/config
		front GET www.example.com /sub/.env
		front GET www.example.com /wp-content/uploads/2026/x.PHP
		front GET www.example.com /wp-content/uploads/2026/x.png
		front GET www.example.com /wp-admin/index.php
		front GET www.example.com /wp-admin/.htaccess
		front GET www.example.com /wp-json/posts`, 0},
	{"harbor.conf", `
		front GET localhost /
		front GET localhost /c/login?x=1
		front GET localhost /v1/x
		front POST localhost /v2/a/blobs
		front GET localhost /metrics
		front GET localhost /service/notifications/x
		inside GET localhost /metrics
		inside GET localhost /c/login
		inside GET localhost /metrics/x`, 0},
	{"mastodon.conf", `
		front GET example.com /about?a=b
		secure GET example.com /
		secure POST example.com /api/v1/statuses
		secure GET example.com /api/v1/streaming
		secure GET example.com /api/v1/streaming/user?x=1
		secure GET example.com /api/v1/streaming/ws Upgrade: echo
		secure GET example.com /sw.js`, 0},
	{"gitlab.conf", `
		front GET git.example.com /
		front BREW git.example.com /
		front BREW git.example.com /group/project/uploads
		front POST git.example.com /group/project/uploads
		front POST git.example.com /group/project/git-receive-pack
		front POST git.example.com /group/project/uploads/x
		front GET git.example.com /assets/app.js
		front HEAD git.example.com /assets/app.js
		front POST git.example.com /assets/app.js
		front GET git.example.com /cable Upgrade: echo`, 0},
	{"spa.conf", `
		front GET app.example.com /
		front GET app.example.com /deep/link
		front GET app.example.com /deep/link X-Canary: always
		front GET app.example.com /deep/link X-Canary: never
		front GET app.example.com /app.JS
		front GET app.example.com /api/app.js
		front GET app.example.com /api/users?x=1 Authorization: secret
		front GET app.example.com /api/
		front GET app.example.com /api/status
		front GET app.example.com /api/v2
		front GET app.example.com /api/v2/users
		front GET app.example.com /api/v20
		front GET app.example.com /old-api/users/7/posts/9?x=1
		front GET app.example.com /old-api/users/seven`, 0},
	{"regexes.conf", `
		front GET a.example.com /
		front GET a.example.com /x
		front GET a.example.com /x.php
		front GET a.example.com /images/x
		front GET a.example.com /images/x.JPEG
		front GET a.example.com /images/x.svg
		front GET a.example.com /static/x.php
		front GET a.example.com /static/deep/x.php
		front GET a.example.com /static/deep/x
		front GET a.example.com /app/x
		front GET a.example.com /app/x.php
		front GET a.example.com /app/x.gif
		front GET a.example.com /app/admin/
		front GET a.example.com /app/admin/x.php
		front GET a.example.com /app/exact.php
		front GET a.example.com /user/bob?q=1
		front GET a.example.com /user/Bob
		front GET b.example.com /
		front GET b.deep.example.com /x.php
		front GET other.test /x`, 0},
	{"websocket.conf", `
		front GET localhost /
		front GET localhost /chat/room?x=1
		front GET localhost /chat/socket Upgrade: echo
		front GET localhost /chat/info
		front GET localhost /chat/information?a=b`, 0},
	{"modern.conf", `
		front GET www.example.com /
		front GET www.example.com / User-Agent: Mozilla
		front GET www.example.com / User-Agent: a Spider
		front GET www.example.com / User-Agent: goodbot
		front GET www.example.com / User-Agent: exactly
		front GET www.example.com /paid
		front GET www.example.com /paid X-Plan: gold
		front GET www.example.com /paid X-Plan: golden
		front GET www.example.com /paid X-Plan: silver-2
		front GET www.example.com /office
		front GET www.example.com /limited
		front GET www.example.com /limited
		front GET www.example.com /side
		front GET www.example.com /side Cookie: side=two
		front GET www.example.com /side Cookie: side=three
		front GET www.example.com /replaced
		front GET www.example.com /replaced?status=404 Accept: text/html
		front GET www.example.com /replaced?status=503 Accept: text/html
		front GET www.example.com /replaced?status=403
		front GET www.example.com /kept?status=404
		front GET www.example.com /kept?status=503
		front GET www.example.com /either
		front GET www.example.com /either Authorization: Basic YWxpY2U6d3Jvbmc=
		front GET www.example.com /neither
		front GET www.example.com /neither Authorization: Basic YWxpY2U6d3Jvbmc=
		front GET www.example.com /neither Authorization: Basic YWxpY2U6c2VjcmV0`, 0},
	{"login.conf", `
		front POST localhost /login
		front GET localhost /`, 5},
	{"internal.conf", `
		front GET example.com /
		front GET example.com /private/x
		front DELETE example.com /upload
		front PUT example.com /upload
		front GET example.com /readonly/x
		front HEAD example.com /readonly/x
		front POST example.com /readonly/x
		front GET example.com /config/x
		front GET example.com /configs/x
		front GET example.com /office/x
		front GET example.com / X-Blocked: yes
		front GET example.com /readonly/x X-Blocked: yes
		front GET example.com / X-Blocked: no
		front GET old.example.com /`, 0},
	{"canary.conf", `front GET localhost /`, 8},
	{"moved.conf", `
		front GET example.com /one/go?to=http://app/x
		front GET example.com /one/go?to=http://app.internal/x
		front GET example.com /one/go?to=/x
		front GET example.com /two/go?to=http://APP1/inner/x
		front GET example.com /two/go?to=http://APP1/outer/x
		front GET example.com /two/go?to=http://other.internal/x
		front GET example.com /three/go?to=http://app/inner/x
		front GET example.com /three/go?to=http://app/x
		front GET example.com /four/go?to=http://app/x
		front GET example.com /go?to=http://app/x
		front GET example.com /go?to=https://app/x`, 0},
	{"choose.conf", `
		front GET www.example.com /
		front GET shop.example.com /a?b=c
		front GET shop.example.com /private/x`, 0},
	{"office.cfg", `
		front GET www.example.com /
		front GET www.example.com /admin/x X-User: root
		front GET www.example.com /users/17?x=1 X-User: root
		front GET www.example.com /users/bob
		front GET www.example.com /x.php
		front GET www.example.com /gone
		front GET www.example.com /gone/x
		front GET www.example.com /old/page?x=1
		front GET api.example.com /v2/x
		front POST API.example.com /v1/x
		front GET api.example.com /v1/x
		front POST api.example.com /tar
		inside GET www.example.com /
		inside GET www.example.com /free
		inside GET www.example.com /metrics
		inside GET www.example.com /tar`, 0},
	{"values.conf", `
		front GET example.com /?debug=1
		front GET example.com /?a=b&debug=1&c=d
		front GET example.com /?debug=12
		front GET example.com /?xdebug=1
		front GET example.com /?id=17
		front GET example.com /?id=x17
		front GET example.com /?page=2
		front GET example.com /?page=3
		front GET example.com /?old=7
		front GET example.com /?old=0
		front GET example.com /?old=
		front GET example.com /?user=bob
		front GET example.com /token
		front GET example.com /token?token=x17
		front GET example.com /token?a=b&token=x17
		front GET example.com /token?token=x18
		front GET example.com /local
		front POST example.com /local
		front DELETE example.com /local
		front GET example.com /remote
		front HEAD example.com /remote
		front POST example.com /remote
		front DELETE example.com /remote
		front GET example.com /nobody
		front POST example.com /nobody
		front PUT example.com /open
		front POST example.com /open`, 0},
	{"slash.conf", `
		front GET example.com /
		front GET example.com /go?to=http://app/x
		front GET example.com /admin
		front GET example.com /admin?x=1
		front GET example.com /admin/
		front GET example.com /users
		front POST example.com /users?x=1
		front GET example.com /users/
		front GET example.com /users/ Authorization: Basic YWxpY2U6c2VjcmV0
		front GET example.com /shop
		front GET example.com /shop/x
		front GET example.com /shop/cart
		front GET example.com /shop/cart/x
		front GET example.com /shop/cart/old
		front GET example.com /shopping
		front GET example.com /exact
		front GET example.com /exact/x
		front GET example.com /prefix?x=1
		front GET example.com /prefix/x
		front GET example.com /read
		front POST example.com /read
		front OPTIONS example.com /cors
		front GET example.com /cors
		front GET example.com /static
		front GET example.com /static/x
		front GET example.com /.git
		front GET example.com /.well-known
		front GET example.com /.well-known/acme
		front GET example.com /.well-known/.git
		front GET example.com /.WELL-KNOWN
		front GET example.com /.well
		front GET example.com /x/.well-know
		front GET example.com /x.well-knownx
		front GET example.com /only/
		front GET example.com /only/X-.y
		front GET example.com /only/x-y
		front GET files.example.com /api?x=1
		front GET files.example.com /api/x
		front GET files.example.com /x`, 0},
	{"defaults.cfg", `
		front GET www.example.com /x?y=z X-Site: forged
		secure GET www.example.com /x Authorization: secret
		front GET www.example.com /up
		front GET www.example.com /alive
		front GET www.example.com /closed/x
		front POST www.example.com /closed/x
		front GET www.example.com /write/x
		front HEAD www.example.com /write/x
		front POST www.example.com /write/x
		front GET www.example.com /admin
		front GET www.example.com /Secret
		front GET www.example.com /x/%48idden/y
		front GET www.example.com /mine
		front GET www.example.com /mine Cookie: session=
		front GET www.example.com /mine Cookie: a=b; session=1
		front GET www.example.com /open/x Authorization: secret
		front GET www.example.com /open/old
		front GET www.example.com /open/admin
		front GET www.example.com /postman
		front POST www.example.com /x
		front GET api.example.com /v1/x Authorization: secret
		front GET api.example.com /v1/closed
		front GET www.example.com /v1/closed
		front GET api.example.com /x.two
		front GET www.example.com /x.two`, 0},
	{"modern.cfg", `
		front GET www.example.com /
		front GET www.example.com /go?plain=1&to=http://app.internal/x/y
		front GET www.example.com /deny
		front GET www.example.com /hello?name=a
		front GET www.example.com /metrics
		front GET www.example.com /keyed
		front GET www.example.com /keyed X-Key: one
		front GET www.example.com /keyed X-Key: one
		front GET www.example.com /keyed X-Key: one
		front GET www.example.com /keyed X-Key: two
		front GET www.example.com / CF-Connecting-IP: 192.0.2.7
		front GET www.example.com /inside CF-Connecting-IP: 192.0.2.7
		front GET www.example.com /inside CF-Connecting-IP: 192.0.2.8
		front GET www.example.com /inside
		front GET hashed.example.com /?user=a
		front GET hashed.example.com /?user=a
		front GET listed.example.com /`, 0},
	{"values.cfg", `
		front GET www.example.com /?debug=1
		front GET www.example.com /?debug=2
		front GET www.example.com /?Debug=1
		front GET www.example.com /?a=b&debug=yes
		front GET www.example.com /?n=17
		front GET www.example.com /?n=x
		front GET www.example.com /?n=
		front GET www.example.com / User-Agent: a Robot
		front GET www.example.com / User-Agent: a browser
		front GET www.example.com /private/x
		front GET www.example.com /private/x Cookie: a=b; session=17
		front GET www.example.com / X-Bad: yes
		front GET www.example.com / X-Bad: no, yes
		front GET www.example.com / X-Bad: yes, but
		front GET www.example.com / X-Bad: yes but
		front GET www.example.com / X-Old: c, a17
		front GET www.example.com / X-Old: xa17
		front POST www.example.com /only/x
		front POST www.example.com /only/7
		front GET www.example.com /where?x=1
		front GET www.example.com /drop/x?y=z
		front GET www.example.com /a?user=bob&b=c Cookie: session=17; c=d
		front GET www.example.com /a X-User: root
		front GET api.example.com /api/x?y=z
		front GET api.example.com /x/api/x
		front GET Two.example.com /
		front GET www.example.com / X-Canary: always
		front GET www.example.com / X-Canary: never
		front GET www.example.com / Cookie: side=two
		front GET www.example.com /users/17?x=1
		front GET www.example.com /x/users/17
		front GET www.example.com /a?user=guest Authorization: secret
		front GET www.example.com /a?user=bob Authorization: secret
		front GET www.example.com /old/x?y=z Cookie: old=1
		front GET www.example.com /old/x?y=z
		front GET www.example.com /users/17 Cookie: old=1
		front GET www.example.com /users/17/x`, 0},
}

type style struct {
	file  string
	asked string
	times int // each request; 0 = once. Then the answers are compared without their order
}

// TestConvertStyles sends the same requests through the original and through goodgate with
// the converted configuration. The status, the answering server, the request that it saw,
// and its redirect are the same.
func TestConvertStyles(t *testing.T) {
	t.Parallel()
	for _, c := range append(styles, otherStyles...) {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			v := &styled{conversion: &conversion{plant: p, front: p.address(), secure: p.address()}, inside: p.address()}
			file := v.write(c.file)
			asked := strings.Split(strings.TrimSpace(v.addresses.Replace(c.asked)), "\n")
			stop := v.original(file)
			want := v.answers(asked, c.times)
			stop()
			v.convert(file)
			got := v.answers(asked, c.times)
			for i := range asked {
				if got[i] != want[i] {
					t.Errorf("%s\nthe original: %s\ngoodgate:     %s", strings.TrimSpace(asked[i]), want[i], got[i])
				}
			}
			if t.Failed() {
				text, _ := os.ReadFile(p.path("goodgate.yaml"))
				t.Logf("%s", text)
			}
		})
	}
}

type styled struct {
	*conversion
	inside    string
	addresses *strings.Replacer
}

func (v *styled) write(name string) string {
	v.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "convert", name))
	if err != nil {
		v.Fatal(err)
	}
	v.certificate("site.pem", "example.com", time.Now().Add(1000*time.Hour))
	if err := os.Mkdir(v.path("public"), 0o755); err != nil {
		v.Fatal(err)
	}
	for _, page := range []string{"500.html", "404.html"} {
		writeFile(v.T, v.path("public"), page, "<h1>We are sorry.</h1>\n")
	}
	writeFile(v.T, v.dir, "users", "alice:$2y$05$gaMh/hP06Hmxd2lZ99gwWut0E8WgKqR9Ley.BYIeDe/CUKTAFiL4O\n")
	v.addresses = strings.NewReplacer("FRONTPORT", portOf(v.front), "SECUREPORT", portOf(v.secure), "INSIDEPORT", portOf(v.inside), "FRONTHOST", hostOf(v.front), "APP1", v.app(describing("one")), "APP2", v.app(describing("two")),
		"FRONT", v.front, "SECURE", v.secure, "INSIDE", v.inside, "DIR", v.dir)
	for _, other := range static(filepath.Join("testdata", "convert", name)) {
		if text, err := os.ReadFile(other); err == nil {
			writeFile(v.T, v.dir, filepath.Base(other), v.addresses.Replace(string(text)))
		}
	}
	return writeFile(v.T, v.dir, name, v.addresses.Replace(string(b)))
}

// describing answers with a description of the request. /go redirects the client.
func describing(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "echo" {
			mirror(w, r)
			return
		}
		io.Copy(io.Discard, r.Body)
		h := w.Header()
		h.Set("X-Powered-By", name)
		h.Set("X-Answers", name)
		if status, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil {
			w.WriteHeader(status)
		}
		if to := r.URL.Query().Get("to"); strings.HasSuffix(r.URL.Path, "/go") {
			h.Set("Location", to)
			if r.URL.Query().Get("plain") == "" {
				h.Set("Refresh", "3; url="+to)
			}
			h.Add("Set-Cookie", "a=1; Path=/; Domain=app.internal")
			h.Add("Set-Cookie", "b=2; Path=/inner/x; HttpOnly")
			w.WriteHeader(http.StatusFound)
			return
		}
		var fields []string
		for _, f := range []string{"X-Site", "X-Real-Ip", "Authorization", "X-User", "Cookie"} {
			fields = append(fields, f+"="+r.Header.Get(f))
		}
		fmt.Fprintf(w, "%s %s %s host=%s %s", name, r.Method, r.URL.RequestURI(), r.Host, strings.Join(fields, " "))
	}
}

func (v *styled) answers(asked []string, times int) (all []string) {
	for _, line := range asked {
		if times > 1 { // the second upstream may not have been checked yet
			for first, n := v.ask(line), 0; v.ask(line) == first && n < 1000; n++ {
			}
		}
		var some []string
		for range max(times, 1) {
			some = append(some, v.ask(line))
		}
		slices.Sort(some)
		all = append(all, strings.Join(some, "\n"))
	}
	return all
}

// ask sends one request, and describes the answer. A proxy's own answer is described
// only by its status.
func (v *styled) ask(line string) string {
	v.Helper()
	words := strings.SplitN(strings.TrimSpace(line), " ", 5)
	var conn net.Conn
	var err error
	switch words[0] {
	case "secure":
		conn, err = tls.Dial("tcp", v.secure, &tls.Config{InsecureSkipVerify: true})
	case "inside":
		conn, err = net.DialTimeout("tcp", v.inside, bound)
	default:
		conn, err = net.DialTimeout("tcp", v.front, bound)
	}
	if err != nil {
		v.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	header := ""
	if len(words) > 4 {
		header = words[4]
	}
	return v.over(conn, words[1], words[2], words[3], header)
}

// over sends one request on a connection.
func (v *styled) over(conn net.Conn, method, host, path, header string) string {
	body := ""
	if method == "POST" || method == "PUT" {
		body = "Content-Length: 3\r\n"
	}
	if header != "" {
		body += header + "\r\n"
		if strings.HasPrefix(header, "Upgrade") {
			body += "Connection: Upgrade\r\n"
		}
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, path, host, body)
	if strings.Contains(body, "Length") {
		io.WriteString(conn, "a=b")
	}
	in := bufio.NewReader(conn)
	a, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return "no answer"
	}
	defer a.Body.Close()
	if a.StatusCode == http.StatusSwitchingProtocols {
		io.WriteString(conn, "hello\n")
		text, err := in.ReadString('\n')
		return fmt.Sprintf("%d %s %q %v", a.StatusCode, a.Header.Get("Upgrade"), text, err)
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return "half an answer: " + err.Error()
	}
	h := a.Header
	if h.Get("X-Answers") == "" && a.StatusCode != http.StatusOK && !strings.Contains(string(text), "We are sorry") {
		text = nil
	}
	_, port, _ := net.SplitHostPort(v.front)
	own := strings.NewReplacer("http://"+host+":"+port+"/", "/", "http://"+host+"/", "/") // here, with its name or without
	return fmt.Sprintf("%d by=%s location=%q refresh=%q cookies=%q frame=%q powered=%q type=%q %s", a.StatusCode, h.Get("X-Answers"), own.Replace(h.Get("Location")), own.Replace(h.Get("Refresh")),
		h.Values("Set-Cookie"), h.Get("X-Frame-Options"), h.Get("X-Powered-By"), map[bool]string{true: h.Get("Content-Type")}[a.StatusCode == 200], text)
}

// TestConvertRefuses: convert writes nothing while a protecting directive would be lost,
// and names each such line.
func TestConvertRefuses(t *testing.T) {
	t.Parallel()
	file := writeFile(t, t.TempDir(), "nginx.conf", `events {}
http {
  server {
    listen 8080;
    location /private/ { auth_basic "x"; proxy_pass http://127.0.0.1:1; }
    location / {
      limit_rate 10k;
      proxy_pass http://127.0.0.1:1;
    }
  }
}
`)
	run := func(args ...string) (code int, out, report string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), built.goodgate, append([]string{"convert"}, args...)...)
		var stdout, stderr strings.Builder
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Run(); err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
	code, out, report := run(file)
	if code != 1 || out != "" {
		t.Errorf("exit code %d, and written was %q", code, out)
	}
	for _, want := range []string{"nginx.conf:5: auth_basic: ", "nginx.conf:7: limit_rate: ", `--accept "auth_basic,limit_rate"`} {
		wantIn(t, "the report", report, want)
	}
	if code, out, _ := run("--accept", "limit_rate", file); code != 1 || out != "" {
		t.Errorf("with one of two: exit code %d, and written was %q", code, out)
	}
	code, out, report = run("--accept", "limit_rate,auth_basic", file)
	if code != 0 || !strings.Contains(out, "#   nginx.conf:5: auth_basic: ") {
		t.Errorf("with both: exit code %d, and written was %q", code, out)
	}
	wantIn(t, "the report", report, "goodgate check: good")
	site := writeFile(t, t.TempDir(), "types.conf", "types { text/html html; }\n")
	if code, out, report := run(site); code != 1 || out != "" || !strings.Contains(report, "has no server within http {}. If another file includes it, convert that file") {
		t.Errorf("of a file without a server: exit code %d, written was %q, and said %q", code, out, report)
	}
}
