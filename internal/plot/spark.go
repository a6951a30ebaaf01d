package plot

import "strings"

// Spark draws values as bars for a terminal, one cell each, with top as the full
// height. Zero is a dot.
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
