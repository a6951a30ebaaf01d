package staple

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"
)

const day = 24 * time.Hour

// signer is a certificate with its key.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue returns a certificate by an issuer; nil = by itself.
func issue(t *testing.T, by *signer, change func(*x509.Certificate)) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "of the test"}, NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(90 * day)}
	change(c)
	s := &signer{key: key}
	if by == nil {
		by = &signer{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	if err == nil {
		s.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newCA(t *testing.T) *signer {
	return issue(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	})
}

func newLeaf(t *testing.T, ca *signer) *signer {
	return issue(t, ca, func(c *x509.Certificate) { c.OCSPServer = []string{"http://ocsp.test/"} })
}

// respond returns a response about a certificate, good for a day, signed by s.
func respond(t *testing.T, ca, s *signer, about *x509.Certificate, change func(*ocsp.Response)) []byte {
	t.Helper()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: about.SerialNumber, ThisUpdate: time.Now().Truncate(time.Minute), NextUpdate: time.Now().Add(day)}
	if s != ca {
		r.Certificate = s.cert
	}
	if change != nil {
		change(&r)
	}
	raw, err := ocsp.CreateResponse(ca.cert, s.cert, r, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerify(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	leaf, sibling := newLeaf(t, ca), newLeaf(t, ca)
	delegate := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }
	responder := issue(t, ca, delegate)
	plain := issue(t, ca, func(*x509.Certificate) {})
	old := issue(t, ca, func(c *x509.Certificate) { delegate(c); c.NotAfter = time.Now().Add(-time.Hour) })
	foreign := issue(t, other, delegate)
	for _, tc := range []struct {
		name string
		raw  []byte
		want string // empty = good
	}{
		{"by the issuer", respond(t, ca, ca, leaf.cert, nil), ""},
		{"by a responder of the issuer", respond(t, ca, responder, leaf.cert, nil), ""},
		{"without an end", respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) { r.NextUpdate = time.Time{} }), ""},
		{"of a clock that is ahead", respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(2 * time.Minute) }), ""},
		{"by a certificate for servers", respond(t, ca, plain, leaf.cert, nil), "may not sign responses"},
		{"by a responder that has expired", respond(t, ca, old, leaf.cert, nil), "is not valid now"},
		{"by a responder of another authority", respond(t, ca, foreign, leaf.cert, nil), "bad OCSP signature"},
		{"by another authority", respond(t, ca, other, leaf.cert, func(r *ocsp.Response) { r.Certificate = nil }), "bad OCSP signature"},
		{"about another certificate", respond(t, ca, ca, sibling.cert, nil), "no response matching"},
		{"expired", respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) {
			r.ThisUpdate, r.NextUpdate = time.Now().Add(-2*day), time.Now().Add(-time.Minute)
		}), "expired on"},
		{"of tomorrow", respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(day); r.NextUpdate = time.Now().Add(2 * day) }), "valid only from"},
		{"revoked", respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) {
			r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, time.Now(), ocsp.KeyCompromise
		}), "is revoked"},
		{"unknown", respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) { r.Status = ocsp.Unknown }), "does not know the certificate"},
		{"an error", ocsp.TryLaterErrorResponse, "try later"},
		{"a page", []byte("<html>"), "asn1"},
		{"nothing", nil, "asn1"},
	} {
		a, err := verify(tc.raw, leaf.cert, ca.cert, time.Now())
		switch {
		case tc.want == "" && (err != nil || !a.until.After(time.Now()) || !bytes.Equal(a.raw, tc.raw)):
			t.Errorf("%s: %v, until %v", tc.name, err, a.until)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.want)
		}
		if errors.Is(err, errRevoked) != (tc.name == "revoked") {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
	a, err := verify(respond(t, ca, ca, leaf.cert, func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(400 * day) }), leaf.cert, ca.cert, time.Now())
	if err != nil || !a.until.Equal(leaf.cert.NotAfter) {
		t.Errorf("longer than the certificate: until %v, %v", a.until, err)
	}
}

func TestMustStaple(t *testing.T) {
	for value, want := range map[string]bool{"\x30\x03\x02\x01\x05": true, "\x30\x06\x02\x01\x11\x02\x01\x05": true, "\x30\x03\x02\x01\x11": false, "x": false} {
		c := issue(t, nil, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: featureOID, Value: []byte(value)}}
		})
		if got := MustStaple(c.cert); got != want {
			t.Errorf("%x: got %v, want %v", value, got, want)
		}
	}
	if MustStaple(newCA(t).cert) {
		t.Error("a certificate without the extension demands a response")
	}
}

// responder answers from memory. It implements [http.RoundTripper].
type responder struct {
	mu     sync.Mutex // protects the fields below
	answer func(*http.Request) (*http.Response, error)
	asked  int
}

func (r *responder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.asked++
	answer := r.answer
	r.mu.Unlock()
	return answer(req)
}

func (r *responder) set(answer func(*http.Request) (*http.Response, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *responder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func says(status int, body []byte) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		w.WriteHeader(status)
		w.Write(body)
		return w.Result(), nil
	}
}

// list is a source.
type list []*tls.Certificate

func (l list) Certificates() []*tls.Certificate { return l }

// begin returns a stapler of one certificate.
func begin(t *testing.T) (s *Stapler, ca *signer, c *tls.Certificate, r *responder, log *bytes.Buffer) {
	t.Helper()
	ca = newCA(t)
	leaf := newLeaf(t, ca)
	c = &tls.Certificate{Certificate: [][]byte{leaf.cert.Raw, ca.cert.Raw}, PrivateKey: leaf.key, Leaf: leaf.cert}
	log, r = &bytes.Buffer{}, &responder{}
	s = New(slog.New(slog.NewTextHandler(log, nil)), "")
	s.http = newClient(r)
	return s, ca, c, r, log
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestStaples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ca, c, r, log := begin(t)
		has := func(want bool, when string) {
			t.Helper()
			got := s.With(c)
			if (got.OCSPStaple != nil) != want || got.Leaf != c.Leaf || c.OCSPStaple != nil {
				t.Errorf("%s: a response is there: %v, want %v\n%s", when, got.OCSPStaple != nil, want, log)
			}
		}
		has(false, "before the start")
		r.set(func(req *http.Request) (*http.Response, error) { // the response begins when it is asked for
			body, _ := io.ReadAll(req.Body)
			q, err := ocsp.ParseRequest(body)
			if err != nil || q.SerialNumber.Cmp(c.Leaf.SerialNumber) != 0 || req.Header.Get("Content-Type") != "application/ocsp-request" {
				t.Errorf("request %x: %v", body, err)
			}
			return says(200, respond(t, ca, ca, c.Leaf, nil))(req)
		})
		s.Use([]Source{list{c}})
		synctest.Wait()
		has(true, "at once")
		pass(11 * time.Hour)
		if n := r.count(); n != 1 {
			t.Errorf("asked %d times in 11 hours, want once", n)
		}
		pass(2 * time.Hour)
		if n := r.count(); n != 2 {
			t.Errorf("asked %d times in 13 hours, want twice: at half of the validity", n)
		}
		r.set(says(500, nil))
		pass(22 * time.Hour)
		has(true, "the responder fails, and the last response is good")
		if n := r.count(); n < 12 || n > 25 {
			t.Errorf("asked %d times, want about once in an hour after a failure", n)
		}
		pass(3 * time.Hour)
		has(false, "the last response has expired")
		if n := strings.Count(log.String(), "OCSP response not obtained"); n != 1 {
			t.Errorf("the log has the failure %d times, want once:\n%s", n, log)
		}
		r.set(says(200, respond(t, ca, ca, c.Leaf, nil)))
		pass(2 * time.Hour)
		has(true, "the responder is back")
		s.Use(nil)
		has(true, "after the end")
	})
}

// A restart begins with the kept response if that is still good, and asks when it would
// have asked anyway.
func TestKeptResponses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first, ca, c, r, log := begin(t)
		dir := filepath.Join(dir, "ocsp")
		first.keep = keep(dir)
		good := respond(t, ca, ca, c.Leaf, nil)
		file := filepath.Join(dir, keptName(c.Certificate[0]))
		os.MkdirAll(dir, 0o700)
		old := filepath.Join(dir, keptName([]byte("another certificate")))
		os.WriteFile(old, good, 0o600)
		r.set(says(200, good))
		first.Use([]Source{list{c}})
		synctest.Wait()
		first.Use(nil)
		if _, err := os.Stat(old); err == nil {
			t.Error("the response of a certificate that is not in use is still there")
		}
		restart := func(when string, staples bool, asked int) *Stapler {
			t.Helper()
			before := r.count()
			s := New(slog.New(slog.NewTextHandler(log, nil)), dir)
			s.http = newClient(r)
			s.Use([]Source{list{c}})
			synctest.Wait()
			if got := s.With(c).OCSPStaple != nil; got != staples || r.count()-before != asked {
				t.Errorf("%s: staples: %v, want %v; asked %d times, want %d\n%s", when, got, staples, r.count()-before, asked, log)
			}
			return s
		}
		r.set(says(500, nil))
		restart("a good response", true, 0).Use(nil)
		pass(13 * time.Hour)
		restart("after half of its time, while the responder fails", true, 1).Use(nil)
		for what, raw := range map[string][]byte{"by another authority": respond(t, newCA(t), newCA(t), c.Leaf, nil), "garbage": []byte("x"), "too long": append(bytes.Clone(good), make([]byte, maxResponse)...)} {
			os.WriteFile(file, raw, 0o600)
			restart(what, false, 1).Use(nil)
		}
		os.WriteFile(file, good, 0o600)
		s := restart("good again", true, 1)
		r.set(says(200, respond(t, ca, ca, c.Leaf, func(r *ocsp.Response) {
			r.Status, r.RevokedAt, r.NextUpdate = ocsp.Revoked, time.Now(), time.Now().Add(30*day)
		})))
		pass(2 * time.Hour)
		s.Use(nil)
		if _, err := os.Stat(file); err == nil {
			t.Error("the response from before the revocation is kept")
		}
		pass(10 * time.Hour)
		os.WriteFile(file, good, 0o600)
		r.set(says(500, nil))
		restart("expired", false, 1).Use(nil)
	})
}

func TestRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ca, c, r, log := begin(t)
		r.set(says(200, respond(t, ca, ca, c.Leaf, nil)))
		s.Use([]Source{list{c}})
		defer s.Use(nil)
		synctest.Wait()
		r.set(says(200, respond(t, ca, ca, c.Leaf, func(r *ocsp.Response) {
			r.Status, r.RevokedAt, r.NextUpdate = ocsp.Revoked, time.Now(), time.Now().Add(30*day)
		})))
		pass(day - time.Hour)
		if s.With(c).OCSPStaple != nil {
			t.Error("the response from before the revocation is still sent")
		}
		if n := strings.Count(log.String(), "level=ERROR msg=\"the issuer has revoked the certificate"); n != 1 {
			t.Errorf("the log has the revocation %d times, want once:\n%s", n, log)
		}
	})
}

// A responder that never answers, or answers without end, holds up nothing but its own
// request.
func TestHostileResponders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, c, r, log := begin(t)
		r.set(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		s.Use([]Source{list{c}})
		synctest.Wait()
		if s.With(c) != c {
			t.Error("a certificate without a response is another one")
		}
		pass(30 * time.Second)
		if !strings.Contains(log.String(), "not obtained") {
			t.Errorf("after %v: %s", fetchBound, log)
		}
		r.set(says(200, make([]byte, maxResponse+1)))
		pass(time.Hour)
		r.set(func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Location", "http://ocsp.test/again")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return w.Result(), nil
		})
		pass(2 * time.Hour)
		for _, want := range []string{"exceeds the limit", "redirects too often"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("want %q in %s", want, log)
			}
		}
		r.set(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		pass(61 * time.Minute)
		s.Use(nil) // ends although a request is in progress
	})
}

// Certificates come and go with their sources; those without a responder, an issuer or the
// need of a response are left alone.
func TestSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ca, c, r, log := begin(t)
		r.set(says(200, respond(t, ca, ca, c.Leaf, nil)))
		plain := issue(t, ca, func(*x509.Certificate) {})
		none := &tls.Certificate{Certificate: [][]byte{plain.cert.Raw, ca.cert.Raw}, Leaf: plain.cert}
		own := *c
		own.OCSPStaple = []byte("own")
		s.Use([]Source{list{none, &own}})
		pass(time.Minute)
		if n := r.count(); n != 0 || s.With(&own) != &own || s.With(none) != none || s.With(nil) != nil {
			t.Errorf("asked %d times", n)
		}
		alone := *c
		alone.Certificate = c.Certificate[:1]
		s.Use([]Source{list{&alone}})
		pass(time.Minute)
		if !strings.Contains(log.String(), errNoIssuer.Error()) {
			t.Errorf("without the issuer: %s", log)
		}
		s.Use([]Source{list{c}, list{c}}) // the file now has the issuer
		pass(10 * time.Second)
		if s.With(c).OCSPStaple == nil || r.count() != 1 {
			t.Errorf("asked %d times, want once", r.count())
		}
		s.Use([]Source{list{none}})
		pass(10 * time.Second)
		if s.With(c) != c || len(s.entries) != 0 {
			t.Errorf("a certificate that has gone still has a response, %d entries", len(s.entries))
		}
		s.Use(nil)
	})
}
