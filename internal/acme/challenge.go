package acme

import (
	"context"
	"crypto/tls"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"

	xacme "golang.org/x/crypto/acme"
)

// Path is the prefix of HTTP-01 requests (RFC 8555 section 8.3).
const Path = "/.well-known/acme-challenge/"

// AnswerHTTP returns the answer to an authority's request below [Path]. ok is false
// unless the request has the token of an order in progress for its host.
func (m *Manager) AnswerHTTP(r *http.Request) (text string, ok bool) {
	token := strings.TrimPrefix(r.URL.Path, Path)
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	s := m.sites[strings.ToLower(host)]
	if s == nil || !isToken(token) {
		return "", false
	}
	for c := range m.challenges(r.Context(), s) {
		if c.Token != token {
			continue
		}
		client, err := c.client()
		if err != nil {
			return "", false
		}
		text, err = client.HTTP01ChallengeResponse(token)
		return text, err == nil
	}
	return "", false
}

// challenges returns the challenges of orders in progress for a host: here, in another
// process that shares the folder, and in another instance.
func (m *Manager) challenges(ctx context.Context, s *site) iter.Seq[Challenge] {
	return func(yield func(Challenge) bool) {
		if c := s.shown.Load(); c != nil && !yield(*c) {
			return
		}
		if token := m.cache.token(s.host); token != "" {
			if c, err := challengeOf(token, *m.key.Load()); err == nil && !yield(c) {
				return
			}
		}
		if m.opts.Share == nil || ctx == nil {
			return
		}
		if c, ok := m.opts.Share.Challenge(ctx, s.host); ok {
			yield(c)
		}
	}
}

// AnswerTLS returns the configuration for an authority's connection (RFC 8737); nil for
// any other client.
func (m *Manager) AnswerTLS(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if !slices.Contains(hello.SupportedProtos, xacme.ALPNProto) {
		return nil, nil
	}
	s := m.sites[strings.ToLower(hello.ServerName)]
	if s == nil {
		return nil, nil
	}
	for c := range m.challenges(hello.Context(), s) {
		client, err := c.client()
		if err != nil {
			return nil, err
		}
		cert, err := client.TLSALPN01ChallengeCert(c.Token, s.host)
		if err != nil {
			return nil, err
		}
		return &tls.Config{
			MinVersion: tls.VersionTLS12, NextProtos: []string{xacme.ALPNProto}, Certificates: []tls.Certificate{cert},
			SessionTicketsDisabled: true,
		}, nil
	}
	return nil, nil
}

// Challenging reports whether a connection exists only for a challenge.
func Challenging(s *tls.ConnectionState) bool {
	return s != nil && s.NegotiatedProtocol == xacme.ALPNProto
}
