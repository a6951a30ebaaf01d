package gate

import (
	"bytes"
	"crypto/tls"
	"os"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// clientCAEvery is how often the file of client_ca is looked at.
const clientCAEvery = 2 * time.Second

// clientCA lets clients in by what the file of client_ca has at the moment. Sessions of
// before a change do not resume, so every client shows its certificate anew.
type clientCA struct {
	gate     *Gate
	listener config.Listener
	base     *tls.Config
	seen     []byte                     // of the file; check's
	live     atomic.Pointer[tls.Config] // nil = the server's own
}

// newClientCA makes a server go by changes of client_ca. It comes after everything else
// that changes the server's TLS.
func (g *Gate) newClientCA(s *server, l config.Listener) *clientCA {
	c := &clientCA{gate: g, listener: l, base: s.tls.Clone()}
	c.base.GetConfigForClient = nil
	c.seen, _ = os.ReadFile(l.TLS.ClientCA) // what is not there now is a change later
	first := s.tls.GetConfigForClient
	s.tls.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if first != nil { // a challenge of ACME
			if t, err := first(hello); t != nil || err != nil {
				return t, err
			}
		}
		return c.live.Load(), nil
	}
	return c
}

// overQUIC is the server's TLS for HTTP/3, where authorities make no challenges: a client
// could use one to get past ClientAuth. A nil c changes nothing but that.
func (c *clientCA) overQUIC(t *tls.Config) *tls.Config {
	t = t.Clone()
	t.GetConfigForClient = nil
	if c != nil {
		t.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.live.Load(), nil }
	}
	return t
}

// check reads the file and takes over what has changed. A file that is being replaced may
// be away for a moment.
func (c *clientCA) check() {
	file := c.listener.TLS.ClientCA
	pem, err := os.ReadFile(file)
	if err != nil || bytes.Equal(pem, c.seen) {
		return
	}
	c.seen = pem
	t, scope, err := assemble.ListenerTLS(c.listener)
	if err == nil {
		next := c.base.Clone()
		next.ClientCAs = t.ClientCAs
		c.gate.ticketKeys.Seal(next, scope)
		c.live.Store(next)
	}
	c.gate.certChanged(certs.File{Cert: file}, err)
}

// watch checks from time to time until the returned function is called, which waits for
// the end.
func (c *clientCA) watch() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(clientCAEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.check()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
