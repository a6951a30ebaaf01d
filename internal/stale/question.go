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
	identified bool // it shows who asks

	made bool // the digest below has been, for answers that vary by the same
	vary []string
	last digest
}

// digest stands for everything that decides between the answers to one key. It
// takes the same memory however much a client sends, and nobody can make two
// that are the same.
type digest [sha256.Size]byte

func ask(k Key, request http.Header) question {
	q := question{key: k, header: request, identified: k.Certificate}
	for name := range request {
		if roleOf(name) == credential {
			q.identified = true
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
	var names [32]string
	decide := names[:0]
	for name := range q.header {
		if roleOf(name) != negotiated || slices.Contains(vary, name) {
			decide = append(decide, name)
		}
	}
	slices.Sort(decide)
	var room [512]byte
	b := appendText(room[:0], q.key.Route)
	for _, name := range decide {
		values := q.header[name]
		if slices.Contains(vary, name) {
			b = appendField(b, name, values)
		} else {
			b = appendDeciding(b, name, values)
		}
	}
	return sha256.Sum256(b)
}

// appendDeciding appends a field as far as answers may depend on it that do not
// say so.
func appendDeciding(b []byte, name string, values []string) []byte {
	switch role := roleOf(name); {
	case role == credential && name == "Cookie": // no two clients have the same; the answer has to say that it is for all
		return b
	case role == address && onlyAddresses(values):
		return b
	case name == "Forwarded":
		return appendForwarded(b, values)
	}
	return appendField(b, name, values)
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

// appendForwarded appends the parameters in values of Forwarded (RFC 7239), but
// for those that are only a client's or a proxy's address.
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

// appendText appends a text such that the next one cannot be taken for a part
// of it.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
