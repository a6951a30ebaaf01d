package config

import (
	"fmt"
	"strings"
	"testing"
)

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
