package gate

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// clientCAEvery is how often the files of client_ca and client_crl are looked at.
const clientCAEvery = 2 * time.Second

// clientCA lets clients in by what the files of client_ca and client_crl have at the
// moment. Sessions of before a change of client_ca do not resume, so every client shows
// its certificate anew; each resumption looks at the revocation lists.
type clientCA struct {
	gate     *Gate
	listener config.Listener
	base     *tls.Config
	live     atomic.Pointer[tls.Config] // nil = the server's own

	// These are check's.
	seen    clientFiles
	revoked *certs.Revocations
	doubts  []string // about revoked, which the log has
}

// newClientCA makes a server go by changes of client_ca and client_crl. It comes after
// everything else that changes the server's TLS.
func (g *Gate) newClientCA(s *server, l config.Listener, seen clientFiles) *clientCA {
	c := &clientCA{gate: g, listener: l, base: s.tls.Clone(), seen: seen, revoked: s.secured.Revocations}
	c.base.GetConfigForClient = nil
	if c.revoked != nil {
		c.doubts = c.revoked.Doubts(time.Now()) // a start and a reload have logged what check finds
	}
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

// clientFiles tells apart one state of the files from another.
type clientFiles struct {
	ca   []byte
	crls []fs.FileInfo // not the content, which may be large
}

// lookAtClientFiles comes before the files are read: so no change is missed.
func lookAtClientFiles(c *config.ListenerTLS) (f clientFiles, err error) {
	if c.ClientCA == "" {
		return f, nil
	}
	if f.ca, err = os.ReadFile(c.ClientCA); err != nil {
		return f, fmt.Errorf("client_ca: %w", err)
	}
	for _, name := range c.ClientCRL {
		info, err := os.Stat(name)
		if err != nil {
			return f, fmt.Errorf("client_crl: %w", err)
		}
		f.crls = append(f.crls, info)
	}
	return f, nil
}

// check reads the files and takes over what has changed. A file that is being replaced may
// be away for a moment.
func (c *clientCA) check() {
	defer c.warn()
	now, err := lookAtClientFiles(c.listener.TLS)
	if err != nil {
		return
	}
	var changed []string
	if !bytes.Equal(now.ca, c.seen.ca) {
		changed = append(changed, c.listener.TLS.ClientCA)
	}
	for i, name := range c.listener.TLS.ClientCRL {
		if !sameFile(now.crls[i], c.seen.crls[i]) {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return
	}
	c.seen = now
	t, err := assemble.ListenerTLS(c.listener)
	if err == nil {
		next := c.base.Clone()
		next.ClientCAs, next.VerifyConnection = t.Config.ClientCAs, t.Config.VerifyConnection
		c.gate.ticketKeys.Seal(next, t.Scope)
		c.revoked = t.Revocations
		c.live.Store(next)
	}
	for _, name := range changed {
		c.gate.certChanged(certs.File{Cert: name}, err)
	}
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// warn logs once for whose clients the revocation lists do not do.
func (c *clientCA) warn() {
	if c.revoked == nil {
		return
	}
	doubts := c.revoked.Doubts(time.Now())
	for _, d := range doubts {
		if !slices.Contains(c.doubts, d) {
			c.gate.log.Warn("client_crl refuses clients: "+d, "listener", c.listener.Address)
		}
	}
	c.doubts = doubts
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
