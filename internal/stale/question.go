package stale

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
)

// question is a request, as far as it decides what the answer is.
type question struct {
	key        Key
	header     http.Header
	fields     []field // that decide, by name
	identified bool    // it shows who asks

	made bool // the digest below has been, for answers that vary by the same
	vary []string
	last digest
}

type field struct {
	name   string
	values []string
}

// digest stands for everything that decides between the answers to one key. It
// takes the same memory however much a client sends, and nobody can make two
// that are the same.
type digest [sha256.Size]byte

func ask(k Key, request http.Header) *question {
	q := &question{key: k, header: request, identified: k.Certificate}
	for name, values := range request {
		if roleOf(name) == credential {
			q.identified = true
		}
		if v := deciding(name, values); len(v) > 0 {
			q.fields = append(q.fields, field{name, v})
		}
	}
	return q
}

// digest returns what stands for the question, with the fields that an answer
// says it depends on (RFC 9111 section 4.1). The answers to one key mostly say the
// same.
func (q *question) digest(vary []string) digest {
	if !q.made || !slices.Equal(q.vary, vary) {
		q.made, q.vary, q.last = true, vary, q.sum(vary)
	}
	return q.last
}

func (q *question) sum(vary []string) digest {
	fields := slices.Clone(q.fields)
	for _, name := range vary {
		if v := q.header[name]; len(v) > 0 {
			fields = append(fields, field{name, v})
		}
	}
	slices.SortStableFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	var room [512]byte
	b := appendText(room[:0], q.key.Route)
	for _, f := range fields {
		b = appendText(b, f.name)
		b = binary.AppendUvarint(b, uint64(len(f.values)))
		for _, v := range f.values {
			b = appendText(b, v)
		}
	}
	return sha256.Sum256(b)
}

// appendText appends a text such that the next one cannot be taken for a part
// of it.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
