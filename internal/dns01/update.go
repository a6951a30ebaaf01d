package dns01

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	opUpdate  = 5                     // RFC 2136 section 2.2
	classNONE = dnsmessage.Class(254) // deletes one record (RFC 2136 section 2.5.4)
)

// Update configures dynamic updates (RFC 2136).
type Update struct {
	Server    string // host:port of the zone's primary server
	Zone      string // empty = as the server's SOA records say
	KeyName   string // empty = updates are not signed
	Algorithm string // hmac-sha224, hmac-sha256, hmac-sha384 or hmac-sha512
	Secret    []byte
	TTL       time.Duration // of the records
}

// updater changes a zone by dynamic updates.
type updater struct {
	Update
	key *key // nil = none
}

func newUpdater(u Update) (*updater, error) {
	if u.KeyName == "" {
		return &updater{u, nil}, nil
	}
	k, err := newKey(u.KeyName, u.Algorithm, u.Secret)
	return &updater{u, k}, err
}

func (u *updater) serial() bool { return false }

func (u *updater) present(ctx context.Context, r record) error {
	return u.change(ctx, r, dnsmessage.ClassINET, uint32(u.TTL/time.Second))
}

// remove removes only the record with the value: other orders may have theirs beside it.
func (u *updater) remove(ctx context.Context, r record) error {
	return u.change(ctx, r, classNONE, 0)
}

func (u *updater) change(ctx context.Context, r record, class dnsmessage.Class, ttl uint32) error {
	zone, err := u.zone(ctx, r.name)
	if err != nil {
		return err
	}
	if !within(r.name, zone) {
		return &Error{fmt.Sprintf("%s is not in the zone %s", r.name, zone), "set acme.dns.rfc2136.zone to the zone of the record, or leave it out", nil}
	}
	update, err := updateMessage(zone, r, class, ttl)
	if err != nil {
		return err
	}
	return u.send(ctx, update, zone)
}

// updateMessage returns an update of one record. The sections of an update take the place
// of those of a query: zone, prerequisites, update, additional.
func updateMessage(zone string, r record, class dnsmessage.Class, ttl uint32) ([]byte, error) {
	in, err := dnsmessage.NewName(zone)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", zone, err)
	}
	name, err := dnsmessage.NewName(r.name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", r.name, err)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: newID(), OpCode: opUpdate},
		Questions: []dnsmessage.Question{{Name: in, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET}},
		Authorities: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeTXT, Class: class, TTL: ttl},
			Body:   &dnsmessage.TXTResource{TXT: []string{r.value}},
		}},
	}
	return m.Pack()
}

// send sends an update over TCP, or over UDP if the server accepts no TCP.
func (u *updater) send(ctx context.Context, update []byte, zone string) error {
	var mac []byte
	if u.key != nil {
		update, mac = u.key.sign(update, time.Now())
	}
	answer, err := exchange(ctx, "tcp", u.Server, update)
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" && ctx.Err() == nil {
		answer, err = exchange(ctx, "udp", u.Server, update)
	}
	if err != nil {
		return &Error{"the name server of acme.dns.rfc2136 cannot be reached", "check server in acme.dns.rfc2136, and that this machine may connect there", err}
	}
	code := dnsmessage.RCode(answer[3] & 0xf)
	if u.key != nil {
		err = u.key.verify(answer, mac, time.Now())
	}
	return u.verdict(code, err, zone)
}

// verdict explains the answer to an update. signature is the error of its signature.
func (u *updater) verdict(code dnsmessage.RCode, signature error, zone string) error {
	if code == dnsmessage.RCodeSuccess && signature == nil {
		return nil
	}
	err := fmt.Errorf("name server %s: %s", u.Server, rcode(code))
	if signature != nil {
		err = fmt.Errorf("name server %s: %s, %w", u.Server, rcode(code), signature)
	}
	refused, _ := errors.AsType[tsigError](signature)
	switch {
	case refused == badTime:
		return &Error{"the clocks of this machine and of the name server differ by more than 5 minutes", "set the clocks", err}
	case refused == badKey:
		return &Error{fmt.Sprintf("the name server does not know the key %q with %s", u.KeyName, u.Algorithm), "correct key_name and algorithm in acme.dns.rfc2136", err}
	case refused == badSig:
		return &Error{fmt.Sprintf("the name server has another secret for the key %q", u.KeyName), "correct key_secret in acme.dns.rfc2136", err}
	case code == dnsmessage.RCodeSuccess:
		return &Error{"the answer of the name server is not signed with the key", "check who answers at server in acme.dns.rfc2136", err}
	case code == dnsmessage.RCodeRefused, code == 9:
		return &Error{fmt.Sprintf("the name server refuses to update the zone %s", zone), "allow it there (BIND: allow-update or update-policy), and check server, zone and key in acme.dns.rfc2136", err}
	}
	return &Error{fmt.Sprintf("the name server did not update the zone %s", zone), "look at its log", err}
}

// zone returns the zone to update.
func (u *updater) zone(ctx context.Context, name string) (string, error) {
	if u.Zone != "" {
		return u.Zone + ".", nil
	}
	zone, err := zoneBy(name, func(at string) (*dnsmessage.Message, error) {
		m, err := ask(ctx, u.Server, at, dnsmessage.TypeSOA)
		if err == nil && m.RCode != dnsmessage.RCodeSuccess && m.RCode != dnsmessage.RCodeNameError {
			err = fmt.Errorf("name server %s: %s", u.Server, rcode(m.RCode))
		}
		return m, err
	})
	if err != nil {
		return "", &Error{"the zone of " + name + " was not found at the name server", "check server in acme.dns.rfc2136, or set zone there", err}
	}
	return zone, nil
}
