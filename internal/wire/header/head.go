package header

import (
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Field is one line of a head: its name and its value as they came, without the
// blanks around the value.
type Field struct {
	Name  string
	Value string
	ID    Name
}

// Head is the head of an HTTP/1.1 message: its start line, and its fields in the
// order they came. It is read and edited in place. Its strings are parts of the
// block that was parsed: whoever keeps one beyond the message clones it.
//
// The zero value is an empty head. A Head belongs to one goroutine.
type Head struct {
	Start  string // without the end of its line
	Fields []Field
	has    uint64 // a bit for each Name that Fields has, or has had
}

// Parse reads a start line and the fields behind it up to the empty line, in
// place of what h had; it uses the room of h.Fields. It refuses what does not have
// the form of RFC 9110, section 5, with an error that names no value, which may be
// a secret.
func (h *Head) Parse(block string) error {
	start, fields := CutLine(block)
	h.Start = start
	return h.ParseFields(fields)
}

// ParseFields is Parse for fields without a start line.
func (h *Head) ParseFields(lines string) error {
	h.Fields, h.has = h.Fields[:0], 0
	for at := 1; ; at++ {
		var line string
		line, lines = CutLine(lines)
		if line == "" {
			return nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return ErrFolded
		}
		n := nameLength(line)
		if n == 0 || n == len(line) || line[n] != ':' {
			return fmt.Errorf("malformed name of the header field in line %d", at) // the name may hold a secret
		}
		name, value := line[:n], trim(line[n+1:])
		if !validValue(value) {
			return fmt.Errorf("control character in the value of the header field %.100q", name) // the value may be a secret
		}
		h.append(Field{Name: name, Value: value, ID: Identify(name)})
	}
}

// Reset makes h an empty head. It keeps the room of its fields, not what they are
// parts of.
func (h *Head) Reset() {
	clear(h.Fields)
	h.Start, h.Fields, h.has = "", h.Fields[:0], 0
}

// Index makes h find the fields that were put into Fields by hand.
func (h *Head) Index() {
	h.has = 0
	for i := range h.Fields {
		h.has |= 1 << h.Fields[i].ID
	}
}

func (h *Head) append(f Field) {
	h.Fields = append(h.Fields, f)
	h.has |= 1 << f.ID
}

// Has reports whether there is a field n.
func (h *Head) Has(n Name) bool { return h.has&(1<<n) != 0 && h.index(n) >= 0 }

// hasAny reports whether there may be one of several fields, given as bits.
func (h *Head) hasAny(mask uint64) bool { return h.has&mask != 0 }

func (h *Head) index(n Name) int {
	for i := range h.Fields {
		if h.Fields[i].ID == n {
			return i
		}
	}
	return -1
}

// Get returns the value of the first field n, empty without one.
func (h *Head) Get(n Name) string {
	if h.has&(1<<n) == 0 {
		return ""
	}
	if i := h.index(n); i >= 0 {
		return h.Fields[i].Value
	}
	return ""
}

// Count returns how many fields n there are.
func (h *Head) Count(n Name) (count int) {
	if h.has&(1<<n) == 0 {
		return 0
	}
	for i := range h.Fields {
		if h.Fields[i].ID == n {
			count++
		}
	}
	return count
}

// Values returns the values of the fields n.
func (h *Head) Values(n Name) iter.Seq[string] {
	return func(yield func(string) bool) {
		if h.has&(1<<n) == 0 {
			return
		}
		for i := range h.Fields {
			if h.Fields[i].ID == n && !yield(h.Fields[i].Value) {
				return
			}
		}
	}
}

// ValuesOf returns the values of the fields with a name in any case.
func (h *Head) ValuesOf(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range h.Fields {
			if EqualName(h.Fields[i].Name, name) && !yield(h.Fields[i].Value) {
				return
			}
		}
	}
}

// Add adds a field behind the others.
func (h *Head) Add(name, value string) {
	h.append(Field{Name: name, Value: value, ID: Identify(name)})
}

// Set makes a field the only one of its name: in the place of the first one, else
// behind the others.
func (h *Head) Set(name, value string) {
	set := false
	kept := h.Fields[:0]
	for _, f := range h.Fields {
		switch {
		case !EqualName(f.Name, name):
			kept = append(kept, f)
		case !set:
			set = true
			f.Value = value
			kept = append(kept, f)
		}
	}
	h.cut(kept)
	if !set {
		h.Add(name, value)
	}
}

// Delete takes the fields n out.
func (h *Head) Delete(n Name) {
	if h.has&(1<<n) != 0 {
		h.DeleteFunc(func(f *Field) bool { return f.ID == n })
		h.has &^= 1 << n
	}
}

// Del takes out the fields with a name in any case.
func (h *Head) Del(name string) {
	h.DeleteFunc(func(f *Field) bool { return EqualName(f.Name, name) })
}

// DeleteFunc takes out the fields for which del returns true.
func (h *Head) DeleteFunc(del func(*Field) bool) {
	kept := h.Fields[:0]
	for i := range h.Fields {
		if !del(&h.Fields[i]) {
			kept = append(kept, h.Fields[i])
		}
	}
	h.cut(kept)
}

// cut shortens the fields to kept, which has their room.
func (h *Head) cut(kept []Field) {
	clear(h.Fields[len(kept):])
	h.Fields = kept
}

// HasToken reports whether a field n, as a list, has a token in any case.
func (h *Head) HasToken(n Name, token string) bool {
	for v := range h.Values(n) {
		if ListHas(v, token) {
			return true
		}
	}
	return false
}

// ListHas reports whether a list (RFC 9110, section 5.6.1) has a token in any case.
func ListHas(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if EqualName(trim(part), token) {
			return true
		}
	}
	return false
}

// hopByHop are the fields that are for the next hop alone (RFC 9110, section 7.6.1;
// Keep-Alive and Proxy-Connection by custom).
const hopByHop = 1<<Connection | 1<<KeepAlive | 1<<ProxyAuthenticate | 1<<ProxyAuthorization |
	1<<ProxyConnection | 1<<TE | 1<<Trailer | 1<<TransferEncoding | 1<<Upgrade

// DeleteHopByHop takes out the fields that are for the next hop alone, and those
// that Connection names. It takes time in proportion to the head's length, whatever
// the head names.
func (h *Head) DeleteHopByHop() {
	if !h.hasAny(hopByHop) {
		return
	}
	drop, others := uint64(hopByHop), nameSet{}
	for v := range h.Values(Connection) {
		for part := range strings.SplitSeq(v, ",") {
			name := trim(part)
			if id := Identify(name); id != Other {
				drop |= 1 << id
			} else if name != "" {
				others.add(name)
			}
		}
	}
	h.DeleteFunc(func(f *Field) bool {
		if f.ID == Other {
			return others.has(f.Name)
		}
		return drop&(1<<f.ID) != 0
	})
	h.has &^= drop
}

// DeleteHopByHop is [Head.DeleteHopByHop] for a map.
func DeleteHopByHop(h http.Header) {
	for _, line := range h[Connection.String()] {
		for part := range strings.SplitSeq(line, ",") {
			h.Del(trim(part))
		}
	}
	for n := Other + 1; n < numNames; n++ {
		if hopByHop&(1<<n) != 0 {
			delete(h, n.String())
		}
	}
}

// nameSet is a set of names in any case. A few take no memory of their own.
type nameSet struct {
	few  [4]string
	n    int
	many map[string]struct{} // in lower case; nil for a few
}

func (s *nameSet) add(name string) {
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return
	}
	if s.many == nil {
		s.many = map[string]struct{}{}
	}
	s.many[strings.ToLower(name)] = struct{}{}
}

func (s *nameSet) has(name string) bool {
	for _, have := range s.few[:s.n] {
		if EqualName(have, name) {
			return true
		}
	}
	if s.many == nil {
		return false
	}
	_, ok := s.many[strings.ToLower(name)]
	return ok
}

// AppendField appends one field line.
func AppendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// Header returns the fields as a map. The values of several fields of one name are
// in the order of the fields.
func (h *Head) Header() http.Header {
	m, values := make(http.Header, len(h.Fields)), make([]string, len(h.Fields))
	for i := range h.Fields {
		f := &h.Fields[i]
		key := f.ID.String()
		if f.ID == Other {
			key = textproto.CanonicalMIMEHeaderKey(f.Name)
		}
		if have, ok := m[key]; ok {
			m[key] = append(have, f.Value)
			continue
		}
		values[0] = f.Value
		m[key], values = values[:1:1], values[1:]
	}
	return m
}

// nameLength returns how many bytes at the beginning of line may be in a name.
func nameLength(line string) int {
	for i := range len(line) {
		if class[line[i]]&token == 0 {
			return i
		}
	}
	return len(line)
}

func validValue(v string) bool {
	for i := range len(v) {
		if class[v[i]]&text == 0 {
			return false
		}
	}
	return true
}

// trim takes the blanks off both ends (OWS of RFC 9110, section 5.6.3).
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// What a byte may be part of.
const (
	token = 1 << iota // a name (RFC 9110, section 5.6.2)
	text              // a value (RFC 9110, section 5.5)
)

var class = func() (table [256]uint8) {
	for c := range table {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0:
			table[c] = token | text
		case c == '\t', c >= ' ' && c != 0x7f:
			table[c] = text
		}
	}
	return table
}()

// Of returns a head with the fields of a map, by name.
func Of(fields http.Header) *Head {
	h := new(Head)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, v := range fields[name] {
			h.Add(name, v)
		}
	}
	return h
}
