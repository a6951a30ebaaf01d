package gate

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// TestALPN checks the protocol negotiated for each offer of clients; curl --http1.0
// offers nothing else.
func TestALPN(t *testing.T) {
	t.Parallel()
	authority := certtest.NewAuthority(t, "test")
	cert, key := authority.Files(t.TempDir(), "own", authority.Issue("127.0.0.1"))
	for _, c := range []struct {
		http2 bool
		offer []string
		want  string
	}{
		{true, []string{"h2", "http/1.1"}, "h2"},
		{true, []string{"http/1.1"}, "http/1.1"},
		{true, []string{"http/1.0"}, "http/1.0"},
		{true, nil, ""},
		{false, []string{"h2", "http/1.1"}, "http/1.1"},
		{false, []string{"http/1.0"}, "http/1.0"},
	} {
		g := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http2: {enabled: %t}, tls: {certificates: [{cert: %q, key: %q}]}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, c.http2, cert, key)), Options{})
		conn, err := tls.Dial("tcp", g.addrs[0], &tls.Config{RootCAs: authority.Pool(), NextProtos: c.offer})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
		conn.Close()
	}
}
