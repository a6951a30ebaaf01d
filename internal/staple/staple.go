// Package staple gets OCSP responses for certificates (RFC 6960) from their issuers, so
// that TLS handshakes can send them (RFC 6066 section 8).
//
// A [Stapler] has one goroutine, and a few more while it fetches responses. A handshake
// never waits for it: without a good response a certificate is sent alone. fetch.go is one
// request and the checks of its response, keep.go the folder of responses.
package staple

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	lookEvery  = 2 * time.Second // interval between looks for new certificates
	fetchesMax = 4               // concurrent fetches
	firstPause = time.Minute     // after a failure; twice as long after each more
	maxPause   = time.Hour
)

// Source has certificates in use. Its methods must be safe for concurrent use.
type Source interface {
	// Certificates returns all, without those that are not there yet.
	Certificates() []*tls.Certificate
}

// Stapler keeps the responses for certificates. Its methods are safe for concurrent use,
// except Use.
type Stapler struct {
	log  *slog.Logger
	keep keep
	http *http.Client
	live sync.Map // responses by the certificate's DER as a string

	sources atomic.Pointer[[]Source]
	stop    func() // ends the goroutine and waits; nil = there is none

	places chan struct{} // one element per fetch in progress

	mu      sync.Mutex // protects entries and what they point to
	entries map[string]*entry
	pruned  bool
}

// response is a good response.
type response struct {
	raw   []byte
	until time.Time // it must not be sent later
}

// entry is the state of one certificate.
type entry struct {
	cert   *tls.Certificate
	next   time.Time // of the next fetch
	busy   bool
	failed int    // fetches in a row
	why    string // text of the last failure
}

// New returns a stapler without certificates. It keeps the responses in the folder dir, or
// only in memory if dir is empty.
func New(log *slog.Logger, dir string) *Stapler {
	t := http.DefaultTransport.(*http.Transport).Clone()
	return &Stapler{log: log, keep: keep(dir), http: newClient(t), places: make(chan struct{}, fetchesMax), entries: map[string]*entry{}}
}

// Use follows the certificates of the sources from now on. Without any it ends all work,
// and waits for that. The responses stay.
func (s *Stapler) Use(sources []Source) {
	s.sources.Store(&sources)
	switch {
	case len(sources) == 0 && s.stop != nil:
		s.stop()
		s.stop = nil
		s.http.CloseIdleConnections()
	case len(sources) > 0 && s.stop == nil:
		ctx, cancel := context.WithCancel(context.Background())
		var work sync.WaitGroup
		work.Go(func() { s.run(ctx, &work) })
		s.stop = func() {
			cancel()
			work.Wait()
		}
	}
}

// With returns a certificate with a good response, if there is one. It returns c itself if
// there is none, or if c has a response of its own.
func (s *Stapler) With(c *tls.Certificate) *tls.Certificate {
	if c == nil || c.OCSPStaple != nil || c.Leaf == nil || len(c.Leaf.OCSPServer) == 0 {
		return c
	}
	v, ok := s.live.Load(string(c.Certificate[0]))
	if !ok {
		return c
	}
	r := v.(response)
	if !time.Now().Before(r.until) {
		return c
	}
	with := *c
	with.OCSPStaple = r.raw
	return &with
}

func (s *Stapler) run(ctx context.Context, work *sync.WaitGroup) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.look()
		for _, e := range s.due(time.Now()) {
			work.Go(func() { s.refresh(ctx, e) })
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look takes in new certificates and forgets those that are not in use any more.
func (s *Stapler) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := map[string]bool{}
	for _, source := range *s.sources.Load() {
		for _, c := range source.Certificates() {
			if c.OCSPStaple != nil || c.Leaf == nil || len(c.Leaf.OCSPServer) == 0 {
				continue
			}
			key := string(c.Certificate[0])
			used[key] = true
			switch e := s.entries[key]; {
			case e == nil:
				s.entries[key] = s.enter(c)
			case len(e.cert.Certificate) < 2 && len(c.Certificate) > 1 && !e.busy: // its file has the issuer now
				s.entries[key] = &entry{cert: c}
			}
		}
	}
	for key, e := range s.entries {
		if !used[key] && !e.busy {
			delete(s.entries, key)
			s.live.Delete(key)
			s.store(key, nil)
		}
	}
	if !s.pruned { // of certificates that an earlier process used
		s.keep.prune(used)
		s.pruned = true
	}
}

// enter returns the state of a new certificate. It begins with the kept response.
func (s *Stapler) enter(c *tls.Certificate) *entry {
	e, now := &entry{cert: c}, time.Now()
	if a, ok := s.keep.load(c, now); ok {
		s.live.Store(string(c.Certificate[0]), response{a.raw, a.until})
		if half := a.from.Add(a.until.Sub(a.from) / 2); half.After(now) {
			e.next = now.Add(a.half(now))
		}
	}
	return e
}

// store keeps a response for the next process; nil removes it.
func (s *Stapler) store(cert string, raw []byte) {
	if err := s.keep.store([]byte(cert), raw); err != nil {
		s.log.Warn("OCSP response not stored: a restart fetches it again", "error", err.Error())
	}
}

// due returns the entries for which a fetch begins now. It marks them as busy.
func (s *Stapler) due(now time.Time) (list []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if e.busy || now.Before(e.next) {
			continue
		}
		select {
		case s.places <- struct{}{}:
			e.busy = true
			list = append(list, e)
		default:
			return list
		}
	}
	return list
}

// refresh fetches a response for an entry.
func (s *Stapler) refresh(ctx context.Context, e *entry) {
	defer func() { <-s.places }()
	leaf, key := e.cert.Leaf, string(e.cert.Certificate[0])
	got, err := fetch(ctx, s.http, e.cert)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.busy = false
	now := time.Now()
	if err == nil {
		e.failed, e.why = 0, ""
		e.next = now.Add(max(got.half(now), firstPause))
		s.live.Store(key, response{got.raw, got.until})
		s.store(key, got.raw)
		s.log.Debug("OCSP response obtained", "certificate", leaf.Subject.String(), "serial", leaf.SerialNumber.Text(16), "until", got.until)
		return
	}
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, errRevoked) {
		s.live.Delete(key)
		s.store(key, nil)
	}
	pause := min(firstPause<<min(e.failed, 20), maxPause)
	e.failed++
	e.next = now.Add(pause + time.Duration(rand.Float64()*float64(pause)/10))
	s.tell(e, err)
}

// tell logs a failure, once as long as it stays the same.
func (s *Stapler) tell(e *entry, err error) {
	leaf := e.cert.Leaf
	message, level := "OCSP response not obtained: the certificate is sent with the last one, as long as it is good, or without one", slog.LevelInfo
	switch {
	case errors.Is(err, errRevoked):
		message, level = "the issuer has revoked the certificate: clients may refuse it", slog.LevelError
	case MustStaple(leaf):
		message, level = "OCSP response not obtained, and the certificate demands one (must-staple): clients may refuse it", slog.LevelWarn
	}
	if e.why == err.Error() {
		level = slog.LevelDebug
	}
	e.why = err.Error()
	s.log.Log(context.Background(), level, message, "certificate", leaf.Subject.String(), "serial", leaf.SerialNumber.Text(16), "error", e.why)
}
