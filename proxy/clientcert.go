package proxy

import (
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// ClientCert says what upstreams get of the certificate that a client has shown
// (RFC 9440).
type ClientCert int

const (
	NoClientCert    ClientCert = iota
	LeafClientCert             // Client-Cert has the client's own certificate
	ChainClientCert            // Client-Cert-Chain has those that it sent along, too
)

// fields refuses Client-Cert and Client-Cert-Chain of clients on a
// route that sends them.
func (c ClientCert) fields(t *fieldTable) {
	if c != NoClientCert {
		t.refuse("Client-Cert")
		t.refuse("Client-Cert-Chain")
	}
}

// tellClientCert adds the client's certificate to fields that have been cleared of what
// the client says of it. A client in the clear, or without a certificate, has none.
func (x *exchange) tellClientCert(h message.Editor) {
	if x.route.ClientCert == NoClientCert || x.request.TLS == nil || len(x.request.TLS.PeerCertificates) == 0 {
		return
	}
	shown := x.request.TLS.PeerCertificates
	h.Set("Client-Cert", byteSequence(shown[0]))
	if x.route.ClientCert == ChainClientCert && len(shown) > 1 {
		var chain []string
		for _, c := range shown[1:] {
			chain = append(chain, byteSequence(c))
		}
		h.Set("Client-Cert-Chain", strings.Join(chain, ", "))
	}
}
