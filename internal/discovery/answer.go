package discovery

import (
	"encoding/binary"
	"net"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// packetConn is a UDP connection to a name server. It embeds the concrete type because
// the net package uses the interface net.PacketConn to distinguish UDP from TCP.
type packetConn struct {
	*net.UDPConn
	exchange
	limit time.Time
}

// Write records the query, so that Read accepts only its answer.
func (c *packetConn) Write(b []byte) (int, error) {
	c.ask(b)
	return c.UDPConn.Write(b)
}

func (c *packetConn) Read(b []byte) (int, error) {
	n, err := c.UDPConn.Read(b)
	c.hear(b[:n])
	return n, err
}

func (c *packetConn) SetDeadline(t time.Time) error {
	return c.UDPConn.SetDeadline(earlier(t, c.limit))
}

// streamConn is a TCP connection to a name server, for one query. A message follows its
// length of two bytes (RFC 1035, section 4.2.2) and arrives in pieces.
type streamConn struct {
	net.Conn
	exchange
	limit   time.Time
	message []byte // the length and the received part of the answer
	done    bool
}

func (c *streamConn) Write(b []byte) (int, error) {
	if len(b) > 2 {
		c.ask(b[2:])
	}
	return c.Conn.Write(b)
}

func (c *streamConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.collect(b[:n])
	return n, err
}

func (c *streamConn) SetDeadline(t time.Time) error {
	return c.Conn.SetDeadline(earlier(t, c.limit))
}

// collect adds the next piece of the stream, and reads the answer when it is complete.
// It ignores bytes after the answer.
func (c *streamConn) collect(piece []byte) {
	if c.done {
		return
	}
	c.message = append(c.message, piece...)
	if len(c.message) < 2 {
		return
	}
	end := 2 + int(binary.BigEndian.Uint16(c.message))
	if len(c.message) < end {
		return
	}
	c.hear(c.message[2:end])
	c.done, c.message = true, nil
}

// earlier returns the earlier of two deadlines; a zero t means none.
func earlier(t, limit time.Time) time.Time {
	if t.IsZero() || limit.Before(t) {
		return limit
	}
	return t
}

// answerTTL returns the smallest TTL of the answer records in msg, the response to
// query id. It returns false if there are none, or if msg is something else. A TTL with
// its first bit set counts as 0 (RFC 2181, section 8).
func answerTTL(msg []byte, id uint16) (ttl time.Duration, ok bool) {
	var p dnsmessage.Parser
	header, err := p.Start(msg)
	if err != nil || !header.Response || header.ID != id || p.SkipAllQuestions() != nil {
		return 0, false
	}
	types := []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME, dnsmessage.TypeSRV}
	for {
		h, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return ttl, ok
		}
		if err != nil || p.SkipAnswer() != nil {
			return 0, false
		}
		if !slices.Contains(types, h.Type) {
			continue
		}
		var d time.Duration
		if h.TTL < 1<<31 {
			d = time.Duration(h.TTL) * time.Second
		}
		if !ok || d < ttl {
			ttl, ok = d, true
		}
	}
}
