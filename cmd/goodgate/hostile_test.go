package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/lab/bench"
)

// hostile has text that a terminal obeys or displays wrongly: a title, colours in both
// forms, bells, line breaks, bidi overrides, characters without a width, invalid UTF-8.
const hostile = "\x1b]0;owned\a\x1b[31mRED\u009b31m\u009d\r\nfake: line\x7f\u202eevil\u2066\u200b\ufeff\u2028\xff\x9b"

// checkPrintable checks that a terminal displays the output unchanged.
func checkPrintable(t *testing.T, what, out string) {
	t.Helper()
	for i, r := range out {
		_, size := utf8.DecodeRuneInString(out[i:])
		if r != '\n' && (!unicode.IsPrint(r) || r == utf8.RuneError && size == 1) {
			t.Errorf("%s prints %U: %+q", what, r, out[max(0, i-60):min(len(out), i+20)])
			return
		}
	}
	if strings.Contains(out, "\nfake: line") {
		t.Errorf("%s prints a line that is not its own: %q", what, out)
	}
}

// printed runs a command and returns its output.
func printed(args ...string) string {
	var out bytes.Buffer
	code := run(args, &out, &out)
	return out.String() + fmt.Sprintf("exit code %d\n", code)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// plant puts text into every string that v has, and an entry into every list and
// map.
func plant(v reflect.Value, text string) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		quoted, _ := json.Marshal(text)
		v.SetBytes(quoted)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0), text)
	case reflect.Map:
		entry := reflect.New(v.Type().Elem()).Elem()
		plant(entry, text)
		v.Set(reflect.MakeMap(v.Type()))
		key := reflect.New(v.Type().Key()).Elem()
		plant(key, text)
		v.SetMapIndex(key, entry)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Now()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				plant(v.Field(i), text)
			}
		}
	}
}

// TestHostileAPI has hostile text in all answers of the admin address, which may belong
// to another program of this machine, and in all texts from clients.
func TestHostileAPI(t *testing.T) {
	t.Parallel()
	answers := map[string]any{"/v1/status": &admin.Status{}, "/v1/requests/id": &admin.Request{}, "/v1/reload": &admin.Reloaded{}, "/v1/upstreams": &admin.Changed{}}
	for _, v := range answers {
		plant(reflect.ValueOf(v).Elem(), hostile)
	}
	failing := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failing {
			w.WriteHeader(500)
			json.NewEncoder(w).Encode(map[string]string{"error": hostile})
			return
		}
		json.NewEncoder(w).Encode(answers[r.URL.Path])
	}))
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	for _, failing = range []bool{false, true} {
		for _, args := range [][]string{{"__complete", "off"}, {"__complete", "why"}} {
			checkPrintable(t, args[1], strings.ReplaceAll(printed(append(args, "--admin", address, "")...), "\t", ""))
		}
		for _, args := range [][]string{{"status"}, {"why", "id"}, {"reload"}, {"drain", hostile}, {"off", "x"}, {"undrain", "x"}, {"status", "-o", "json"}, {"why", "id", "-o", "json"}, {"off", "x", "-o", "json"}} {
			out := printed(append(args, "--admin", address)...)
			checkPrintable(t, args[0], out)
			if !strings.Contains(out, "owned") {
				t.Errorf("%s tells nothing: %q", args[0], out)
			}
		}
	}
	config := write(t, "a.yaml", fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nadmin: %s\npools: {app: {upstreams: [\"http://%s\"]}}", address, address))
	failing = false
	out := printed("doctor", "--config", config)
	checkPrintable(t, "doctor", out)
	if !strings.Contains(out, "owned") {
		t.Errorf("doctor tells nothing of the running goodgate: %q", out)
	}
}

// TestHostileConfig: a configuration may be made by a program of others.
func TestHostileConfig(t *testing.T) {
	t.Parallel()
	q := fmt.Sprintf("%q", strings.ToValidUTF8(hostile, ""))
	for _, text := range []string{
		"listeners: [" + q + "]\npools: {app: {upstreams: [" + q + ", {url: " + q + ", weight: " + q + "}]}}",
		"? " + q + "\n: 1\nlog: {level: " + q + "}\nlisteners: {" + q + ": " + q + "}",
		"listeners: [\":1\"]\npools: {" + q + ": {upstreams: []}, a: {upstreams: [x], health: {headers: {" + q + ": " + q + "}}, policy: " + q + "}}",
		"listeners: [\":1\"]\npools: {a: {upstreams: [\"unix:/\u009b31m\u202e\", \"unix:/\u009b31m\u202e\"]}}\nroutes: [{pool: " + q + "}]",
		"listeners: [\"unix:/\u009b/\u202e\", \"unix:/\u009b/\u202e\"]\nlog: {output: \"/\u202e/\u009b\"}\npools: {a: {upstreams: [\"http://[fe80::1%25\u009b]:1\"]}}",
		"a: *\u009bb\n", "a: !\u009bx y\n", "a: \u202e\u202e\n\tb", hostile, "a: &\u202e [*\u202e]",
		"listeners: [\":1\"]\nroutes: [{match: {path: \"/\u202e\u009b\"}, redirect: {to: \"/{\u202e}\"}}, {match: {path: \"/\u202e\u009b\"}, redirect: {to: \"/\"}, strip_prefix: \"/\u202e\"}]",
	} {
		file := write(t, "evil\u202e\x1b[31m.yaml", text)
		for _, args := range [][]string{{"check", file}, {"run", "--config", file}, {"doctor", "--config", file}, {"status", "--config", file}} {
			if args[0] == "run" && strings.HasPrefix(printed("check", file), file) {
				continue // it would run
			}
			checkPrintable(t, args[0]+" of "+text, printed(args...))
		}
	}
	for _, args := range [][]string{{hostile}, {"check", hostile}, {"run", "--" + hostile}, {"doctor", "--to", hostile}, {"run", "--listen", hostile, "--to", hostile}, {"bench", hostile}, {"convert", hostile}} {
		checkPrintable(t, args[0], printed(args...))
	}
}

// TestHostileUpstream: banners, status lines, fields.
func TestHostileUpstream(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		hostile,
		"SSH-2.0-" + hostile,
		"HTTP/1.1 500 " + strings.NewReplacer("\r", "", "\n", "").Replace(hostile) + "\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://\u202e\u009b/\u202e\r\nServer: \u009b31m\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\x1b[31m: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: \u202e\r\n\r\n", "HTTP/9\x1b 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: \u009b\r\n\r\n", "\x15\x03\x01\x1b",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					conn.Read(make([]byte, 4096))
					io.WriteString(conn, answer)
				}()
			}
		}()
		address := l.Addr().String()
		config := write(t, "a.yaml", "listeners: [\"127.0.0.1:0\"]\npools: {a: {health: {path: /x}, upstreams: [\"http://"+address+"\"]}, b: {upstreams: [\"https://"+address+"\"]}}\nroutes: [{pool: a}]")
		for _, args := range [][]string{
			{"doctor", "--to", "http://" + address, "--max-wait", "1s"}, {"doctor", "--config", config, "--max-wait", "1s"}, {"doctor", "--json", "--config", config, "--max-wait", "1s"},
			{"check", "--probe", config}, {"bench", "http://" + address, "--rate", "50", "--for", "100ms", "--fail-if-not", "failed<1%"},
		} {
			checkPrintable(t, strings.Join(args, " "), printed(args...))
		}
		l.Close()
	}
}

// TestHostileProxy: configurations and logs of other proxies, in which every
// client has a say.
func TestHostileProxy(t *testing.T) {
	t.Parallel()
	oneLine := strings.NewReplacer("\n", "", "\r", "\r").Replace(hostile)
	nginx := write(t, "nginx.conf", fmt.Sprintf(`events {}
http {
%[1]s x;
proxy_set_header "X-%[1]s" "%[1]s";
log_format x "%[1]s";
upstream "u%[1]s" { server "%[1]s"; server 127.0.0.1:1 "%[1]s"; }
server { listen 80; server_name "%[1]s"; %[1]s y;
location "/%[1]s" { proxy_pass "http://u%[1]s"; "z%[1]s" 1; }
location /b { proxy_pass "http://$x%[1]s"; proxy_next_upstream_timeout 1s; return 301 "http://%[1]s/"; }
location /c { proxy_pass http://127.0.0.1:1; add_header "X%[1]s" "%[1]s"; }
} }`, oneLine))
	haproxy := write(t, "haproxy.cfg", fmt.Sprintf(`global
 %[1]s
defaults
 mode http
frontend "f%[1]s"
 bind *:80
 acl a%[1]s path_beg /%[1]s
 http-request set-header X-%[1]s "%[1]s"
 use_backend b%[1]s if a%[1]s
 default_backend b%[1]s
backend b%[1]s
 balance %[1]s
 option httpchk GE%[1]s /x%[1]s
 %[1]s
 server s%[1]s 127.0.0.1:1 check inter 1s %[1]s
`, oneLine))
	errorLog := write(t, "error.log", strings.Repeat(fmt.Sprintf("2026/01/02 03:04:05 [error] 1#1: *1 connect() failed (111: Connection refused) while connecting to upstream, client: %[1]s, server: %[1]s, request: \"GET /%[1]s HTTP/1.1\", upstream: \"http://127.0.0.1:1/%[1]s\", host: \"%[1]s\"\n"+
		"2026/01/02 03:04:05 [error] 1#1: *1 upstream prematurely closed connection while reading response header from upstream, client: 1.2.3.4, server: %[1]s, request: \"GET / HTTP/1.1\", upstream: \"http://%[1]s:80/\", host: \"%[1]s\"\n"+
		"2026/01/02 03:04:05 [error] 1#1: *1 %[1]s could not be resolved (%[1]s), client: 1.2.3.4, server: , request: \"GET / HTTP/1.1\", host: \"%[1]s\"\n"+
		"2026/01/02 03:04:05 [emerg] 1#1: bind() to %[1]s failed (98: Address already in use)\n%[1]s\n", oneLine), 3))
	accessLog := write(t, "access.log", strings.Repeat(fmt.Sprintf("1.2.3.4 - %[1]s [02/Jan/2026:03:04:05 +0000] \"GET /%[1]s HTTP/1.1\" 502 1 \"%[1]s\" \"%[1]s\"\n%[1]s\n", oneLine), 3))
	haproxyLog := write(t, "haproxy.log", strings.Repeat(fmt.Sprintf("Jan  2 03:04:05 %[1]s haproxy[1]: 1.2.3.4:5 [02/Jan/2026:03:04:05.000] f%[1]s b%[1]s/s%[1]s 0/0/-1/-1/1 503 1 - - SC-- 1/1/1/1/3 0/0 \"GET /%[1]s HTTP/1.1\"\n%[1]s\n", oneLine), 3))
	for _, args := range [][]string{
		{"convert", nginx}, {"convert", haproxy}, {"convert", write(t, "evil\u202e\x1b[31m.conf", hostile+";")}, {"convert", write(t, "b.cfg", hostile)},
		{"doctor", "--nginx", nginx, "--error-log", errorLog, "--access-log", accessLog, "--max-wait", "1s"},
		{"doctor", "--log", errorLog, "--log", accessLog},
		{"doctor", "--log", errorLog, "--log", accessLog, "--json"},
		{"doctor", "--nginx", nginx, "--error-log", accessLog, "--access-log", errorLog, "--json", "--max-wait", "1s"},
		{"doctor", "--haproxy", haproxy, "--access-log", haproxyLog, "--max-wait", "1s"},
	} {
		out := printed(args...)
		checkPrintable(t, strings.Join(args[:2], " "), out)
		if !strings.Contains(out, "owned") {
			t.Errorf("%v tells nothing: %q", args, out)
		}
	}
}

// TestHostileResult: a result of bench may be from somebody else.
func TestHostileResult(t *testing.T) {
	t.Parallel()
	r := new(bench.Result)
	plant(reflect.ValueOf(r).Elem(), hostile)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "evil\u202e.json", string(text))
	page := filepath.Join(t.TempDir(), "a.html")
	checkPrintable(t, "bench compare", printed("bench", "compare", file, file, "--html", page))
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	checkPrintable(t, "the page", string(html))
	checkPrintable(t, "bench compare", printed("bench", "compare", write(t, "a.json", `{"name": 1, "`+hostile+`"`), file))
}

// TestCommandsPrintThroughPrintable checks that all commands print through package
// printable, so that a new command cannot forget it.
func TestCommandsPrintThroughPrintable(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && fmt.Sprint(s.X) == "fmt" && strings.Contains(s.Sel.Name, "rint") && !strings.HasPrefix(s.Sel.Name, "Sprint") {
				t.Errorf("%s: fmt.%s: internal/printable has one that is safe in a terminal", fset.Position(s.Pos()), s.Sel.Name)
			}
			return true
		})
	}
}
