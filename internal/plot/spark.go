package plot

import "strings"

// Spark draws values as bars up to top, one cell each, for a terminal; a dot is
// none.
func Spark(values []int, top int) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		if v <= 0 || top <= 0 {
			b.WriteByte('.')
			continue
		}
		b.WriteRune(bars[(min(v, top)*len(bars)-1)/top])
	}
	return b.String()
}
