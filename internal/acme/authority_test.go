package acme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	xacme "golang.org/x/crypto/acme"
)

const base = "https://ca.test"

// authority is the part of an ACME server that a client needs. It gets requests in
// memory, and queries the manager directly for challenge responses.
type authority struct {
	manager *Manager
	life    time.Duration // of certificates
	back    time.Duration // how long ago it began when they are issued
	most    int           // orders; 0 = any number
	// asks selects several managers in place of manager; nil = only one.
	asks func(kind, host, token string) bool
	dns  *zone     // for DNS-01; nil = none
	ari  *renewals // protected by mu; nil = none

	mu     sync.Mutex // protects the fields below
	down   error      // cannot be reached
	fails  map[string]string
	orders []string // hosts
	hosts  []string // of the orders by number
	states []string // of their authorizations
	leaves [][]byte
	nonces int
	serial int64
}

// count returns how many orders were made.
func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.orders)
}

// RoundTrip answers a request.
func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down != nil {
		return nil, a.down
	}
	w := httptest.NewRecorder()
	a.nonces++
	w.Header().Set("Replay-Nonce", fmt.Sprint("nonce", a.nonces))
	a.serve(w, r)
	return w.Result(), nil
}

func (a *authority) serve(w *httptest.ResponseRecorder, r *http.Request) {
	step, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var n int
	fmt.Sscan(id, &n)
	say := func(status int, v any) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	switch step {
	case "dir":
		renewal := ""
		if a.ari != nil {
			renewal = base + "/ari/"
		}
		say(200, map[string]any{"renewalInfo": renewal, "newNonce": base + "/nonce", "newAccount": base + "/account", "newOrder": base + "/new",
			"meta": map[string]string{"termsOfService": base + "/terms"}})
	case "nonce":
	case "account":
		w.Header().Set("Location", base+"/account/1")
		say(201, map[string]string{"status": "valid"})
	case "new":
		var order struct {
			Identifiers []struct{ Value string }
			Replaces    string
		}
		json.Unmarshal(payload(r), &order)
		host := order.Identifiers[0].Value
		if order.Replaces != "" {
			a.ari.replaced = append(a.ari.replaced, order.Replaces)
			if a.ari.refuses {
				say(409, map[string]string{"type": "urn:ietf:params:acme:error:alreadyReplaced"})
				return
			}
		}
		a.orders = append(a.orders, host)
		if a.most > 0 && len(a.orders) > a.most {
			a.fails["order"] = "rateLimited"
		}
		if kind := a.fails["order"]; kind != "" {
			w.Header().Set("Retry-After", "36000")
			say(429, map[string]string{"type": "urn:ietf:params:acme:error:" + kind, "detail": "no"})
			return
		}
		a.hosts, a.states, a.leaves = append(a.hosts, host), append(a.states, "pending"), append(a.leaves, nil)
		n = len(a.hosts) - 1
		w.Header().Set("Location", fmt.Sprintf("%s/order/%d", base, n))
		say(201, a.order(n))
	case "ari":
		a.renewalInfo(w, id)
	case "order":
		say(200, a.order(n))
	case "authz":
		say(200, a.authz(n))
	case TLSALPN01, HTTP01, DNS01:
		if a.fails[step] == "never" { // comes to a verdict
			say(200, map[string]string{"type": step, "status": "processing"})
			return
		}
		a.states[n] = "invalid:" + step
		if a.fails[step] == "" && a.validates(step, a.hosts[n], token(n)) {
			a.states[n] = "valid"
		}
		say(200, map[string]string{"type": step, "status": "processing"})
	case "finalize":
		var body struct{ CSR string }
		json.Unmarshal(payload(r), &body)
		der, _ := base64.RawURLEncoding.DecodeString(body.CSR)
		a.leaves[n] = a.issue(der)
		w.Header().Set("Location", fmt.Sprintf("%s/order/%d", base, n))
		say(200, a.order(n))
	case "cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.leaves[n]}))
	default:
		say(404, map[string]string{"type": "urn:ietf:params:acme:error:malformed"})
	}
}

// renewalInfo answers when to renew.
func (a *authority) renewalInfo(w *httptest.ResponseRecorder, id string) {
	a.ari.asked = append(a.ari.asked, id)
	if a.ari.after != "" {
		w.Header().Set("Retry-After", a.ari.after)
	}
	if a.ari.status != 0 {
		w.WriteHeader(a.ari.status)
		return
	}
	if a.ari.text != "" {
		w.WriteString(a.ari.text)
		return
	}
	for _, der := range a.leaves {
		if c, err := x509.ParseCertificate(der); err == nil && certID(c) == id {
			window := map[string]time.Time{"start": c.NotBefore.Add(a.ari.from), "end": c.NotBefore.Add(a.ari.to)}
			json.NewEncoder(w).Encode(map[string]any{"suggestedWindow": window, "explanationURL": a.ari.explanation})
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// asks9773 returns how many questions there were when to renew.
func (a *authority) asks9773() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ari == nil {
		return 0
	}
	return len(a.ari.asked)
}

func token(n int) string { return fmt.Sprint("token-", n) }

func (a *authority) order(n int) map[string]any {
	o := map[string]any{"status": "pending", "identifiers": []map[string]string{{"type": "dns", "value": a.hosts[n]}},
		"authorizations": []string{fmt.Sprintf("%s/authz/%d", base, n)}, "finalize": fmt.Sprintf("%s/finalize/%d", base, n)}
	switch {
	case a.leaves[n] != nil:
		o["status"], o["certificate"] = "valid", fmt.Sprintf("%s/cert/%d", base, n)
	case a.states[n] == "valid":
		o["status"] = "ready"
	}
	return o
}

func (a *authority) authz(n int) map[string]any {
	status, failed, _ := strings.Cut(a.states[n], ":")
	var challenges []map[string]any
	kinds := []string{HTTP01, TLSALPN01, DNS01}
	name, wildcard := strings.CutPrefix(a.hosts[n], "*.")
	if wildcard {
		kinds = kinds[2:]
	}
	for _, kind := range kinds {
		c := map[string]any{"type": kind, "url": fmt.Sprintf("%s/%s/%d", base, kind, n), "token": token(n), "status": "pending"}
		if kind == failed {
			c["status"], c["error"] = "invalid", map[string]string{"type": "urn:ietf:params:acme:error:" + a.fails[kind], "detail": "no"}
		}
		challenges = append(challenges, c)
	}
	return map[string]any{"status": status, "identifier": map[string]string{"type": "dns", "value": name}, "wildcard": wildcard, "challenges": challenges}
}

// validates queries the manager like an authority querying the host.
func (a *authority) validates(kind, host, token string) bool {
	if a.asks != nil {
		return a.asks(kind, host, token)
	}
	if kind == DNS01 {
		want, _ := (&xacme.Client{Key: *a.manager.key.Load()}).DNS01ChallengeRecord(token)
		return a.dns.has(strings.TrimPrefix(host, "*."), want)
	}
	want, _ := (&xacme.Client{Key: *a.manager.key.Load()}).HTTP01ChallengeResponse(token)
	if kind == HTTP01 {
		got, ok := a.manager.AnswerHTTP(httptest.NewRequest("GET", "http://"+host+Path+token, nil))
		return ok && got == want
	}
	return shakes(a.manager, host)
}

// shakes reports whether a manager answers TLS-ALPN-01 for a host.
func shakes(m *Manager, host string) bool {
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, &tls.Config{GetConfigForClient: m.AnswerTLS, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return nil, errors.New("not a challenge")
	}})
	go server.Handshake()
	client := tls.Client(near, &tls.Config{ServerName: host, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if client.Handshake() != nil {
		return false
	}
	s := client.ConnectionState()
	return s.NegotiatedProtocol == "acme-tls/1" && s.PeerCertificates[0].DNSNames[0] == host
}

func (a *authority) issue(csr []byte) []byte {
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		panic(err)
	}
	a.serial++
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "fake authority"},
		AuthorityKeyId: []byte("the key of the authority"), DNSNames: request.DNSNames, NotBefore: time.Now().Add(-a.back), NotAfter: time.Now().Add(a.life - a.back)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, request.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return der
}

// payload returns the content of a signed request.
func payload(r *http.Request) []byte {
	var jws struct{ Payload string }
	json.NewDecoder(r.Body).Decode(&jws)
	text, _ := base64.RawURLEncoding.DecodeString(jws.Payload)
	return text
}
