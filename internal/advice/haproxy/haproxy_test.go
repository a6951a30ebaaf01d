package haproxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

const text = `global
    maxconn 100   # a comment
defaults
    mode http
    timeout connect 5s
    timeout server 30000
frontend web
    bind *:80
    default_backend app
backend app
    timeout server 1m
    option httpchk GET "/health check"
    server a 10.0.0.1:80 check weight 2
    server b unix@/run/\#b.sock backup
listen one
    bind :81
`

func TestParse(t *testing.T) {
	c, err := haproxy.Parse(strings.NewReader(text), "/etc/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	app := c.Find("backend", "app")
	if app == nil || app.Timeout("server") != time.Minute || app.Timeout("connect") != 5*time.Second || app.Timeout("queue") != 0 {
		t.Fatalf("backend %+v", app)
	}
	if got := c.Find("frontend", "web").Timeout("server"); got != 30*time.Second {
		t.Errorf("timeout server %v, want that of the defaults", got)
	}
	if got := app.One("option", "httpchk").Word(3); got != "/health check" {
		t.Errorf("quoted word %q", got)
	}
	servers := app.All("server")
	if len(servers) != 2 || servers[0].After("weight") != "2" || !servers[0].Has("check") || servers[1].Word(2) != "unix@/run/#b.sock" || servers[1].At() != "haproxy.cfg:14" {
		t.Errorf("servers %+v", servers)
	}
	if c.Find("backend", "one") == nil || c.Find("backend", "web") != nil {
		t.Error("a listen section is no backend, or a frontend is one")
	}
	for _, bad := range []string{"server a", "global\n x \"y"} {
		if _, err := haproxy.Parse(strings.NewReader(bad), "x"); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

// A section has the defaults that it names, and begins with their rules.
func TestNamedDefaults(t *testing.T) {
	const text = "defaults a\n mode http\n option redispatch\n timeout client 1s\n default-server check\n acl bad path /x\n http-request deny if bad\ndefaults b from a\n timeout client 2s\ndefaults c\n default-server weight 7\n" +
		"frontend f from a\n http-request allow\nfrontend g from b\nfrontend h\nbackend i from b\n default-server weight 9\n no option redispatch\n"
	c, err := haproxy.Parse(strings.NewReader(text), "x")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"f": "http 1s 2", "g": "http 2s 0", "h": " 0s 0"} {
		s := c.Find("frontend", name)
		if got := fmt.Sprint(s.One("mode").Word(1), " ", s.Timeout("client"), " ", len(s.All("http-request"))); got != want {
			t.Errorf("frontend %s: %s, want %s", name, got, want)
		}
	}
	rules := c.Find("frontend", "f").All("http-request")
	if rules[0].Word(1) != "deny" || rules[0].From != c.Sections[0] || rules[1].From != nil {
		t.Errorf("rules %+v", rules)
	}
	if all := c.Find("backend", "i").Inherited("default-server"); len(all) != 2 || all[0].Word(1) != "check" || all[1].Word(2) != "9" {
		t.Errorf("default-server lines %+v", all)
	}
	if c.Find("frontend", "g").One("option", "redispatch").No != 3 || c.Find("backend", "i").One("option", "redispatch").No != 0 {
		t.Error("an option is not inherited, or on although \"no\" turns it off")
	}
	if _, err := haproxy.Parse(strings.NewReader("frontend f from a\ndefaults a\n"), "x"); err == nil || !strings.Contains(err.Error(), "no earlier defaults section has this name") {
		t.Errorf("unknown defaults: %v", err)
	}
}

// Environment variables are expanded in double quotes only.
func TestEnvironment(t *testing.T) {
	t.Setenv("HAPROXY_TEST", "a b")
	c, err := haproxy.Parse(strings.NewReader(`frontend f
 x "$HAPROXY_TEST" "${HAPROXY_TEST}/x" ${HAPROXY_TEST} '$HAPROXY_TEST' "\$HAPROXY_TEST" "^/x$" "${HAPROXY_NONE-c d}" "${HAPROXY_TEST-e}" "${HAPROXY_NONE}"
`), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.Sections[0].Lines[0].Words, "|"), "x|a b|a b/x|${HAPROXY_TEST}|$HAPROXY_TEST|$HAPROXY_TEST|^/x$|c d|a b|"; got != want {
		t.Errorf("words %s\nwant  %s", got, want)
	}
	if len(c.Unset) != 1 || c.Unset[0].Word(0) != "HAPROXY_NONE" || c.Unset[0].No != 2 {
		t.Errorf("unset %+v", c.Unset)
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"5000": 5 * time.Second, "10s": 10 * time.Second, "1m": time.Minute, "100us": 100 * time.Microsecond} {
		if got, ok := haproxy.Duration(in); !ok || got != want {
			t.Errorf("Duration(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "s", "1x", "-1", "99999999999999999999d"} {
		if got, ok := haproxy.Duration(in); ok {
			t.Errorf("Duration(%q) = %v", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(text)
	f.Fuzz(func(t *testing.T, s string) { haproxy.Parse(strings.NewReader(s), "x") })
}

// A backslash without a special meaning is literal, as in a regular expression.
func TestBackslashes(t *testing.T) {
	for text, want := range map[string]string{
		`acl a path_reg \.php$`: `\.php$`, `acl a path_reg "\.php$"`: `\.php$`, `acl a path_reg '\.\ x'`: `\.\ x`,
		`acl a path_reg a\ b`: `a b`, `acl a path_reg \\.`: `\.`, `acl a path_reg \x41\d`: `A\d`, `acl a path_reg \1`: `\1`, `acl a path_reg a\#b`: `a#b`, `acl a path_reg x\`: `x\`,
	} {
		c, err := haproxy.Parse(strings.NewReader("frontend f\n"+text+"\n"), "x")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Sections[0].Lines[0].Word(3); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
