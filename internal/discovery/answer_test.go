package discovery

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// packAnswer returns a response with id 7 and one A record for each TTL.
func packAnswer(t testing.TB, ttls ...uint32) []byte {
	t.Helper()
	name := dnsmessage.MustNewName("app.test.")
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	for _, ttl := range ttls {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: ttl},
			Body:   ipv4("10.0.0.1"),
		})
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswerTTL(t *testing.T) {
	t.Parallel()
	f := func(name string, msg []byte, id uint16, want time.Duration, wantOK bool) {
		t.Helper()
		if got, ok := answerTTL(msg, id); got != want || ok != wantOK {
			t.Errorf("%s: got %v, %v; want %v, %v", name, got, ok, want, wantOK)
		}
	}
	f("smallest", packAnswer(t, 60, 20, 40), 7, 20*time.Second, true)
	f("none", packAnswer(t), 7, 0, false)
	f("first bit set", packAnswer(t, 60, 1<<31), 7, 0, true)
	f("answer to another query", packAnswer(t, 60), 8, 0, false)
	f("cut", packAnswer(t, 60, 20)[:57], 7, 0, false)
	query := packAnswer(t, 60)
	query[2] &^= 0x80
	f("no response", query, 7, 0, false)
}

func FuzzAnswer(f *testing.F) {
	f.Add(packAnswer(f, 60, 20), 3)
	f.Add(packAnswer(f), 1)
	f.Add([]byte{0, 7, 0x80}, 2)
	f.Fuzz(func(t *testing.T, msg []byte, size int) {
		ttl, ok := answerTTL(msg, 7)
		if ttl < 0 || !ok && ttl != 0 {
			t.Fatalf("got ttl %v, %v", ttl, ok)
		}
		if len(msg) > 65535 {
			return
		}
		// In pieces over TCP it must be the same.
		c := &streamConn{exchange: exchange{questions: newQuestions(&session{}), id: 7}}
		stream := append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
		for piece := range slices.Chunk(stream, max(1, min(size, len(stream)))) {
			c.collect(piece)
		}
		if c.session.heard != ok || c.session.ttl != ttl {
			t.Errorf("TCP: got %v, %v; UDP: %v, %v", c.session.ttl, c.session.heard, ttl, ok)
		}
	})
}

func BenchmarkAnswerTTL(b *testing.B) {
	b.ReportAllocs()
	msg := packAnswer(b, 60, 20, 40)
	for b.Loop() {
		answerTTL(msg, 7)
	}
}
