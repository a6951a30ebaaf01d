package dns01

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	udpBound = 2 * time.Second // for one answer over UDP
	tcpBound = 5 * time.Second
	udpTries = 2
	udpMax   = 4096 // bytes of an answer over UDP
)

// rcodes are the names of response codes (RFC 1035, RFC 2136).
var rcodes = map[dnsmessage.RCode]string{
	1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE",
}

func rcode(c dnsmessage.RCode) string {
	if name := rcodes[c]; name != "" {
		return name
	}
	return fmt.Sprintf("code %d", c)
}

func newID() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:])
}

// ask sends a question to a server, over TCP if the answer is too long for UDP.
func ask(ctx context.Context, server, name string, kind dnsmessage.Type) (*dnsmessage.Message, error) {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: newID(), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}},
	}
	query, err := q.Pack()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	for range udpTries {
		var m *dnsmessage.Message
		if m, err = answered(ctx, "udp", server, query, q.Questions[0]); err == nil && m.Truncated {
			return answered(ctx, "tcp", server, query, q.Questions[0])
		}
		if err == nil || ctx.Err() != nil {
			return m, err
		}
	}
	return nil, err
}

// answered sends a question once.
func answered(ctx context.Context, network, server string, query []byte, q dnsmessage.Question) (*dnsmessage.Message, error) {
	answer, err := exchange(ctx, network, server, query)
	if err != nil {
		return nil, err
	}
	var m dnsmessage.Message
	if err := m.Unpack(answer); err != nil {
		return nil, fmt.Errorf("name server %s: the answer is malformed: %w", server, err)
	}
	if len(m.Questions) != 1 || !sameName(m.Questions[0].Name.String(), q.Name.String()) || m.Questions[0].Type != q.Type {
		return nil, fmt.Errorf("name server %s: the answer is for another question", server)
	}
	return &m, nil
}

// exchange sends one message and returns the answer with the same ID.
func exchange(ctx context.Context, network, server string, query []byte) ([]byte, error) {
	bound := udpBound
	if network == "tcp" {
		bound = tcpBound
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
	if err != nil {
		return nil, fmt.Errorf("name server %s: %w", server, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	var answer []byte
	if network == "tcp" {
		answer, err = overTCP(conn, query)
	} else {
		answer, err = overUDP(conn, query)
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer over %s within %v", network, bound)
	}
	if err != nil {
		return nil, fmt.Errorf("name server %s: %w", server, err)
	}
	return answer, nil
}

func overUDP(conn net.Conn, query []byte) ([]byte, error) {
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	answer := make([]byte, udpMax)
	for {
		n, err := conn.Read(answer)
		if err != nil {
			return nil, err
		}
		if isAnswer(answer[:n], query) {
			return answer[:n], nil
		}
	}
}

func overTCP(conn net.Conn, query []byte) ([]byte, error) {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query)))
	if _, err := conn.Write(append(framed, query...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, err
	}
	if !isAnswer(answer, query) {
		return nil, errors.New("the answer is for another query")
	}
	return answer, nil
}

// isAnswer reports whether a message is a response with the ID of a query.
func isAnswer(m, query []byte) bool {
	return len(m) >= headerLen && m[0] == query[0] && m[1] == query[1] && m[2]&0x80 != 0
}

func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// within reports whether a name is a zone's, both with or without a dot at the end.
func within(name, zone string) bool {
	name, zone = strings.ToLower(strings.TrimSuffix(name, ".")), strings.ToLower(strings.TrimSuffix(zone, "."))
	return zone == "" || name == zone || strings.HasSuffix(name, "."+zone)
}
