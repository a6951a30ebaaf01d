package stale

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
)

// question is the part of a request that decides about the answer.
type question struct {
	key        Key
	header     http.Header
	fields     []field // of header, by name
	identified bool    // the request identifies the client

	known []known // digests computed so far
}

// field is the name of a field with its role, whose computation takes a while.
type field struct {
	name string
	role role
}

// known is the digest for answers with equal Vary.
type known struct {
	vary   []string
	digest digest
}

// digest identifies everything that decides between the answers to one key. Its size does
// not depend on the client, and nobody can construct two equal digests.
type digest [sha256.Size]byte

func ask(k Key, request http.Header) question {
	q := question{key: k, header: request, identified: k.Certificate, fields: make([]field, 0, len(request))}
	for name := range request {
		f := field{name, roleOf(name)}
		q.identified = q.identified || f.role == credential
		q.fields = append(q.fields, f)
	}
	slices.SortFunc(q.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return q
}

// digest returns the digest of the question, including the fields in an answer's Vary
// (RFC 9111 section 4.1). Answers with equal Vary share it.
func (q *question) digest(vary []string) digest {
	for i := range q.known {
		if slices.Equal(q.known[i].vary, vary) {
			return q.known[i].digest
		}
	}
	d := q.sum(vary)
	q.known = append(q.known, known{vary, d})
	return d
}

func (q *question) sum(vary []string) digest {
	var room [512]byte
	b := appendText(room[:0], q.key.Route)
	for _, f := range q.fields {
		switch {
		case slices.Contains(vary, f.name):
			b = appendField(b, f.name, q.header[f.name])
		case f.role != negotiated:
			b = appendDeciding(b, f, q.header[f.name])
		}
	}
	return sha256.Sum256(b)
}

// appendDeciding appends the part of a field that may influence answers without being
// named in Vary.
func appendDeciding(b []byte, f field, values []string) []byte {
	switch {
	case f.role == credential && f.name == "Cookie": // every client has its own; the answer must state that it is for all
		return b
	case f.role == address && onlyAddresses(values):
		return b
	case f.name == "Forwarded":
		return appendForwarded(b, values)
	}
	return appendField(b, f.name, values)
}

func appendField(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = appendText(b, name)
	b = binary.AppendUvarint(b, uint64(len(values)))
	for _, v := range values {
		b = appendText(b, v)
	}
	return b
}

// appendForwarded appends the parameters in values of Forwarded (RFC 7239), except
// addresses of a client or a proxy.
func appendForwarded(b []byte, values []string) []byte {
	b = appendText(b, "Forwarded")
	for _, list := range values {
		for list != "" {
			pair := list
			if i := strings.IndexAny(list, ",;"); i >= 0 {
				pair, list = list[:i], list[i+1:]
			} else {
				list = ""
			}
			name, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if (strings.EqualFold(name, "for") || strings.EqualFold(name, "by")) && isAddress(v) {
				continue
			}
			b = appendText(appendText(append(b, 1), name), v)
		}
	}
	return append(b, 0)
}

// appendText appends a text with its length, so that it cannot merge with the next one.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
