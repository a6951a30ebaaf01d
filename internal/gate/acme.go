package gate

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/edition"
	"github.com/goodgate/goodgate/proxy"
)

// issuer obtains the certificates of all listeners with the same acme settings, and
// outlives these listeners.
type issuer struct {
	config  config.ACME
	manager *acme.Manager
	share   *fleetACME // nil without a fleet
	started bool
}

// issue lets a server use certificates obtained for it, besides those of its files. g.mu
// must be held.
func (g *Gate) issue(s *server, c config.ACME) error {
	if edition.Minimal { // it has no ACME: the compiler drops the code below
		return nil
	}
	i := slices.IndexFunc(g.issuers, func(i *issuer) bool { return reflect.DeepEqual(i.config, c) })
	if i < 0 {
		o, err := assemble.ACME(c, g.log)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		o.Try = func() []string { return assemble.Challenges(c, g.current.Load().config.Listeners) }
		share := g.fleet.certsOf(c)
		if share != nil {
			o.Share = share
		}
		m, err := acme.New(o)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		share.join(m)
		i = len(g.issuers)
		g.issuers = append(g.issuers, &issuer{config: c, manager: m, share: share})
	}
	s.issuer = g.issuers[i]
	m := s.issuer.manager
	s.tls.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if c := s.certs.Match(hello); c != nil {
			return c, nil
		}
		if c := m.Get(hello); c != nil {
			return c, nil
		}
		return s.certs.First(), nil // without one the handshake fails
	}
	s.tls.GetConfigForClient = m.AnswerTLS
	return nil
}

// settle starts the issuers and the work for OCSP responses that these servers need, and
// ends all others. It runs once the servers serve; g.mu must be held.
func (g *Gate) settle(servers []*server) {
	g.stapleFor(servers)
	if edition.Minimal {
		return
	}
	var keep []*issuer
	for _, i := range g.issuers {
		switch {
		case !slices.ContainsFunc(servers, func(s *server) bool { return s.issuer == i }):
			i.manager.Close()
			i.share.leave()
			continue
		case i.started:
			i.manager.Retry()
		default:
			i.started = true
			i.manager.Start()
		}
		keep = append(keep, i)
	}
	g.issuers = keep
	if len(keep) == 0 {
		g.acmeIssuers.Store(nil)
		return
	}
	g.acmeIssuers.Store(&keep)
}

// challenged answers a request by which a certificate authority validates a host, and
// reports whether it was one.
func (g *Gate) challenged(w http.ResponseWriter, r *proxy.Request) bool {
	list := g.acmeIssuers.Load()
	if edition.Minimal || list == nil {
		return false
	}
	if r.TLS != nil {
		if acme.Challenging(r.TLS) {
			panic(http.ErrAbortHandler) // a challenge certificate serves no requests
		}
		return false
	}
	if !strings.HasPrefix(r.URL.Path, acme.Path) || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, i := range *list {
		if text, ok := i.manager.AnswerHTTP(r.HTTP()); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			io.WriteString(w, text)
			return true
		}
	}
	return false
}
