package acme

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds for the pauses between two questions to the authority when to renew
// (RFC 9773 section 4.3).
const (
	askEvery = 6 * time.Hour // without Retry-After, and at most after errors
	askLeast = time.Minute
	askMost  = 24 * time.Hour
	// leastAge is how old a certificate must be before the authority's word renews it, so
	// that an authority that always says "now" gets few orders; a tenth of the lifetime if
	// that is less.
	leastAge = 6 * time.Hour
	// maxExplanation bounds the address of an explanation in the log, in bytes.
	maxExplanation = 300
)

// renewal is when the authority suggests to renew a certificate (RFC 9773). Only the
// goroutine of the site uses it.
type renewal struct {
	of         *x509.Certificate
	start, end time.Time // the suggested window
	at         time.Time // chosen in the window; zero = no suggestion
	ask        time.Time // when to ask again
	failed     int       // questions in a row
}

// renewalInfo is the authority's answer.
type renewalInfo struct {
	Window struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"suggestedWindow"`
	Explanation string        `json:"explanationURL"`
	pause       time.Duration // Retry-After; 0 = none
}

// askAt returns when to ask the authority about the present certificate; ok is false if
// there is nothing to ask.
func (s *site) askAt() (at time.Time, ok bool) {
	c := s.cert.Load()
	if c == nil || certID(c.Leaf) == "" {
		return at, false
	}
	if s.renewal.of != c.Leaf {
		return at, true
	}
	return s.renewal.ask, true
}

// consult asks the authority when to renew, if it is time for that. Without an answer the
// last one stays, and without any the time depends on the lifetime.
func (m *Manager) consult(ctx context.Context, s *site) {
	at, ok := s.askAt()
	if !ok || time.Now().Before(at) {
		return
	}
	leaf := s.cert.Load().Leaf
	if s.renewal.of != leaf {
		s.renewal = renewal{of: leaf}
	}
	r := &s.renewal
	info, err := m.renewalInfo(ctx, certID(leaf))
	switch {
	case errors.Is(err, errNoARI):
		*r = renewal{of: leaf, ask: time.Now().Add(askMost)}
	case err != nil:
		pause := max(min(askLeast<<min(r.failed, 20), askEvery), min(info.pause, askMost))
		r.failed++
		r.ask = time.Now().Add(pause)
		m.opts.Log.Debug("the authority did not say when to renew", "host", s.host, "again_in", pause.String(), "error", told(err))
	default:
		pause := askEvery
		if info.pause > 0 {
			pause = min(max(info.pause, askLeast), askMost)
		}
		r.failed, r.ask = 0, time.Now().Add(pause)
		if !r.start.Equal(info.Window.Start) || !r.end.Equal(info.Window.End) {
			r.choose(info.Window.Start, info.Window.End)
			m.tellRenewal(s, info)
		}
	}
}

// choose selects a random time in a window. The bounds of leastAge and mostAge apply.
func (r *renewal) choose(start, end time.Time) {
	r.start, r.end = start, end
	at := start.Add(time.Duration(rand.Float64() * float64(end.Sub(start))))
	life := r.of.NotAfter.Sub(r.of.NotBefore)
	if first := r.of.NotBefore.Add(min(life/10, leastAge)); at.Before(first) {
		at = first
	}
	// An order may need several attempts before the certificate expires.
	if last := r.of.NotAfter.Add(-max(life/6, min(life/3, time.Hour))); at.After(last) {
		at = last
	}
	r.at = at
}

// tellRenewal logs a new suggestion. One that is usual is only for debugging.
func (m *Manager) tellRenewal(s *site, info renewalInfo) {
	r := &s.renewal
	level := slog.LevelDebug
	attrs := []any{"host", s.host, "at", r.at, "from", r.start, "to", r.end}
	if u, err := url.Parse(info.Explanation); err == nil && (u.Scheme == "https" || u.Scheme == "http") && len(info.Explanation) <= maxExplanation {
		attrs = append(attrs, "explanation", info.Explanation)
		level = slog.LevelInfo
	}
	if r.at.Before(r.of.NotBefore.Add(r.of.NotAfter.Sub(r.of.NotBefore) / 2)) {
		level = slog.LevelInfo
	}
	m.opts.Log.Log(context.Background(), level, "the authority suggests when to renew the certificate", attrs...)
}

// errNoARI means that the authority does not suggest when to renew.
var errNoARI = errors.New("the authority has no renewal information")

// renewalInfo asks about the certificate with an ID. After an error only pause is set.
func (m *Manager) renewalInfo(ctx context.Context, id string) (info renewalInfo, err error) {
	base, err := m.renewalURL(ctx)
	if err != nil {
		return info, err
	}
	pause, err := m.get(ctx, strings.TrimRight(base, "/")+"/"+id, &info)
	info.pause = pause
	if w := info.Window; err == nil && (w.Start.IsZero() || !w.End.After(w.Start)) {
		err = fmt.Errorf("the suggested window from %v to %v is none", w.Start, w.End)
	}
	return info, err
}

// renewalURL returns the address for questions about certificates, which the directory
// has.
func (m *Manager) renewalURL(ctx context.Context) (string, error) {
	m.asking.Lock() // held for one answer at most
	defer m.asking.Unlock()
	if time.Now().After(m.renewalUntil) {
		var dir struct {
			RenewalInfo string `json:"renewalInfo"`
		}
		if _, err := m.get(ctx, m.opts.Directory, &dir); err != nil {
			return "", err
		}
		m.renewalBase, m.renewalUntil = dir.RenewalInfo, time.Now().Add(askEvery)
	}
	if m.renewalBase == "" {
		return "", errNoARI
	}
	return m.renewalBase, nil
}

// get reads an answer in JSON. pause is its Retry-After, 0 if it has none.
func (m *Manager) get(ctx context.Context, address string, v any) (pause time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", userAgent)
	res, err := m.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	pause = retryAfter(res.Header.Get("Retry-After"), time.Now())
	if res.StatusCode != http.StatusOK {
		return pause, fmt.Errorf("the authority answers with the status %d", res.StatusCode)
	}
	return pause, json.NewDecoder(res.Body).Decode(v)
}

// retryAfter reads the header: seconds or a date; 0 if it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// certID returns the ID of a certificate (RFC 9773 section 4.1): the key identifier of its
// authority and its serial number. It is empty if the certificate names no authority.
func certID(c *x509.Certificate) string {
	if len(c.AuthorityKeyId) == 0 || c.SerialNumber == nil || c.SerialNumber.Sign() <= 0 {
		return ""
	}
	der, err := asn1.Marshal(c.SerialNumber)
	var serial asn1.RawValue
	if err == nil {
		_, err = asn1.Unmarshal(der, &serial)
	}
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(c.AuthorityKeyId) + "." + base64.RawURLEncoding.EncodeToString(serial.Bytes)
}
