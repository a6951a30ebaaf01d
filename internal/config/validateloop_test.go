package config

import (
	"fmt"
	"strings"
	"testing"
)

// A listener may be the upstream of routes that its requests do not come to.
func TestOwnListenerAsSecondStage(t *testing.T) {
	t.Parallel()
	f := func(routes string, refused bool) {
		t.Helper()
		_, _, err := Parse("g.yaml", fmt.Appendf(nil, `
listeners: [":8080", {address: ":8081", name: inner}, {address: ":8443", tls: {certificates: [{cert: a.pem, key: a.key}]}}]
routes: [%s]
pools: {stage: {upstreams: ["http://127.0.0.1:8081"]}, app: {upstreams: ["http://127.0.0.1:1"]}}`, routes), noEnv)
		if got := err != nil && strings.Contains(err.Error(), "own listener"); got != refused || err != nil && !got {
			t.Errorf("%s: got %v, want that it is refused: %v", routes, err, refused)
		}
	}
	f("{match: {listener: ':8080'}, pool: stage}, {pool: app}", false)
	f("{match: {scheme: https}, pool: stage}, {pool: app}", false)
	f("{match: {listener: ':8080'}, pool: stage}", false)
	f("{match: {scheme: http}, pool: stage}, {pool: app}", true)
	f("{pool: stage}", true)
	f("{match: {listener: [':8080', inner]}, pool: stage}", true)
	f("{match: {listener: ':8080'}, pool: stage}, {match: {path: /x}, pool: stage}", true)
	f("{match: {listener: ':8080'}, pool: stage}, {pool: app, fallback: {pool: stage}}", true)
	f("{match: {listener: ':8080'}, pool: app, fallback: {pool: stage}}", false)
}

// An upstream that is goodgate's own listener is refused (linkerd/linkerd#1411,
// vercel-labs/portless#48).
func TestOwnListenerAsUpstream(t *testing.T) {
	t.Parallel()
	f := func(listener, upstream string, own bool) {
		t.Helper()
		_, _, err := Parse("g.yaml", fmt.Appendf(nil, "listeners: [%q]\npools: {app: {upstreams: [%q]}}", listener, upstream), noEnv)
		if got := err != nil && strings.Contains(err.Error(), "own listener"); got != own || err != nil && !got {
			t.Errorf("%s, upstream %s: got %v, want that it is refused: %v", listener, upstream, err, own)
		}
	}
	f(":8080", "http://127.0.0.1:8080", true)
	f(":8080", "https://127.0.0.1:8080/", true)
	f(":8080", "http://127.0.0.9:8080", true)
	f(":8080", "http://localhost:8080", true)
	f(":8080", "http://[::1]:8080", true)
	f(":8080", "http://0.0.0.0:8080", true)
	f(":8080", "http://[::]:8080", true)
	f(":80", "http://127.0.0.1", true)
	f(":443", "https://localhost", true)
	f("0.0.0.0:8080", "http://127.0.0.1:8080", true)
	f("[::]:8080", "http://127.0.0.1:8080", true)
	f("127.0.0.1:8080", "http://127.0.0.1:8080", true)
	f("127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080", true)
	f("localhost:8080", "http://127.0.0.1:8080", true)
	f("unix:/run/g.sock", "unix:/run/g.sock", true)

	f(":8080", "http://127.0.0.1:8081", false)
	f(":8080", "http://192.0.2.1:8080", false)
	f(":8080", "http://app:8080", false)
	f("0.0.0.0:8080", "http://[::1]:8080", false)
	f("127.0.0.1:8080", "http://127.0.0.2:8080", false)
	f("127.0.0.1:0", "http://127.0.0.1:80", false)
	f("unix:/run/g.sock", "unix:/run/app.sock", false)
}
