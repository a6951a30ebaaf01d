package convert_test

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

func TestHAProxyAuth(t *testing.T) {
	f := func(frontend, said, has string) {
		t.Helper()
		text := "defaults\n mode http\nuserlist l\n user bob password $2y$05$x\nuserlist m\n user amy password $2y$05$y\nuserlist weak\n user bob password $6$x\nuserlist plain\n user bob insecure-password x\nuserlist none\n" +
			"frontend f\n bind :80\n " + strings.ReplaceAll(frontend, "\n", "\n ") + "\n default_backend b\nbackend b\n server a 10.0.0.1:80 check\n"
		c, err := haproxy.Parse(strings.NewReader(text), "haproxy.cfg")
		if err != nil {
			t.Fatal(err)
		}
		verdict(t, frontend, convert.HAProxy(c), said, has)
	}
	const said = "noted http-request auth, noted http-request auth"
	const basic, open = "    access: {basic: {file: \"/etc/goodgate/l.users\", realm: \"f\"}}\n", "- match: {}\n    pool: b\npools"
	f("http-request auth unless { http_auth(l) }", said, "- match: {}\n    pool: b\n"+basic+"pools")
	f("acl ok http_auth(l)\nhttp-request auth realm Staging unless ok", said, `realm: "Staging"`)
	f("http-request auth if !{ http_auth(l) }", said, "- match: {}\n    pool: b\n"+basic+"pools")
	f("http-request auth if { path_beg /x } !{ http_auth(l) }", said, "- match: {path: \"/x*\"}\n    pool: b\n"+basic+"  "+open)
	f("acl ok http_auth(l)\nhttp-request auth if ! ok { path_beg /x } !{ src 10.0.0.0/8 }", said, "- match: {client: [\"10.0.0.0/8\"], path: \"/x*\"}\n    pool: b\n  - match: {path: \"/x*\"}\n    pool: b\n"+basic+"  "+open)
	f("http-request auth unless { http_auth(l) }\nhttp-request return status 200 string secret if { path /x }", said, "- match: {path: \"/x\"}\n    respond: {status: 200, body: \"secret\"}\n"+basic)
	f("http-request return status 200 string free if { path /x }\nhttp-request auth unless { http_auth(l) }", said, "- match: {path: \"/x\"}\n    respond: {status: 200, body: \"free\"}\n  - match: {}\n    pool: b\n"+basic)
	f("http-request allow if { path /x }\nhttp-request auth unless { http_auth(l) }", said, "- match: {path: \"/x\"}\n    pool: b\n  - match: {}\n    pool: b\n"+basic)
	f("http-request auth unless { http_auth(l) }\nhttp-request auth if { path /x } !{ http_auth(m) }", "noted http-request auth, noted http-request auth, noted http-request auth, noted http-request auth, refused http-request auth", "access: {basic:")
	// refused
	for _, rule := range []string{"auth", "auth if { http_auth(l) }", "auth unless { http_auth(l) } { src 10.0.0.1 }", "auth if !{ http_auth(l) } or { src 10.0.0.1 }", "auth unless { http_auth_group(l) g }",
		"auth unless { http_auth(weak) }", "auth unless { http_auth(plain) }", "auth unless { http_auth(none) }", "auth unless { http_auth(nowhere) }", "auth if !{ http_auth(l) } { src_is_local }", "auth if !{ http_auth(l) } !{ http_auth(m) }"} {
		f("http-request "+rule, "refused http-request auth", open)
	}
}
