package proxy

import (
	"bytes"
	"maps"
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// fieldTable finds header fields by name, whatever their spelling.
//
// Applications that get a header as variables (CGI, FastCGI, WSGI, PHP) cannot
// tell X-User, x_user and X.User apart: all of them are HTTP_X_USER. So a rule
// about a field is a rule about every name that folds to the same: letters of
// either case are equal, and so is everything that is neither letter nor digit.
//
// The zero value is empty. A table is filled before it is used, and then safe
// for concurrent use.
type fieldTable struct {
	rules map[string]fieldRule // by folded name
	// lengths has, for the first byte of a folded name, one bit for each length
	// that is in the table. It spares most fields of a request the rest.
	lengths [128]uint64
	prefix  string // folded; names that begin with it and have no rule may not pass; "" = none
}

// fieldRule says which spellings of a field may pass.
type fieldRule struct {
	spelled []string // these only
	trusted bool     // and from a trusted proxy only
}

// foldByte returns c as it is in a folded name.
func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}

// fold appends the folded name to b.
func fold(b []byte, name string) []byte {
	for i := range len(name) {
		b = append(b, foldByte(name[i]))
	}
	return b
}

// lengthBit is the bit of a name's length in fieldTable.lengths.
func lengthBit(n int) uint64 { return 1 << min(n, 63) }

// rule returns what is said of a field, in any of its spellings.
func (t *fieldTable) rule(name string) (rule fieldRule, ok bool) {
	if name == "" || t.lengths[foldByte(name[0])]&lengthBit(len(name)) == 0 {
		return fieldRule{}, false
	}
	var room [64]byte // no allocation for names of the usual length
	folded := fold(room[:0], name)
	if rule, ok = t.rules[string(folded)]; ok {
		return rule, true
	}
	return fieldRule{}, t.prefix != "" && bytes.HasPrefix(folded, []byte(t.prefix))
}

// passes reports whether a field of a request may pass, whatever the case of its
// letters.
func (t *fieldTable) passes(name string, trusted bool) bool {
	rule, ok := t.rule(name)
	return !ok || (trusted || !rule.trusted) && slices.ContainsFunc(rule.spelled, func(s string) bool { return header.EqualName(s, name) })
}

// restrict lets a field pass as it is spelled here and in earlier calls, and in
// no other spelling. A rule that refuses it stays.
func (t *fieldTable) restrict(name string) {
	rule, ok := t.rule(name)
	if ok && (rule.trusted || len(rule.spelled) == 0) {
		return
	}
	rule.spelled = append(slices.Clip(rule.spelled), http.CanonicalHeaderKey(name))
	t.set(name, rule)
}

// refuse lets no spelling of a field pass.
func (t *fieldTable) refuse(name string) { t.set(name, fieldRule{}) }

// believe lets a field pass in its canonical spelling, from trusted proxies.
func (t *fieldTable) believe(name string) {
	t.set(name, fieldRule{spelled: []string{http.CanonicalHeaderKey(name)}, trusted: true})
}

// refusePrefix lets no field pass whose name begins with prefix and has no rule.
func (t *fieldTable) refusePrefix(prefix string) {
	t.prefix = string(fold(nil, prefix))
	t.lengths[t.prefix[0]] |= ^(lengthBit(len(prefix)) - 1)
}

func (t *fieldTable) set(name string, rule fieldRule) {
	if name == "" {
		return
	}
	if t.rules == nil {
		t.rules = map[string]fieldRule{}
	}
	folded := string(fold(nil, name))
	t.rules[folded] = rule
	t.lengths[folded[0]] |= lengthBit(len(folded))
}

// drop deletes the fields that may not pass whoever sent them.
func (t *fieldTable) drop(fields message.Editor) {
	if len(t.rules) == 0 {
		return
	}
	switch h := fields.(type) {
	case *header.Head:
		h.DeleteFunc(func(f *header.Field) bool { return !t.passes(f.Name, true) })
	case http.Header:
		maps.DeleteFunc(h, func(name string, _ []string) bool { return !t.passes(name, true) })
	}
}
