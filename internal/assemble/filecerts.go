package assemble

import (
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/staple"
)

// soon is the remaining validity that causes a warning. For a certificate of short
// validity it is soonShare of that.
const (
	soon      = 14 * 24 * time.Hour
	soonShare = 5
)

// keyPair checks a certificate and its key, in the keys cert and key below path.
func (f *files) keyPair(path string, c certs.File, shown string) {
	cert, okCert := f.read(path+".cert", c.Cert)
	_, okKey := f.read(path+".key", c.Key)
	if !okCert || !okKey {
		return
	}
	store, err := certs.Load([]certs.File{c}, nil)
	if err != nil {
		at := path + ".key"
		if len(certs.ParseCertificates(cert)) == 0 {
			at = path + ".cert"
		}
		f.error(at, trimmed(err, "certificate "))
		return
	}
	f.validity(path+".cert", c.Cert, store.First().Leaf, shown+" refuse it")
}

// mustStaple warns of a certificate that demands OCSP responses and gets none.
func (f *files) mustStaple(path string, c config.Certificate, stapling bool) {
	data, err := os.ReadFile(c.Cert)
	list := certs.ParseCertificates(data)
	if err != nil || len(list) == 0 || c.OCSP != "" || !staple.MustStaple(list[0]) {
		return
	}
	const demands = "%s demands an OCSP response in the handshake (must-staple), and clients refuse it without one: "
	switch {
	case !stapling:
		f.warnf(path, demands+"set ocsp_stapling", c.Cert)
	case len(list[0].OCSPServer) == 0:
		f.warnf(path, demands+"it names no responder, so set ocsp to a file that another program renews", c.Cert)
	case len(list) == 1:
		f.warnf(path, demands+"add the certificate of its issuer to the file, because goodgate needs it to request a response", c.Cert)
	}
}

// validity warns of a certificate that is not valid now, or will soon expire.
func (f *files) validity(path, file string, c *x509.Certificate, so string) {
	left := c.NotAfter.Sub(f.now)
	switch {
	case left <= 0:
		f.warnf(path, "%s expired on %s, %s ago: %s", file, day(c.NotAfter), about(-left), so)
	case f.now.Before(c.NotBefore):
		f.warnf(path, "%s is not valid before %s: until then %s; is this machine's clock right?", file, day(c.NotBefore), so)
	case left < min(soon, c.NotAfter.Sub(c.NotBefore)/soonShare):
		f.warnf(path, "%s expires on %s, in %s: renew it", file, day(c.NotAfter), about(left))
	}
}

// authorities checks a PEM file with certificates of authorities. It returns the content
// of the file; nil if it is unusable.
func (f *files) authorities(path, name string) []byte {
	data, ok := f.read(path, name)
	if !ok || name == "" {
		return nil
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		f.error(path, fmt.Errorf("%s holds no PEM certificate", name))
		return nil
	}
	list := certs.ParseCertificates(data)
	if len(list) == 0 {
		return nil
	}
	last := slices.MaxFunc(list, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	f.validity(path, name, last, "goodgate refuses the certificates that it signed") // of several, others may have been replaced
	return data
}

// revocations checks the authorities' revocation lists, which are in PEM.
func (f *files) revocations(path string, names []string, authorities []byte) {
	if len(names) == 0 || authorities == nil {
		return
	}
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		if _, ok := f.read(at, name); !ok {
			return
		}
		if _, err := certs.LoadRevocations([]string{name}, authorities); err != nil {
			f.error(at, err)
			return
		}
	}
	r, err := certs.LoadRevocations(names, authorities)
	if err != nil { // too large together
		f.error(path, err)
		return
	}
	for _, doubt := range r.Doubts(f.now) {
		f.warnf(path, "%s", doubt)
	}
}

// ocsp checks an OCSP response. goodgate sends it whatever it says, so that only a
// missing file is an error.
func (f *files) ocsp(path string, c config.Certificate) {
	data, ok := f.read(path, c.OCSP)
	if !ok || c.OCSP == "" {
		return
	}
	r, err := ocsp.ParseResponse(data, nil)
	switch {
	case err != nil:
		f.warnf(path, "%s is not a valid OCSP response (%v): clients that check it refuse the certificate", c.OCSP, err)
	case r.Status == ocsp.Revoked:
		f.warnf(path, "%s says that the certificate was revoked on %s", c.OCSP, day(r.RevokedAt))
	case !r.NextUpdate.IsZero() && f.now.After(r.NextUpdate):
		f.warnf(path, "%s is out of date since %s: clients that check it refuse the certificate", c.OCSP, day(r.NextUpdate))
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// about formats a duration in a suitable unit.
func about(d time.Duration) string {
	switch n := int(d.Hours()); {
	case n >= 48:
		return fmt.Sprintf("%d days", n/24)
	case n > 1:
		return fmt.Sprintf("%d hours", n)
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes()))
}
