package proxy

import (
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// ClientCert sets which fields about the client's certificate go to upstreams (RFC 9440).
type ClientCert int

const (
	NoClientCert    ClientCert = iota
	LeafClientCert             // Client-Cert with the client's own certificate
	ChainClientCert            // Client-Cert-Chain too, with the other certificates that the client sent
)

// fields refuses clients' own Client-Cert and Client-Cert-Chain on a route that sets
// them.
func (c ClientCert) fields(t *fieldTable) {
	if c != NoClientCert {
		t.refuse("Client-Cert")
		t.refuse("Client-Cert-Chain")
	}
}

// tellClientCert adds the client's certificate to a header, without the client's own
// versions of these fields. It adds nothing for a client without TLS or a certificate.
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
