package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	xacme "golang.org/x/crypto/acme"
)

// problems are the kinds of problems (RFC 8555 section 6.7) in plain words, with the
// operator's next step. HOST stands for the host.
var problems = map[string][2]string{
	"caa": {"a CAA record forbids this authority to issue for HOST",
		"add the authority to the CAA record of HOST, or use an authority in the record"},
	"connection": {"the authority could not connect to HOST",
		"make port 443 (tls-alpn) or port 80 (http) of HOST lead to a listener of this goodgate, also through firewalls"},
	"dns": {"the authority could not resolve HOST",
		"give HOST an A or AAAA record that leads here"},
	"externalAccountRequired": {"the authority requires an account that it knows",
		"get an account there, and set acme.eab"},
	"incorrectResponse": {"another server than this goodgate answered for HOST",
		"make HOST lead here, also by its AAAA record; a proxy in front must pass TLS on (tls-alpn) or " + Path + " (http)"},
	"invalidContact":     {"the authority does not accept the email address", "correct acme.email"},
	"rateLimited":        {"the authority accepts no more orders for now", "nothing: goodgate tries again at the time that the authority gives; its limits are on its site"},
	"rejectedIdentifier": {"the authority does not issue for HOST", "remove HOST from acme.hosts, or use another authority"},
	"unsupportedContact": {"the authority does not accept the email address", "correct acme.email"},
	"userActionRequired": {"the authority requires agreement to its new terms", "follow the address in the error"},
}

// alike maps problems to others with the same words.
var alike = map[string]string{"unauthorized": "incorrectResponse", "tls": "incorrectResponse"}

// explain says in plain words why an order failed, and what to do.
func explain(err error, host string) (why, do string) {
	if e, ok := errors.AsType[interface {
		error
		Explain() (why, do string)
	}](err); ok {
		return e.Explain()
	}
	for _, e := range parts(err) {
		if a, ok := errors.AsType[*attempt](e); ok && a.kind == DNS01 && (kindOf(e) == "dns" || kindOf(e) == "incorrectResponse") {
			name := "_acme-challenge." + strings.TrimPrefix(host, "*.")
			return "the authority did not find the right TXT record at " + name,
				"look up " + name + " from elsewhere during an order: the zone that the world sees must be the one that goodgate changes; raise acme.dns.propagation if secondary servers are slow"
		}
		if p, ok := problems[kindOf(e)]; ok {
			return strings.ReplaceAll(p[0], "HOST", host), strings.ReplaceAll(p[1], "HOST", host)
		}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate of the ACME server is not trusted", "set acme.ca to its authority, if acme.directory is right"
	}
	if errors.Is(err, errDue) {
		return errDue.Error(), "set the clock of this machine, if it is wrong; else ask the authority"
	}
	if errors.Is(err, errSlow) {
		return errSlow.Error(), "nothing, unless it lasts: then check the authority's status page, and acme.dns if it is configured"
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return "the ACME server cannot be reached", "check acme.directory, and that this machine can connect there"
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return "the cache cannot be written", "give goodgate write permission on the folder acme.cache"
	}
	if errors.Is(err, errNotOffered) {
		return "the authority offers no challenge that acme.challenge allows", "set acme.challenge to any"
	}
	if e, ok := errors.AsType[*xacme.Error](err); ok && e.StatusCode >= 500 {
		return "the ACME server has an internal problem", "nothing, unless it lasts"
	}
	return fmt.Sprintf("the authority issued no certificate for %s", host), "see the error"
}

// told returns an error's text without addresses, because the directory's address may
// identify an account.
func told(err error) string {
	var texts []string
	for _, e := range parts(err) {
		if u, ok := errors.AsType[*url.Error](e); ok {
			e = u.Err
		}
		texts = append(texts, e.Error())
	}
	return strings.Join(texts, "; ")
}

// parts returns the errors in an errors.Join.
func parts(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// kindOf returns the last part of a problem's type, for example dns.
func kindOf(err error) string {
	e, ok := errors.AsType[*xacme.Error](err)
	if !ok {
		if a, is := errors.AsType[*xacme.AuthorizationError](err); is && len(a.Errors) > 0 {
			e, ok = errors.AsType[*xacme.Error](a.Errors[0])
		} else if o, is := errors.AsType[*xacme.OrderError](err); is {
			e, ok = o.Problem, o.Problem != nil
		}
	}
	if !ok {
		return ""
	}
	kind := e.ProblemType[strings.LastIndexByte(e.ProblemType, ':')+1:]
	if as := alike[kind]; as != "" {
		return as
	}
	return kind
}
