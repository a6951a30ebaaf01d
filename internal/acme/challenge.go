package acme

import (
	"crypto/tls"
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
	if s == nil || token == "" || m.cache.token(s.host) != token {
		return "", false
	}
	text, err := (&xacme.Client{Key: m.key}).HTTP01ChallengeResponse(token)
	return text, err == nil
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
	token := m.cache.token(s.host)
	if token == "" {
		return nil, nil
	}
	cert, err := (&xacme.Client{Key: m.key}).TLSALPN01ChallengeCert(token, s.host)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{xacme.ALPNProto}, Certificates: []tls.Certificate{cert},
		SessionTicketsDisabled: true,
	}, nil
}

// Challenging reports whether a connection was made for a challenge only.
func Challenging(s *tls.ConnectionState) bool {
	return s != nil && s.NegotiatedProtocol == xacme.ALPNProto
}
