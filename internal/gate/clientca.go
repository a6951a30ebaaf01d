package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// clientCAEvery is the interval between checks of the files of client_ca and client_crl.
const clientCAEvery = 2 * time.Second

// clientCA verifies clients with the present content of the files of client_ca and
// client_crl. Sessions from before a change of client_ca do not resume, so that every
// client shows its certificate again. Each resumption checks the revocation lists.
type clientCA struct {
	gate     *Gate
	listener config.Listener
	base     *tls.Config
	live     atomic.Pointer[tls.Config] // nil = the TLS settings of the server

	checking sync.Mutex // held by check; protects the fields below
	seen     clientFiles
	revoked  *certs.Revocations
	doubts   []string // the logged doubts about revoked
	unread   string   // the logged error of a file that cannot be read; empty = none
}

// newClientCA makes a server follow changes of client_ca and client_crl. It must come
// after all other changes of the server's TLS settings.
func (g *Gate) newClientCA(s *server, l config.Listener, seen clientFiles) *clientCA {
	c := &clientCA{gate: g, listener: l, base: s.tls.Clone(), seen: seen, revoked: s.secured.Revocations}
	c.base.GetConfigForClient = nil
	if c.revoked != nil {
		c.doubts = c.revoked.Doubts(time.Now()) // a start or a reload has logged these
	}
	first := s.tls.GetConfigForClient
	s.tls.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if first != nil { // an ACME challenge
			if t, err := first(hello); t != nil || err != nil {
				return t, err
			}
		}
		return c.live.Load(), nil
	}
	return c
}

// overQUIC returns the server's TLS settings for HTTP/3, without the answers to
// challenges: certificate authorities make none there, and a client could use one to
// bypass ClientAuth. A nil c changes nothing else.
func (c *clientCA) overQUIC(t *tls.Config) *tls.Config {
	t = t.Clone()
	t.GetConfigForClient = nil
	if c != nil {
		t.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.live.Load(), nil }
	}
	return t
}

// clientFiles identifies one state of the files.
type clientFiles struct {
	ca   []byte
	crls []fs.FileInfo // not the content, which may be large
}

// lookAtClientFiles must be called before the files are read, so that no change is
// missed.
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

// check reads the files and applies changes. It ignores a missing file, which may be
// about to be replaced. It tries again to read a file that it may not read, because a
// correction of the permissions changes neither size nor time.
func (c *clientCA) check() {
	c.checking.Lock()
	defer c.checking.Unlock()
	defer c.warn()
	now, err := lookAtClientFiles(c.listener.TLS)
	if c.unreadable(err) {
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
		c.unread = ""
		return
	}
	t, err := assemble.ListenerTLS(c.listener)
	if c.unreadable(err) {
		return
	}
	c.seen, c.unread = now, ""
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

// unreadable reports whether err is about reading a file. It logs each such error once,
// but not a missing file. check calls it.
func (c *clientCA) unreadable(err error) bool {
	at, is := errors.AsType[*fs.PathError](err)
	if is && !errors.Is(err, fs.ErrNotExist) && err.Error() != c.unread {
		c.unread = err.Error()
		c.gate.certChanged(certs.File{Cert: at.Path}, err)
	}
	return is
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// warn logs each new doubt about the revocation lists once. check calls it.
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

// watch begins to call check regularly.
func (c *clientCA) watch() *task {
	return begin(context.Background(), func(ctx context.Context) {
		tick := time.NewTicker(clientCAEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.check()
			case <-ctx.Done():
				return
			}
		}
	})
}
