package acme

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"

	xacme "golang.org/x/crypto/acme"
)

// newOrder creates an order. If the authority knows renewal information, the order says
// which certificate it replaces, so that limits for new orders do not apply
// (RFC 9773 section 5).
func (m *Manager) newOrder(ctx context.Context, c *xacme.Client, o order) (*xacme.Order, error) {
	if have := o.cert.Load(); have != nil && certID(have.Leaf) != "" {
		if _, err := m.renewalURL(ctx); err == nil {
			order, err := m.orderReplacing(ctx, c, o.host, certID(have.Leaf))
			if err == nil {
				return order, nil
			}
			// For example the certificate is replaced already, or another account's.
			m.opts.Log.Debug("order without the certificate that it replaces", "host", o.host, "error", told(err))
		}
	}
	return c.AuthorizeOrder(ctx, xacme.DomainIDs(o.host))
}

// orderReplacing creates an order with the field replaces, which x/crypto/acme lacks.
func (m *Manager) orderReplacing(ctx context.Context, c *xacme.Client, host, replaces string) (*xacme.Order, error) {
	dir, err := c.Discover(ctx)
	if err != nil {
		return nil, err
	}
	type identifier struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	body, err := m.signed(ctx, c, dir, map[string]any{"identifiers": []identifier{{"dns", host}}, "replaces": replaces})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dir.OrderURL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/jose+json")
	req.Header.Set("User-Agent", userAgent)
	res, err := m.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		var problem struct{ Type, Detail string }
		json.NewDecoder(res.Body).Decode(&problem)
		return nil, fmt.Errorf("status %d: %.200s: %.500s", res.StatusCode, problem.Type, problem.Detail)
	}
	return c.GetOrder(ctx, res.Header.Get("Location"))
}

var errKeyKind = errors.New("the account's key is not an ECDSA key with P-256")

// signed returns a JWS for the address of new orders (RFC 8555 section 6.2), with ES256,
// as the keys that goodgate creates need it.
func (m *Manager) signed(ctx context.Context, c *xacme.Client, dir xacme.Directory, payload any) ([]byte, error) {
	public, ok := c.Key.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, errKeyKind
	}
	nonce, err := m.nonce(ctx, dir.NonceURL)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": string(c.KID), "nonce": nonce, "url": dir.OrderURL})
	if err != nil {
		return nil, err
	}
	head, body := base64.RawURLEncoding.EncodeToString(header), base64.RawURLEncoding.EncodeToString(text)
	sum := sha256.Sum256([]byte(head + "." + body))
	der, err := c.Key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	raw := make([]byte, 64)
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return json.Marshal(map[string]string{"protected": head, "payload": body, "signature": base64.RawURLEncoding.EncodeToString(raw)})
}

// nonce gets a new nonce.
func (m *Manager) nonce(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", userAgent)
	res, err := m.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if nonce := res.Header.Get("Replay-Nonce"); nonce != "" {
		return nonce, nil
	}
	return "", errors.New("the authority sends no nonce")
}
