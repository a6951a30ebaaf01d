package discovery

import (
	"maps"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// Lifecycle is the state of a target according to its source.
type Lifecycle uint8

const (
	Serving     Lifecycle = iota // accepts requests
	NotReady                     // exists, but does not accept requests yet or at present
	Terminating                  // is about to end: accepts no new requests; those in flight continue
)

// lifecycleWords has the words in files and answers. It is never changed.
var lifecycleWords = map[string]Lifecycle{"serving": Serving, "not_ready": NotReady, "terminating": Terminating}

// String returns the word in files and answers.
func (l Lifecycle) String() string {
	for word, is := range lifecycleWords {
		if is == l {
			return word
		}
	}
	return ""
}

// Limits on a source's information about one target.
const (
	maxZone     = 63  // bytes
	maxMetaKeys = 16  // the first ones by name are kept
	maxMetaKey  = 63  // bytes; longer ones are left out
	maxMetaText = 128 // bytes; longer ones are cut
)

// IsZone reports whether s is a valid name of a zone: 1 to 63 letters, digits, ".",
// "_", "-", ":" and "/".
func IsZone(s string) bool {
	return s != "" && len(s) <= maxZone && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-:/", r)
	})
}

// Metadata is a source's additional information about a target, as sorted lines of
// key=value. It is comparable, so that targets are.
type Metadata string

// NewMetadata returns the part of m within the limits: 16 keys of at most 63 bytes,
// with 128 bytes of text each. It escapes characters that are not printable.
func NewMetadata(m map[string]string) Metadata {
	var b strings.Builder
	n := 0
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if n == maxMetaKeys {
			break
		}
		if key == "" || len(key) > maxMetaKey || strings.ContainsAny(key, "=\n") || printable.Text(key) != key {
			continue
		}
		n++
		b.WriteString(key + "=" + cut(printable.Text(m[key]), maxMetaText) + "\n")
	}
	return Metadata(b.String())
}

// cut returns at most the first n bytes of s, without cutting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// Map returns the keys and their texts, nil if there are none.
func (m Metadata) Map() map[string]string {
	if m == "" {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(string(m)) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		all[key] = text
	}
	return all
}
