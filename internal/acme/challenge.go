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

// Path is where HTTP-01 is asked (RFC 8555 section 8.3).
const Path = "/.well-known/acme-challenge/"

// AnswerHTTP returns what a request of the authority's, below [Path], is to be
// answered with. Another than one for a host whose order is under way, with its
// token, is none.
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

// challenges returns those of orders for a host that are under way: here, in another
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

// AnswerTLS returns the configuration by which a connection of the authority's
// is answered (RFC 8737); nil for any other client.
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

// Challenging reports whether a connection was made for a challenge only.
func Challenging(s *tls.ConnectionState) bool {
	return s != nil && s.NegotiatedProtocol == xacme.ALPNProto
}
